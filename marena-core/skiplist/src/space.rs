//! What a map needs of memory.

use core::alloc::Layout;
use core::ptr::NonNull;

use marena_core::{AllocError, Arena, ExclusiveMemory, Memory, PoolGuard, Word};
use portable_atomic::AtomicU32;

/// Memory that a map keeps its nodes in.
///
/// Implemented for `&Arena`, for an [`Arena`] that the map owns, and for a [`PoolGuard`], whose
/// arena the pool recycles when the map is gone.
///
/// # Safety
///
/// As long as the value lives, wherever it is moved:
///
/// - [`region`](Self::region) returns the same pointer at every call, to as many bytes: at most
///   2^31, at a multiple of 64, valid for reads and writes from any thread that may use the value.
/// - [`allocate`](Self::allocate) returns bytes of the region, with the layout asked for, none of
///   them among the first 128. They are the caller's alone: nobody else accesses them or is handed
///   them.
/// - [`word`](Self::word) returns a pointer to a word, the same at every call with the same place,
///   and different for different places. What else lies in the region is no concern of a word that
///   does not lie there.
pub unsafe trait Space {
    /// The atomic word that links are made of: portable-atomic's `AtomicU32` in everything that
    /// ships. A model checker brings its own.
    type Word: Word;

    /// Returns the bytes that offsets count from the start of.
    fn region(&self) -> NonNull<[u8]>;

    /// Allocates.
    ///
    /// # Errors
    ///
    /// As for [`Arena::allocate_layout`]. Nothing changes then.
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError>;

    /// Returns how many bytes are handed out, a snapshot.
    fn used(&self) -> usize;

    /// Returns the word at a place of the region, a multiple of 4.
    fn word(&self, place: NonNull<u32>) -> NonNull<Self::Word>;
}

/// The implementation for something that has an arena.
macro_rules! arena_space {
    () => {
        type Word = AtomicU32;

        #[inline]
        fn region(&self) -> NonNull<[u8]> {
            self.memory().region()
        }

        #[inline]
        fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
            Ok(self.allocate_layout(layout)?.cast())
        }

        #[inline]
        fn used(&self) -> usize {
            Arena::used(self)
        }

        #[inline]
        fn word(&self, place: NonNull<u32>) -> NonNull<AtomicU32> {
            place.cast()
        }
    };
}

// SAFETY: a memory's region stays the same, is aligned to 128 and at most 2^31 bytes long. An arena
// hands out each byte once until its reset, which takes `&mut`, and none of its header. A word lies
// at its place.
unsafe impl<M: Memory> Space for &Arena<M> {
    arena_space!();
}

// SAFETY: as above; the map owns the arena and gives nobody `&mut`.
unsafe impl<M: Memory> Space for Arena<M> {
    arena_space!();
}

// SAFETY: as above; a guard is of one arena all its life, which is not reset while there are
// guards.
unsafe impl<M: ExclusiveMemory> Space for PoolGuard<'_, M> {
    arena_space!();
}
