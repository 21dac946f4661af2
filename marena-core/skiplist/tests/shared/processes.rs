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
