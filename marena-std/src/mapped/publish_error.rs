//! Why a root could not be published, or bytes not be brought to the disk.

use std::io;

use super::access_error::AccessError;

/// Why an open arena could not publish, clear or flush.
///
/// Converts into [`Error`](crate::Error), as opening's [`MapError`](crate::MapError) does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// There are four root slots.
    #[error("there is no root slot {slot}; use 0 to 3")]
    Slot {
        /// The slot asked for.
        slot: usize,
    },
    /// The address names bytes that were never handed out.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The system could not write bytes to the disk. In memory, and for every process that has the
    /// file mapped, they are unchanged. What a power loss would leave of them is unknown from now
    /// on: some systems forget which pages failed.
    #[error("the arena's bytes could not be written to the disk; free space or check the disk, then reopen the arena")]
    Flush {
        /// What the system said.
        source: io::Error,
    },
    /// An earlier flush through this value failed, so nothing more can be published as durable
    /// through it.
    #[error("an earlier flush of this arena failed; check the disk, then reopen the arena")]
    Undurable,
}
