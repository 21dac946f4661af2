//! Maps in files, shared between processes and found again after a restart.

mod checked;
#[cfg(test)]
mod contested;
mod error;
mod map;
// Loom's coroutines are in assembly, which Miri does not run.
#[cfg(all(test, not(miri)))]
mod models;
mod range;
mod spaces;
mod write;

pub use error::SharedMapError;
pub use map::{SharedMap, Verified};
pub use range::{OwnedEntry, SharedRange};
pub use spaces::{Mapped, ReadOnly, ReadOnlyWord};
