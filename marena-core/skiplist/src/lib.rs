//! A lock-free ordered map in an arena.
//!
//! [`SkipMap`] maps bytes to bytes, in the order of the keys' bytes or in [your own order](Order).
//! Any number of threads insert, remove and read at once. An insert is one allocation in a
//! [`marena_core::Arena`] and one compare-and-swap. A read never waits. A full arena is an ordinary
//! error that changes nothing, and all memory comes back with the arena.
//!
//! With the feature `mapped`, `SharedMap` is the same map in a file. Several processes read and
//! write it at once, and it is still there after a restart. If a process is killed at any moment,
//! no inserted entry is lost.
//!
//! # Examples
//!
//! ```
//! use core::mem::MaybeUninit;
//! use marena_core::Arena;
//! use marena_skiplist::SkipMap;
//!
//! let mut bytes = [MaybeUninit::uninit(); 4096];
//! let arena = Arena::borrowed(&mut bytes)?;
//! let map = SkipMap::new(&arena)?;
//! map.insert(b"apple", b"red")?;
//! map.insert(b"pear", b"green")?;
//! assert_eq!(map.insert(b"pear", b"yellow")?, Some(&b"green"[..]));
//! assert_eq!(map.seek(b"b"), Some((&b"pear"[..], &b"yellow"[..])));
//! assert!(map.iter().rev().map(|(key, _)| key).eq([&b"pear"[..], b"apple"]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When to use something else
//!
//! - The memory of removed entries and older values comes back only with the arena.
//! - For one thread at a time, a `BTreeMap` scans faster.
//! - Keys and values are bytes. Encode other types so that their bytes have the order that you
//!   want.
//!
//! [`guide`] describes the map as a storage engine's memtable, and as an index that processes
//! share.
//!
//! # Features
//!
//! None is on by default. `std`: seeds come from the system's random numbers. `mapped`: maps in
//! files, on Unix and Windows, on processors with 64-bit atomics.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(test, feature = "std"))]
extern crate std;

#[cfg(feature = "mapped")]
mod checkpoints;
mod collect;
mod damage;
#[cfg(feature = "mapped")]
mod far;
pub mod guide;
mod height;
mod insert;
mod layout;
mod map;
mod node;
mod order;
mod passed;
mod prefetch;
mod range;
mod region;
mod search;
mod shape;
#[cfg(all(feature = "mapped", any(unix, windows), target_has_atomic = "64"))]
mod shared;
mod space;
mod start;
mod walk;

#[cfg(feature = "mapped")]
pub use damage::Damage;
pub use map::{Entry, GROUP, SkipMap};
pub use order::{ByteOrder, Order};
pub use range::Range;
#[cfg(all(feature = "mapped", any(unix, windows), target_has_atomic = "64"))]
pub use shared::{Mapped, OwnedEntry, ReadOnly, ReadOnlyWord, SharedMap, SharedMapError, SharedRange, Verified};
pub use space::Space;
