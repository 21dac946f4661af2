//! The memtable and its peers, behind one interface.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crossbeam_skiplist::SkipMap;
use marena_skiplist::GROUP;
use marena_std::Arena;

use super::workload::{Entry, digest};
use crate::error::Error;

/// A peer's key or value: bytes of any length.
type Bytes = Box<[u8]>;

/// A map from bytes to bytes that many threads share. Values are at least 16 bytes long.
pub(super) trait Contender: Sync + Sized {
    const NAME: &'static str;

    fn empty(entries: usize) -> Result<Self, Error>;

    /// Inserts entries.
    fn fill(&self, entries: &[Entry]) -> Result<(), Error>;

    /// The digest of a key's value, 0 without one.
    fn read(&self, key: &[u8]) -> u64;

    /// The sum of the digests of all values, read in order of the keys.
    fn scan(&self) -> u64;

    /// The same, from the last key to the first.
    fn scan_back(&self) -> u64;
}

/// The map that tables are made of.
#[derive(Debug)]
pub(super) struct Memtable(pub(super) marena_skiplist::SkipMap<Arena>);

impl Contender for Memtable {
    const NAME: &'static str = "memtable";

    fn empty(entries: usize) -> Result<Self, Error> {
        // More than the nodes take; what is not touched costs nothing.
        let capacity = (entries * 128 + (1 << 20)).min(Arena::MAX_CAPACITY);
        let arena = Arena::builder().capacity(capacity).huge_pages(true).build()?;
        Ok(Self(marena_skiplist::SkipMap::new(arena)?))
    }

    fn fill(&self, entries: &[Entry]) -> Result<(), Error> {
        for entry in entries {
            self.0.insert(&entry.key, &entry.value)?;
        }
        Ok(())
    }

    fn read(&self, key: &[u8]) -> u64 {
        self.0.get(key).map_or(0, digest)
    }

    fn scan(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, value)| sum.wrapping_add(digest(value)))
    }

    fn scan_back(&self) -> u64 {
        self.0.iter().rev().fold(0, |sum, (_, value)| sum.wrapping_add(digest(value)))
    }
}

/// The same map, filled as `ingest` does it: by groups of records whose searches take turns.
#[derive(Debug)]
pub(super) struct Grouped(Memtable);

impl Contender for Grouped {
    const NAME: &'static str = "memtable, in groups";

    fn empty(entries: usize) -> Result<Self, Error> {
        Memtable::empty(entries).map(Self)
    }

    fn fill(&self, entries: &[Entry]) -> Result<(), Error> {
        for entries in entries.chunks(GROUP) {
            let mut group = [(&[][..], &[][..]); GROUP];
            for (place, entry) in group.iter_mut().zip(entries) {
                *place = (&entry.key, &entry.value);
            }
            let group = &group[..entries.len()];
            // The arena has room for everything: see `Memtable::empty`.
            assert_eq!(self.0.0.insert_group(group)?, group.len());
        }
        Ok(())
    }

    fn read(&self, key: &[u8]) -> u64 {
        self.0.read(key)
    }

    fn scan(&self) -> u64 {
        self.0.scan()
    }

    fn scan_back(&self) -> u64 {
        self.0.scan_back()
    }
}

/// The lock-free skip list that is best known in Rust: each node, key and value is an allocation.
pub(super) struct Crossbeam(SkipMap<Bytes, Bytes>);

impl Contender for Crossbeam {
    const NAME: &'static str = "crossbeam-skiplist";

    fn empty(_: usize) -> Result<Self, Error> {
        Ok(Self(SkipMap::new()))
    }

    fn fill(&self, entries: &[Entry]) -> Result<(), Error> {
        for entry in entries {
            self.0.insert(entry.key[..].into(), entry.value[..].into());
        }
        Ok(())
    }

    fn read(&self, key: &[u8]) -> u64 {
        self.0.get(key).map_or(0, |entry| digest(entry.value()))
    }

    fn scan(&self) -> u64 {
        self.0.iter().fold(0, |sum, entry| sum.wrapping_add(digest(entry.value())))
    }

    fn scan_back(&self) -> u64 {
        self.0.iter().rev().fold(0, |sum, entry| sum.wrapping_add(digest(entry.value())))
    }
}

/// The standard library's ordered map behind a lock, for reads too.
pub(super) struct Locked(Mutex<BTreeMap<Bytes, Bytes>>);

impl Contender for Locked {
    const NAME: &'static str = "Mutex<BTreeMap>";

    fn empty(_: usize) -> Result<Self, Error> {
        Ok(Self(Mutex::default()))
    }

    fn fill(&self, entries: &[Entry]) -> Result<(), Error> {
        for entry in entries {
            let (key, value) = (entry.key[..].into(), entry.value[..].into());
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, value);
        }
        Ok(())
    }

    fn read(&self, key: &[u8]) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).map_or(0, |value| digest(value))
    }

    fn scan(&self) -> u64 {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.values().fold(0, |sum, value| sum.wrapping_add(digest(value)))
    }

    fn scan_back(&self) -> u64 {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.values().rev().fold(0, |sum, value| sum.wrapping_add(digest(value)))
    }
}
