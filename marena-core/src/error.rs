//! The errors, with the numbers that tell the caller what to do about them.

use core::error::Error;
use core::fmt;

/// Why an allocation failed. A failed allocation changes nothing: a smaller one that fits
/// succeeds right after it.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{AllocError, Arena};
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let arena = Arena::borrowed(&mut bytes)?;
/// let remaining = arena.remaining();
/// assert_eq!(arena.allocate(4096).unwrap_err(), AllocError::Full { requested: 4096, remaining });
/// assert!(arena.allocate(remaining).is_ok());
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllocError {
    /// The size is over [`ARENA_MAX_ALLOC_SIZE`](crate::ARENA_MAX_ALLOC_SIZE), which no arena can
    /// serve.
    TooLarge {
        /// Bytes that were requested. `usize::MAX` stands for every larger number.
        requested: usize,
    },
    /// The arena has too few bytes left, alignment included.
    Full {
        /// Bytes that were requested: the sum, for several blocks.
        requested: usize,
        /// Bytes that were left in one piece. A lease, or a scope of one, can have several pieces.
        remaining: usize,
    },
    /// The alignment is not a power of two, or is larger than every mapping of this memory keeps.
    Alignment {
        /// The alignment that was requested, in bytes.
        requested: usize,
        /// The largest alignment that this arena can promise, in bytes.
        supported: usize,
    },
    /// Other allocations won every attempt that
    /// [`allocate_bounded`](crate::Arena::allocate_bounded) was allowed.
    Contended {
        /// The number of attempts after the first.
        retries: u32,
    },
    /// A value reported an error while it was formatted, by [`alloc_fmt`](crate::Arena::alloc_fmt)
    /// or `write!`.
    Format,
}

impl AllocError {
    /// Returns the same error with another number of bytes left.
    pub(crate) fn with_remaining(self, remaining: usize) -> Self {
        match self {
            Self::Full { requested, .. } => Self::Full { requested, remaining },
            other => other,
        }
    }

    /// Returns how many bytes were left in one piece, or 0 if the error does not say.
    pub(crate) fn remaining(self) -> usize {
        match self {
            Self::Full { remaining, .. } => remaining,
            _ => 0,
        }
    }

    /// Returns the same error where one more piece, of `bytes`, is left.
    pub(crate) fn with_at_least(self, bytes: usize) -> Self {
        match self {
            Self::Full { remaining, .. } => self.with_remaining(remaining.max(bytes)),
            other => other,
        }
    }
}

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLarge { requested } => write!(
                f,
                "{requested} bytes were requested and one allocation has at most {}; split the request",
                crate::ARENA_MAX_ALLOC_SIZE
            ),
            Self::Full { requested, remaining } => {
                write!(f, "the arena has {remaining} bytes left and {requested} were requested")?;
                // Alignment takes bytes too, and others may have given some back since.
                if requested <= remaining {
                    f.write_str(", which do not fit once they are aligned")?;
                }
                f.write_str("; give it a larger region or limit, or reset it between uses")
            }
            Self::Alignment { requested, .. } if !requested.is_power_of_two() => {
                write!(f, "{requested} is not an alignment; use a power of two")
            }
            Self::Alignment { requested, supported } => write!(
                f,
                "an alignment of {requested} does not survive another mapping of this memory, which keeps at most {supported}; ask \
                 for less, or map it with a larger one"
            ),
            Self::Contended { retries } => {
                write!(
                    f,
                    "other allocations came before the first attempt and all {retries} retries; try again later, or allow more retries"
                )
            }
            Self::Format => {
                f.write_str("a value reported an error while it was formatted; see its `Display` or `Debug`")
            }
        }
    }
}

impl Error for AllocError {}

/// Why [`alloc_try_with`](crate::Arena::alloc_try_with) returned no value.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{Arena, TryAllocError};
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let arena = Arena::borrowed(&mut bytes)?;
/// let failed = arena.alloc_try_with(|| "12x".parse::<u32>());
/// assert!(matches!(failed, Err(TryAllocError::Init(_))));
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAllocError<E> {
    /// There was no room. The initialiser was not called.
    Alloc(AllocError),
    /// The initialiser failed. The room for the value was given back if it was still the last.
    Init(E),
}

impl<E> From<AllocError> for TryAllocError<E> {
    fn from(error: AllocError) -> Self {
        Self::Alloc(error)
    }
}

impl<E: fmt::Display> fmt::Display for TryAllocError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alloc(error) => error.fmt(f),
            Self::Init(error) => write!(f, "the value's initialiser failed: {error}"),
        }
    }
}

impl<E: Error + 'static> Error for TryAllocError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Alloc(_) => None,
            Self::Init(error) => Some(error),
        }
    }
}

/// Why memory cannot be the region of an arena.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{Arena, MemoryError};
///
/// let mut bytes = [MaybeUninit::uninit(); 64];
/// assert!(matches!(Arena::borrowed(&mut bytes), Err(MemoryError::TooSmall { len: 64, .. })));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// The base address is not aligned.
    Misaligned {
        /// The alignment that the base needs, in bytes.
        required: usize,
        /// The base address.
        address: usize,
    },
    /// There is no room for the header and one block.
    TooSmall {
        /// The number of bytes that would have been enough.
        required: usize,
        /// The size of the region, in bytes.
        len: usize,
    },
    /// The region is larger than addresses reach: 2^31 bytes, or what a pointer spans where that is
    /// less.
    TooLarge {
        /// The largest size of a region, in bytes.
        limit: usize,
        /// The size of the region, in bytes.
        len: usize,
    },
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Misaligned { required, address } => {
                write!(
                    f,
                    "the region starts at {address:#x}, which is not a multiple of {required}; align it (`#[repr(align({required}))]`, the \
                     linker script), or use `Arena::borrowed`, which skips to a multiple"
                )
            }
            Self::TooSmall { required, len } => write!(
                f,
                "the region has {len} bytes and needs at least {required}, its 128-byte header and the way to an aligned start \
                 included; give it more"
            ),
            Self::TooLarge { limit, len } => {
                write!(
                    f,
                    "the region has {len} bytes and an arena takes at most {limit}; split it over several (`Pool`, `Regions`)"
                )
            }
        }
    }
}

impl Error for MemoryError {}

/// Why [`attach`](crate::Arena::attach) found no arena that this process can use.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{Arena, AttachError, BorrowedMemory};
///
/// let mut bytes = [MaybeUninit::zeroed(); 1024];
/// let memory = BorrowedMemory::new(&mut bytes)?;
/// // SAFETY: the bytes are initialised and nobody else uses them.
/// let attached = unsafe { Arena::attach(memory) };
/// assert_eq!(attached.unwrap_err(), AttachError::NotAnArena);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachError {
    /// The magic number is missing.
    NotAnArena,
    /// The layout is of another version.
    Version {
        /// The version found.
        found: u32,
    },
    /// The arena was made on a machine of the other byte order.
    Endianness,
    /// The header was written for a region of another length.
    Capacity {
        /// The size that the header names, in bytes.
        header: u64,
        /// The size of the region, in bytes.
        region: u64,
    },
    /// The cursor or the peak lies outside the region or between two steps.
    Cursor {
        /// The value found.
        found: u32,
    },
    /// A root slot names bytes that were never handed out.
    Root {
        /// The slot, 0 to 3.
        slot: usize,
        /// Its content.
        found: u64,
    },
    /// The memory could not hold any arena.
    Memory(MemoryError),
}

impl From<MemoryError> for AttachError {
    fn from(error: MemoryError) -> Self {
        Self::Memory(error)
    }
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotAnArena => {
                write!(f, "the region holds no arena; check that this is where one starts")
            }
            Self::Version { found } => {
                write!(
                    f,
                    "the arena has layout version {found}, which this version of marena does not read; use the version that made it"
                )
            }
            Self::Endianness => write!(f, "the arena was made on a machine of the other byte order; use it there"),
            Self::Capacity { header, region } => write!(
                f,
                "the header names {header} bytes and the region has {region}; pass the whole region, or restore the truncated file"
            ),
            Self::Cursor { found } => {
                write!(f, "the header is damaged: {found} is not a position in this region; restore it from a copy")
            }
            Self::Root { slot, found } => {
                write!(
                    f,
                    "the header is damaged: root slot {slot} names {found:#x}, which was never handed out; restore it from a copy"
                )
            }
            Self::Memory(error) => error.fmt(f),
        }
    }
}

impl Error for AttachError {}

/// The error for a text with a 0 byte, which cannot be a C string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InteriorNul {
    /// The position of the first 0 byte, counted from 0.
    pub position: usize,
}

impl fmt::Display for InteriorNul {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} of the text is 0, which would end a C string; remove it", self.position)
    }
}

impl Error for InteriorNul {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_arena_has_a_remainder_and_it_can_be_raised() {
        let full = |remaining| AllocError::Full { requested: 64, remaining };
        for (had, least, expected) in [(5, 0, 5), (5, 4, 5), (5, 5, 5), (5, 6, 6), (0, 64, 64)] {
            assert_eq!(full(had).with_at_least(least), full(expected));
            assert_eq!(full(had).with_remaining(least), full(least));
            assert_eq!(full(had).remaining(), had);
        }
        let others = [
            AllocError::TooLarge { requested: 64 },
            AllocError::Alignment { requested: 3, supported: 8 },
            AllocError::Contended { retries: 2 },
            AllocError::Format,
        ];
        for error in others {
            assert_eq!([error.with_at_least(9), error.with_remaining(9)], [error; 2]);
            assert_eq!(error.remaining(), 0);
        }
    }
}
