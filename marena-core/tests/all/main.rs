//! Behaviour of the arena, one file for each family of its interface.

mod allocation;
mod allocators;
mod attach;
mod auto_traits;
mod boxes;
mod building;
mod errors;
mod handles;
mod lives;
mod memory_kinds;
mod mistakes;
mod model;
mod owned;
mod owned_values;
mod statics;
mod threads;
mod values;
mod zeroing;
