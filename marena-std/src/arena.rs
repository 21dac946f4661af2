//! The arena: the core's over memory of its own, and what only that memory can do.

use std::ops::Deref;

use marena_core::ARENA_MIN_ADDRESS;

use crate::builder::Builder;
use crate::error::Error;
use crate::memory::{CAPACITY_LIMIT, OwnedMemory};

/// A lock-free bump allocator over memory of its own: [`marena_core::Arena`], to which it derefs, over [`OwnedMemory`].
///
/// All that allocates and reads is the core's: [`allocate`](marena_core::Arena::allocate),
/// [`alloc`](marena_core::Arena::alloc), [`view`](marena_core::Arena::view) and so on. **Values placed in an arena are not
/// dropped**, neither by a reset nor at its end: their memory comes back, their destructors do not run.
///
/// # Examples
///
/// ```
/// use marena_std::Arena;
///
/// let mut arena = Arena::with_capacity(1 << 20)?;
/// std::thread::scope(|scope| {
///     for id in 0..4_u64 {
///         let arena = &arena;
///         scope.spawn(move || *arena.alloc(id).unwrap() += 1);
///     }
/// });
/// assert_eq!(arena.used(), 4 * 8);
///
/// arena.reset();
/// assert_eq!(arena.used(), 0);
/// # Ok::<(), marena_std::Error>(())
/// ```
///
/// What was allocated is borrowed from the arena, so nothing of it outlives a reset:
///
/// ```compile_fail,E0502
/// # let mut arena = marena_std::Arena::with_capacity(1024).unwrap();
/// let number = arena.alloc(1).unwrap();
/// arena.reset();
/// *number += 1;
/// ```
#[derive(Debug)]
pub struct Arena {
    core: marena_core::Arena<OwnedMemory>,
}

impl Arena {
    /// The largest capacity, in bytes: 2^31, on 32-bit targets 2^31 - 65,536.
    ///
    /// ```
    /// use marena_std::{Arena, Error};
    /// let refused = Arena::with_capacity(Arena::MAX_CAPACITY + 1);
    /// assert!(matches!(refused, Err(Error::CapacityTooLarge { limit: Arena::MAX_CAPACITY, .. })));
    /// ```
    pub const MAX_CAPACITY: usize = CAPACITY_LIMIT;

    /// An arena of `capacity` bytes, rounded up to a multiple of [`ARENA_PAGESIZE`](crate::ARENA_PAGESIZE); 128 of them are its
    /// header.
    ///
    /// Address space is reserved; memory is used from the first touch of each page on.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroCapacity`], [`Error::CapacityTooLarge`] and [`Error::OutOfAddressSpace`].
    ///
    /// ```
    /// use marena_std::Arena;
    /// let arena = Arena::with_capacity(1024)?;
    /// assert_eq!(arena.capacity(), 65_536);
    /// assert_eq!(arena.remaining(), 65_536 - 128);
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    pub fn with_capacity(capacity: usize) -> Result<Self, Error> {
        Self::builder().capacity(capacity).build()
    }

    /// An arena with more to say about its memory than the capacity.
    ///
    /// ```
    /// use marena_std::Arena;
    /// let arena = Arena::builder().capacity(1 << 20).huge_pages(true).build()?;
    /// # let _ = arena;
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    #[must_use]
    pub fn builder<'p>() -> Builder<'p> {
        Builder::default()
    }

    pub(crate) fn in_memory(memory: OwnedMemory) -> Result<Self, Error> {
        Ok(Self { core: marena_core::Arena::new(memory)? })
    }

    /// Takes everything back, in constant time: the arena is empty, and handles from before are stale.
    ///
    /// Values are not dropped. Pages stay with the arena; [`trim`](Self::trim) returns them.
    ///
    /// ```
    /// use marena_std::Arena;
    /// let mut arena = Arena::with_capacity(1024)?;
    /// let handle = arena.insert(7)?;
    /// arena.reset();
    /// assert_eq!(arena.get(handle), None);
    /// assert_eq!(*arena.allocate(8)?, [0; 8]);
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    #[inline]
    pub fn reset(&mut self) {
        self.core.reset();
    }

    /// [`reset`](Self::reset), and overwrites every byte that was ever handed out with zeros. Takes time in proportion to
    /// [`Stats::high_water`](crate::Stats::high_water).
    ///
    /// ```
    /// use marena_std::Arena;
    /// let mut arena = Arena::with_capacity(1024)?;
    /// arena.alloc_str("secret")?;
    /// arena.wipe();
    /// assert_eq!(arena.stats().high_water, 0);
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    pub fn wipe(&mut self) {
        self.core.wipe();
    }

    /// Gives the pages that lie wholly past the cursor back to the system, which provides them anew when they are touched again;
    /// the number of bytes offered to it.
    ///
    /// What is allocated stays as it is; [`reset`](Self::reset) first gives back nearly everything. Linux takes the pages at
    /// once, other Unix systems when they need them, Windows not at all: the answer is 0 there.
    ///
    /// No substitute for [`wipe`](Self::wipe): where the system does not take the pages, their bytes stay.
    ///
    /// # Errors
    ///
    /// [`Error::Trim`] where the system refuses, as it does for locked memory. The arena is unchanged then.
    ///
    /// ```
    /// use marena_std::Arena;
    /// let mut arena = Arena::with_capacity(1 << 20)?;
    /// let kept = arena.insert(7)?;
    /// arena.trim()?;
    /// assert_eq!(arena.get(kept), Some(&7));
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    pub fn trim(&mut self) -> Result<usize, Error> {
        let kept = ARENA_MIN_ADDRESS as usize + self.core.used();
        // SAFETY: behind the header and the used bytes nothing is handed out, and `&mut self` keeps others from claiming
        // meanwhile. The arena counts on zeros only past its peak, and those stay zero; below, it zeroes what it hands out.
        unsafe { self.core.memory().give_back_past(kept) }
    }
}

impl Deref for Arena {
    type Target = marena_core::Arena<OwnedMemory>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.core
    }
}
