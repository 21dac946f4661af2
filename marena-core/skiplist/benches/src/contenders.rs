//! The maps, behind one interface.

use std::collections::BTreeMap;
use std::sync::Mutex;

use marena_skiplist::{ByteOrder, GROUP, Mapped, SharedMap, SkipMap};
use marena_std::{Arena, MappedArena};

use crate::workload::{Pair, digest};

/// A map from bytes to bytes that many threads share.
pub(crate) trait Contender: Sync + Sized {
    const NAME: &'static str;

    fn empty(entries: usize) -> Self;

    fn fill(&self, entries: &[Pair]);

    /// Returns the sum of the digests of these keys' values.
    fn read(&self, keys: &[[u8; 16]]) -> u64;

    /// Returns the sum of the digests of all values, read in order of the keys.
    fn scan(&self) -> u64;

    /// The same, from the last key to the first.
    fn scan_back(&self) -> u64;
}

fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::wrapping_add)
}

/// More bytes than the nodes take; what is not touched costs nothing.
fn room(entries: usize) -> usize {
    (entries * 160 + (1 << 20)).min(Arena::MAX_CAPACITY)
}

/// `SkipMap`, one insert a call.
pub(crate) struct Map(SkipMap<Arena>);

impl Map {
    pub(crate) fn memory(&self) -> usize {
        self.0.space().used()
    }
}

impl Contender for Map {
    const NAME: &'static str = "SkipMap";

    fn empty(entries: usize) -> Self {
        let arena = Arena::builder().capacity(room(entries)).huge_pages(true).build().expect("memory");
        Self(SkipMap::new(arena).expect("room"))
    }

    fn fill(&self, entries: &[Pair]) {
        for (key, value) in entries {
            self.0.insert(key, value).expect("room");
        }
    }

    fn read(&self, keys: &[[u8; 16]]) -> u64 {
        sum(keys.iter().map(|key| self.0.get(key).map_or(0, digest)))
    }

    fn scan(&self) -> u64 {
        sum(self.0.iter().map(|(_, value)| digest(value)))
    }

    fn scan_back(&self) -> u64 {
        sum(self.0.iter().rev().map(|(_, value)| digest(value)))
    }
}

/// The same, filled by groups of entries whose searches take turns.
pub(crate) struct Grouped(Map);

impl Contender for Grouped {
    const NAME: &'static str = "SkipMap, in groups";

    fn empty(entries: usize) -> Self {
        Self(Map::empty(entries))
    }

    fn fill(&self, entries: &[Pair]) {
        for entries in entries.chunks(GROUP) {
            let mut group = [(&[][..], &[][..]); GROUP];
            for (place, (key, value)) in group.iter_mut().zip(entries) {
                *place = (key, value);
            }
            let group = &group[..entries.len()];
            assert_eq!(self.0.0.insert_group(group).expect("room"), group.len());
        }
    }

    fn read(&self, keys: &[[u8; 16]]) -> u64 {
        self.0.read(keys)
    }

    fn scan(&self) -> u64 {
        self.0.scan()
    }

    fn scan_back(&self) -> u64 {
        self.0.scan_back()
    }
}

/// `SharedMap`, in a file of the system's folder for temporary files. Entries are copied out.
pub(crate) struct InFile(SharedMap<Mapped, ByteOrder>);

impl Contender for InFile {
    const NAME: &'static str = "SharedMap";

    fn empty(entries: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // SAFETY: the file is new, and goes with its folder, while it stays mapped.
        let arena = unsafe { MappedArena::create(folder.path().join("map"), room(entries)) }.expect("a file");
        Self(SharedMap::create(arena, 0, ByteOrder).expect("room"))
    }

    fn fill(&self, entries: &[Pair]) {
        for (key, value) in entries {
            self.0.insert(key, value).expect("room");
        }
    }

    fn read(&self, keys: &[[u8; 16]]) -> u64 {
        let mut value = Vec::new();
        sum(keys.iter().map(|key| if self.0.get_into(key, &mut value).expect("a map") { digest(&value) } else { 0 }))
    }

    fn scan(&self) -> u64 {
        let (mut range, mut sum) = (self.0.iter(), 0_u64);
        while let Some((_, value)) = range.next_entry().expect("a map") {
            sum = sum.wrapping_add(digest(value));
        }
        sum
    }

    fn scan_back(&self) -> u64 {
        let (mut range, mut sum) = (self.0.iter(), 0_u64);
        while let Some((_, value)) = range.next_back_entry().expect("a map") {
            sum = sum.wrapping_add(digest(value));
        }
        sum
    }
}

type Bytes = Box<[u8]>;

/// The lock-free skip list that is best known in Rust: each node, key and value is an allocation.
pub(crate) struct Crossbeam(crossbeam_skiplist::SkipMap<Bytes, Bytes>);

impl Contender for Crossbeam {
    const NAME: &'static str = "crossbeam-skiplist";

    fn empty(_: usize) -> Self {
        Self(crossbeam_skiplist::SkipMap::new())
    }

    fn fill(&self, entries: &[Pair]) {
        for (key, value) in entries {
            self.0.insert(key[..].into(), value[..].into());
        }
    }

    fn read(&self, keys: &[[u8; 16]]) -> u64 {
        sum(keys.iter().map(|key| self.0.get(&key[..]).map_or(0, |entry| digest(entry.value()))))
    }

    fn scan(&self) -> u64 {
        sum(self.0.iter().map(|entry| digest(entry.value())))
    }

    fn scan_back(&self) -> u64 {
        sum(self.0.iter().rev().map(|entry| digest(entry.value())))
    }
}

/// The standard library's ordered map behind a lock, for reads too.
pub(crate) struct Locked(Mutex<BTreeMap<Bytes, Bytes>>);

impl Contender for Locked {
    const NAME: &'static str = "Mutex<BTreeMap>";

    fn empty(_: usize) -> Self {
        Self(Mutex::default())
    }

    fn fill(&self, entries: &[Pair]) {
        for (key, value) in entries {
            let (key, value) = (key[..].into(), value[..].into());
            self.0.lock().expect("no panic").insert(key, value);
        }
    }

    fn read(&self, keys: &[[u8; 16]]) -> u64 {
        sum(keys.iter().map(|key| self.0.lock().expect("no panic").get(&key[..]).map_or(0, |value| digest(value))))
    }

    fn scan(&self) -> u64 {
        sum(self.0.lock().expect("no panic").values().map(|value| digest(value)))
    }

    fn scan_back(&self) -> u64 {
        sum(self.0.lock().expect("no panic").values().rev().map(|value| digest(value)))
    }
}
