use std::collections::BTreeMap;
use std::thread;

use marena_std::{AllocError, Arena, Pool};

use super::SkipList;
use crate::record::{Record, Sequence};

fn list(capacity: usize) -> SkipList<Arena> {
    SkipList::new(Arena::with_capacity(capacity).unwrap()).unwrap()
}

fn record<'a>(key: &'a [u8], tail: &'a [u8], sequence: u64) -> Record<'a> {
    Record { key, tail, sequence: Sequence::new(sequence).unwrap() }
}

/// The same numbers at every run.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    })
}

/// Records of a thread: keys that others have too, and tails that tell who wrote them.
fn records_of(thread: u64, count: u64) -> Vec<(Vec<u8>, Vec<u8>, u64)> {
    numbers(thread)
        .take(count as usize)
        .zip(0..)
        .map(|(number, turn)| {
            let key = format!("{:x}", number % (count / 2).max(1)).into_bytes();
            (key, format!("\t{thread}.{turn}").into_bytes(), turn * 8 + thread)
        })
        .collect()
}

fn insert_in_groups(list: &SkipList<Arena>, mut records: &[Record<'_>]) {
    while !records.is_empty() {
        records = &records[list.insert_some(records).unwrap()..];
    }
}

#[test]
fn a_group_with_records_of_one_key_leaves_what_single_inserts_leave() {
    let (list, single) = (list(1 << 20), list(1 << 20));
    let records = records_of(1, if cfg!(miri) { 40 } else { 1_000 });
    let records: Vec<_> =
        records.iter().map(|(key, tail, sequence)| record(&key[..key.len() / 2], tail, *sequence)).collect();
    insert_in_groups(&list, &records);
    records.iter().for_each(|&record| single.insert(record).unwrap());
    assert!(list.iter().eq(single.iter()));
    assert_eq!(list.insert_some(&[]), Ok(0));
}

#[test]
fn a_group_is_added_up_to_the_record_that_is_refused() {
    let list = list(1 << 16);
    let (short, long) = (record(b"k", b"", 1), [b'x'; 40_000]);
    let group = [short, record(&long, b"", 2), short, record(&long, b"", 3), short];
    assert_eq!(list.insert_some(&group), Ok(3));
    assert!(matches!(list.insert_some(&group[3..]), Err(AllocError::Full { .. })));
    assert_eq!(list.insert_some(&group[4..]), Ok(1));
    assert_eq!(list.iter().count(), 4);
}

#[test]
fn records_come_out_by_key_and_then_from_the_newest_to_the_oldest() {
    let list = list(1 << 16);
    for (key, sequence) in [("b", 3), ("a", 5), ("b", 9), ("", 1), ("b", 7), ("a", 2), ("ab", 4)] {
        list.insert(record(key.as_bytes(), b"", sequence)).unwrap();
    }
    let found: Vec<_> = list.iter().map(|record| (record.key.to_vec(), record.sequence.get())).collect();
    let expected =
        [("", 1), ("a", 5), ("a", 2), ("ab", 4), ("b", 9), ("b", 7), ("b", 3)].map(|(k, s)| (k.as_bytes().to_vec(), s));
    assert_eq!(found, expected);
    assert_eq!(list.get(b"b").unwrap().sequence.get(), 9);
    assert_eq!(list.get(b"aa"), None);
    assert_eq!(list.get(b"c"), None);
}

#[test]
fn keys_whose_first_bytes_are_equal_or_missing_are_told_apart() {
    let list = list(1 << 16);
    // Zeros that pad a prefix against zeros in a key, and the prefix that the end of a level has.
    let mut keys: Vec<&[u8]> = vec![
        b"",
        b"\0",
        b"\0\0",
        b"\0\0\0\0",
        b"\0\0\0\0\0",
        b"\0\0\0\x01",
        b"same",
        b"same1",
        b"same2",
        b"sam",
        b"\xFF\xFF\xFF",
        b"\xFF\xFF\xFF\xFF",
        b"\xFF\xFF\xFF\xFF\0",
        b"\xFF\xFF\xFF\xFF\xFF",
    ];
    for (sequence, key) in keys.iter().rev().enumerate() {
        list.insert(record(key, key, sequence as u64)).unwrap();
    }
    for key in &keys {
        assert_eq!(list.get(key).unwrap().tail, *key);
    }
    assert_eq!(list.get(b"\xFF\xFF\xFF\xFF\xFF\xFF"), None);
    keys.sort_unstable();
    assert!(list.iter().map(|record| record.key).eq(keys));
}

#[test]
fn lengths_around_a_byte_and_the_empty_record_come_back_whole() {
    let list = list(1 << 20);
    let lengths = [0, 1, 7, 8, 253, 254, 255, 256, 257, 5000];
    let bytes = [b'x'; 5000];
    let mut sequence = 0;
    for key_len in lengths {
        for tail_len in lengths {
            list.insert(record(&bytes[..key_len], &bytes[..tail_len], sequence)).unwrap();
            let found = list.get(&bytes[..key_len]).unwrap();
            assert_eq!((found.key.len(), found.tail.len(), found.sequence.get()), (key_len, tail_len, sequence));
            assert!(found.key.iter().chain(found.tail).all(|&byte| byte == b'x'));
            sequence += 1;
        }
    }
}

#[test]
fn random_inserts_leave_what_an_ordered_map_has() {
    let count = if cfg!(miri) { 100 } else { 20_000 };
    let list = list(8 << 20);
    let mut map = BTreeMap::new();
    for (key, tail, sequence) in records_of(1, count) {
        list.insert(record(&key, &tail, sequence)).unwrap();
        map.insert(key, tail);
    }
    for (key, tail) in &map {
        assert_eq!(list.get(key).unwrap().tail, tail);
    }
    let found = crate::newest::newest(list.iter()).map(|record| (record.key, record.tail));
    assert!(found.eq(map.iter().map(|(key, tail)| (&key[..], &tail[..]))));
}

#[test]
fn a_refused_insert_changes_nothing_and_a_smaller_one_still_fits() {
    let list = list(1 << 16);
    let tail = [b'v'; 1000];
    let mut accepted = 0;
    while list.insert(record(b"k", &tail, accepted)).is_ok() {
        accepted += 1;
    }
    let used = list.stats().used;
    assert!(matches!(list.insert(record(b"k", &tail, accepted)), Err(AllocError::Full { .. })));
    assert_eq!((list.stats().used, list.iter().count() as u64), (used, accepted));
    list.insert(record(b"k", b"", accepted)).unwrap();
    assert_eq!(list.get(b"k").unwrap().tail, b"");
}

#[test]
fn a_list_in_a_recycled_arena_is_empty_and_has_all_its_room_again() {
    let pool = Pool::with_capacity(1, 1 << 16).unwrap();
    let in_pool = || SkipList::new(pool.acquire().unwrap()).unwrap();
    let list = in_pool();
    let fill = |list: &SkipList<_>| (0..).take_while(|&i| list.insert(record(b"key", b"value", i)).is_ok()).count();
    let first = fill(&list);
    drop(list);
    let list = in_pool();
    assert_eq!((list.iter().count(), list.get(b"key")), (0, None));
    assert_eq!(fill(&list), first);
    assert_eq!(list.iter().count(), first);
}

#[test]
fn threads_that_insert_the_same_keys_lose_nothing_and_agree_on_the_newest() {
    let (threads, count) = if cfg!(miri) { (3, 24) } else { (4, 20_000) };
    let list = list(32 << 20);
    thread::scope(|scope| {
        for thread in 0..threads {
            let list = &list;
            scope.spawn(move || {
                let records = records_of(thread, count);
                let records: Vec<_> =
                    records.iter().map(|(key, tail, sequence)| record(key, tail, *sequence)).collect();
                // Both ways to insert, against each other.
                match thread % 2 {
                    0 => records.iter().for_each(|&record| list.insert(record).unwrap()),
                    _ => insert_in_groups(list, &records),
                }
            });
        }
    });
    let mut expected: Vec<_> = (0..threads).flat_map(|thread| records_of(thread, count)).collect();
    expected.sort_by(|(key, _, sequence), (other_key, _, other)| key.cmp(other_key).then(other.cmp(sequence)));
    let found = list.iter().map(|record| (record.key, record.tail, record.sequence.get()));
    assert!(found.eq(expected.iter().map(|(key, tail, sequence)| (&key[..], &tail[..], *sequence))));
}

#[test]
fn readers_see_whole_records_in_order_while_others_insert() {
    let (threads, count) = if cfg!(miri) { (2, 24) } else { (3, 10_000) };
    let list = list(32 << 20);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|thread| {
                let list = &list;
                scope.spawn(move || {
                    for (key, _, sequence) in records_of(thread, count) {
                        // The tail repeats the key: a reader can tell a record that is not whole.
                        list.insert(record(&key, &key, sequence)).unwrap();
                        assert!(list.get(&key).unwrap().sequence.get() >= sequence);
                    }
                })
            })
            .collect();
        let mut seen = 0;
        loop {
            let done = writers.iter().all(thread::ScopedJoinHandle::is_finished);
            let mut last: Option<Record<'_>> = None;
            let mut count = 0;
            for record in list.iter() {
                assert_eq!(record.key, record.tail);
                assert!(last.is_none_or(
                    |last| last.key < record.key || (last.key == record.key && last.sequence > record.sequence)
                ));
                last = Some(record);
                count += 1;
            }
            assert!(count >= seen, "a record that was there is gone: {count} after {seen}");
            seen = count;
            if done {
                break;
            }
        }
        assert_eq!(seen as u64, threads * count);
    });
}

#[test]
fn threads_that_race_for_the_last_bytes_leave_a_list_that_is_whole() {
    let rounds = if cfg!(miri) { 1 } else { 50 };
    let pool = Pool::with_capacity(1, 1 << 16).unwrap();
    for _ in 0..rounds {
        let list = SkipList::new(pool.acquire().unwrap()).unwrap();
        let tail = if cfg!(miri) { vec![b'v'; 4000] } else { vec![b'v'; 40] };
        let inserted: usize = thread::scope(|scope| {
            let workers: Vec<_> = (0..4_u64)
                .map(|thread| {
                    let (list, tail) = (&list, &tail);
                    scope.spawn(move || {
                        let inserts = (0..).map(|turn| record(b"key", tail, turn * 4 + thread));
                        inserts.take_while(|&record| list.insert(record).is_ok()).count()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!(list.iter().count(), inserted);
        assert!(list.iter().all(|record| record.tail == tail));
    }
}
