//! What every function returns.

use marena_core::{AllocError, AttachError, MemoryError};

/// The outcome of a call. Whatever is not `MARENA_OK` changed nothing.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum marena_status_t {
    /// It is done.
    MARENA_OK = 0,
    /// A pointer is null.
    MARENA_ERROR_NULL = 1,
    /// A pointer is not aligned to its type, or a region not to 128 bytes.
    MARENA_ERROR_MISALIGNED = 2,
    /// A region has no room for the 128-byte header and one block of 8 bytes.
    MARENA_ERROR_TOO_SMALL = 3,
    /// A region is larger than 2^31 bytes, than half the address space, or reaches past its end; an
    /// array likewise.
    MARENA_ERROR_TOO_LARGE = 4,
    /// `marena_init` over memory that holds an arena: attach to it, or zero its first 128 bytes if
    /// it is of no use.
    MARENA_ERROR_IN_USE = 5,
    /// `marena_attach` over memory that holds no arena of this length, version and byte order, or a
    /// damaged one.
    MARENA_ERROR_NOT_AN_ARENA = 6,
    /// The `marena_t` was never initialised.
    MARENA_ERROR_UNINITIALISED = 7,
    /// The size is more than any allocation can have: 2^31 - 1 bytes.
    MARENA_ERROR_SIZE = 8,
    /// The alignment is no power of two.
    MARENA_ERROR_ALIGNMENT = 9,
    /// The arena has too little room left.
    MARENA_ERROR_FULL = 10,
    /// The address is not that of bytes that this arena has handed out.
    MARENA_ERROR_ADDRESS = 11,
    /// A fault that this version of the header does not know.
    MARENA_ERROR_OTHER = 12,
}

pub(crate) use marena_status_t::*;

impl From<AllocError> for marena_status_t {
    fn from(error: AllocError) -> Self {
        match error {
            AllocError::TooLarge { .. } => MARENA_ERROR_SIZE,
            AllocError::Full { .. } => MARENA_ERROR_FULL,
            AllocError::Alignment { .. } => MARENA_ERROR_ALIGNMENT,
            _ => MARENA_ERROR_OTHER,
        }
    }
}

impl From<MemoryError> for marena_status_t {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::Misaligned { .. } => MARENA_ERROR_MISALIGNED,
            MemoryError::TooSmall { .. } => MARENA_ERROR_TOO_SMALL,
            MemoryError::TooLarge { .. } => MARENA_ERROR_TOO_LARGE,
            _ => MARENA_ERROR_OTHER,
        }
    }
}

impl From<AttachError> for marena_status_t {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::Memory(error) => error.into(),
            _ => MARENA_ERROR_NOT_AN_ARENA,
        }
    }
}
