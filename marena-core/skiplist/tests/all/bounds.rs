//! Ranges over any bounds, from both ends, and seeking.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::{map, numbers, owned};

#[test]
fn every_pair_of_bounds_gives_what_an_ordered_map_gives_from_both_ends() {
    let count = if cfg!(miri) { 12 } else { 200 };
    let (map, mut model) = (map(1 << 20), BTreeMap::new());
    for number in numbers(7).take(count) {
        let key = (number % 40).to_string().into_bytes();
        // Older values of a key, and removed keys, are no entries.
        if number & 0x700 == 0 {
            map.remove(&key).unwrap();
            model.remove(&key);
        } else {
            map.insert(&key, &number.to_be_bytes()).unwrap();
            model.insert(key, number.to_be_bytes().to_vec());
        }
    }
    let keys: Vec<Vec<u8>> = (0..if cfg!(miri) { 5 } else { 41 }).map(|key| key.to_string().into_bytes()).collect();
    let bounds: Vec<_> = keys
        .iter()
        .flat_map(|key| [Bound::Included(&key[..]), Bound::Excluded(&key[..])])
        .chain([Bound::Unbounded])
        .collect();
    for &lower in &bounds {
        for &upper in &bounds {
            let in_bounds = |key: &[u8]| {
                let above = match lower {
                    Bound::Included(bound) => key >= bound,
                    Bound::Excluded(bound) => key > bound,
                    Bound::Unbounded => true,
                };
                let below = match upper {
                    Bound::Included(bound) => key <= bound,
                    Bound::Excluded(bound) => key < bound,
                    Bound::Unbounded => true,
                };
                above && below
            };
            let expected: Vec<_> = model
                .iter()
                .filter(|(key, _)| in_bounds(key))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            assert!(map.range((lower, upper)).map(owned).eq(expected.iter().cloned()), "{lower:?} {upper:?}");
            assert!(
                map.range((lower, upper)).rev().map(owned).eq(expected.iter().rev().cloned()),
                "{lower:?} {upper:?}"
            );
            // Both ends in turns meet once.
            let mut range = map.range((lower, upper));
            let mut found = (Vec::new(), Vec::new());
            while let Some(entry) = range.next() {
                found.0.push(owned(entry));
                let Some(entry) = range.next_back() else { break };
                found.1.push(owned(entry));
            }
            assert_eq!((range.next(), range.next_back()), (None, None));
            found.0.extend(found.1.into_iter().rev());
            assert_eq!(found.0, expected, "{lower:?} {upper:?}");
        }
    }
    for key in &keys {
        let after = model.range(key.clone()..).next().map(|(key, value)| (key.clone(), value.clone()));
        assert_eq!(map.seek(key).map(owned), after);
        let before = model.range(..=key.clone()).next_back().map(|(key, value)| (key.clone(), value.clone()));
        assert_eq!(map.seek_back(key).map(owned), before);
    }
}

#[test]
fn many_versions_of_a_few_keys_come_once_each_from_both_ends() {
    let map = map(4 << 20);
    let versions: u32 = if cfg!(miri) { 20 } else { 10_000 };
    for version in 0..versions {
        for key in [b"a", b"b", b"c"] {
            map.insert(key, &version.to_be_bytes()).unwrap();
        }
    }
    let newest = (versions - 1).to_be_bytes();
    let expected = [b"a", b"b", b"c"].map(|key| (&key[..], &newest[..]));
    assert!(map.iter().eq(expected));
    assert!(map.iter().rev().eq(expected.into_iter().rev()));
    assert_eq!(map.range(&b"b"[..]..=b"b").next_back(), Some(expected[1]));
    map.remove(b"b").unwrap();
    assert!(map.iter().rev().eq([expected[2], expected[0]]));
}

#[test]
fn entries_inserted_during_a_walk_do_not_disturb_it() {
    let count = if cfg!(miri) { 40_u32 } else { 4_000 };
    for back in [false, true] {
        let map = map(4 << 20);
        for number in 0..count {
            map.insert(&(2 * number).to_be_bytes(), b"old").unwrap();
        }
        let mut range = map.iter();
        let mut seen = Vec::new();
        let mut added = numbers(3);
        while let Some((key, _)) = if back { range.next_back() } else { range.next() } {
            seen.push(u32::from_be_bytes(key.try_into().unwrap()));
            let number = added.next().unwrap() as u32 % (2 * count);
            map.insert(&number.to_be_bytes(), b"new").unwrap();
        }
        if back {
            seen.reverse();
        }
        assert!(seen.is_sorted_by(|a, b| a < b));
        assert!((0..count).all(|number| seen.binary_search(&(2 * number)).is_ok()));
    }
}

#[test]
fn a_range_that_has_ended_stays_ended_whatever_is_inserted() {
    for back in [false, true] {
        let map = map(1 << 16);
        for key in [b"b", b"c"] {
            map.insert(key, b"").unwrap();
        }
        let mut range = map.iter();
        while if back { range.next_back() } else { range.next() }.is_some() {}
        for key in [b"a", b"d"] {
            map.insert(key, b"").unwrap();
        }
        assert_eq!((range.next_back(), range.next()), (None, None));
        assert_eq!((range.next(), range.next_back()), (None, None));
    }
}
