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
    /// The size of a segment includes its header, of about 200 bytes. Memory may round sizes up:
    /// `marena-std` rounds up to a multiple of 65,536.
    pub const fn first_segment(mut self, bytes: usize) -> Self {
        self.sizes.first = bytes;
        self
    }

    /// Sets the size of the largest segment, in bytes. Each segment is twice the one before until
    /// this size is reached. The default is 1 GiB.
    pub const fn max_segment(mut self, bytes: usize) -> Self {
        self.sizes.max = bytes;
        self
    }

    /// Sets the largest size of all segments together, in bytes. There is no limit by default, and
    /// [`set_limit`](GrowingArena::set_limit) changes it later.
    ///
    /// An allocation that does not fit within the limit fails with
    /// [`AllocError::Full`](crate::AllocError::Full).
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.sizes.limit = bytes;
        self
    }

    /// Creates the arena. It has no memory before the first allocation.
    ///
    /// # Errors
    ///
    /// [`GrowthError`] if the sizes contradict each other.
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
        /// The size that was requested, in bytes.
        requested: usize,
        /// The smallest possible size, in bytes.
        smallest: usize,
        /// The configured size of the largest segment, in bytes.
        largest: usize,
    },
    /// The largest segment is too small, or larger than the memory can provide.
    MaxSegment {
        /// The size that was requested, in bytes.
        requested: usize,
        /// The smallest possible size, in bytes.
        smallest: usize,
        /// The largest size that the memory provides in one piece, in bytes.
        largest: usize,
    },
    /// The limit leaves no room for the first segment.
    Limit {
        /// The size that was requested, in bytes.
        requested: usize,
        /// The configured size of the first segment, in bytes.
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
