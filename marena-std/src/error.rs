//! The errors, and what to do about them.

use std::io;

use marena_core::{ARENA_PAGESIZE, AllocError, GrowthError, MemoryError};

use crate::limit::Limit;

/// Why an arena could not be made or trimmed.
///
/// Allocating returns [`AllocError`], which converts into this type, so that one `?` serves a
/// function that does both.
///
/// # Examples
///
/// ```
/// use marena_std::{Arena, Error};
///
/// fn greeting_length() -> Result<usize, Error> {
///     let arena = Arena::with_capacity(1024)?;
///     Ok(arena.alloc_str("hello")?.len())
/// }
/// assert_eq!(greeting_length()?, 5);
///
/// assert!(matches!(Arena::with_capacity(0), Err(Error::ZeroCapacity)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The capacity is 0, or a builder was given none.
    #[error(
        "an arena of no bytes was requested; give a capacity of 1 byte or more, which is rounded up to a multiple of \
         {ARENA_PAGESIZE}"
    )]
    ZeroCapacity,
    /// The capacity is more than one arena can have.
    #[error("{requested} bytes were requested and an arena has at most {limit}; use several arenas, as in a `Pool`")]
    CapacityTooLarge {
        /// The number that was requested, in bytes.
        requested: usize,
        /// The largest capacity of an arena on this target, in bytes:
        /// [`Arena::MAX_CAPACITY`](crate::Arena::MAX_CAPACITY).
        limit: usize,
    },
    /// The alignment is not a power of two.
    #[error("{requested} is not an alignment; use a power of two")]
    Alignment {
        /// The number that was requested, in bytes.
        requested: usize,
    },
    /// The system has no run of addresses of this length left for the process, or a limit of the
    /// process does not allow it.
    #[error(
        "the system gave no {requested} bytes of address space{}; request fewer, or drop arenas that are no longer used",
        Limit::reached(*limit)
    )]
    OutOfAddressSpace {
        /// The number that was requested, in bytes, rounded up to a multiple of [`ARENA_PAGESIZE`].
        requested: usize,
        /// The limit of this process that was reached, if it is known.
        limit: Option<Limit>,
        /// The system's error.
        source: io::Error,
    },
    /// The system did not take pages back. The arena is unchanged and usable.
    #[error(
        "the system did not take back {offered} bytes of pages; unlock them if the process has locked its memory \
         (`mlockall`)"
    )]
    Trim {
        /// The number of bytes that were offered.
        offered: usize,
        /// The system's error.
        source: io::Error,
    },
    /// The memory cannot be an arena's region.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A growing arena's sizes contradict each other.
    #[error(transparent)]
    Growth(#[from] GrowthError),
    /// A file could not be created or opened as an arena.
    #[cfg(all(any(unix, windows), target_has_atomic = "64"))]
    #[error(transparent)]
    Map(#[from] crate::MapError),
    /// A mapped arena could not publish, clear or flush.
    #[cfg(all(any(unix, windows), target_has_atomic = "64"))]
    #[error(transparent)]
    Publish(#[from] crate::PublishError),
    /// Bytes of a mapped arena could not be read or written.
    #[cfg(all(any(unix, windows), target_has_atomic = "64"))]
    #[error(transparent)]
    Access(#[from] crate::AccessError),
    /// An allocation failed.
    #[error(transparent)]
    Alloc(#[from] AllocError),
}
