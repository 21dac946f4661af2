//! What a word does instead of what it was asked to: nothing else, for the models; planted faults, for their mutants.
//!
//! The protocol's steps differ in operation and order, so a fault can pick one of them:
//!
//! | step | operation on the word |
//! | --- | --- |
//! | claim | weak exchange, Acquire |
//! | raise of the peak | weak exchange, Relaxed |
//! | give-back | strong exchange, Release |
//! | shared reset: peak | store of another value, Relaxed |
//! | shared reset: cursor | store of 0, Release |
//! | end of formatting | store of another value, Release |
//! | attach | load, Acquire |
//! | growth in place | strong exchange, Acquire |
//! | count of stranded bytes | weak exchange, Relaxed |
//! | pool: first guard | strong exchange, Acquire |
//! | pool: one guard more | weak exchange, Relaxed |
//! | pool: one guard less | weak exchange, Release |
//! | pool: last guard | weak exchange, Acquire |
//! | pool: arena free again | store of 0, Release |
//! | ticket's count | weak exchange, `AcqRel` |
//! | ticket's half | strong exchange, `AcqRel` |

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release};

use loom::sync::atomic::AtomicU32;

/// The operations of a word. The defaults are faithful.
#[expect(missing_docs, reason = "the operations of `Word`, under the same names")]
#[expect(clippy::missing_errors_doc, reason = "as in `Word`: the value found")]
pub trait Fault: 'static {
    fn load(word: &AtomicU32, order: Ordering) -> u32 {
        word.load(order)
    }

    fn store(word: &AtomicU32, value: u32, order: Ordering) {
        word.store(value, order);
    }

    fn compare_exchange(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        word.compare_exchange(current, new, success, failure)
    }

    /// `attempt` counts the weak exchanges on this word.
    fn compare_exchange_weak(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
        attempt: u32,
    ) -> Result<u32, u32> {
        let _ = attempt;
        // Loom's weak exchange never fails on its own, so the strong one is the same thing.
        word.compare_exchange(current, new, success, failure)
    }
}

/// No fault.
#[derive(Debug)]
pub struct Faithful;

impl Fault for Faithful {}

/// No fault either: a weak exchange may fail although it found what it expected, as on machines with load-linked and
/// store-conditional. Here the first and the third attempt on every word do.
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

/// Tickets that stand for 2^29 each: four of them pass a half, so that a model reaches what takes billions of draws. What `F`
/// does comes on top.
#[derive(Debug)]
pub struct Leaping<F>(PhantomData<F>);

impl<F: Fault> Fault for Leaping<F> {
    fn load(word: &AtomicU32, order: Ordering) -> u32 {
        F::load(word, order)
    }

    fn compare_exchange(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        F::compare_exchange(word, current, new, success, failure)
    }

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

/// Declares a fault in weak exchanges: `$instead` where `$when` holds of the success order, and faithful otherwise.
macro_rules! weak_exchange_fault {
    ($(#[$doc:meta])* $name:ident, $when:pat, |$word:ident, $current:ident, $new:ident| $instead:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Fault for $name {
            fn compare_exchange_weak(
                $word: &AtomicU32,
                $current: u32,
                $new: u32,
                success: Ordering,
                failure: Ordering,
                _attempt: u32,
            ) -> Result<u32, u32> {
                if matches!(success, $when) { $instead } else { $word.compare_exchange($current, $new, success, failure) }
            }
        }
    };
}

/// The same for strong exchanges.
macro_rules! exchange_fault {
    ($(#[$doc:meta])* $name:ident, $when:pat, |$word:ident, $current:ident, $new:ident| $instead:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Fault for $name {
            fn compare_exchange(
                $word: &AtomicU32,
                $current: u32,
                $new: u32,
                success: Ordering,
                failure: Ordering,
            ) -> Result<u32, u32> {
                if matches!(success, $when) { $instead } else { $word.compare_exchange($current, $new, success, failure) }
            }
        }
    };
}

/// What a compare-and-swap must not be: two steps.
fn load_then_store(word: &AtomicU32, current: u32, new: u32) -> Result<u32, u32> {
    let found = word.load(Acquire);
    if found != current {
        return Err(found);
    }
    word.store(new, Release);
    Ok(found)
}

weak_exchange_fault! {
    /// A claim that acquires nothing.
    RelaxedClaim, Acquire, |word, current, new| word.compare_exchange(current, new, Relaxed, Relaxed)
}
weak_exchange_fault! {
    /// A claim in two steps.
    ClaimByLoadAndStore, Acquire, |word, current, new| load_then_store(word, current, new)
}
weak_exchange_fault! {
    /// A claim that takes what it was told to, whatever the cursor is.
    ClaimBySwap, Acquire, |word, _current, new| Ok(word.swap(new, AcqRel))
}
weak_exchange_fault! {
    /// A claim by addition: what it adds stays although it found another cursor than it placed itself at.
    ClaimByAddition, Acquire, |word, current, new| {
        let found = word.fetch_add(new.wrapping_sub(current), AcqRel);
        if found == current { Ok(found) } else { Err(found) }
    }
}
weak_exchange_fault! {
    /// A claim by addition that subtracts what it added in vain.
    ClaimByAdditionAndRollback, Acquire, |word, current, new| {
        let step = new.wrapping_sub(current);
        let found = word.fetch_add(step, AcqRel);
        if found == current {
            return Ok(found);
        }
        word.fetch_sub(step, AcqRel);
        Err(found)
    }
}
weak_exchange_fault! {
    /// A failed exchange that is taken for a successful one.
    ClaimIgnoringFailure, Acquire, |word, current, new| {
        Ok(word.compare_exchange(current, new, Acquire, Relaxed).unwrap_or(current))
    }
}
weak_exchange_fault! {
    /// No raise of the peak.
    PeakNotRaised, Relaxed, |_word, current, _new| Ok(current)
}
weak_exchange_fault! {
    /// A raise in two steps, which can lower the peak that another thread raised higher in between.
    PeakRaisedByLoadAndStore, Relaxed, |word, current, new| load_then_store(word, current, new)
}
weak_exchange_fault! {
    /// A raise that overwrites whatever the peak is by now.
    PeakOverwritten, Relaxed, |word, _current, new| Ok(word.swap(new, Relaxed))
}
exchange_fault! {
    /// A give-back that releases nothing.
    RelaxedGiveBack, Release, |word, current, new| word.compare_exchange(current, new, Relaxed, Relaxed)
}
exchange_fault! {
    /// A give-back in two steps.
    GiveBackByLoadAndStore, Release, |word, current, new| load_then_store(word, current, new)
}
exchange_fault! {
    /// A give-back that does not look whether somebody claimed behind it.
    GiveBackByStore, Release, |word, current, new| {
        word.store(new, Release);
        Ok(current)
    }
}
exchange_fault! {
    /// No give-back.
    NoGiveBack, Release, |word, _current, _new| Err(word.load(Relaxed))
}
exchange_fault! {
    /// A growth (or a pool's first guard) that acquires nothing.
    RelaxedExtend, Acquire, |word, current, new| word.compare_exchange(current, new, Relaxed, Relaxed)
}
exchange_fault! {
    /// A growth (or a pool's first guard) in two steps.
    ExtendByLoadAndStore, Acquire, |word, current, new| load_then_store(word, current, new)
}
exchange_fault! {
    /// A growth that does not look whether somebody claimed behind the block.
    ExtendByStore, Acquire, |word, current, new| {
        word.store(new, Relaxed);
        Ok(current)
    }
}
weak_exchange_fault! {
    /// A guard that releases nothing when it goes.
    RelaxedRelease, Release, |word, current, new| word.compare_exchange(current, new, Relaxed, Relaxed)
}
weak_exchange_fault! {
    /// A guard that goes in two steps.
    ReleaseByLoadAndStore, Release, |word, current, new| load_then_store(word, current, new)
}
weak_exchange_fault! {
    /// A ticket counted in two steps.
    TicketCountedByLoadAndStore, AcqRel, |word, current, new| load_then_store(word, current, new)
}
weak_exchange_fault! {
    /// A ticket's count that orders nothing.
    TicketCountedRelaxed, AcqRel, |word, current, new| word.compare_exchange(current, new, Relaxed, Relaxed)
}
weak_exchange_fault! {
    /// A ticket's count that releases nothing.
    TicketCountNotReleased, AcqRel, |word, current, new| word.compare_exchange(current, new, Acquire, Relaxed)
}
weak_exchange_fault! {
    /// A ticket's count that acquires nothing.
    TicketCountNotAcquired, AcqRel, |word, current, new| word.compare_exchange(current, new, Release, Relaxed)
}
exchange_fault! {
    /// A half that is not counted.
    TicketHalfNotCounted, AcqRel, |word, _current, _new| Err(word.load(Relaxed))
}
exchange_fault! {
    /// A half that is stored, whatever it is by now.
    TicketHalfByStore, AcqRel, |word, current, new| {
        word.store(new, Release);
        Ok(current)
    }
}
exchange_fault! {
    /// A half that is added to, so that two draws which find it due count it twice.
    TicketHalfByAddition, AcqRel, |word, current, new| Ok(word.fetch_add(new.wrapping_sub(current), AcqRel))
}

loom::thread_local! {
    /// The raise that this thread owes, under [`PeakRaisedLate`]: the word, and how far.
    static OWED: Cell<Option<(*const AtomicU32, u32)>> = Cell::new(None);
}

/// A raise of the peak that comes behind the give-back it belongs before.
#[derive(Debug)]
pub struct PeakRaisedLate;

impl Fault for PeakRaisedLate {
    fn compare_exchange(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        let outcome = word.compare_exchange(current, new, success, failure);
        if success == Release
            && let Some((peak, position)) = OWED.with(Cell::take)
        {
            // SAFETY: a word of the header that `word` lies in too, so it lives as long.
            let peak = unsafe { &*peak };
            let mut seen = peak.load(Relaxed);
            while seen < position {
                match peak.compare_exchange(seen, position, Relaxed, Relaxed) {
                    Ok(_) => break,
                    Err(found) => seen = found,
                }
            }
        }
        outcome
    }

    fn compare_exchange_weak(
        word: &AtomicU32,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
        _attempt: u32,
    ) -> Result<u32, u32> {
        if success == Relaxed {
            OWED.with(|owed| owed.set(Some((ptr::from_ref(word), new))));
            return Ok(current);
        }
        word.compare_exchange(current, new, success, failure)
    }
}

/// A shared reset that releases nothing.
#[derive(Debug)]
pub struct RelaxedReset;

impl Fault for RelaxedReset {
    fn store(word: &AtomicU32, value: u32, order: Ordering) {
        word.store(value, if value == 0 { Relaxed } else { order });
    }
}

/// A shared reset that does not note how far bytes were used: no plain store of a figure arrives.
#[derive(Debug)]
pub struct ResetForgetsPeak;

impl Fault for ResetForgetsPeak {
    fn store(word: &AtomicU32, value: u32, order: Ordering) {
        if value == 0 || order != Relaxed {
            word.store(value, order);
        }
    }
}

/// Formatting whose end releases nothing.
#[derive(Debug)]
pub struct RelaxedFormat;

impl Fault for RelaxedFormat {
    fn store(word: &AtomicU32, value: u32, order: Ordering) {
        word.store(value, if value == 0 { order } else { Relaxed });
    }
}

/// Acquire loads that acquire nothing: an attach's.
#[derive(Debug)]
pub struct RelaxedLoad;

impl Fault for RelaxedLoad {
    fn load(word: &AtomicU32, _order: Ordering) -> u32 {
        word.load(Relaxed)
    }
}
