//! Creating, opening, and one process at a time.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;

use marena_core::AllocError;
use marena_skiplist::{ByteOrder, Order, SharedMap, SharedMapError};
use marena_std::{Durability, MappedArena};

use crate::{TestFile, numbers};

#[test]
fn random_operations_leave_what_an_ordered_map_has_after_every_reopening() {
    let file = TestFile::new();
    let mut model = BTreeMap::new();
    drop(file.map(4 << 20));
    let mut numbers = numbers(1);
    for round in 0..6 {
        let map = file.reopen();
        for (number, turn) in numbers.by_ref().take(3_000).zip(0..) {
            let key = format!("{:x}", number % 700).into_bytes();
            let value = format!("{round}.{turn}").into_bytes();
            match number >> 20 & 7 {
                0 | 1 => assert_eq!(map.remove(&key).unwrap(), model.remove(&key)),
                2 => {
                    assert_eq!(map.insert_if_absent(&key, &value).unwrap(), model.get(&key).cloned());
                    model.entry(key).or_insert(value);
                }
                3 => assert_eq!(map.get(&key).unwrap(), model.get(&key).cloned()),
                4 => {
                    assert_eq!(map.insert_group(&[(&key, b"older"), (&key, &value)]).unwrap(), 2);
                    model.insert(key, value);
                }
                _ => assert_eq!(map.insert(&key, &value).unwrap(), model.insert(key, value)),
            }
        }
        // SAFETY: as in `TestFile`.
        let view = unsafe { MappedArena::open_read_only(&file) }.unwrap();
        let reader = SharedMap::open_read_only(view, 0, ByteOrder).unwrap();
        assert!(reader.iter().map(Result::unwrap).eq(model.clone()));
        assert!(reader.iter().rev().map(Result::unwrap).eq(model.clone().into_iter().rev()));
        let bounds = (&b"3"[..], &b"b1"[..]);
        let expected =
            model.range(bounds.0.to_vec()..bounds.1.to_vec()).map(|(key, value)| (key.clone(), value.clone()));
        assert!(reader.range(bounds.0..bounds.1).map(Result::unwrap).eq(expected));
        assert_eq!(reader.len().unwrap(), model.len());
        let owned = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        assert_eq!(reader.first().unwrap(), model.first_key_value().map(owned));
        assert_eq!(reader.last().unwrap(), model.last_key_value().map(owned));
        assert_eq!(reader.seek(b"5").unwrap(), model.range(b"5".to_vec()..).next().map(owned));
        assert_eq!(reader.seek_back(b"5").unwrap(), model.range(..=b"5".to_vec()).next_back().map(owned));
        let verified = reader.verify().unwrap();
        assert_eq!(verified.entries, model.len());
        // Whole: every byte that the arena handed out is a node's or the first block's, but for
        // alignment.
        assert!(map.stats().used - verified.bytes < 64, "{verified:?}");
    }
}

#[test]
fn keys_and_values_of_every_edge_length_come_back_whole() {
    let file = TestFile::new();
    let map = file.map(16 << 20);
    let lengths = [0, 1, 2, 3, 4, 5, 7, 8, 9, 127, 128, 129, 255, 256, 257, 2046, 2047, 2048, 16_383, 16_384, 50_000];
    let bytes: Vec<u8> = (0..50_000_u32).map(|number| (number * 7) as u8).collect();
    let mut found = Vec::new();
    for key_len in lengths {
        for value_len in lengths {
            let (key, value) = (&bytes[..key_len], &bytes[bytes.len() - value_len..]);
            map.insert(key, value).unwrap();
            assert!(map.get_into(key, &mut found).unwrap());
            assert_eq!(found, value);
            assert!(!map.contains_key(&[&bytes[..key_len], b"x"].concat()).unwrap());
        }
    }
    assert!(map.iter().map(|entry| entry.unwrap().0.len()).eq(lengths));
    let (mut range, mut back) = (map.iter(), map.iter());
    for index in 0..lengths.len() {
        let expected = |len: usize| (&bytes[..len], &bytes[..]);
        assert_eq!(range.next_entry().unwrap(), Some(expected(lengths[index])));
        assert_eq!(back.next_back_entry().unwrap(), Some(expected(lengths[lengths.len() - 1 - index])));
    }
    map.verify().unwrap();
}

#[test]
fn keys_that_differ_in_one_byte_are_told_apart_wherever_it_is() {
    let file = TestFile::new();
    let map = file.map(4 << 20);
    let mut model = BTreeMap::new();
    for at in [0, 7, 8, 126, 127, 128, 129, 254, 255, 256, 257, 383, 384, 399] {
        for byte in [0, 1, 0x7F, 0x80, 0xFF] {
            for len in [at + 1, 400] {
                let mut key = vec![0x80; len];
                key[at] = byte;
                assert_eq!(map.insert(&key, &[byte]).unwrap(), model.insert(key, vec![byte]));
            }
        }
    }
    for key in model.keys() {
        assert_eq!(map.get(key).unwrap(), model.get(key).cloned());
    }
    assert!(map.iter().map(Result::unwrap).eq(model.clone()));
    assert!(map.iter().rev().map(Result::unwrap).eq(model.into_iter().rev()));
}

#[test]
fn a_key_or_a_value_may_take_all_that_the_file_has() {
    for is_key in [true, false] {
        let file = TestFile::new();
        let map = file.map(1 << 18);
        let bytes = vec![0xFF; 1 << 18];
        let insert = |len: usize| match is_key {
            true => map.insert(&bytes[..len], b""),
            false => map.insert(b"", &bytes[..len]),
        };
        let mut rest = map.stats().remaining;
        // One link, the first word and two lengths.
        let largest = rest - 16;
        for len in [rest, largest + 1] {
            assert!(matches!(insert(len), Err(SharedMapError::Alloc(AllocError::Full { .. }))), "{len}");
        }
        assert_eq!(insert(largest).unwrap(), None);
        rest = map.stats().remaining;
        assert_eq!(rest, 0);
        let (key, value) = map.first().unwrap().unwrap();
        assert_eq!((key.len(), value.len()), if is_key { (largest, 0) } else { (0, largest) });
        assert_eq!(map.iter().rev().count(), 1);
        assert_eq!(file.reopen().verify().unwrap().entries, 1);
    }
}

#[test]
fn a_full_file_is_an_error_that_changes_nothing() {
    let value = [b'v'; 1000];
    let full = || {
        let file = TestFile::new();
        let map = file.map(65_536);
        let count = (0_u32..).take_while(|number| map.insert(&number.to_be_bytes(), &value).is_ok()).count();
        (file, map, count)
    };
    // With some heights the entries fill the file to its last byte.
    let (_file, map, count) = std::iter::repeat_with(full).find(|(_, map, _)| map.stats().remaining >= 256).unwrap();
    let state = || (map.stats().used, map.verify().unwrap());
    let before = state();
    assert_eq!(before.1.entries, count);
    for outcome in [map.insert(b"new", &value), map.insert_if_absent(b"new", &value)] {
        assert!(matches!(outcome, Err(SharedMapError::Alloc(AllocError::Full { .. }))));
    }
    assert!(map.insert_group(&[(b"new", &value)]).is_err());
    assert_eq!((state(), map.get(b"new").unwrap()), (before, None));
    assert_eq!(map.insert_group(&[(b"a", b""), (b"new", &value), (b"c", b"")]).unwrap(), 1);
    assert_eq!(map.insert(b"new", b"").unwrap(), None);
}

#[test]
fn processes_that_open_or_create_at_once_have_one_map() {
    for _ in 0..20 {
        let file = TestFile::new();
        drop(file.create(65_536));
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let file = &file;
                scope.spawn(move || {
                    let map = SharedMap::open_or_create(file.open(), 1, ByteOrder).unwrap();
                    map.insert(&[thread], b"").unwrap();
                });
            }
        });
        assert_eq!(SharedMap::open(file.open(), 1, ByteOrder).unwrap().len().unwrap(), 4);
    }
}

#[test]
fn a_slot_that_cannot_be_had_costs_no_memory() {
    let file = TestFile::new();
    let map = file.map(65_536);
    map.insert(b"key", b"value").unwrap();
    let used = map.stats().used;
    let arenas: Vec<_> = (0..4).map(|_| (file.open(), file.open())).collect();
    // A peer writes a number into slot 1 that is no address. No arena is opened after that.
    fs::File::options().write(true).open(&file).unwrap().write_all_at(&[0xFF; 8], 32).unwrap();
    let slots = [(0, true), (1, false), (4, false), (usize::MAX, false)];
    for ((slot, is_there), (one, other)) in slots.into_iter().zip(arenas) {
        assert!(SharedMap::create(one, slot, ByteOrder).is_err());
        assert_eq!(SharedMap::open_or_create(other, slot, ByteOrder).is_ok(), is_there);
    }
    assert_eq!(map.stats().used, used);
}

struct OtherOrder;

impl Order for OtherOrder {
    const ID: u32 = 7;

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        b.cmp(a)
    }
}

#[test]
fn a_slot_without_a_map_and_a_map_in_another_order_are_errors() {
    let file = TestFile::new();
    let arena = file.create(65_536);
    let block = arena.allocate_address(248).unwrap();
    arena.publish_root(2, block).unwrap();
    arena.publish_root(3, arena.allocate_address(8).unwrap()).unwrap();
    drop(arena);
    let open = |slot| SharedMap::open(file.open(), slot, ByteOrder).map(drop);
    assert!(matches!(open(0), Err(SharedMapError::NoMap { slot: 0 })));
    assert!(matches!(open(9), Err(SharedMapError::NoMap { slot: 9 })));
    assert!(matches!(open(2), Err(SharedMapError::NotAMap { slot: 2 } | SharedMapError::Damage(_))));
    assert!(matches!(open(3), Err(SharedMapError::NotAMap { slot: 3 })));
    assert!(matches!(SharedMap::create(file.open(), 3, ByteOrder), Err(SharedMapError::Occupied { slot: 3 })));
    assert!(SharedMap::create(file.open(), 9, ByteOrder).is_err());

    let map = SharedMap::create(file.open(), 0, OtherOrder).unwrap();
    map.insert(b"a", b"").unwrap();
    map.insert(b"b", b"").unwrap();
    assert_eq!(map.first().unwrap().unwrap().0, b"b");
    assert!(matches!(open(0), Err(SharedMapError::Order { found: 7, expected: 0 })));
    // SAFETY: as in `TestFile`.
    let view = unsafe { MappedArena::open_read_only(&file) }.unwrap();
    assert!(matches!(SharedMap::open_read_only(view, 0, ByteOrder), Err(SharedMapError::Order { .. })));
    assert_eq!(SharedMap::open(file.open(), 0, OtherOrder).unwrap().last().unwrap().unwrap().0, b"a");
}

#[test]
fn maps_in_several_slots_of_one_file_are_separate() {
    let file = TestFile::new();
    drop(file.create(65_536));
    for slot in 0..4 {
        let map = SharedMap::create(file.open(), slot, ByteOrder).unwrap();
        map.insert(b"slot", &[slot as u8]).unwrap();
    }
    for slot in 0..4 {
        let map = SharedMap::open(file.open(), slot, ByteOrder).unwrap();
        assert_eq!(map.get(b"slot").unwrap(), Some(vec![slot as u8]));
    }
}

#[test]
fn a_durable_map_holds_what_any_map_holds() {
    let file = TestFile::new();
    let builder = MappedArena::builder().capacity(65_536).durability(Durability::FlushOnPublish);
    // SAFETY: as in `TestFile`.
    let map = SharedMap::create(unsafe { builder.create(&file) }.unwrap(), 0, ByteOrder).unwrap();
    for number in 0..50_u32 {
        map.insert(&number.to_be_bytes(), b"value").unwrap();
    }
    assert_eq!(map.insert_group(&[(b"a", b"1"), (b"b", b"2")]).unwrap(), 2);
    map.remove(b"a").unwrap();
    map.flush().unwrap();
    assert_eq!(map.into_arena().used(), file.open().used());
    assert_eq!(file.reopen().verify().unwrap().entries, 51);
}

#[test]
fn a_removed_key_is_in_no_answer_and_removing_nothing_takes_no_memory() {
    let file = TestFile::new();
    let map = file.map(65_536);
    let mut found = Vec::new();
    assert!(map.is_empty().unwrap());
    map.insert(b"key", b"value").unwrap();
    assert!(!map.is_empty().unwrap() && map.contains_key(b"key").unwrap());
    assert_eq!(map.remove(b"key").unwrap().unwrap(), b"value");
    let used = map.stats().used;
    assert_eq!((map.remove(b"key").unwrap(), map.remove(b"other").unwrap(), map.stats().used), (None, None, used));
    assert!(map.is_empty().unwrap() && !map.contains_key(b"key").unwrap());
    assert!(!map.get_into(b"key", &mut found).unwrap() && found.is_empty());
    drop(map);
    // Another magic number, another version.
    for at in [128, 132, 136] {
        let mut bytes = fs::read(&file).unwrap();
        bytes[at] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert!(matches!(SharedMap::open(file.open(), 0, ByteOrder), Err(SharedMapError::NotAMap { slot: 0 })));
        bytes[at] ^= 1;
        fs::write(&file, &bytes).unwrap();
    }
}
