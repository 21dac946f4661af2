//! Lock-free bump arenas in memory of their own.
//!
//! An [`Arena`] hands out bytes of one region by moving a cursor: one compare-and-swap for each claim, from any number of
//! threads, without locks. Nothing is freed one by one; [`Arena::reset`] takes everything back at once, in constant time.
//! A full arena is an ordinary error that changes nothing. **Values placed in an arena are not dropped.**
//!
//! # Examples
//!
//! ```
//! use marena_std::{AllocError, Arena, Error};
//!
//! let mut arena = Arena::with_capacity(64 << 20)?;
//!
//! // Values and text, borrowed from the arena for as long as it is not reset.
//! let count = arena.alloc(1_u64)?;
//! *count += 1;
//! let name = arena.alloc_fmt(format_args!("entry-{count:03}"))?;
//! assert_eq!(name, "entry-002");
//!
//! // Node, key and value of an index entry: all three, side by side, or none.
//! let [node, mut key, value] = arena.allocate_multiple([24, 3, 100])?;
//! key.copy_from_slice(b"key");
//!
//! // Published bytes are read by anyone who has the handle, on any thread.
//! let key = key.publish();
//! std::thread::scope(|scope| {
//!     scope.spawn(|| assert_eq!(arena.view(key), Some(&b"key"[..])));
//! });
//! # drop((node, value));
//!
//! // More than there is: refused, and nothing has changed.
//! let used = arena.used();
//! assert!(matches!(arena.allocate(1 << 30), Err(AllocError::Full { .. })));
//! assert_eq!(arena.used(), used);
//!
//! // A new life: the arena is empty, and handles from before say so.
//! arena.reset();
//! assert_eq!(arena.view(key), None);
//! # Ok::<(), Error>(())
//! ```
//!
//! # Which call
//!
//! | you want | call | you get |
//! | --- | --- | --- |
//! | a value, a slice, text of your own | [`alloc`], [`alloc_slice_copy`], [`alloc_str`] and their kin | `&mut T`, `&mut [T]`, `&mut str` |
//! | zeroed bytes | [`allocate`], [`allocate_aligned`] | a [`Block`] |
//! | several blocks, all or none | [`allocate_multiple`] | an array of [`Block`]s |
//! | a value that others read | [`insert`], then [`get`] | a [`Handle<T>`](Handle) |
//! | bytes that others read | [`Block::publish`], then [`view`] | a [`Handle`] |
//! | links inside a structure of your own | [`allocate_address`], then [`view_ptr`] | an [`Address`], 8 bytes, or its 4-byte offset |
//!
//! They are the methods of [`marena_core::Arena`], to which [`Arena`] derefs and which firmware uses as it is. What is new here is
//! the memory.
//!
//! # Memory
//!
//! [`Arena::with_capacity`] reserves addresses, 2 GiB as readily as 64 KiB. Memory is used page by page, when bytes on
//! a page are first touched, and stays with the arena, through resets, until it is dropped. Three things change that:
//!
//! - [`Arena::trim`] gives back the pages past the cursor: after the largest batch of the day, say.
//! - [`Builder::prefault`] touches all pages at the start, where waiting later is worse.
//! - [`Builder::huge_pages`] has the system use large ones, where accesses are spread over many MiB.
//!
//! | | Linux | other Unix systems | Windows |
//! | --- | --- | --- | --- |
//! | untouched capacity counts as | nothing; with `vm.overcommit_memory=2`, committed | nothing, where the system overcommits | committed |
//! | `trim` | at once | when the system is short of memory | no effect |
//! | `huge_pages` | as `/sys/kernel/mm/transparent_hugepage` says | no effect | no effect |
//!
//! Elsewhere (WebAssembly, for one) there are no mappings, and every arena is [`Error::OutOfAddressSpace`].
//!
//! Blocks are zeroed when they are handed out. Pages that were never handed out are known to be zero and are not written for that, so
//! on a fresh arena zeroed bytes cost what uninitialised ones do.
//!
//! # Files
//!
//! A `MappedArena` lies in a file: several processes share it, and it outlives them. It is there on Unix and Windows, on processors with native
//! 64-bit atomics; elsewhere the compiler says that the name is configured out, and by which condition.
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

mod advice;
mod arena;
mod builder;
mod error;
// Needs mappings of files, and addresses that are published by one native atomic.
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod mapped;
mod memory;
mod pool;

pub use arena::Arena;
pub use builder::Builder;
pub use error::Error;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
pub use mapped::{AccessError, Durability, MapError, MappedArena, MappedBuilder, MappedMemory, MappedView};
pub use marena_core;
pub use marena_core::{
    ARENA_INVALID_ADDRESS, ARENA_MAX_ALLOC_SIZE, ARENA_MIN_ADDRESS, ARENA_PAGESIZE, Address, AllocError, Allocate,
    Block, Handle, Lease, MemoryError, PoolGuard, Scratch, Stats, TryAllocError,
};
pub use memory::OwnedMemory;
pub use pool::Pool;

/// The examples of the README are tests too.
#[cfg(doctest)]
#[doc = include_str!("front_page.md")]
struct Readme;
