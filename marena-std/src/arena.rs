//! The arena: the core's, over memory of its own.

use std::thread;

use marena_core::{GivenBack, Reserve};

use crate::builder::Builder;
use crate::error::Error;
use crate::memory::{CAPACITY_LIMIT, OwnedMemory};
use crate::thread_values::ThreadValues;

/// A lock-free bump allocator over memory of its own: [`marena_core::Arena`] in [`OwnedMemory`].
///
/// **Values placed in an arena are not dropped**, neither by a reset nor at its end: their memory
/// comes back, their destructors do not run.
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
///
/// The capacity is rounded up to a multiple of [`ARENA_PAGESIZE`](crate::ARENA_PAGESIZE), and has a
/// limit:
///
/// ```
/// use marena_std::{Arena, Error};
/// assert_eq!(Arena::with_capacity(1024)?.capacity(), 65_536);
/// let too_much = Arena::with_capacity(Arena::MAX_CAPACITY + 1);
/// assert!(matches!(too_much, Err(Error::CapacityTooLarge { limit: Arena::MAX_CAPACITY, .. })));
/// # Ok::<(), Error>(())
/// ```
///
/// [`builder`](marena_core::Arena::builder) sets how the memory is provided, and
/// [`trim`](marena_core::Arena::trim) gives it back after a burst:
///
/// ```
/// use marena_std::Arena;
/// let mut arena = Arena::builder().capacity(1 << 20).huge_pages(true).build()?;
/// let kept = arena.insert(7)?;
/// arena.trim()?;
/// assert_eq!(arena.get(kept), Some(&7));
/// # Ok::<(), marena_std::Error>(())
/// ```
pub type Arena = marena_core::Arena<OwnedMemory>;

impl Reserve for OwnedMemory {
    type Error = Error;
    type Builder<'b> = Builder<'b>;
    type PerThread<T: Send> = ThreadValues<T>;
    const MAX_CAPACITY: usize = CAPACITY_LIMIT;

    fn reserve(capacity: usize) -> Result<Self, Error> {
        Self::reserve(capacity)
    }

    unsafe fn give_back_past(&self, kept: usize) -> Result<GivenBack, Error> {
        // SAFETY: the caller's promise.
        unsafe { self.give_back_past(kept) }
    }

    fn wait() {
        thread::yield_now();
    }
}
