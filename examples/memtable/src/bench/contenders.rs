//! The memtable and its peers, behind one interface.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crossbeam_skiplist::SkipMap;
use marena_std::Arena;

use super::workload::{Entry, digest};
use crate::error::Error;
use crate::record::{Record, Sequence};
use crate::skiplist::SkipList;

/// A peer's key or value: bytes of any length.
type Bytes = Box<[u8]>;

/// A map from bytes to bytes that many threads share. Values are at least 16 bytes long.
pub(super) trait Contender: Sync + Sized {
    const NAME: &'static str;

    fn empty(entries: usize) -> Result<Self, Error>;

    /// `index` is different for every insert.
    fn insert(&self, entry: &Entry, index: usize) -> Result<(), Error>;

    /// The digest of a key's value, 0 without one.
    fn read(&self, key: &[u8]) -> u64;

    /// The sum of the digests of all values, read in order of the keys.
    fn scan(&self) -> u64;
}

/// This package's skip list.
#[derive(Debug)]
pub(super) struct Memtable(pub(super) SkipList);

impl Contender for Memtable {
    const NAME: &'static str = "memtable";

    fn empty(entries: usize) -> Result<Self, Error> {
        // More than the nodes take; what is not touched costs nothing.
        let capacity = (entries * 128 + (1 << 20)).min(Arena::MAX_CAPACITY);
        Ok(Self(SkipList::new(Arena::builder().capacity(capacity).huge_pages(true).build()?)?))
    }

    fn insert(&self, entry: &Entry, index: usize) -> Result<(), Error> {
        let record = Record { key: &entry.key, tail: &entry.value, sequence: Sequence::FIRST.plus(index) };
        Ok(self.0.insert(record)?)
    }

    fn read(&self, key: &[u8]) -> u64 {
        self.0.get(key).map_or(0, |record| digest(record.tail))
    }

    fn scan(&self) -> u64 {
        self.0.iter().fold(0, |sum, record| sum.wrapping_add(digest(record.tail)))
    }
}

/// The lock-free skip list that is best known in Rust: each node, key and value is an allocation.
pub(super) struct Crossbeam(SkipMap<Bytes, Bytes>);

impl Contender for Crossbeam {
    const NAME: &'static str = "crossbeam-skiplist";

    fn empty(_: usize) -> Result<Self, Error> {
        Ok(Self(SkipMap::new()))
    }

    fn insert(&self, entry: &Entry, _: usize) -> Result<(), Error> {
        self.0.insert(entry.key[..].into(), entry.value[..].into());
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

    fn insert(&self, entry: &Entry, _: usize) -> Result<(), Error> {
        let (key, value) = (entry.key[..].into(), entry.value[..].into());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, value);
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
