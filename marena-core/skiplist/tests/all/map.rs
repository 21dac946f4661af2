//! One thread, against an ordered map.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use marena_core::{ARENA_MAX_ALLOC_SIZE, AllocError, BorrowedMemory, Pool};
use marena_skiplist::{ByteOrder, SkipMap};

use crate::{Descending, all, arena, bytes, map, numbers, owned};

#[test]
fn random_operations_return_and_leave_what_an_ordered_map_has() {
    let count = if cfg!(miri) { 200 } else { 50_000 };
    for seed in 0..3 {
        let (map, mut model) = (map(16 << 20), BTreeMap::new());
        for (number, turn) in numbers(seed).zip(0..count) {
            let key = format!("{:x}", number % (count / 4)).into_bytes();
            let value = turn.to_string().into_bytes();
            let kept = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
            match number >> 20 & 7 {
                0 | 1 => assert_eq!(kept(map.remove(&key).unwrap()), model.remove(&key)),
                2 | 3 => {
                    let found = kept(map.insert_if_absent(&key, &value).unwrap());
                    assert_eq!(found, model.get(&key).cloned());
                    model.entry(key).or_insert(value);
                }
                4 => assert_eq!(kept(map.get(&key)), model.get(&key).cloned()),
                _ => assert_eq!(kept(map.insert(&key, &value).unwrap()), model.insert(key, value)),
            }
            assert_eq!(map.len(), model.len());
        }
        let expected: Vec<_> = model.into_iter().collect();
        assert_eq!(all(&map), expected);
        let back: Vec<_> = map.iter().rev().map(owned).collect();
        assert!(back.iter().eq(expected.iter().rev()));
        assert_eq!(map.first().map(owned), expected.first().cloned());
        assert_eq!(map.last().map(owned), expected.last().cloned());
    }
}

#[test]
fn keys_whose_first_bytes_are_equal_or_missing_are_told_apart() {
    let map = map(1 << 16);
    // Zeros that fill up a short key's first bytes against zeros of a key, and lengths around
    // eight.
    let mut keys: Vec<&[u8]> = vec![
        b"",
        b"\0",
        b"\0\0",
        b"\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\x01",
        b"samesame",
        b"samesame1",
        b"samesame2",
        b"samesam",
        b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0",
        b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
    ];
    for key in keys.iter().rev() {
        assert_eq!(map.insert(key, key), Ok(None));
    }
    for key in &keys {
        assert_eq!(map.get(key), Some(*key));
    }
    assert_eq!(map.get(b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), None);
    assert_eq!(map.get(b"\0\0\0"), None);
    keys.sort_unstable();
    assert!(map.iter().map(|(key, _)| key).eq(keys));
}

#[test]
fn keys_and_values_of_every_edge_length_come_back_whole() {
    let map = map(8 << 20);
    let lengths = [0, 1, 7, 8, 9, 2046, 2047, 2048, 16_383, 16_384, 50_000];
    let bytes: Vec<u8> = (0..50_000_u32).map(|number| (number * 7) as u8).collect();
    for key_len in lengths {
        for value_len in lengths {
            let (key, value) = (&bytes[..key_len], &bytes[bytes.len() - value_len..]);
            map.insert(key, value).unwrap();
            assert_eq!(map.get(key), Some(value));
        }
    }
    assert_eq!(map.len(), lengths.len());
    assert!(map.iter().map(|(key, _)| key.len()).eq(lengths));
}

#[test]
fn a_key_or_a_value_may_take_all_that_the_arena_has() {
    let room = 1 << 20;
    for (key_len, value_len) in [(0, room), (room, 0)] {
        let map = map(room + 4096);
        let bytes = vec![0xFF; room];
        let (key, value) = (&bytes[..key_len], &bytes[..value_len]);
        map.insert(key, value).unwrap();
        assert_eq!(map.get(key), Some(value));
        assert!(matches!(map.insert(key, value), Err(AllocError::Full { .. })));
    }
}

#[test]
#[cfg(not(miri))] // Gigabytes of zeros.
fn lengths_that_no_arena_holds_are_too_large() {
    let map = map(4096);
    // Zeros that are never touched.
    let bytes = vec![0; ARENA_MAX_ALLOC_SIZE + 1];
    assert!(matches!(map.insert(&bytes, b""), Err(AllocError::TooLarge { .. })));
    assert!(matches!(map.insert(b"", &bytes), Err(AllocError::TooLarge { .. })));
    assert!(matches!(map.insert(b"k", &bytes[1..]), Err(AllocError::TooLarge { .. })));
    assert!(matches!(map.insert(b"", &bytes[200..]), Err(AllocError::Full { .. } | AllocError::TooLarge { .. })));
    assert_eq!((map.len(), map.get(b"")), (0, None));
}

#[test]
fn a_custom_order_is_the_order_of_scans_ranges_and_seeks() {
    let map = SkipMap::with_order(arena(1 << 20), Descending).unwrap();
    let mut keys: Vec<_> = numbers(5).take(500).map(|number| number.to_string().into_bytes()).collect();
    for key in &keys {
        map.insert(key, b"").unwrap();
    }
    keys.sort_by_key(|key| Reverse(key.clone()));
    keys.dedup();
    assert!(map.iter().map(|(key, _)| key).eq(&keys));
    assert!(map.range(&b"5"[..]..&b"3"[..]).all(|(key, _)| key <= b"5" && key > b"3"));
    assert_eq!(map.seek(b"5").unwrap().0, keys.iter().find(|key| &key[..] <= b"5").unwrap());
}

#[test]
fn a_removed_key_is_gone_from_everything_until_it_comes_again() {
    let map = map(1 << 16);
    let used = map.memory_used();
    assert_eq!(map.remove(b"key"), Ok(None));
    // Nothing was there to be removed, and no memory was taken.
    assert_eq!((map.memory_used(), map.is_empty()), (used, true));
    map.insert(b"key", b"1").unwrap();
    assert!(!map.is_empty());
    assert_eq!(map.remove(b"key"), Ok(Some(&b"1"[..])));
    assert_eq!(map.remove(b"key"), Ok(None));
    assert!(map.memory_used() > used);
    assert_eq!(
        (map.get(b"key"), map.first(), map.last(), map.seek(b""), map.seek_back(b"z")),
        (None, None, None, None, None)
    );
    assert_eq!((map.len(), map.is_empty(), map.contains_key(b"key")), (0, true, false));
    assert_eq!(map.insert_if_absent(b"key", b"2"), Ok(None));
    assert_eq!(map.insert_if_absent(b"key", b"3"), Ok(Some(&b"2"[..])));
    assert_eq!((map.get(b"key"), map.len()), (Some(&b"2"[..]), 1));
}

#[test]
fn an_empty_value_is_a_value() {
    let map = map(1 << 16);
    map.insert(b"", b"").unwrap();
    assert_eq!(map.get(b""), Some(&b""[..]));
    assert_eq!(all(&map), [(vec![], vec![])]);
    assert_eq!(map.remove(b""), Ok(Some(&b""[..])));
    assert_eq!(map.get(b""), None);
}

#[test]
fn a_map_in_a_recycled_arena_is_empty_and_has_all_its_room_again() {
    let mut bytes = bytes(1 << 16);
    let pool = Pool::new([BorrowedMemory::new(&mut bytes).unwrap()]).unwrap();
    let mut counts = (0..2).map(|_| {
        let map = SkipMap::with_seed(pool.acquire().unwrap(), ByteOrder, 1).unwrap();
        assert!(map.is_empty());
        assert_eq!((map.len(), map.memory_used().next_multiple_of(8)), (0, map.space().used()));
        (0_u32..).take_while(|number| map.insert(&number.to_be_bytes(), b"value").is_ok()).count()
    });
    assert_eq!(counts.next(), counts.next());
}

#[test]
fn all_memory_is_counted_and_the_first_index_comes_with_64_nodes_on_its_level() {
    let map = SkipMap::with_seed(arena(1 << 20), ByteOrder, 1).unwrap();
    let memory = || (map.space().used(), map.memory_used());
    let (mut used, mut counted) = memory();
    assert!(counted.is_multiple_of(4) && counted.next_multiple_of(8) == used);
    let mut indexes = Vec::new();
    for number in 0..if cfg!(miri) { 50_u32 } else { 1_400 } {
        map.insert(&number.to_be_bytes(), &number.to_le_bytes()).unwrap();
        let now = memory();
        let (taken, added) = (now.0 - used, now.1 - counted);
        (used, counted) = now;
        // A node and an index are whole words, and are rounded up to eight bytes each.
        assert!(added.is_multiple_of(4) && added <= taken && taken - added < 16, "{added} of {taken} bytes");
        if taken > 12 * 64 {
            indexes.push((number, taken / (12 * 64)));
        }
    }
    // Every eighth node is on the level. The second index is twice as long.
    if !cfg!(miri) {
        let [(first, 1), (second, 2)] = indexes[..] else { panic!("{indexes:?}") };
        assert!((350..700).contains(&first) && (750..1_350).contains(&second), "{indexes:?}");
    }
}
