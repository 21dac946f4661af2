//! Lock-free bump arenas that reserve their own memory.
//!
//! An [`Arena`] hands out the bytes of one region by moving a cursor. An allocation is one
//! compare-and-swap, from any number of threads, without locks. Nothing is freed one by one:
//! [`Arena::reset`] takes everything back at once, in constant time. A full arena is an ordinary
//! error that changes nothing. **Values placed in an arena are not dropped**, except those in an
//! [`ArenaBox`].
//!
//! # Concepts
//!
//! - An [`Arena`] is a run of memory and a cursor. What it hands out borrows from it, and
//!   [`Arena::reset`] takes `&mut self`, so nothing is left when the arena starts anew.
//! - A [`Block`] is a run of zeroed bytes with one owner. `allocate*` calls hand out bytes,
//!   `alloc*` calls place values.
//! - A [`Handle`] names what its owner published. It borrows nothing. After a reset, and in another
//!   arena, it is stale: reading it returns `None`.
//! - An [`Address`] is the `u64` inside a handle: offset and size, the same in every mapping, for
//!   links of your own structures.
//! - A [`Lease`] is one thread's chunk of an arena, used without atomic operations. [`Leases`]
//!   finds the calling thread's own. A [`Scratch`] is a scope whose bytes all go back.
//! - A [`GrowingArena`] reserves more memory as it fills.
//! - A [`Pool`] recycles whole arenas when the last guard of one is dropped.
//!
//! # Examples
//!
//! ```
//! use marena_std::{AllocError, Arena, Error};
//!
//! let mut arena = Arena::with_capacity(64 << 20)?;
//!
//! // Values and text, borrowed from the arena until it is reset.
//! let count = arena.alloc(1_u64)?;
//! *count += 1;
//! let name = arena.alloc_fmt(format_args!("entry-{count:03}"))?;
//! assert_eq!(name, "entry-002");
//!
//! // Node, key and value of an index entry: all three, side by side, or none.
//! let [node, mut key, value] = arena.allocate_multiple([24, 3, 100])?;
//! key.copy_from_slice(b"key");
//!
//! // Everyone who has the handle reads what was published, on any thread.
//! let key = key.publish();
//! std::thread::scope(|scope| {
//!     scope.spawn(|| assert_eq!(arena.view(key), Some(&b"key"[..])));
//! });
//! # drop((node, value));
//!
//! // More than is left: an error, and nothing has changed.
//! let used = arena.used();
//! assert!(matches!(arena.allocate(1 << 30), Err(AllocError::Full { .. })));
//! assert_eq!(arena.used(), used);
//!
//! // The arena is empty again, and handles from before say so.
//! arena.reset();
//! assert_eq!(arena.view(key), None);
//! # Ok::<(), Error>(())
//! ```
//!
//! # Which call
//!
//! - A value, a slice or text of your own: [`alloc`], [`alloc_slice_copy`], [`alloc_str`] and their
//!   kin return `&mut T`, `&mut [T]` and `&mut str`.
//! - Zeroed bytes: [`allocate`] and [`allocate_aligned`] return a [`Block`], [`allocate_multiple`]
//!   several, or none.
//! - A value that others read: [`insert`] returns a [`Handle<T>`](Handle), and [`get`] reads it.
//! - Bytes that others read: [`Block::publish`] returns a [`Handle`], and [`view`] reads it.
//! - Links inside a structure of your own: [`allocate_address`] returns an [`Address`] of 8 bytes,
//!   and [`view_ptr`] reads it.
//!
//! These are the methods of [`marena_core::Arena`], which firmware uses directly. Its crate has the
//! pictures and [a guide](marena_core::guide). This crate adds the memory.
//!
//! # Which way to allocate
//!
//! | you allocate | by | which costs |
//! | --- | --- | --- |
//! | from several threads, now and then | the arena | one compare-and-swap |
//! | many pieces on one thread | [`lease`](Arena::lease) | no atomic operation, one a chunk |
//! | on any thread, without a lease in hand | [`leases`](Arena::leases) | the same, and a look-up |
//! | for one request or frame | [`Arena::scratch`], [`Lease::scratch`] | no atomic operation |
//!
//! ```
//! use marena_std::Arena;
//!
//! let arena = Arena::with_capacity(16 << 20)?;
//! let words: Vec<&str> = std::thread::scope(|scope| {
//!     let threads = ["a lease for", "each thread"].map(|line| {
//!         let mut lease = arena.lease(4096);
//!         scope.spawn(move || {
//!             // What is kept outlives the lease. What is not goes back with the scope.
//!             let longest = {
//!                 let scratch = lease.scratch();
//!                 let upper = scratch.alloc_str(line)?;
//!                 upper.make_ascii_uppercase();
//!                 upper.split(' ').max_by_key(|word| word.len()).unwrap_or("").to_owned()
//!             };
//!             lease.alloc_str(&longest).map(|kept| &*kept)
//!         })
//!     });
//!     threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Result<_, _>>()
//! })?;
//! assert_eq!(words, ["LEASE", "THREAD"]);
//! # Ok::<(), marena_std::Error>(())
//! ```
//!
//! # Memory
//!
//! [`Arena::with_capacity`] reserves addresses, 2 GiB as readily as 64 KiB. Memory is used page by
//! page, when bytes on a page are first touched. On Linux, a lease gets all pages of an unused
//! chunk of 64 KiB to 1 MiB at once. Memory stays with the arena through resets, until the arena is
//! dropped. Three methods change that:
//!
//! - [`Arena::trim`] gives back the pages past the cursor, for example after the largest batch of
//!   the day.
//! - [`Builder::prefault`] touches all pages at the start, so that no later allocation waits for
//!   them.
//! - [`Builder::huge_pages`] asks the system for large pages, for accesses that are spread over
//!   many MiB.
//!
//! On each system:
//!
//! - Untouched capacity costs addresses only. On systems that count reserved memory (Windows, and
//!   Linux with `vm.overcommit_memory=2`), an arena asks for memory in steps of 1 MiB as its cursor
//!   advances.
//! - `trim` gives pages back at once on Linux and Windows. Other Unix systems take them when they
//!   are short of memory.
//! - `huge_pages` has an effect on Linux, as `/sys/kernel/mm/transparent_hugepage` says.
//! - Systems without page-wise memory, such as WebAssembly, provide it from the heap.
//!
//! Blocks are zeroed when they are handed out. Pages that were never handed out are known to be
//! zero and are not written. So zeroed bytes of a fresh arena cost the same as uninitialised ones.
//!
//! # Statistics
//!
//! [`Stats`] says how full an arena is: as one line for people, and with the feature `serde` for
//! programs:
//!
//! ```
//! # #[cfg(feature = "serde")] {
//! let arena = marena_std::Arena::with_capacity(65_536)?;
//! arena.allocate(6000)?;
//! let stats = arena.stats();
//! assert!(stats.to_string().starts_with("6000 of 65408 bytes used (9.1 %), 59408 left"));
//! println!("{}", serde_json::to_string(&stats).unwrap());
//! # }
//! # Ok::<(), marena_std::Error>(())
//! ```
//!
//! # Files
//!
//! A `MappedArena` lies in a file. Several processes share it, and it outlives them. It hands out
//! addresses and not references, because other processes may write. Root slots say where to start
//! reading. It exists on Unix and Windows, on processors with native 64-bit atomics. Elsewhere the
//! compiler says that the name is configured out, and by which condition.
//!
//! [`alloc`]: marena_core::Arena::alloc
//! [`alloc_slice_copy`]: marena_core::Arena::alloc_slice_copy
//! [`alloc_str`]: marena_core::Arena::alloc_str
//! [`allocate`]: marena_core::Arena::allocate
//! [`allocate_aligned`]: marena_core::Arena::allocate_aligned
//! [`allocate_multiple`]: marena_core::Arena::allocate_multiple
//! [`allocate_address`]: marena_core::Arena::allocate_address
//! [`insert`]: marena_core::Arena::insert
//! [`get`]: marena_core::Arena::get
//! [`view`]: marena_core::Arena::view
//! [`view_ptr`]: marena_core::Arena::view_ptr
#![cfg_attr(docsrs, feature(doc_cfg))]

mod arena;
mod builder;
mod error;
mod growing;
mod leases;
mod limit;
// This needs mappings of files, and native 64-bit atomics to publish addresses.
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod mapped;
mod memory;
mod owned_pool_guard;
mod pages;
mod pool;
mod thread;
mod thread_values;

pub use arena::Arena;
pub use builder::Builder;
pub use error::Error;
pub use growing::GrowingArena;
pub use leases::Leases;
pub use limit::Limit;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
pub use mapped::{
    AccessError, Durability, MapError, MappedArena, MappedBuilder, MappedMemory, MappedView, PublishError,
};
pub use marena_core;
pub use marena_core::{
    ARENA_INVALID_ADDRESS, ARENA_MAX_ALLOC_SIZE, ARENA_MIN_ADDRESS, ARENA_PAGESIZE, Address, AllocError, Allocate,
    ArenaBox, ArenaIntoIter, ArenaString, ArenaVec, Block, GrowingLease, GrowingScope, GrowingScratch, GrowthError,
    Handle, InteriorNul, Lease, MemoryError, Owned, PoolGuard, Scope, Scratch, Slot, Stats, TryAllocError,
};
pub use memory::OwnedMemory;
pub use owned_pool_guard::OwnedPoolGuard;
pub use pool::Pool;
pub use thread_values::ThreadValues;
