//! Maps whose shortcuts are missing.

use std::cmp::Ordering;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use marena_skiplist::{Mapped, Order, SharedMap, SharedMapError};

use crate::damage::Counting;
use crate::{TestFile, nodes, with_allocations_up_to, word};

/// Clears the head's links above a level, and all words about indexes.
fn clear_shortcuts(file: &TestFile, above: usize) {
    let mut bytes = fs::read(file).unwrap();
    let block = word(&bytes, 28);
    bytes[block + 64..block + 64 + 4 * (23 - above)].fill(0);
    bytes[block + 172..block + 248].fill(0);
    fs::write(file, &bytes).unwrap();
}

#[test]
fn a_map_without_shortcuts_is_whole_and_each_part_of_it_is_walked_once() {
    const COUNT: u32 = 8_000;
    for above in [0, 1, 3] {
        let file = TestFile::new();
        let compared = AtomicU64::new(0);
        let map = SharedMap::create(file.create(2 << 20), 0, Counting(&compared)).unwrap();
        let insert = |map: &SharedMap<Mapped, _>, number: u32| map.insert(&(2 * number).to_be_bytes(), b"").unwrap();
        for number in (0..COUNT).rev() {
            insert(&map, number);
        }
        assert_eq!(map.verify().unwrap().missing_links, 0);
        drop(map);
        clear_shortcuts(&file, above);
        let map = SharedMap::open(file.open(), 0, Counting(&compared)).unwrap();
        assert!(map.verify().unwrap().missing_links > 0);
        // The bytes of compared keys that one call takes, on average.
        let mean = |work: &mut dyn FnMut() -> u32| {
            // ORDERING: Relaxed: no other thread counts.
            compared.store(0, Relaxed);
            let calls = work();
            // ORDERING: Relaxed, as above.
            compared.load(Relaxed) / u64::from(calls)
        };
        let gets = mean(&mut || {
            for number in (0..COUNT).step_by(8) {
                assert!(map.contains_key(&(2 * number).to_be_bytes()).unwrap());
                assert!(!map.contains_key(&(2 * number + 1).to_be_bytes()).unwrap());
            }
            COUNT / 4
        });
        let back = mean(&mut || {
            let mut keys = map.iter().rev().map(|entry| u32::from_be_bytes(entry.unwrap().0.try_into().unwrap()));
            assert!((0..COUNT).rev().all(|number| keys.next() == Some(2 * number)));
            assert_eq!(keys.next(), None);
            COUNT
        });
        // Half the list has 32,000.
        assert!(gets < 8_000 && back < 800, "{gets} bytes for a search, {back} for an entry from the back");
        for number in COUNT..COUNT + 200 {
            insert(&map, number);
        }
        let inserts = mean(&mut || {
            (0..200_u32)
                .for_each(|number| assert!(map.insert(&(2 * number + 1).to_be_bytes(), b"").unwrap().is_none()));
            200
        });
        let grouped = mean(&mut || {
            let keys: Vec<_> = (200..400_u32).map(|number| (2 * number + 1).to_be_bytes()).collect();
            let entries: Vec<_> = keys.iter().map(|key| (&key[..], &b""[..])).collect();
            assert_eq!(map.insert_group(&entries).unwrap(), 200);
            200
        });
        assert!(inserts < 16_000 && grouped < 16_000, "{inserts} bytes for an insert, {grouped} in a group");
        assert_eq!(map.len().unwrap(), COUNT as usize + 600);
        assert_eq!(map.range(&7_u32.to_be_bytes()[..]..&20_u32.to_be_bytes()).count(), 13);
        assert_eq!(map.seek_back(&[0xFF]).unwrap().unwrap().0, (2 * (COUNT + 199)).to_be_bytes());
    }
}

/// The order of bytes, from the largest key to the smallest. The head comes first all the same.
struct Descending;

impl Order for Descending {
    const ID: u32 = 3;

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        b.cmp(a)
    }
}

#[test]
fn a_map_without_shortcuts_may_have_older_values_and_any_order() {
    const COUNT: u32 = 1_000;
    let file = TestFile::new();
    let map = SharedMap::create(file.create(1 << 20), 0, Descending).unwrap();
    for value in [b"older", b"newer"] {
        for number in 0..COUNT {
            map.insert(&number.to_be_bytes(), value).unwrap();
        }
    }
    drop(map);
    clear_shortcuts(&file, 0);
    let map = SharedMap::open(file.open(), 0, Descending).unwrap();
    for number in (0..COUNT).step_by(9) {
        assert_eq!(map.get(&number.to_be_bytes()).unwrap().unwrap(), b"newer");
    }
    assert!(map.iter().map(|entry| entry.unwrap().0).eq((0..COUNT).rev().map(|number| number.to_be_bytes().to_vec())));
    assert!(map.iter().rev().all(|entry| entry.unwrap().1 == b"newer"));
    let verified = map.verify().unwrap();
    assert_eq!((verified.entries, verified.nodes), (COUNT as usize, 2 * COUNT as usize));
}

#[test]
fn keys_out_of_order_are_damage_where_there_are_no_shortcuts() {
    let file = TestFile::new();
    let map = file.map(1 << 18);
    for number in 0..1_000_u32 {
        map.insert(&number.to_be_bytes(), b"").unwrap();
    }
    drop(map);
    clear_shortcuts(&file, 0);
    let mut bytes = fs::read(&file).unwrap();
    let (node, _) = nodes(&bytes)[800];
    bytes[node + 4..node + 8].fill(0);
    fs::write(&file, &bytes).unwrap();
    let map = file.reopen();
    assert!(map.contains_key(&700_u32.to_be_bytes()).unwrap());
    match map.get(&900_u32.to_be_bytes()) {
        Err(SharedMapError::Damage(damage)) => assert_eq!(damage.offset, node as u32),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_search_without_shortcuts_needs_no_memory() {
    const COUNT: u32 = 4_000;
    let file = TestFile::new();
    let map = file.map(1 << 19);
    for number in 0..COUNT {
        map.insert(&number.to_be_bytes(), b"").unwrap();
    }
    drop(map);
    clear_shortcuts(&file, 0);
    let map = file.reopen();
    with_allocations_up_to(64, || {
        for number in (0..COUNT).step_by(400) {
            assert!(map.contains_key(&number.to_be_bytes()).unwrap());
        }
    });
}

#[test]
fn going_back_takes_few_steps_where_only_the_highest_shortcuts_are_missing() {
    const COUNT: u32 = 40_000;
    let file = TestFile::new();
    let compared = AtomicU64::new(0);
    let map = SharedMap::create(file.create(4 << 20), 0, Counting(&compared)).unwrap();
    for number in 0..COUNT {
        map.insert(&number.to_be_bytes(), b"").unwrap();
    }
    drop(map);
    clear_shortcuts(&file, 7);
    let map = SharedMap::open(file.open(), 0, Counting(&compared)).unwrap();
    // ORDERING: Relaxed: no other thread counts.
    compared.store(0, Relaxed);
    let mut keys = map.iter().rev().map(|entry| u32::from_be_bytes(entry.unwrap().0.try_into().unwrap()));
    assert!((0..COUNT).rev().all(|number| keys.next() == Some(number)));
    assert_eq!(keys.next(), None);
    // ORDERING: Relaxed, as above.
    let back = compared.load(Relaxed) / u64::from(COUNT);
    assert!(back < 800, "{back} bytes for an entry from the back");
}

/// Writes a list of nodes with one link and a key of four bytes each, one every `spacing` bytes.
/// Returns how many, and the offset of room for another node, at the end of the file.
fn write_list(bytes: &mut [u8], spacing: usize) -> (u32, usize) {
    let (len, first) = (bytes.len(), word(bytes, 28) + 64 + 4 * 23);
    let place = |number: u32| 388 + spacing * number as usize;
    let count = ((len - 432) / spacing) as u32;
    bytes[first..first + 4].copy_from_slice(&(place(0) as u32).to_ne_bytes());
    for number in 0..count {
        let next = if number + 1 < count { place(number + 1) as u32 } else { 0 };
        let words = [next.to_ne_bytes(), (4_u32 << 7).to_ne_bytes(), number.to_be_bytes()];
        bytes[place(number) - 4..][..12].copy_from_slice(words.as_flattened());
    }
    // The arena's cursor.
    bytes[64..68].copy_from_slice(&(len as u32 - 128).to_ne_bytes());
    (count, len - 12)
}

#[test]
fn overlapping_nodes_and_circles_take_no_room_from_what_is_remembered() {
    let compared = AtomicU64::new(0);
    // Nodes of 16 bytes, the last four of which are the next one's, or none.
    for spacing in [16, 12] {
        let file = TestFile::new();
        drop(SharedMap::create(file.create(1 << 19), 0, Counting(&compared)).unwrap());
        let mut bytes = fs::read(&file).unwrap();
        let (count, circle) = write_list(&mut bytes, spacing);
        // On level 1, only a node that follows itself.
        let first = word(&bytes, 28) + 64 + 4 * 22;
        bytes[first..first + 4].copy_from_slice(&(circle as u32).to_ne_bytes());
        let words = [0_u32, circle as u32, 1 | 8 << 7, u32::MAX, u32::MAX].map(u32::to_ne_bytes);
        bytes[circle - 8..].copy_from_slice(words.as_flattened());
        fs::write(&file, &bytes).unwrap();
        let map = SharedMap::open(file.open(), 0, Counting(&compared)).unwrap();
        assert!(map.get(&[0xFF; 9]).is_err());
        // ORDERING: Relaxed: no other thread counts.
        compared.store(0, Relaxed);
        let end = count.to_be_bytes();
        let keys = map.range(..&end[..]).rev().map(|entry| u32::from_be_bytes(entry.unwrap().0.try_into().unwrap()));
        assert!(keys.eq((0..count).rev()));
        // ORDERING: Relaxed, as above.
        let back = compared.load(Relaxed) / u64::from(count);
        assert!(back < 800, "{back} bytes for an entry from the back");
    }
}
