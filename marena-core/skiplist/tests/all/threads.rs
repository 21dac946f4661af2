//! Many threads at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::{map, numbers};

#[test]
fn threads_that_insert_the_same_keys_agree_on_one_order_of_each_keys_values() {
    let (threads, count) = if cfg!(miri) { (3, 16) } else { (4, 10_000) };
    let map = map(32 << 20);
    // What each insert returned: the value before it.
    let links: Vec<Vec<_>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let map = &map;
                scope.spawn(move || {
                    let insert = |(number, turn): (u64, u64)| {
                        let key = (number % (count / 4)).to_be_bytes();
                        let value = (turn * threads + thread).to_be_bytes();
                        let before = map.insert(&key, &value).unwrap().map(<[u8]>::to_vec);
                        (key, value.to_vec(), before)
                    };
                    numbers(thread).zip(0..count).map(insert).collect()
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let mut after = BTreeMap::new();
    let mut total = BTreeMap::<_, usize>::new();
    for (key, value, before) in links.into_iter().flatten() {
        *total.entry(key).or_default() += 1;
        assert_eq!(after.insert((key, before), value), None, "one value was replaced twice");
    }
    assert_eq!(map.len(), total.len());
    for (key, count) in total {
        let (mut newest, mut links) = (None, 0);
        while let Some(next) = after.remove(&(key, newest.clone())) {
            (newest, links) = (Some(next), links + 1);
        }
        assert_eq!(links, count, "the values of a key are no chain");
        assert_eq!(map.get(&key).map(<[u8]>::to_vec), newest);
    }
}

#[test]
fn one_of_the_threads_that_insert_if_absent_wins_each_key() {
    let (threads, keys) = if cfg!(miri) { (3_u32, 8_u32) } else { (4, 5_000) };
    let map = map(32 << 20);
    let wins = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..threads {
            let (map, wins) = (&map, &wins);
            scope.spawn(move || {
                for key in 0..keys {
                    let value = thread.to_be_bytes();
                    match map.insert_if_absent(&key.to_be_bytes(), &value).unwrap() {
                        // ORDERING: Relaxed: a count, read after the threads have ended.
                        None => drop(wins.fetch_add(1, Relaxed)),
                        Some(winner) => assert_ne!(winner, value),
                    }
                }
            });
        }
    });
    // ORDERING: Relaxed, as above.
    assert_eq!((wins.load(Relaxed), map.len()), (keys as usize, keys as usize));
}

#[test]
fn each_removed_value_goes_to_one_of_the_threads_that_remove_it() {
    let (threads, keys) = if cfg!(miri) { (2, 8_u32) } else { (4, 5_000) };
    let map = map(32 << 20);
    for key in 0..keys {
        map.insert(&key.to_be_bytes(), b"value").unwrap();
    }
    let removed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for key in 0..keys {
                    if map.remove(&key.to_be_bytes()).unwrap().is_some() {
                        // ORDERING: Relaxed: a count, read after the threads have ended.
                        removed.fetch_add(1, Relaxed);
                    }
                }
            });
        }
    });
    // ORDERING: Relaxed, as above.
    assert_eq!((removed.load(Relaxed), map.len(), map.iter().next()), (keys as usize, 0, None));
}

#[test]
fn readers_see_whole_entries_in_order_and_miss_none_while_others_insert() {
    let (threads, count) = if cfg!(miri) { (2, 16) } else { (2, 8_000) };
    let map = map(64 << 20);
    let done = AtomicBool::new(false);
    // In the map from the start.
    for number in numbers(99).take(count) {
        let key = format!("old{number}").into_bytes();
        map.insert(&key, &key).unwrap();
    }
    let old = map.len();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|thread| {
                let map = &map;
                scope.spawn(move || {
                    let keys: Vec<_> = numbers(thread)
                        .take(count)
                        .map(|number| format!("{}{number}", number % 7).into_bytes())
                        .collect();
                    let group: Vec<_> = keys.iter().map(|key| (&key[..], &key[..])).collect();
                    // One by one and in groups, against each other.
                    let (single, grouped) = group.split_at(count / 2);
                    for (key, value) in single {
                        map.insert(key, value).unwrap();
                        assert_eq!(map.get(key), Some(*value));
                    }
                    assert_eq!(map.insert_group(grouped), Ok(grouped.len()));
                })
            })
            .collect();
        for back in [false, true] {
            let (map, done) = (&map, &done);
            scope.spawn(move || {
                let mut seen = 0;
                // ORDERING: Relaxed, here and below: it only ends the loop.
                while !done.load(Relaxed) {
                    let mut last: Option<&[u8]> = None;
                    let (mut count, mut old_count) = (0, 0);
                    let mut range = map.iter();
                    while let Some((key, value)) = if back { range.next_back() } else { range.next() } {
                        assert_eq!(key, value);
                        assert!(last.is_none_or(|last| if back { key < last } else { key > last }));
                        last = Some(key);
                        count += 1;
                        old_count += usize::from(key.starts_with(b"old"));
                    }
                    assert!(count >= seen, "an entry that was there is gone: {count} after {seen}");
                    assert_eq!(old_count, old);
                    seen = count;
                }
            });
        }
        let results: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        // Also after a panic: the readers wait for this.
        done.store(true, Relaxed);
        results.into_iter().for_each(Result::unwrap);
    });
    assert_eq!(map.len(), map.iter().count());
}
