//! The memory that a map needs.

use core::alloc::Layout;
use core::ptr::NonNull;

use marena_core::{AllocError, Arena, ExclusiveMemory, Memory, PoolGuard, Word};
use portable_atomic::AtomicU32;

/// Memory that a map keeps its nodes in.
///
/// `&Arena` implements it, an [`Arena`] that the map owns, and a [`PoolGuard`], whose arena the
/// pool recycles after the map is dropped.
///
/// # Safety
///
/// As long as the value exists, even if it is moved:
///
/// - [`region`](Self::region) returns the same pointer to the same number of bytes at every call.
///   There are at most 2^31, at a multiple of 64, valid for reads and writes from any thread that
///   may use the value.
/// - [`allocate`](Self::allocate) returns bytes of the region with the requested layout, and none
///   of the first 128. They belong to the caller alone: nobody else accesses or gets them.
/// - [`word`](Self::word) returns a pointer to a word: the same one for the same place, and
///   different ones for different places. A word that does not lie in the region does not depend on
///   bytes that do.
pub unsafe trait Space {
    /// The atomic word of links: portable-atomic's `AtomicU32` in every shipped space. A model
    /// checker has its own.
    type Word: Word;

    /// Returns the region. Offsets count from its start.
    fn region(&self) -> NonNull<[u8]>;

    /// Allocates uninitialised bytes.
    ///
    /// # Errors
    ///
    /// The same as for [`Arena::allocate_layout`]. An error changes nothing.
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError>;

    /// Returns how many bytes were handed out: a snapshot.
    fn used(&self) -> usize;

    /// Returns the word at a place of the region, a multiple of 4.
    fn word(&self, place: NonNull<u32>) -> NonNull<Self::Word>;
}

/// Implements the methods for a type that has an arena.
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

// SAFETY: as above. The map owns the arena and does not give out `&mut`.
unsafe impl<M: Memory> Space for Arena<M> {
    arena_space!();
}

// SAFETY: as above. A guard always has the same arena, which is not reset while there are guards.
unsafe impl<M: ExclusiveMemory> Space for PoolGuard<'_, M> {
    arena_space!();
}
