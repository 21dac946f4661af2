//! When a word's weak compare-and-swap fails although it found what it expected.
//!
//! Loom's never does; that of machines with load-linked and store-conditional does. The faults that
//! the models must catch are planted in the sources instead: `.ci/mutants.txt`.

use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use loom::sync::atomic::AtomicU32;

/// What a word does at a weak compare-and-swap.
pub trait Fault: 'static {
    /// Exchanges `current` for `new`, or returns the value found. `attempt` counts the calls on
    /// this word.
    ///
    /// # Errors
    ///
    /// The value found, if it is another or if this attempt fails on purpose.
    fn compare_exchange_weak(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
        attempt: u32,
    ) -> Result<u32, u32>;
}

/// No fault: succeeds whenever it finds what it expects.
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

/// Fails at the first and at the third attempt on every word.
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

/// Makes each ticket stand for 2^29 of them, so that four pass a half: a model reaches what takes
/// billions of draws.
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
