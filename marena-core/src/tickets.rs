//! Distinct numbers up to 2^63 from two 32-bit words.
//!
//! A file of its own, so that the models of `loom-tests` include it as it is.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crate::sync::Word;

/// A dispenser of distinct numbers. It has two words, so that it needs no 64-bit atomics.
///
/// `low` counts the draws. `halves` counts how often `low` passed a multiple of 2^31. The numbers
/// are distinct unless 2^31 draws run at once.
#[derive(Debug)]
pub(crate) struct Tickets<W> {
    low: W,
    halves: W,
}

impl<W> Tickets<W> {
    /// Creates a dispenser that goes on from these two words.
    pub(crate) const fn from_words(low: W, halves: W) -> Self {
        Self { low, halves }
    }
}

impl<W: Word> Tickets<W> {
    /// Returns an even number that no other call returns. Lock-free: a round fails only if another
    /// draw succeeded.
    pub(crate) fn draw(&self) -> u64 {
        loop {
            // ORDERING: Acquire pairs with the compare-and-swap on `halves`: the count that is read
            // from `low` next is not older.
            let before = self.halves.load(Acquire);
            let count = self.count();
            // The lowest bit of one and the highest of the other, by the sign of their difference.
            let half = if ((before << 31) ^ count) as i32 >= 0 {
                before
            } else {
                // The parity is wrong, so this draw is past a multiple of 2^31 that `halves` does
                // not count yet.
                let next = before.wrapping_add(1);
                // ORDERING: AcqRel: acquires what led to the value that is replaced, and releases
                // the count that made the change due. A lost race is as good as a won one, so only
                // the load below looks at the outcome.
                let _ = self.halves.compare_exchange(before, next, AcqRel, Relaxed);
                next
            };
            // ORDERING: Acquire, as above.
            let after = self.halves.load(Acquire);
            // If `half` is not `before`, then `before` is gone, even if the exchange failed.
            if after == half {
                // The shift drops the count's highest bit, which is the half's lowest.
                return (u64::from(half) << 32) | u64::from(count << 1);
            }
            // At least 2^31 draws passed since `before` was read, so the half of this count is
            // unknown.
        }
    }

    /// Adds one to `low`, and returns the old value.
    fn count(&self) -> u32 {
        // ORDERING: Relaxed: a guess, which the compare-and-swap verifies.
        let mut seen = self.low.load(Relaxed);
        loop {
            // ORDERING: AcqRel: draws are ordered through `low`, so that one behind a multiple of
            // 2^31 sees what the draws before it did to `halves`.
            match self.low.compare_exchange_weak(seen, seen.wrapping_add(1), AcqRel, Relaxed) {
                Ok(old) => return old,
                Err(found) => seen = found,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::Ordering;

    use super::*;
    use crate::sync::AtomicU32;

    #[test]
    fn tickets_are_distinct_even_and_rising_across_both_half_wraps() {
        for (low, halves) in [(u32::MAX >> 1, 0), (u32::MAX, 1), (u32::MAX - 3, 5)] {
            let tickets = Tickets::from_words(AtomicU32::new(low - 2), AtomicU32::new(halves));
            let mut last = 0;
            for _ in 0..8 {
                let ticket = tickets.draw();
                assert!(ticket > last, "{ticket} after {last} from {low} and {halves}");
                assert_eq!(ticket % 2, 0);
                last = ticket;
            }
        }
    }

    #[test]
    fn tickets_are_twice_consecutive_numbers_and_the_halves_follow_every_wrap() {
        const HALF: u32 = 1 << 31;
        for (low, halves, half) in [
            (0, 0, 0),
            (HALF - 4, 0, 0),
            (HALF, 0, 1),
            (HALF, 1, 1),
            (HALF + 5, 3, 3),
            (u32::MAX - 3, 5, 5),
            (u32::MAX - 3, 4, 5),
            (0, 5, 6),
            (u32::MAX - 3, u32::MAX, u32::MAX),
        ] {
            let tickets = Tickets::from_words(AtomicU32::new(low), AtomicU32::new(halves));
            let first = (u64::from(half) << 31) + u64::from(low % HALF);
            for more in 0..8 {
                let (number, case) = (first + more, (low, halves, more));
                // After 2^63 numbers they start again.
                assert_eq!(tickets.draw(), (number % (1 << 63)) << 1, "{case:?}");
                assert_eq!(tickets.halves.load(Relaxed), (number >> 31) as u32, "{case:?}");
                assert_eq!(tickets.low.load(Relaxed), low.wrapping_add(more as u32 + 1), "{case:?}");
            }
        }
    }

    /// A word that another thread raises by 2 just before one of its loads.
    struct Raced {
        value: AtomicU32,
        loads: AtomicU32,
        raised_at: u32,
    }

    impl Raced {
        fn new(value: u32, raised_at: u32) -> Self {
            Self { value: AtomicU32::new(value), loads: AtomicU32::new(0), raised_at }
        }
    }

    // SAFETY: every access goes to `value`, an atomic word.
    unsafe impl Word for Raced {
        fn load(&self, order: Ordering) -> u32 {
            if self.loads.fetch_add(1, Relaxed) == self.raised_at {
                self.value.fetch_add(2, Relaxed);
            }
            self.value.load(order)
        }

        fn store(&self, value: u32, order: Ordering) {
            self.value.store(value, order);
        }

        fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
            self.value.compare_exchange(current, new, success, failure)
        }

        fn compare_exchange_weak(
            &self,
            current: u32,
            new: u32,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u32, u32> {
            self.value.compare_exchange_weak(current, new, success, failure)
        }
    }

    #[test]
    fn a_draw_whose_half_may_have_passed_takes_another_count() {
        for (low, half) in [(8, 4), (8 + (1 << 31), 5)] {
            let tickets = Tickets::from_words(Raced::new(low, u32::MAX), Raced::new(half, 1));
            let number = (u64::from(half + 2) << 31) + u64::from(9_u32);
            assert_eq!(tickets.draw(), number << 1);
        }
    }
}
