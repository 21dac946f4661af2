//! The builder of arenas and pools.

use std::fmt;

use marena_core::ARENA_PAGESIZE;

use crate::arena::Arena;
use crate::error::Error;
use crate::memory::OwnedMemory;
use crate::pool::Pool;

/// A callback that gets the number of bytes done and the total.
type Progress<'p> = Box<dyn FnMut(usize, usize) + 'p>;

/// Configures the memory of an [`Arena`] or a [`Pool`]. [`Arena::builder`] makes one.
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
#[must_use = "a builder makes an arena when `build` is called"]
pub struct Builder<'p> {
    capacity: usize,
    align: usize,
    huge_pages: bool,
    prefault: Option<Progress<'p>>,
}

impl Default for Builder<'_> {
    fn default() -> Self {
        Self { capacity: 0, align: ARENA_PAGESIZE, huge_pages: false, prefault: None }
    }
}

impl<'p> Builder<'p> {
    /// Configures the capacity in bytes, 1 to [`Arena::MAX_CAPACITY`], rounded up to a multiple of
    /// [`ARENA_PAGESIZE`]. There is no default.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Configures the alignment of the arena's first byte: a power of two. The default and the
    /// smallest alignment is [`ARENA_PAGESIZE`].
    ///
    /// Some foreign interfaces need this, for example 2 GiB at a multiple of 4 GiB. Addresses that
    /// are skipped cost nothing.
    ///
    /// ```
    /// # if cfg!(any(miri, target_pointer_width = "32")) { return Ok(()) }
    /// use marena_std::marena_core::Memory;
    /// use marena_std::Arena;
    /// let arena = Arena::builder().capacity(2 << 30).align(4 << 30).build()?;
    /// assert!(arena.memory().region().addr().get().is_multiple_of(4 << 30));
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    pub fn align(mut self, bytes: usize) -> Self {
        self.align = bytes;
        self
    }

    /// Configures whether the system is asked for huge pages. They cause fewer misses in the
    /// processor's address caches, but use memory in larger steps. Off by default.
    ///
    /// This is a wish, which never fails. Linux grants it as `/sys/kernel/mm/transparent_hugepage`
    /// says, for each 2 MiB that lie wholly in the arena behind its first 64 KiB. On other systems,
    /// and in smaller arenas, it changes nothing.
    pub fn huge_pages(mut self, wanted: bool) -> Self {
        self.huge_pages = wanted;
        self
    }

    /// Makes [`build`](Self::build) touch every page, so that no allocation waits for the system to
    /// provide one. Off by default.
    ///
    /// `progress` is called with the number of bytes done and the total (the capacity, or that of
    /// all arenas of a pool), every few MiB and at the end. If the system has too little memory, it
    /// may end the process, as with any touch of memory that it promised.
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

    /// Creates the arena.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroCapacity`], [`Error::CapacityTooLarge`], [`Error::Alignment`] and
    /// [`Error::OutOfAddressSpace`].
    pub fn build(mut self) -> Result<Arena, Error> {
        Ok(Arena::new(self.memory(0, 1)?)?)
    }

    /// Creates a pool of `arenas` arenas, each with these settings.
    ///
    /// # Errors
    ///
    /// The same as for [`build`](Self::build).
    pub fn build_pool(mut self, arenas: usize) -> Result<Pool, Error> {
        Pool::in_memories((0..arenas).map(|index| self.memory(index, arenas)))
    }

    /// Reserves the memory of one of `count` arenas.
    fn memory(&mut self, index: usize, count: usize) -> Result<OwnedMemory, Error> {
        let mut memory = OwnedMemory::reserve_with(self.capacity, self.align, self.huge_pages)?;
        if let Some(progress) = &mut self.prefault {
            // On 32-bit targets all arenas together may be more than a `usize` counts.
            memory.prefault(|done, total| {
                progress(index.saturating_mul(total).saturating_add(done), count.saturating_mul(total));
            })?;
        }
        Ok(memory)
    }
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("capacity", &self.capacity)
            .field("align", &self.align)
            .field("huge_pages", &self.huge_pages)
            .field("prefault", &self.prefault.is_some())
            .finish()
    }
}
