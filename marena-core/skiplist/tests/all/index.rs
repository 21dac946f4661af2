//! Maps that are large enough for an index.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::thread;

use marena_skiplist::{ByteOrder, Order, SkipMap};

use crate::{arena, map, numbers};

/// More than make the first index; outside of Miri, several.
const COUNT: usize = if cfg!(miri) { 700 } else { 12_000 };

/// The order of bytes, without a prefix.
#[derive(Clone, Copy, Debug)]
struct WithoutPrefix;

impl Order for WithoutPrefix {
    const ID: u32 = 4;

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        a.cmp(b)
    }
}

/// Keys in several patterns. Each is inserted between others that are not.
fn patterns() -> Vec<Vec<Vec<u8>>> {
    let count = COUNT as u64;
    let random: Vec<_> = numbers(1).take(COUNT).collect();
    let be = |numbers: Vec<u64>| numbers.into_iter().map(|number| (2 * number).to_be_bytes().to_vec()).collect();
    vec![
        be(random.clone()),
        be((0..count).collect()),
        be((0..count).rev().collect()),
        // Half of them in one gap between two others.
        be((0..count / 2).map(|turn| turn << 32).chain((0..count / 2).map(|turn| (7 << 32) + 1 + turn)).collect()),
        // The same first eight bytes.
        random.iter().map(|number| format!("a common prefix {number}").into_bytes()).collect(),
        // Few keys with many values each.
        be(random.iter().map(|number| number % 50).collect()),
    ]
}

fn check<O: Order + Copy>(order: O) {
    for keys in patterns() {
        let map = SkipMap::with_order(arena(200 * COUNT), order).unwrap();
        let mut expected = BTreeMap::new();
        for (turn, key) in keys.iter().enumerate() {
            let value = turn.to_le_bytes();
            let replaced = expected.insert(key.clone(), value);
            assert_eq!(map.insert(key, &value), Ok(replaced.as_ref().map(|value| &value[..])));
        }
        for key in keys.iter().step_by(if cfg!(miri) { 16 } else { 1 }) {
            assert_eq!(map.get(key), expected.get(key).map(|value| &value[..]));
            let absent = [key, &[0][..]].concat();
            assert_eq!(map.get(&absent), None);
            let after = expected.range(absent.clone()..).next();
            assert_eq!(map.seek(&absent), after.map(|(key, value)| (&key[..], &value[..])));
        }
        assert!(map.iter().eq(expected.iter().map(|(key, value)| (&key[..], &value[..]))));
        assert_eq!(map.iter().rev().count(), expected.len());
    }
}

#[test]
fn a_search_from_the_index_finds_what_a_tree_has() {
    check(ByteOrder);
}

#[test]
fn an_order_without_prefixes_has_an_index_too() {
    check(WithoutPrefix);
}

#[test]
fn threads_that_insert_while_indexes_are_made_lose_nothing() {
    let map = map(200 * COUNT);
    let threads = 3;
    thread::scope(|scope| {
        for thread in 0..threads {
            let map = &map;
            scope.spawn(move || {
                for number in numbers(2).take(COUNT).skip(thread).step_by(threads) {
                    let key = number.to_be_bytes();
                    map.insert(&key, &key).unwrap();
                    assert_eq!(map.get(&key), Some(&key[..]));
                }
            });
        }
    });
    let mut expected: Vec<_> = numbers(2).take(COUNT).map(u64::to_be_bytes).collect();
    expected.sort_unstable();
    expected.dedup();
    assert!(map.iter().map(|(key, _)| key).eq(expected.iter().map(|key| &key[..])));
    assert!(expected.iter().all(|key| map.get(key) == Some(key)));
    // Nodes and indexes are rounded up to eight bytes each.
    let rounded = map.space().used() - map.memory_used();
    assert!(rounded < 8 * (COUNT + 20), "{rounded} bytes");
}
