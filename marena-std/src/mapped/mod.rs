//! Arenas in files, shared between processes and found again after a restart.

mod access;
mod allocate;
mod arena;
mod builder;
mod error;
mod file;
mod memory;
mod new_file;
mod roots;
#[cfg(target_os = "linux")]
mod unnamed;
mod view;
mod words;

pub use arena::MappedArena;
pub use builder::{Durability, MappedBuilder};
pub use error::{AccessError, MapError};
pub use memory::MappedMemory;
pub use view::MappedView;

/// Root slots in a header.
const ROOTS: usize = 4;
