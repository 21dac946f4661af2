//! A full arena.

use std::thread;

use marena_core::AllocError;
use marena_skiplist::{ByteOrder, SkipMap};

use crate::{arena, map};

#[test]
fn an_insert_that_does_not_fit_changes_nothing_and_a_smaller_one_still_fits() {
    let value = [b'v'; 1000];
    let full = |seed| {
        let map = SkipMap::with_seed(arena(1 << 16), ByteOrder, seed).unwrap();
        let accepted = (0_u32..).take_while(|number| map.insert(&number.to_be_bytes(), &value).is_ok()).count();
        (map, accepted)
    };
    // With some heights the entries fill the arena to its last byte.
    let (map, accepted) = (0..).map(full).find(|(map, _)| map.space().remaining() >= 64).unwrap();
    let state = || (map.space().used(), map.memory_used(), map.len(), map.iter().count());
    let before = state();
    assert_eq!(before.3, accepted);
    assert!(matches!(map.insert(b"new", &value), Err(AllocError::Full { .. })));
    assert!(matches!(map.insert_if_absent(b"new", &value), Err(AllocError::Full { .. })));
    assert!(matches!(map.insert_group(&[(b"new", &value)]), Err(AllocError::Full { .. })));
    assert_eq!((state(), map.get(b"new")), (before, None));
    // What needs no memory is no error.
    assert_eq!(map.insert_if_absent(&0_u32.to_be_bytes(), &value), Ok(Some(&value[..])));
    assert_eq!(map.remove(b"new"), Ok(None));
    assert_eq!(map.insert(b"new", b""), Ok(None));
}

#[test]
fn whether_an_entry_fits_does_not_depend_on_its_height() {
    for seed in 0..64 {
        let map = SkipMap::with_seed(arena(4096), ByteOrder, seed).unwrap();
        // A link, the shape and eight bytes.
        map.space().allocate_address(map.space().remaining() - 16).unwrap();
        assert_eq!(map.insert(b"key", b"value"), Ok(None));
        assert_eq!(map.space().remaining(), 0);
    }
}

#[test]
fn an_arena_too_small_for_a_map_is_full() {
    let sizes = (264..).step_by(8);
    let map = sizes.map(|len| SkipMap::new(arena(len))).find_map(Result::ok).unwrap();
    assert!(map.space().capacity() < 512);
    // What alignment left over.
    while map.insert(b"", b"").is_ok() {}
    assert!(matches!(map.insert(b"", b""), Err(AllocError::Full { .. })));
    assert!(map.len() <= 1);
}

#[test]
fn threads_that_race_for_the_last_bytes_leave_a_map_that_is_whole() {
    for _ in 0..if cfg!(miri) { 1 } else { 50 } {
        let map = map(1 << 16);
        let value = if cfg!(miri) { vec![b'v'; 4000] } else { vec![b'v'; 40] };
        let inserted: usize = thread::scope(|scope| {
            let workers: Vec<_> = (0..4_u32)
                .map(|thread| {
                    let (map, value) = (&map, &value);
                    scope.spawn(move || {
                        let keys = (0..).map(|turn| (turn * 4 + thread).to_be_bytes());
                        keys.take_while(|key| map.insert(key, value).is_ok()).count()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!((map.len(), map.iter().count(), map.iter().rev().count()), (inserted, inserted, inserted));
        assert!(map.iter().all(|(_, found)| found == value));
    }
}
