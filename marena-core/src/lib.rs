//! A lock-free bump allocator over memory that the caller supplies.
//!
//! An [`Arena`] hands out the bytes of one region by moving a cursor. An allocation is one
//! compare-and-swap, from any number of threads and interrupt handlers: no locks, no panics, no
//! allocator behind it. [`Arena::reset`] takes everything back at once. A full arena is an ordinary
//! error that changes nothing. **Values placed in an arena are not dropped**, except those in an
//! [`ArenaBox`].
//!
//! # Concepts
//!
//! A **region** is the memory that an arena lives in: borrowed ([`BorrowedMemory`]), a static in
//! `.bss` ([`StaticMemory`]), named by address ([`RawMemory`]), or of a type of your own
//! ([`Memory`]). Its first 128 bytes are the [`Header`]. The **cursor** in it says how far the rest
//! is handed out.
//!
#![doc = concat!("<div>", include_str!("../doc/region.svg"), "</div>")]
//!
//! - A [`Block`] is a run of zeroed bytes with one owner, until that publishes them. `allocate*`
//!   calls hand out bytes, `alloc*` calls place values.
//! - A [`Handle`] names a published block or value. Everyone who has the arena can read through it.
//!   After a reset, and in another arena, it reads as `None`.
//! - An [`Address`] is a plain `u64`, `offset << 32 | size`, which means the same in every mapping
//!   of the region. Structures that live in an arena link by it: see
//!   [`guide::lock_free_structures`].
//!
//! An allocation moves the cursor, and zeroes what was used before the last reset:
//!
#![doc = concat!("<div>", include_str!("../doc/allocation.svg"), "</div>")]
//!
//! # Ways to allocate
//!
//! The [`Arena`] itself is for all threads at once. A [`Lease`] is one thread's run of it, and a
//! [`Scratch`] a scope whose bytes all go back: neither needs an atomic operation to allocate.
//! [`Leases`] finds the calling thread's own lease. All have the same methods.
//!
#![doc = concat!("<div>", include_str!("../doc/ways.svg"), "</div>")]
//!
//! Around them:
//!
//! - A [`Pool`] recycles whole arenas when the last guard of one is dropped.
//! - [`Regions`] allocates from memory in pieces, and a [`GrowingArena`] reserves more as it fills.
//! - References to arenas, leases, scopes, regions and guards are allocators for collections.
//! - A static arena can be the `#[global_allocator]`.
//!
//! # Examples
//!
//! Blocks, all or none, and what a reset leaves of a handle:
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
//! An arena in `.bss`, for main and its interrupt handlers:
//!
//! ```
//! use marena_core::{Arena, StaticMemory};
//!
//! static MEMORY: StaticMemory<4096> = StaticMemory::new();
//! static ARENA: Arena<&'static StaticMemory<4096>> = Arena::from_static(&MEMORY);
//!
//! // At most 8 retries, so a bounded number of instructions.
//! let packet = ARENA.allocate_bounded(64, 8)?;
//! assert_eq!(*packet, [0; 64]);
//! # Ok::<(), marena_core::AllocError>(())
//! ```
//!
//! A lease for what stays, and a scope in it for what does not:
//!
//! ```
//! use core::mem::MaybeUninit;
//! use marena_core::Arena;
//!
//! let mut bytes = [MaybeUninit::uninit(); 65_536];
//! let arena = Arena::borrowed(&mut bytes)?;
//! let mut lease = arena.lease(4096);
//! for line in ["a b", "c"] {
//!     let kept = lease.alloc_str(line).unwrap();
//!     let scratch = lease.scratch();
//!     let words = scratch.alloc_fmt(format_args!("{:?}", kept.split(' '))).unwrap();
//!     assert!(words.len() > kept.len());
//! }
//! # Ok::<(), marena_core::MemoryError>(())
//! ```
//!
//! # To read on
//!
//! - [`guide::coming_from`]: the counterparts of other crates' calls.
//! - [`guide::mistakes`]: the likeliest mistakes, and what the compiler says of them.
//! - [`guide::soundness`]: what is guaranteed, and what each `unsafe` function asks.
//!
//! # Targets
//!
//! Every target with pointers of 32 or 64 bits. On one without compare-and-swap (Cortex-M0, RISC-V
//! without the A extension) the final binary must choose how it is emulated: by portable-atomic's
//! feature `critical-section` or `unsafe-assume-single-core`.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `allocator-api2`: the `Allocator` of [allocator-api2](https://docs.rs/allocator-api2) 0.2.
//!   hashbrown 0.17 takes it, with its own feature `allocator-api2`.
//! - `allocator-api2-04`: that of allocator-api2 0.4.
//! - `nightly`: the standard library's `Allocator`, on nightly compilers. Others ignore this
//!   feature.
//! - `serde`: `Serialize` and `Deserialize` for [`Stats`] and [`Address`], `Serialize` for boxes,
//!   vectors and strings.
//! - `zerocopy`: `IntoBytes`, `Immutable` and `KnownLayout` for [`Address`].
//! - `defmt`: log formats of a few bytes for statistics and errors.
// Where other crates' pages find this one's, if it is not documented beside them.
#![doc(html_root_url = "https://docs.rs/marena-core/latest")]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Set by `build.rs`: see `allocator.rs` and `not_std.rs`.
#![cfg_attr(marena_allocator_api, feature(allow_internal_unstable), allow(internal_features))]
#![cfg_attr(
    all(feature = "nightly", marena_allocator_api),
    feature(allocator_api, auto_traits, fundamental, negative_impls)
)]

#[cfg(test)]
extern crate std;

mod address;
mod allocate;
mod allocator;
mod arena;
mod asan;
mod block;
mod boxed;
mod bump;
mod claim;
mod claimed_from;
#[cfg(feature = "defmt")]
mod defmt_format;
mod epoch;
mod error;
mod forward;
mod forward_build;
mod global;
mod growing;
pub mod guide;
mod handle;
mod header;
mod lease;
mod leased_runs;
mod leases;
mod lend;
mod memory;
#[cfg(all(feature = "nightly", marena_allocator_api))]
mod not_std;
mod owned;
mod per_thread;
mod placement;
mod pool;
mod protocol;
mod reallocate;
mod regions;
mod reset;
mod root;
mod runs;
mod scope;
mod scope_bytes;
mod scratch;
#[cfg(feature = "serde")]
mod serialize;
mod slot;
mod stats;
mod string;
mod sync;
mod tickets;
mod vec;
mod vec_values;
mod view;

static_assertions::const_assert!(usize::BITS >= u32::BITS);

#[cfg(feature = "allocator-api2")]
pub use allocator_api2;
#[cfg(feature = "allocator-api2-04")]
pub use allocator_api2_04;

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
pub use growing::{GrowingArena, GrowingBuilder, GrowingLease, GrowingScope, GrowingScratch, GrowthError};
pub use handle::{Handle, Nameable};
pub use header::Header;
pub use lease::Lease;
pub use leases::Leases;
pub use lend::Lend;
pub use memory::{BorrowedMemory, ExclusiveMemory, GivenBack, Memory, RawMemory, Reserve, StaticMemory};
#[cfg(all(feature = "nightly", marena_allocator_api))]
pub use not_std::NotStd;
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
