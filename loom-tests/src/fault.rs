//! Faults of a word: when a weak compare-and-swap fails although it found the expected value.
//!
//! Loom's weak compare-and-swap never does this. That of processors with load-linked and
//! store-conditional does. Other faults, which the models must catch, are planted in the sources:
//! `.ci/mutants.txt`.

use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use loom::sync::atomic::AtomicU32;

/// The behaviour of a word at a weak compare-and-swap.
pub trait Fault: 'static {
    /// Replaces `current` by `new`. `attempt` counts the calls on this word.
    ///
    /// # Errors
    ///
    /// Returns the value found if it is not `current`, or if this attempt fails on purpose.
    fn compare_exchange_weak(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
        attempt: u32,
    ) -> Result<u32, u32>;
}

/// No fault: the operation succeeds whenever it finds the expected value.
#[derive(Debug)]
pub struct Faithful;

impl Fault for Faithful {
    fn compare_exchange_weak(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
        _attempt: u32,
    ) -> Result<u32, u32> {
        word.compare_exchange(current, new, success, failure)
    }
}

/// A word whose first and third attempt fail.
#[derive(Debug)]
pub struct Spurious;

impl Fault for Spurious {
    fn compare_exchange_weak(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
        attempt: u32,
    ) -> Result<u32, u32> {
        if attempt == 0 || attempt == 2 {
            return Err(word.load(failure));
        }
        word.compare_exchange(current, new, success, failure)
    }
}

/// Makes each ticket stand for 2^29 tickets, so four draws pass a half. A model can then reach
/// states that take billions of draws.
#[derive(Debug)]
pub struct Leaping<F>(PhantomData<F>);

impl<F: Fault> Fault for Leaping<F> {
    fn compare_exchange_weak(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
        attempt: u32,
    ) -> Result<u32, u32> {
        let leap = new.wrapping_sub(current) << 29;
        F::compare_exchange_weak(word, current, current.wrapping_add(leap), success, failure, attempt)
    }
}
