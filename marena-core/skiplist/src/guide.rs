//! How to use the map in a storage engine, and between processes.
//!
//! # A memtable
//!
//! A log-structured engine collects writes in a memtable, and writes it out when it is full.
//!
//! **Rotation.** Keep arenas in a [`Pool`](marena_core::Pool), and create each memtable in a guard.
//! When an insert fails with [`AllocError::Full`](marena_core::AllocError::Full), replace the map
//! by one in another arena, and insert again. The insert that failed changed nothing.
//!
//! **Flush.** Iterate over the full map and write its entries out. They come in order. Readers that
//! still have the map can continue. When the last of them drops it, the pool resets the arena in
//! constant time.
//!
//! **Versions.** [`SkipMap::insert`](crate::SkipMap::insert) replaces a key's value. An engine with
//! snapshots keeps each version as a separate entry. Its key ends in the version's number, inverted
//! and big-endian, and an [`Order`](crate::Order) compares the rest first. The newest version of a
//! key up to number n is then the first entry at or after the key that ends in n. Deletions are
//! entries as well, with a mark in their value.
//!
//! ```
//! use core::cmp::Ordering;
//! use core::mem::MaybeUninit;
//!
//! use marena_core::{BorrowedMemory, Pool};
//! use marena_skiplist::{Order, SkipMap};
//!
//! struct NewestFirst;
//!
//! impl Order for NewestFirst {
//!     const ID: u32 = 1;
//!
//!     fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
//!         let split = |key: &[u8]| key.len().saturating_sub(8);
//!         a[..split(a)].cmp(&b[..split(b)]).then_with(|| a[split(a)..].cmp(&b[split(b)..]))
//!     }
//! }
//!
//! fn versioned(key: &[u8], number: u64) -> Vec<u8> {
//!     [key, &(!number).to_be_bytes()].concat()
//! }
//!
//! let mut memory = [[MaybeUninit::uninit(); 4096]; 2];
//! let [first, second] = &mut memory;
//! let pool = Pool::new([BorrowedMemory::new(first)?, BorrowedMemory::new(second)?])?;
//! let mut table = SkipMap::with_order(pool.acquire().unwrap(), NewestFirst)?;
//! let mut flushed = 0;
//! for number in 0..200_u64 {
//!     let key = versioned(b"key", number);
//!     if table.insert(&key, b"value").is_err() {
//!         // Full: the next table replaces this one, which is written out.
//!         let next = SkipMap::with_order(pool.acquire().unwrap(), NewestFirst)?;
//!         let full = core::mem::replace(&mut table, next);
//!         flushed += full.iter().count();
//!         table.insert(&key, b"value")?;
//!     }
//! }
//! assert_eq!(flushed + table.len(), 200);
//! // What a reader sees that began at version 198.
//! let (found, _) = table.seek(&versioned(b"key", 198)).unwrap();
//! assert_eq!(found, versioned(b"key", 198));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Performance.** Insert batches with [`SkipMap::insert_group`](crate::SkipMap::insert_group).
//! Give your order a [`prefix`](crate::Order::prefix): most comparisons then read only eight bytes.
//!
//! # A shared index
//!
//! `SharedMap` (feature `mapped`) is an index that processes share. Each opens the file by its path
//! and the map by a root slot. Writers need no lock and no server. A writer that is killed leaves
//! nothing to repair. Readers map the file read-only.
//!
//! The values can be [addresses](marena_core::Address) of larger data in another arena's file, or
//! in the same file through a second `MappedArena` of it. Publish the data first, then insert the
//! address.
//!
//! The file does not grow. When it is full, create another, copy the live entries into it, and
//! rename it over the old one. Processes that have the old file open continue to read it.
