//! Several mappings of one file, as several processes have them. Processes that are killed are
//! `examples/shared-map`'s.

use std::collections::BTreeMap;
use std::thread;

use marena_skiplist::{ByteOrder, SharedMap};
use marena_std::MappedArena;

use crate::{TestFile, numbers};

#[test]
fn writers_in_several_mappings_lose_nothing_and_agree_on_one_order() {
    let file = TestFile::new();
    drop(file.map(16 << 20));
    let count = 4_000;
    let links: Vec<_> = thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let map = file.reopen();
                scope.spawn(move || {
                    let insert = |(number, turn): (u64, u64)| {
                        let key = (number % 500).to_be_bytes();
                        let value = (turn * 3 + writer).to_be_bytes();
                        (key, value.to_vec(), map.insert(&key, &value).unwrap())
                    };
                    numbers(writer).zip(0..count).map(insert).collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    let mut after = BTreeMap::new();
    for (key, value, before) in links {
        assert_eq!(after.insert((key, before), value), None, "one value was replaced twice");
    }
    let map = file.reopen();
    assert_eq!(map.verify().unwrap().nodes, 3 * count as usize);
    for entry in map.iter() {
        let (key, value) = entry.unwrap();
        let key: [u8; 8] = key.try_into().unwrap();
        let mut newest = None;
        while let Some(next) = after.remove(&(key, newest.clone())) {
            newest = Some(next);
        }
        assert_eq!(newest, Some(value));
    }
    assert!(after.is_empty());
}

#[test]
fn writers_that_race_for_the_last_bytes_leave_a_map_that_is_whole() {
    for _ in 0..20 {
        let file = TestFile::new();
        drop(file.map(65_536));
        let (values, groups): (u64, u64) = thread::scope(|scope| {
            let writers: Vec<_> = (0..4_u64)
                .map(|writer| {
                    let map = file.reopen();
                    scope.spawn(move || {
                        let (mut single, mut grouped) = (0, 0);
                        for turn in 0.. {
                            // One key that all of them write, and keys of their own in groups.
                            if map.insert(b"same", &[writer as u8; 50]).is_err() {
                                break;
                            }
                            single += 1;
                            let keys = [0, 1, 2].map(|number| [turn, number, writer].map(u64::to_be_bytes).concat());
                            let entries = keys.each_ref().map(|key| (&key[..], &key[..]));
                            grouped += map.insert_group(&entries).unwrap_or(0) as u64;
                        }
                        (single, grouped)
                    })
                })
                .collect();
            let counts = writers.into_iter().map(|writer| writer.join().unwrap());
            counts.fold((0, 0), |sum, (single, grouped)| (sum.0 + single, sum.1 + grouped))
        });
        let verified = file.reopen().verify().unwrap();
        assert_eq!((verified.entries as u64, verified.nodes as u64), (groups + 1, groups + values));
        assert_eq!(verified.missing_links, 0);
    }
}

#[test]
fn a_reader_without_permission_to_write_follows_a_writer() {
    let file = TestFile::new();
    let map = file.map(4 << 20);
    // SAFETY: as in `TestFile`.
    let view = unsafe { MappedArena::open_read_only(&file) }.unwrap();
    let reader = SharedMap::open_read_only(view, 0, ByteOrder).unwrap();
    let count = 5_000_u32;
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..count {
                map.insert(&number.to_be_bytes(), &number.to_le_bytes()).unwrap();
            }
        });
        // From the last key that was seen on: rising keys are found as they come.
        let mut seen = 0;
        while seen < count {
            for entry in reader.range(&seen.to_be_bytes()[..]..) {
                let (key, value) = entry.unwrap();
                let number = u32::from_be_bytes(key.try_into().unwrap());
                assert_eq!((number, value), (seen, number.to_le_bytes().to_vec()));
                seen = number + 1;
            }
            let newest = reader.last().unwrap().map(|(key, _)| key);
            assert!(seen == 0 || newest.unwrap() >= (seen - 1).to_be_bytes().to_vec());
        }
    });
    assert_eq!(reader.verify().unwrap(), map.verify().unwrap());
}
