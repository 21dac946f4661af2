//! Behaviour of the arena, one file for each family of its interface.

mod allocation;
mod allocators;
mod attach;
mod auto_traits;
mod boxes;
mod building;
mod errors;
mod growing_numbers;
mod growth;
mod handles;
mod headers;
mod lease_books;
mod memory_kinds;
mod mistakes;
mod model;
mod owned;
mod owned_values;
mod resets;
mod scope_marks;
mod sources;
mod statics;
mod threads;
mod trims;
mod values;
mod zeroing;
