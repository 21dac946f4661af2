//! Arenas in files, shared between processes and found again after a restart.

mod access_error;
mod acquired;
mod allocate;
mod arena;
mod bounds;
mod builder;
mod file;
mod header;
mod interrupted;
mod memory;
mod new_file;
mod open_error;
mod publish_error;
mod replaced;
mod reserve;
mod roots;
#[cfg(target_os = "linux")]
mod unnamed;
mod view;
mod words;
mod write;

use std::sync::atomic::fence;

pub use access_error::AccessError;
pub use arena::MappedArena;
pub use builder::{Durability, MappedBuilder};
pub use memory::MappedMemory;
pub use open_error::MapError;
pub use publish_error::PublishError;
pub use view::MappedView;
