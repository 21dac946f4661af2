//! Epochs: numbers that no two arenas, no two lives of one arena and no scratch share.
//!
//! A ticket is even and never 0; a static arena's epoch is odd ([`crate::arena`]). Tickets count to 2^63 on two 32-bit words,
//! because a 64-bit atomic is a global spin lock on small targets, which an interrupt that allocates could hang on.

use core::num::NonZeroU64;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crate::sync::{AtomicU32, Word};

/// The process's tickets. All zero, so that they lie in `.bss`.
static TICKETS: Tickets<AtomicU32> = Tickets::from_words(AtomicU32::new(0), AtomicU32::new(0));

/// A fresh epoch.
#[inline]
pub(crate) fn draw() -> NonZeroU64 {
    loop {
        // Tickets start at 0, epochs at 2. The sum wraps to 0 once in 2^63 draws, which take centuries.
        if let Some(epoch) = NonZeroU64::new(TICKETS.draw().wrapping_add(2)) {
            return epoch;
        }
    }
}

/// A dispenser of distinct numbers, made of two words so that it needs no wide atomics.
///
/// `low` counts. `halves` counts how often `low` passed a multiple of 2^31. Right unless 2^31 tickets are being drawn at once.
/// Hidden: public so that a model checker can run it over both half-wraps.
#[doc(hidden)]
#[derive(Debug)]
pub struct Tickets<W> {
    low: W,
    halves: W,
}

impl<W> Tickets<W> {
    /// A dispenser that goes on from these two words.
    pub const fn from_words(low: W, halves: W) -> Self {
        Self { low, halves }
    }
}

impl<W: Word> Tickets<W> {
    /// A number, even, that no other call returns. Lock-free: a round fails only when another draw succeeded.
    pub fn draw(&self) -> u64 {
        loop {
            // ORDERING: Acquire pairs with the exchange on `halves`: the count read from `low` next is no older.
            let before = self.halves.load(Acquire);
            let count = self.count();
            let half = if before & 1 == count >> 31 {
                before
            } else {
                // The draw that finds the parity wrong is past a multiple of 2^31 that `halves` does not know yet.
                let next = before.wrapping_add(1);
                // ORDERING: AcqRel: acquires what led to the value replaced, releases the count that made it due. A lost
                // race is as good as a won one, so the outcome is looked at below and not here.
                let _ = self.halves.compare_exchange(before, next, AcqRel, Relaxed);
                next
            };
            // ORDERING: Acquire, as above.
            let after = self.halves.load(Acquire);
            if after == before || after == half {
                return ((u64::from(half) << 31) | u64::from(count & (u32::MAX >> 1))) << 1;
            }
            // 2^31 draws or more passed since `before` was read: this count's half is not known any more.
        }
    }

    /// Adds one to `low`; the old value.
    fn count(&self) -> u32 {
        // ORDERING: Relaxed, a guess that the exchange verifies.
        let mut seen = self.low.load(Relaxed);
        loop {
            // ORDERING: AcqRel: draws are ordered through `low`, so that one behind a multiple of 2^31 sees what the
            // draws before it did to `halves`.
            match self.low.compare_exchange_weak(seen, seen.wrapping_add(1), AcqRel, Relaxed) {
                Ok(old) => return old,
                Err(found) => seen = found,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn epochs_drawn_by_many_threads_are_distinct() {
        let draws = if cfg!(miri) { 50 } else { 10_000 };
        let mut all = std::thread::scope(|scope| {
            let threads: std::vec::Vec<_> =
                (0..4).map(|_| scope.spawn(move || (0..draws).map(|_| draw()).collect::<std::vec::Vec<_>>())).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<std::vec::Vec<_>>()
        });
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4 * draws);
    }
}
