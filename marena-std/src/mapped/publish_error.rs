//! Why a root could not be published, or bytes could not be written to the disk.

use std::io;

use super::access_error::AccessError;

/// Why an open arena could not publish, clear or flush.
///
/// It converts into [`Error`](crate::Error), as [`MapError`](crate::MapError) does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// There is no such root slot.
    #[error("there is no root slot {slot}; use 0 to 3")]
    Slot {
        /// The slot that was requested.
        slot: usize,
    },
    /// The address names bytes that were never handed out.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The system could not write bytes to the disk. In memory, and for every process that maps the
    /// file, they are unchanged. From now on it is unknown which of them survive a power loss,
    /// because some systems forget which pages failed.
    #[error("the arena's bytes could not be written to the disk; free space or check the disk, then reopen the arena")]
    Flush {
        /// The system's error.
        source: io::Error,
    },
    /// An earlier flush through this value failed, so nothing more can be published as durable
    /// through it.
    #[error("an earlier flush of this arena failed; check the disk, then reopen the arena")]
    Undurable,
}
