//! A table of records: `marena-skiplist`'s map, whose keys say which record of a key is the newest.
//!
//! A map's key is a record's key and, behind it, the record's sequence, inverted. So the records of
//! one key lie side by side, the newest first, whichever thread came first, and each of them stays.

use std::cmp::Ordering;

use marena_skiplist::{GROUP, Order, SkipMap, Space};
use marena_std::AllocError;

use crate::record::{Record, Sequence};

/// Bytes of a sequence.
const SUFFIX: usize = Sequence::BITS as usize / 8;

/// The order of a table's keys.
#[derive(Debug)]
struct NewestFirst;

impl Order for NewestFirst {
    const ID: u32 = u32::from_be_bytes(*b"memt");

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        let ((a, a_suffix), (b, b_suffix)) = (split(a), split(b));
        a.cmp(b).then(a_suffix.cmp(b_suffix))
    }

    fn prefix(&self, first: u64, len: usize) -> u64 {
        match len.saturating_sub(SUFFIX) {
            0 => 0,
            len @ 1..8 => first & !0 << (64 - 8 * len),
            _ => first,
        }
    }
}

/// A record's key, and its suffix.
fn split(key: &[u8]) -> (&[u8], &[u8]) {
    key.split_at(key.len().saturating_sub(SUFFIX))
}

fn suffix(sequence: Sequence) -> [u8; SUFFIX] {
    let [_, _, suffix @ ..] = (!sequence.get()).to_be_bytes();
    suffix
}

/// Records in order: by key, and of one key from the newest to the oldest.
#[derive(Debug)]
pub(crate) struct Table<S: Space> {
    map: SkipMap<S, NewestFirst>,
}

impl<S: Space> Table<S> {
    pub(crate) fn new(space: S) -> Result<Self, AllocError> {
        Ok(Self { map: SkipMap::with_order(space, NewestFirst)? })
    }

    /// Adds records of the front of `records`, up to [`GROUP`] at once. Returns how many; fails if
    /// there is no room for the first.
    pub(crate) fn insert_some(&self, records: &[Record<'_>]) -> Result<usize, AllocError> {
        let records = &records[..records.len().min(GROUP)];
        let mut keys = Vec::with_capacity(records.iter().map(|record| record.key.len() + SUFFIX).sum());
        for record in records {
            keys.extend_from_slice(record.key);
            keys.extend_from_slice(&suffix(record.sequence));
        }
        let mut rest = &keys[..];
        let mut entries = [(&[][..], &[][..]); GROUP];
        for (entry, record) in entries.iter_mut().zip(records) {
            let (key, after) = rest.split_at(record.key.len() + SUFFIX);
            (*entry, rest) = ((key, record.tail), after);
        }
        self.map.insert_group(&entries[..records.len()])
    }

    /// The newest record of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Record<'_>> {
        let first = [key, &[0; SUFFIX]].concat();
        self.map.seek(&first).and_then(record).filter(|record| record.key == key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.map.iter().filter_map(record)
    }

    pub(crate) fn space(&self) -> &S {
        self.map.space()
    }
}

/// The record of an entry.
fn record<'m>((key, tail): (&'m [u8], &'m [u8])) -> Option<Record<'m>> {
    let (key, suffix) = split(key);
    let mut bytes = [0xFF; 8];
    bytes[8 - SUFFIX..].copy_from_slice(suffix);
    Some(Record { key, tail, sequence: Sequence::new(!u64::from_be_bytes(bytes))? })
}

#[cfg(test)]
mod tests {
    use marena_std::Arena;

    use super::*;

    #[test]
    fn records_come_out_by_key_and_then_from_the_newest_to_the_oldest() {
        let table = Table::new(Arena::with_capacity(1 << 16).unwrap()).unwrap();
        // Keys that begin with others, also with bytes that a suffix has.
        let mut records: Vec<(&[u8], u64)> =
            vec![(b"b", 3), (b"a", 5), (b"b", 9), (b"", 1), (b"b", 7), (b"a", 2), (b"ab", 4)];
        records.extend([(&b"a\xFF"[..], 0), (b"a\0", 8), (b"a\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", (1 << 48) - 1)]);
        let group: Vec<_> = records
            .iter()
            .map(|&(key, number)| Record { key, tail: b"tail", sequence: Sequence::new(number).unwrap() })
            .collect();
        assert_eq!(table.insert_some(&group), Ok(group.len()));
        records.sort_by(|(a, older), (b, newer)| a.cmp(b).then(newer.cmp(older)));
        assert!(table.iter().map(|record| (record.key, record.sequence.get())).eq(records));
        assert!(table.iter().all(|record| record.tail == b"tail"));
        assert_eq!(table.get(b"b").unwrap().sequence.get(), 9);
        assert_eq!(table.get(b"").unwrap().sequence.get(), 1);
        for absent in [&b"c"[..], b"aa", b"a\0\0", b"\0"] {
            assert_eq!(table.get(absent), None);
        }
        assert_eq!(table.insert_some(&[]), Ok(0));
    }
}
