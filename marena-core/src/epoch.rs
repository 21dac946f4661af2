//! Epochs: numbers that no two arenas, no two lives of one arena and no scratch share.
//!
//! A ticket is even and never 0; a static arena's epoch is odd ([`crate::arena`]). Tickets count to 2^63 on two 32-bit words,
//! because a 64-bit atomic is a global spin lock on small targets, which an interrupt that allocates could hang on.

use core::num::NonZeroU64;

use crate::sync::AtomicU32;
use crate::tickets::Tickets;

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
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4 * draws);
    }
}
