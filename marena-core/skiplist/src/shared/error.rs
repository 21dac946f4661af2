//! The errors of maps in files.

use marena_core::AllocError;
use marena_std::PublishError;

use crate::damage::{Damage, Stop};

/// Why a map in a file could not be opened, read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedMapError {
    /// The map's bytes are damaged. The rest can still be read.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// The arena has too little room. The map is unchanged.
    #[error(transparent)]
    Alloc(#[from] AllocError),
    /// The process has too little memory for a copy of an entry.
    #[error("no memory for {bytes} bytes of an entry; free some, or check the file, which may be damaged")]
    NoMemory {
        /// The size of the copy.
        bytes: usize,
    },
    /// The system could not write the map to the disk. The entry is not in the map, or it is there
    /// and may be lost in a power failure.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The root slot names nothing.
    #[error("root slot {slot} of the arena names no map; create one")]
    NoMap {
        /// The slot.
        slot: usize,
    },
    /// The root slot is in use.
    #[error("root slot {slot} of the arena is in use; open the map, or choose another slot")]
    Occupied {
        /// The slot.
        slot: usize,
    },
    /// The root slot does not name a map of this version.
    #[error("root slot {slot} of the arena names no map that this version reads")]
    NotAMap {
        /// The slot.
        slot: usize,
    },
    /// The map's keys are in another order.
    #[error(
        "the map's keys are in the order {found}, and were to be read in the order {expected}; use the order it was created with"
    )]
    Order {
        /// The [`Order::ID`](crate::Order::ID) in the file.
        found: u32,
        /// The one that was requested.
        expected: u32,
    },
}

impl From<Stop> for SharedMapError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Damage(damage) => Self::Damage(damage),
            Stop::NoMemory { bytes } => Self::NoMemory { bytes: bytes as usize },
        }
    }
}
