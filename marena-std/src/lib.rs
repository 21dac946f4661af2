//! Lock-free bump arenas in memory of their own.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod advice;
mod arena;
mod builder;
mod error;
mod memory;

pub use arena::Arena;
pub use builder::Builder;
pub use error::Error;
pub use marena_core;
pub use marena_core::{
    ARENA_INVALID_ADDRESS, ARENA_MAX_ALLOC_SIZE, ARENA_MIN_ADDRESS, ARENA_PAGESIZE, Address, AllocError, Allocate,
    Block, Handle, MemoryError, Stats, TryAllocError,
};
pub use memory::OwnedMemory;
