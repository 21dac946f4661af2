//! marena-core's own files, with loom's atomics for the list of a growing arena's segments.
//!
//! The other models need no second build: an arena's words are of a type that its memory names. The
//! pointers of the list are not. So the core's modules are listed here, and `sync` is this
//! package's.
#![allow(unused, reason = "the files are marena-core's, which checks them")]
#![allow(unexpected_cfgs, reason = "its features are not this package's")]

// What these files import.
extern crate self as marena_core;

#[path = "../../../marena-core/src/address.rs"]
mod address;
#[path = "../../../marena-core/src/allocate.rs"]
mod allocate;
#[path = "../../../marena-core/src/allocator.rs"]
mod allocator;
#[path = "../../../marena-core/src/arena.rs"]
mod arena;
#[path = "../../../marena-core/src/asan.rs"]
mod asan;
#[path = "../../../marena-core/src/block.rs"]
mod block;
#[path = "../../../marena-core/src/boxed.rs"]
mod boxed;
#[path = "../../../marena-core/src/bump.rs"]
mod bump;
#[path = "../../../marena-core/src/claim.rs"]
mod claim;
#[path = "../../../marena-core/src/claimed_from.rs"]
mod claimed_from;
#[path = "../../../marena-core/src/epoch.rs"]
mod epoch;
#[path = "../../../marena-core/src/error.rs"]
mod error;
#[path = "../../src/explore.rs"]
mod explore;
#[path = "../../src/fault.rs"]
pub mod fault;
#[path = "../../../marena-core/src/forward.rs"]
mod forward;
#[path = "../../../marena-core/src/forward_build.rs"]
mod forward_build;
#[path = "../../../marena-core/src/global.rs"]
mod global;
#[path = "../../../marena-core/src/growing/mod.rs"]
mod growing;
#[path = "../../../marena-core/src/handle.rs"]
mod handle;
#[path = "../../../marena-core/src/header.rs"]
mod header;
mod heap;
#[path = "../../../marena-core/src/lease.rs"]
mod lease;
#[path = "../../../marena-core/src/leased_runs.rs"]
mod leased_runs;
#[path = "../../../marena-core/src/leases.rs"]
mod leases;
#[path = "../../../marena-core/src/lend.rs"]
mod lend;
#[path = "../../../marena-core/src/memory/mod.rs"]
mod memory;
#[path = "../../../marena-core/src/owned.rs"]
mod owned;
#[path = "../../../marena-core/src/per_thread.rs"]
mod per_thread;
#[path = "../../../marena-core/src/placement.rs"]
mod placement;
#[path = "../../../marena-core/src/pool.rs"]
mod pool;
#[path = "../../../marena-core/src/protocol.rs"]
mod protocol;
#[path = "../../../marena-core/src/reallocate.rs"]
mod reallocate;
#[path = "../../../marena-core/src/regions.rs"]
mod regions;
#[path = "../../../marena-core/src/reset.rs"]
mod reset;
#[path = "../../../marena-core/src/root.rs"]
mod root;
#[path = "../../../marena-core/src/runs.rs"]
mod runs;
#[path = "../../../marena-core/src/scope.rs"]
mod scope;
#[path = "../../../marena-core/src/scope_bytes.rs"]
mod scope_bytes;
#[path = "../../../marena-core/src/scratch.rs"]
mod scratch;
#[path = "../../../marena-core/src/slot.rs"]
mod slot;
#[path = "../../../marena-core/src/stats.rs"]
mod stats;
#[path = "../../../marena-core/src/string.rs"]
mod string;
mod sync;
#[path = "../../../marena-core/src/tickets.rs"]
mod tickets;
#[path = "../../../marena-core/src/vec.rs"]
mod vec;
#[path = "../../../marena-core/src/vec_values.rs"]
mod vec_values;
#[path = "../../../marena-core/src/view.rs"]
mod view;
#[path = "../../src/word.rs"]
mod word;

pub use address::{
    ARENA_INVALID_ADDRESS, ARENA_MAX_ALLOC_SIZE, ARENA_MIN_ADDRESS, ARENA_PAGESIZE, Address, AddressError,
};
pub use allocate::Allocate;
pub use arena::Arena;
pub use block::Block;
pub use boxed::{ArenaBox, Coerce};
pub use claim::{Claim, Claimed};
pub use claimed_from::ClaimedFrom;
pub use error::{AllocError, AttachError, InteriorNul, MemoryError, TryAllocError};
pub use explore::Model;
pub use growing::{GrowingArena, GrowingBuilder, GrowingLease, GrowingScope, GrowingScratch, GrowthError};
pub use handle::{Handle, Nameable};
pub use header::Header;
pub use heap::LoomHeap;
pub use lease::Lease;
pub use leases::Leases;
pub use lend::Lend;
pub use memory::{BorrowedMemory, ExclusiveMemory, GivenBack, Memory, RawMemory, Reserve, StaticMemory};
pub use owned::Owned;
pub use per_thread::{NoThreads, PerThread};
pub use pool::{Pool, PoolGuard, PoolSlot};
pub use reallocate::Reallocate;
pub use regions::{PushError, Regions};
pub use scope::Scope;
pub use scratch::Scratch;
pub use slot::Slot;
pub use stable_deref_trait::{CloneStableDeref, StableDeref};
pub use stats::Stats;
pub use string::ArenaString;
pub use sync::{AtomicU32, Word};
pub use vec::ArenaVec;
pub use vec_values::ArenaIntoIter;
pub use view::View;
