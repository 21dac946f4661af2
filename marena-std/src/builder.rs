//! How an arena's memory is to be.

use std::fmt;

use crate::arena::Arena;
use crate::error::Error;
use crate::memory::OwnedMemory;
use crate::pool::Pool;

/// Told the bytes done and their total.
type Progress<'p> = Box<dyn FnMut(usize, usize) + 'p>;

/// The settings of an [`Arena`] to be: made by [`Arena::builder`].
///
/// # Examples
///
/// ```
/// use marena_std::Arena;
///
/// let arena = Arena::builder()
///     .capacity(8 << 20)
///     .huge_pages(true)
///     .prefault(|done, total| eprintln!("{} %", done * 100 / total))
///     .build()?;
/// assert_eq!(arena.remaining(), (8 << 20) - 128);
/// # Ok::<(), marena_std::Error>(())
/// ```
#[derive(Default)]
#[must_use = "a builder makes an arena when `build` is called"]
pub struct Builder<'p> {
    capacity: usize,
    huge_pages: bool,
    prefault: Option<Progress<'p>>,
}

impl<'p> Builder<'p> {
    /// The capacity in bytes, 1 to [`Arena::MAX_CAPACITY`], rounded up to a multiple of
    /// [`ARENA_PAGESIZE`](crate::ARENA_PAGESIZE). There is no default.
    ///
    /// ```
    /// use marena_std::{Arena, Error};
    /// assert_eq!(Arena::builder().capacity(100_000).build()?.capacity(), 131_072);
    /// assert!(matches!(Arena::builder().build(), Err(Error::ZeroCapacity)));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Asks the system to back the arena with huge pages: fewer misses in the processor's address caches, memory used in
    /// larger steps. Off by default.
    ///
    /// A wish that never fails. Linux grants it as `/sys/kernel/mm/transparent_hugepage` says, to capacities from 2 MiB on;
    /// elsewhere it changes nothing.
    ///
    /// ```
    /// use marena_std::Arena;
    /// let arena = Arena::builder().capacity(64 << 20).huge_pages(true).build()?;
    /// # let _ = arena;
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    pub fn huge_pages(mut self, wanted: bool) -> Self {
        self.huge_pages = wanted;
        self
    }

    /// Has every page touched before [`build`](Self::build) returns, so that no allocation waits for the system to provide
    /// one. Off by default.
    ///
    /// `progress` is told the bytes done and their total (the capacity, over all arenas of a pool), every few MiB and at the end. Where the system has too little
    /// memory it may end the process, as with any touch of memory it had promised.
    ///
    /// ```
    /// use marena_std::Arena;
    /// let mut last = (0, 0);
    /// Arena::builder().capacity(1 << 20).prefault(|done, total| last = (done, total)).build()?;
    /// assert_eq!(last, (1 << 20, 1 << 20));
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    pub fn prefault(mut self, progress: impl FnMut(usize, usize) + 'p) -> Self {
        self.prefault = Some(Box::new(progress));
        self
    }

    /// Makes the arena.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroCapacity`], [`Error::CapacityTooLarge`] and [`Error::OutOfAddressSpace`].
    ///
    /// ```
    /// let arena = marena_std::Arena::builder().capacity(1024).build()?;
    /// assert_eq!(arena.used(), 0);
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    pub fn build(mut self) -> Result<Arena, Error> {
        Ok(Arena::new(self.memory(0, 1)?)?)
    }

    /// Makes a pool of `arenas` arenas, each with these settings.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    ///
    /// ```
    /// let pool = marena_std::Arena::builder().capacity(8 << 20).huge_pages(true).build_pool(3)?;
    /// assert_eq!(pool.available(), 3);
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    pub fn build_pool(mut self, arenas: usize) -> Result<Pool, Error> {
        Pool::in_memories((0..arenas).map(|index| self.memory(index, arenas)))
    }

    /// The memory of one of `count` arenas.
    fn memory(&mut self, index: usize, count: usize) -> Result<OwnedMemory, Error> {
        let mut memory = if self.huge_pages {
            OwnedMemory::reserve_huge(self.capacity)?
        } else {
            OwnedMemory::reserve(self.capacity)?
        };
        if let Some(progress) = &mut self.prefault {
            // On 32-bit targets all arenas together may be more than a `usize` counts.
            memory.prefault(|done, total| {
                progress(index.saturating_mul(total).saturating_add(done), count.saturating_mul(total));
            });
        }
        Ok(memory)
    }
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("capacity", &self.capacity)
            .field("huge_pages", &self.huge_pages)
            .field("prefault", &self.prefault.is_some())
            .finish()
    }
}
