//! A pool of arenas of one capacity.

use std::fmt;

use marena_core::{PoolGuard, PoolSlot};

use crate::builder::Builder;
use crate::error::Error;
use crate::memory::OwnedMemory;

/// Arenas of one capacity that are handed out and recycled.
///
/// Each arena is free or shared by the clones of one guard. When the last clone is dropped, the
/// arena is reset and free again.
///
/// The number of arenas is chosen at run time. For [`marena_core::Pool`] it is fixed at build time.
/// Address space for all arenas is reserved at the start. An arena uses memory from the first touch
/// of each page on, and keeps it when it is recycled.
///
/// # Examples
///
/// A table that fills while the previous one is still read:
///
/// ```
/// use marena_std::Pool;
///
/// let pool = Pool::with_capacity(2, 1 << 20)?;
/// let table = pool.acquire().unwrap();
/// let handle = table.insert("first").unwrap();
///
/// let reader = table.clone();
/// drop(table);
/// let next = pool.acquire().unwrap();
/// assert_eq!(next.get(handle), None);
/// assert_eq!(reader.get(handle), Some(&"first"));
///
/// drop(reader);
/// assert_eq!(pool.available(), 1);
/// # Ok::<(), marena_std::Error>(())
/// ```
pub struct Pool {
    slots: Box<[PoolSlot<OwnedMemory>]>,
}

impl Pool {
    /// Creates a pool of `arenas` empty arenas of `capacity` bytes each, rounded up to a multiple
    /// of [`ARENA_PAGESIZE`](crate::ARENA_PAGESIZE). [`Builder::build_pool`] has further settings.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroCapacity`], [`Error::CapacityTooLarge`] and [`Error::OutOfAddressSpace`].
    ///
    /// ```
    /// use marena_std::Pool;
    /// let pool = Pool::with_capacity(4, 64 << 20)?;
    /// assert_eq!(pool.available(), 4);
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    pub fn with_capacity(arenas: usize, capacity: usize) -> Result<Self, Error> {
        Builder::default().capacity(capacity).build_pool(arenas)
    }

    pub(crate) fn in_memories(memories: impl Iterator<Item = Result<OwnedMemory, Error>>) -> Result<Self, Error> {
        let slots = memories.map(|memory| Ok(PoolSlot::new(marena_core::Arena::new(memory?)?)));
        Ok(Self { slots: slots.collect::<Result<_, Error>>()? })
    }

    pub(crate) fn slots(&self) -> &[PoolSlot<OwnedMemory>] {
        &self.slots
    }

    /// Takes a free arena, or returns `None` if every arena was in use. The time is proportional to
    /// the number of arenas.
    ///
    /// ```
    /// use marena_std::Pool;
    /// let pool = Pool::with_capacity(1, 1024)?;
    /// let guard = pool.acquire().unwrap();
    /// assert!(pool.acquire().is_none());
    /// drop(guard);
    /// assert!(pool.acquire().is_some());
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    #[must_use = "dropping the guard recycles the arena"]
    pub fn acquire(&self) -> Option<PoolGuard<'_, OwnedMemory>> {
        self.slots.iter().find_map(PoolSlot::acquire)
    }

    /// Gives the pages of all free arenas back to the system, as
    /// [`Arena::trim`](marena_core::Arena::trim) does for one arena. Returns the number of bytes
    /// offered. Call it after a burst.
    ///
    /// Arenas in use are left alone. An arena counts as in use while it is trimmed.
    ///
    /// # Errors
    ///
    /// [`Error::Trim`]: the first one, if several arenas fail. The other arenas are trimmed all the
    /// same.
    ///
    /// ```
    /// use marena_std::Pool;
    /// let pool = Pool::with_capacity(4, 64 << 20)?;
    /// pool.acquire().unwrap().allocate(48 << 20)?.fill(1);
    /// pool.trim()?;
    /// assert_eq!(pool.available(), 4);
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    pub fn trim(&self) -> Result<usize, Error> {
        let mut outcome = Ok(0);
        for offered in self.slots.iter().filter_map(PoolSlot::trim) {
            outcome = outcome.and_then(|sum| Ok(sum + offered?));
        }
        outcome
    }

    /// Returns how many arenas are free: a snapshot, which other threads may outdate at once.
    #[must_use]
    pub fn available(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_free()).count()
    }

    /// Returns how many arenas the pool has, free or not.
    #[must_use]
    pub fn arena_count(&self) -> usize {
        self.slots.len()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("arenas", &self.arena_count()).field("available", &self.available()).finish()
    }
}
