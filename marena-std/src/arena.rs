//! The core's arena over its own memory.

use std::thread;

use marena_core::{GivenBack, Reserve};

use crate::builder::Builder;
use crate::error::Error;
use crate::memory::{CAPACITY_LIMIT, OwnedMemory};
use crate::thread_values::ThreadValues;

/// A lock-free bump allocator that reserves its own memory: [`marena_core::Arena`] in
/// [`OwnedMemory`].
///
/// **Values placed in an arena are not dropped**, neither by a reset nor with the arena: their
/// memory comes back, but their destructors do not run.
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
/// An allocation borrows the arena, so it cannot outlive a reset:
///
/// ```compile_fail,E0502
/// # let mut arena = marena_std::Arena::with_capacity(1024).unwrap();
/// let number = arena.alloc(1).unwrap();
/// arena.reset();
/// *number += 1;
/// ```
///
/// The capacity is rounded up to a multiple of [`ARENA_PAGESIZE`](crate::ARENA_PAGESIZE), and is
/// limited:
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
