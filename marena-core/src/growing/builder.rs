//! The settings of a growing arena.

use core::error::Error;
use core::fmt;
use core::marker::PhantomData;

use super::arena::GrowingArena;
use super::sizes::{SMALLEST_SEGMENT, Sizes};
use crate::memory::Reserve;

/// Configures how a [`GrowingArena`] grows. Made by [`GrowingArena::builder`].
///
/// # Examples
///
/// ```
/// # use marena_core::{GrowingArena, Reserve, GrowthError};
/// fn one_gibibyte_at_most<M: Reserve>() -> Result<GrowingArena<M>, GrowthError> {
///     GrowingArena::builder().first_segment(1 << 20).max_segment(64 << 20).limit(1 << 30).build()
/// }
/// ```
#[must_use = "a builder makes an arena when `build` is called"]
pub struct GrowingBuilder<M: Reserve> {
    sizes: Sizes,
    makes: PhantomData<fn() -> M>,
}

impl<M: Reserve> GrowingBuilder<M> {
    pub(super) const fn new(sizes: Sizes) -> Self {
        Self { sizes, makes: PhantomData }
    }

    /// Sets the size of the first segment, in bytes. The default is 65,536.
    ///
    /// Segments are arenas: their headers, of about 200 bytes each, are part of their sizes. Memory
    /// rounds sizes up as it must: to a multiple of 65,536 in `marena-std`.
    pub const fn first_segment(mut self, bytes: usize) -> Self {
        self.sizes.first = bytes;
        self
    }

    /// Sets the size of the largest segment, in bytes. Each segment is twice the one before until
    /// they reach it. The default is 1 GiB.
    pub const fn max_segment(mut self, bytes: usize) -> Self {
        self.sizes.max = bytes;
        self
    }

    /// Sets how many bytes all segments together have at most. There is no limit by default.
    ///
    /// What does not fit within the limit fails as in a full arena, with
    /// [`AllocError::Full`](crate::AllocError::Full).
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.sizes.limit = bytes;
        self
    }

    /// Creates the arena. It has no memory before the first allocation.
    ///
    /// # Errors
    ///
    /// [`GrowthError`], where the sizes contradict each other.
    ///
    /// ```
    /// # use marena_core::{GrowingArena, GrowthError, Reserve};
    /// fn contradictions<M: Reserve>() {
    ///     let builder = GrowingArena::<M>::builder;
    ///     let nothing = builder().limit(0).build();
    ///     assert!(matches!(nothing, Err(GrowthError::Limit { requested: 0, .. })));
    ///     let too_large = builder().first_segment(2 << 20).max_segment(1 << 20).build();
    ///     assert!(matches!(too_large, Err(GrowthError::FirstSegment { .. })));
    /// }
    /// ```
    pub const fn build(self) -> Result<GrowingArena<M>, GrowthError> {
        let Sizes { first, max, limit } = self.sizes;
        if max > M::MAX_CAPACITY || max < SMALLEST_SEGMENT {
            return Err(GrowthError::MaxSegment {
                requested: max,
                smallest: SMALLEST_SEGMENT,
                largest: M::MAX_CAPACITY,
            });
        }
        if first < SMALLEST_SEGMENT || first > max {
            return Err(GrowthError::FirstSegment { requested: first, smallest: SMALLEST_SEGMENT, largest: max });
        }
        if limit < first {
            return Err(GrowthError::Limit { requested: limit, first_segment: first });
        }
        Ok(GrowingArena::with_sizes(self.sizes))
    }
}

impl<M: Reserve> fmt::Debug for GrowingBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sizes.fmt(f)
    }
}

/// Why an arena cannot grow as it was configured to.
///
/// # Examples
///
/// ```
/// # use marena_core::{GrowingArena, GrowthError, Reserve};
/// fn no_room<M: Reserve>() {
///     let error = GrowingArena::<M>::builder().limit(1000).build().unwrap_err();
///     assert_eq!(error, GrowthError::Limit { requested: 1000, first_segment: 65_536 });
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrowthError {
    /// The first segment is too small, or larger than the largest.
    FirstSegment {
        /// Bytes asked for.
        requested: usize,
        /// The fewest that a segment has.
        smallest: usize,
        /// The size of the largest segment, as it is configured.
        largest: usize,
    },
    /// The largest segment is larger than the memory has any, or too small.
    MaxSegment {
        /// Bytes asked for.
        requested: usize,
        /// The fewest that a segment has.
        smallest: usize,
        /// The most that the memory has in one piece.
        largest: usize,
    },
    /// The limit leaves no room for the first segment.
    Limit {
        /// Bytes asked for.
        requested: usize,
        /// The size of the first segment, as it is configured.
        first_segment: usize,
    },
}

impl fmt::Display for GrowthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::FirstSegment { requested, smallest, largest } => {
                write!(
                    f,
                    "a first segment of {requested} bytes is not possible; use {smallest} to {largest}, the largest segment"
                )
            }
            Self::MaxSegment { requested, smallest, largest } => {
                write!(f, "a largest segment of {requested} bytes is not possible; use {smallest} to {largest}")
            }
            Self::Limit { requested, first_segment } => write!(
                f,
                "a limit of {requested} bytes leaves no room for the first segment, of {first_segment}; raise the limit or start smaller"
            ),
        }
    }
}

impl Error for GrowthError {}
