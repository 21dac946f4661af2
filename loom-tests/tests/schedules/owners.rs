//! The owner of each step of the region.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

const NOBODY: u32 = 0;

/// One entry for each 8 bytes. The words are not shuttle's, because access to them is no step of
/// the arena.
pub(crate) struct Owners(Vec<AtomicU32>);

impl Owners {
    pub(crate) fn new(len: usize) -> Self {
        Self((0..len / 8).map(|_| AtomicU32::new(NOBODY)).collect())
    }

    /// Gives bytes without an owner to `id`.
    pub(crate) fn claim(&self, position: usize, len: usize, id: u32) {
        assert!(position.is_multiple_of(8), "a block starts at {position}");
        self.replace(position, len, NOBODY, id);
    }

    /// Takes the bytes of `id` away from it.
    pub(crate) fn release(&self, position: usize, len: usize, id: u32) {
        self.replace(position, len, id, NOBODY);
    }

    fn replace(&self, position: usize, len: usize, from: u32, to: u32) {
        for step in position / 8..(position + len).div_ceil(8) {
            // ORDERING: Relaxed: shuttle runs one thread at a time.
            let found = self.0[step].swap(to, Relaxed);
            assert_eq!(found, from, "position {} for {to}", step * 8);
        }
    }

    /// Returns the position behind the last byte that has an owner.
    pub(crate) fn end(&self) -> usize {
        // ORDERING: Relaxed: the threads have ended.
        self.0.iter().rposition(|owner| owner.load(Relaxed) != NOBODY).map_or(0, |step| (step + 1) * 8)
    }
}
