//! A lock-free bump allocator over memory that the caller supplies.
//!
//! An [`Arena`] hands out bytes of one region by moving a cursor: one compare-and-swap for each claim, from any number of
//! threads and interrupt handlers, without locks, without panics and without an allocator behind it. Everything comes
//! back at once, by [`Arena::reset`]. A full arena is an ordinary error that changes nothing.
//! **Values placed in an arena are not dropped.**
//!
//! # Concepts
//!
//! - A **region** is the memory an arena lives in: borrowed ([`BorrowedMemory`]), a static in `.bss` ([`StaticMemory`]), named by
//!   address ([`RawMemory`]), or a type of your own ([`Memory`]). Its first 128 bytes are the [`Header`].
//! - A [`Block`] is a run of zeroed bytes that its owner holds exclusively, until it publishes them.
//! - A [`Handle`] names a published block or value. Anyone may read through it; after a reset, and in another
//!   arena, it reads as `None`.
//! - An [`Address`] is a plain `u64`, `offset << 32 | size`, that means the same in every mapping of the region.
//!
//! # Examples
//!
//! ```
//! use core::mem::MaybeUninit;
//! use marena_core::Arena;
//!
//! let mut bytes = [MaybeUninit::uninit(); 4096];
//! let mut arena = Arena::borrowed(&mut bytes)?;
//!
//! // Node, key and value of an index entry: all three or none.
//! let [node, mut key, value] = arena.allocate_multiple([24, 3, 100]).unwrap();
//! key.copy_from_slice(b"key");
//! let key = key.publish();
//! assert_eq!(arena.view(key), Some(&b"key"[..]));
//!
//! # drop((node, value));
//! arena.reset();
//! assert_eq!(arena.view(key), None);
//! # Ok::<(), marena_core::MemoryError>(())
//! ```
//!
//! # Targets
//!
//! Every target with pointers of 32 or 64 bits. On those without compare-and-swap (Cortex-M0, RISC-V without the A extension)
//! the final binary chooses portable-atomic's `critical-section` or `unsafe-assume-single-core` feature.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(test)]
extern crate std;

mod address;
mod allocate;
mod allocator;
mod arena;
mod block;
mod bump;
#[cfg(feature = "defmt")]
mod defmt_format;
mod epoch;
mod error;
mod forward;
mod handle;
mod header;
mod hidden;
mod lease;
mod memory;
mod placement;
mod pool;
mod protocol;
mod regions;
mod scratch;
mod slot;
mod stats;
mod sync;
mod view;

static_assertions::const_assert!(usize::BITS >= u32::BITS);

pub use address::{ARENA_INVALID_ADDRESS, ARENA_MAX_ALLOC_SIZE, ARENA_MIN_ADDRESS, ARENA_PAGESIZE, Address};
pub use allocate::Allocate;
pub use arena::Arena;
pub use block::Block;
#[doc(hidden)]
pub use epoch::Tickets;
pub use error::{AllocError, AttachError, MemoryError, TryAllocError};
pub use handle::Handle;
pub use header::Header;
pub use lease::Lease;
pub use memory::{BorrowedMemory, ExclusiveMemory, Memory, RawMemory, StaticMemory};
#[doc(hidden)]
pub use pool::PoolSlot;
pub use pool::{Pool, PoolGuard};
pub use regions::Regions;
pub use scratch::Scratch;
pub use stats::Stats;
pub use sync::Word;
