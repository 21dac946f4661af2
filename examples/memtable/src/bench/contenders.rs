//! The memtable and its peers, behind one interface.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crossbeam_skiplist::SkipMap;
use marena_std::Arena;

use super::workload::{Entry, digest};
use crate::error::Error;
use crate::record::{Record, Sequence};
use crate::skiplist::{ABREAST, SkipList};

/// A peer's key or value: bytes of any length.
type Bytes = Box<[u8]>;

/// A map from bytes to bytes that many threads share. Values are at least 16 bytes long.
pub(super) trait Contender: Sync + Sized {
    const NAME: &'static str;

    fn empty(entries: usize) -> Result<Self, Error>;

    /// Inserts entries one by one. `first` counts those before them.
    fn fill(&self, entries: &[Entry], first: usize) -> Result<(), Error>;

    /// The digest of a key's value, 0 without one.
    fn read(&self, key: &[u8]) -> u64;

    /// The sum of the digests of all values, read in order of the keys.
    fn scan(&self) -> u64;
}

/// This package's skip list.
#[derive(Debug)]
pub(super) struct Memtable(pub(super) SkipList<Arena>);

impl Contender for Memtable {
    const NAME: &'static str = "memtable";

    fn empty(entries: usize) -> Result<Self, Error> {
        // More than the nodes take; what is not touched costs nothing.
        let capacity = (entries * 128 + (1 << 20)).min(Arena::MAX_CAPACITY);
        Ok(Self(SkipList::new(Arena::builder().capacity(capacity).huge_pages(true).build()?)?))
    }

    fn fill(&self, entries: &[Entry], first: usize) -> Result<(), Error> {
        for (entry, index) in entries.iter().zip(first..) {
            self.0.insert(record(entry, index))?;
        }
        Ok(())
    }

    fn read(&self, key: &[u8]) -> u64 {
        self.0.get(key).map_or(0, |record| digest(record.tail))
    }

    fn scan(&self) -> u64 {
        self.0.iter().fold(0, |sum, record| sum.wrapping_add(digest(record.tail)))
    }
}

fn record(entry: &Entry, index: usize) -> Record<'_> {
    Record { key: &entry.key, tail: &entry.value, sequence: Sequence::FIRST.plus(index) }
}

/// The same list, filled as `ingest` does it: by groups of records whose searches take turns.
#[derive(Debug)]
pub(super) struct Grouped(Memtable);

impl Contender for Grouped {
    const NAME: &'static str = "memtable, in groups";

    fn empty(entries: usize) -> Result<Self, Error> {
        Memtable::empty(entries).map(Self)
    }

    fn fill(&self, entries: &[Entry], first: usize) -> Result<(), Error> {
        let mut group = Vec::with_capacity(ABREAST);
        for (entries, first) in entries.chunks(ABREAST).zip((first..).step_by(ABREAST)) {
            group.clear();
            group.extend(entries.iter().zip(first..).map(|(entry, index)| record(entry, index)));
            let mut rest = &group[..];
            while !rest.is_empty() {
                rest = &rest[self.0.0.insert_some(rest)?..];
            }
        }
        Ok(())
    }

    fn read(&self, key: &[u8]) -> u64 {
        self.0.read(key)
    }

    fn scan(&self) -> u64 {
        self.0.scan()
    }
}

/// The lock-free skip list that is best known in Rust: each node, key and value is an allocation.
pub(super) struct Crossbeam(SkipMap<Bytes, Bytes>);

impl Contender for Crossbeam {
    const NAME: &'static str = "crossbeam-skiplist";

    fn empty(_: usize) -> Result<Self, Error> {
        Ok(Self(SkipMap::new()))
    }

    fn fill(&self, entries: &[Entry], _: usize) -> Result<(), Error> {
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
}

/// The standard library's ordered map behind a lock, for reads too.
pub(super) struct Locked(Mutex<BTreeMap<Bytes, Bytes>>);

impl Contender for Locked {
    const NAME: &'static str = "Mutex<BTreeMap>";

    fn empty(_: usize) -> Result<Self, Error> {
        Ok(Self(Mutex::default()))
    }

    fn fill(&self, entries: &[Entry], _: usize) -> Result<(), Error> {
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
}
