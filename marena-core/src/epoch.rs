//! Epochs: numbers of which every generation of every arena, and every scope, has its own.
//!
//! A drawn epoch is even and never 0. A static arena's is odd ([`crate::arena`]). The tickets
//! behind them count on two 32-bit words, because a 64-bit atomic is a global spin lock on small
//! targets, on which an interrupt handler that allocates could wait for ever.

use core::num::NonZeroU64;

use crate::sync::AtomicU32;
use crate::tickets::Tickets;

/// The tickets of the process. They are all zero at first, so that they lie in `.bss`.
static TICKETS: Tickets<AtomicU32> = Tickets::from_words(AtomicU32::new(0), AtomicU32::new(0));

/// Returns a fresh epoch.
#[inline]
pub(crate) fn draw() -> NonZeroU64 {
    // The result is even and not 0, without a branch: a ticket is even, and is doubled once more
    // here. The bit that is shifted out matters only after 2^62 draws, which take a century at a
    // billion a second.
    const TWO: NonZeroU64 = NonZeroU64::MIN.saturating_add(1);
    TWO | (TICKETS.draw() << 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_drawn_by_many_threads_are_distinct() {
        let draws = if cfg!(miri) { 50 } else { 10_000 };
        let mut all = std::thread::scope(|scope| {
            let threads: std::vec::Vec<_> =
                (0..4).map(|_| scope.spawn(move || (0..draws).map(|_| draw()).collect::<std::vec::Vec<_>>())).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<std::vec::Vec<_>>()
        });
        // Even, where those of static arenas are odd.
        assert!(all.iter().all(|epoch| epoch.get() % 4 == 2));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4 * draws);
    }
}
