//! Damaged files.

use std::cmp::Ordering;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use marena_skiplist::{ByteOrder, Order, SharedMap, SharedMapError};
use marena_std::MappedArena;

use crate::{TestFile, nodes, with_allocations_up_to, word};

/// Does everything with the map in a file. All of it may fail; none of it may panic, fault or take
/// forever.
fn use_everything(file: &TestFile) {
    use_everything_in(file, ByteOrder);
}

fn use_everything_in(file: &TestFile, order: impl Order) {
    // SAFETY: as in `TestFile`.
    let Ok(arena) = (unsafe { MappedArena::open(file) }) else { return };
    let Ok(map) = SharedMap::open(arena, 0, order) else { return };
    let keys = [&b""[..], b"key3", b"key3333333", b"zzz"];
    for key in keys {
        let _ = (map.get(key), map.contains_key(key), map.seek(key), map.seek_back(key));
        let _ = map.range(key..).take_while(Result::is_ok).count();
        let _ = map.range(..key).rev().take_while(Result::is_ok).count();
    }
    let _ = (map.first(), map.last(), map.len(), map.is_empty(), map.verify());
    let _ = (map.insert(b"key31", b"new"), map.insert_if_absent(b"key35", b"new"), map.remove(b"key7"));
    let _ = map.insert_group(&[(b"key32", b"new"), (b"a", b"new"), (b"z", b"new")]);
    let _ = map.len();
}

/// A small map, with long and short entries, older values and removed keys.
fn small_map(file: &TestFile) -> usize {
    let map = file.map(65_536);
    for number in 0..12 {
        map.insert(format!("key{number}").as_bytes(), b"value").unwrap();
    }
    map.insert(b"key3333333", &[b'v'; 300]).unwrap();
    map.insert(&[b'k'; 2100], b"long").unwrap();
    map.insert(b"key3", b"newer").unwrap();
    map.remove(b"key5").unwrap();
    128 + map.stats().used
}

#[test]
fn every_bit_of_every_link_header_and_length_may_be_wrong() {
    let file = TestFile::new();
    let used = small_map(&file);
    let sound = fs::read(&file).unwrap();
    for at in 128..used {
        // The insides of long keys and values mean nothing to the map.
        if sound[at.saturating_sub(16)..(at + 16).min(used)].iter().all(|byte| b"kv".contains(byte)) {
            continue;
        }
        for bit in 0..8 {
            let mut damaged = sound.clone();
            damaged[at] ^= 1 << bit;
            fs::write(&file, &damaged).unwrap();
            use_everything(&file);
        }
    }
}

#[test]
fn every_word_may_hold_any_offset() {
    let file = TestFile::new();
    let used = small_map(&file);
    let sound = fs::read(&file).unwrap();
    let offsets = (0..used as u32).step_by(236).chain([
        4,
        60,
        128,
        132,
        65_524,
        65_528,
        65_532,
        65_536,
        1 << 31,
        u32::MAX - 3,
        u32::MAX,
    ]);
    let offsets: Vec<_> = offsets.collect();
    for at in (192..used.min(1100)).step_by(4) {
        for offset in &offsets {
            let mut damaged = sound.clone();
            damaged[at..at + 4].copy_from_slice(&offset.to_ne_bytes());
            fs::write(&file, &damaged).unwrap();
            use_everything(&file);
        }
    }
}

#[test]
fn a_file_that_ends_at_any_length_is_an_error_or_a_map() {
    let file = TestFile::new();
    let used = small_map(&file);
    let sound = fs::read(&file).unwrap();
    for len in (0..used + 100).chain((used..sound.len()).step_by(509)) {
        fs::write(&file, &sound[..len]).unwrap();
        // SAFETY: as in `TestFile`.
        assert!(unsafe { MappedArena::open(&file) }.is_err(), "{len} bytes");
    }
}

type Compare = fn(&[u8], &[u8]) -> Ordering;

/// Has the number of [`Counting`], and is another order.
struct Lying(Compare);

impl Order for Lying {
    const ID: u32 = Counting::ID;

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        self.0(a, b)
    }
}

#[test]
fn a_map_that_is_read_in_another_order_causes_errors_and_nothing_worse() {
    let orders: [Compare; 5] = [
        |a, b| b.cmp(a),
        |_, _| Ordering::Less,
        |_, _| Ordering::Equal,
        |_, _| Ordering::Greater,
        |a, b| a.len().cmp(&b.len()),
    ];
    for order in orders {
        let file = TestFile::new();
        let compared = AtomicU64::new(0);
        let map = SharedMap::create(file.create(65_536), 0, Counting(&compared)).unwrap();
        for number in 0..300 {
            map.insert(format!("key{number}").as_bytes(), b"value").unwrap();
        }
        drop(map);
        use_everything_in(&file, Lying(order));
        use_everything_in(&file, Counting(&compared));
    }
}

#[test]
fn nodes_in_a_circle_end_every_walk() {
    let file = TestFile::new();
    drop(file.map(65_536));
    let map = file.reopen();
    // One key, so that no order tells that a node comes again.
    for _ in 0..20 {
        map.insert(b"same", b"value").unwrap();
    }
    map.insert(b"zzzz", b"value").unwrap();
    drop(map);
    let mut bytes = fs::read(&file).unwrap();
    let block = word(&bytes, 28);
    let first = word(&bytes, block + 64 + 4 * 23);
    let second = word(&bytes, first - 4);
    let third = word(&bytes, second - 4);
    bytes[third - 4..third].copy_from_slice(&(first as u32).to_ne_bytes());
    fs::write(&file, &bytes).unwrap();
    let map = file.reopen();
    assert!(map.len().is_err());
    // After damage, an iterator ends.
    assert_eq!(map.iter().filter(Result::is_err).count(), 1);
    assert!(map.iter().rev().filter(Result::is_err).count() <= 1);
    use_everything(&file);
}

/// Counts the bytes of the keys that it compares.
pub(crate) struct Counting<'c>(pub(crate) &'c AtomicU64);

impl Order for Counting<'_> {
    const ID: u32 = 9;

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        // ORDERING: Relaxed: a number.
        self.0.fetch_add((a.len() + b.len()) as u64, Relaxed);
        a.cmp(b)
    }
}

#[test]
fn a_circle_of_long_keys_costs_a_few_times_the_length_of_the_file() {
    const LEN: usize = 1 << 18;
    let file = TestFile::new();
    let compared = AtomicU64::new(0);
    let map = SharedMap::create(file.create(LEN), 0, Counting(&compared)).unwrap();
    map.insert(&[b'k'; 50_000], b"value").unwrap();
    drop(map);
    let mut bytes = fs::read(&file).unwrap();
    let first = word(&bytes, word(&bytes, 28) + 64 + 4 * 23);
    bytes[first - 4..first].copy_from_slice(&(first as u32).to_ne_bytes());
    fs::write(&file, &bytes).unwrap();
    let map = SharedMap::open(file.open(), 0, Counting(&compared)).unwrap();
    assert!(map.len().is_err());
    assert!(map.get(b"zzzz").is_err());
    // ORDERING: Relaxed: no other thread counts.
    let compared = compared.load(Relaxed);
    assert!(compared < 16 * LEN as u64, "{compared} bytes of keys were compared");
}

#[test]
fn a_key_of_any_length_is_compared_in_place_and_a_copy_may_fail() {
    const LEN: usize = 32 << 20;
    let file = TestFile::new();
    // SAFETY: as in `TestFile`.
    let arena = unsafe { MappedArena::builder().capacity(LEN).reserve(false).create(&file) }.unwrap();
    let map = SharedMap::create(arena, 0, ByteOrder).unwrap();
    let key = [b'k'; 3_000];
    map.insert(&key, b"older").unwrap();
    map.insert(&key, b"newer").unwrap();
    drop(map);
    let mut bytes = fs::read(&file).unwrap();
    let newer = word(&bytes, word(&bytes, 28) + 64 + 4 * 23);
    let older = word(&bytes, newer - 4);
    for node in [older, newer] {
        bytes[node + 4..node + 8].copy_from_slice(&(20_u32 << 20).to_ne_bytes());
    }
    fs::write(&file, &bytes).unwrap();
    // The keys end behind what was handed out.
    let map = file.reopen();
    assert!(matches!(map.get(&key), Err(SharedMapError::Damage(_))));
    assert!(map.len().is_err());
    drop(map);
    // The arena's cursor.
    bytes[64..68].copy_from_slice(&(LEN as u32 - 128).to_ne_bytes());
    fs::write(&file, &bytes).unwrap();
    let map = file.reopen();
    with_allocations_up_to(1 << 20, || {
        assert_eq!(map.get(&key).unwrap(), None);
        assert_eq!(map.get(&key[..2_000]).unwrap(), None);
        assert_eq!(map.seek(b"l").unwrap(), None);
        let _ = map.len();
        assert!(matches!(map.first(), Err(SharedMapError::NoMemory { bytes }) if bytes == 20 << 20));
        // Going on from a key takes memory for it: at once, if the last node is on the level where
        // walks back begin.
        let is_tall = word(&bytes, older) % 32 + 1 > 3;
        let errors: Vec<_> = map.iter().rev().map(Result::unwrap_err).collect();
        assert_eq!(errors.len() == 1, is_tall);
        assert!(errors.iter().all(|error| matches!(error, SharedMapError::NoMemory { bytes } if *bytes == 20 << 20)));
    });
}

#[test]
fn comparing_a_short_key_with_a_long_one_takes_no_memory() {
    let file = TestFile::new();
    let map = file.map(1 << 18);
    // The same first eight bytes, and lengths on both sides of those that are compared in parts.
    let keys: Vec<_> = [9, 127, 128, 129, 256, 257, 50_000].map(|len| vec![b'k'; len]).into();
    for key in &keys {
        map.insert(key, b"value").unwrap();
    }
    with_allocations_up_to(64, || {
        assert_eq!(map.len().unwrap(), keys.len());
        assert_eq!(map.verify().unwrap().entries, keys.len());
    });
    assert!(map.iter().map(|entry| entry.unwrap().0).eq(keys));
}

#[test]
fn keys_out_of_order_end_a_walk_from_either_end() {
    let file = TestFile::new();
    let map = file.map(65_536);
    for number in 0..20_u32 {
        map.insert(&number.to_be_bytes(), b"").unwrap();
    }
    drop(map);
    let mut bytes = fs::read(&file).unwrap();
    let (node, _) = nodes(&bytes)[10];
    bytes[node + 4..node + 8].fill(0);
    fs::write(&file, &bytes).unwrap();
    let map = file.reopen();
    let mut range = map.iter();
    assert!(range.by_ref().take(10).all(|entry| entry.is_ok()));
    assert!(matches!(range.next(), Some(Err(SharedMapError::Damage(damage))) if damage.offset == node as u32));
    assert!(range.next().is_none() && range.next_back().is_none());
    let mut range = map.iter().rev();
    let (before, after) = (range.by_ref().take_while(Result::is_ok).count(), range.next());
    assert!(before < 20 && after.is_none(), "{before} entries");
}

#[test]
fn a_circle_that_shortcuts_lead_around_ends_a_walk_from_either_end() {
    const COUNT: u32 = 300;
    let file = TestFile::new();
    let map = file.map(65_536);
    for number in 0..COUNT {
        map.insert(&number.to_be_bytes(), b"").unwrap();
    }
    drop(map);
    let mut bytes = fs::read(&file).unwrap();
    let nodes = nodes(&bytes);
    // A low node between two others follows itself.
    let low = (150..).find(|&at| nodes[at].1 == 1 && nodes[at + 1].1 > 1).unwrap();
    let (node, _) = nodes[low];
    bytes[node - 4..node].copy_from_slice(&(node as u32).to_ne_bytes());
    fs::write(&file, &bytes).unwrap();
    let map = file.reopen();
    assert!(map.contains_key(&(COUNT - 1).to_be_bytes()).unwrap());
    let from_front = map.iter().take_while(Result::is_ok).count();
    let from_back = map.iter().rev().take_while(Result::is_ok).count();
    assert_eq!(from_front, low + 1);
    assert!(from_back < COUNT as usize - low, "{from_back} entries");
}

#[test]
fn a_short_entry_that_ends_behind_the_file_is_damage() {
    let file = TestFile::new();
    let map = file.map(1 << 16);
    map.insert(b"key", b"value").unwrap();
    drop(map);
    let mut bytes = fs::read(&file).unwrap();
    let block = u32::from_ne_bytes(bytes[28..32].try_into().unwrap()) as usize;
    let (first, node) = (block + 64 + 4 * 23, bytes.len() - 12);
    bytes[first..first + 4].copy_from_slice(&(node as u32).to_ne_bytes());
    for key_len in [8_u32, 9, 2_047] {
        bytes[node..node + 4].copy_from_slice(&(key_len << 7).to_ne_bytes());
        fs::write(&file, &bytes).unwrap();
        let map = file.reopen();
        assert_eq!(map.first().is_ok(), key_len == 8, "{key_len}");
        assert_eq!(map.len().is_ok(), key_len == 8, "{key_len}");
    }
}

#[test]
fn a_root_is_a_map_only_at_a_multiple_of_64() {
    const LEN: usize = 65_536;
    let file = TestFile::new();
    drop(file.map(LEN));
    let mut bytes = fs::read(&file).unwrap();
    let block = word(&bytes, 28);
    let sound = bytes[block..block + 248].to_vec();
    // The arena's cursor: roots lie in what was handed out.
    bytes[64..68].copy_from_slice(&(LEN as u32 - 128).to_ne_bytes());
    // The arena does not open a file whose root ends outside.
    for (at, opens) in [(LEN - 256, true), (LEN - 252, false), (4096 + 4, false), (4096, true)] {
        bytes[at..at + 248].copy_from_slice(&sound);
        bytes[28..32].copy_from_slice(&(at as u32).to_ne_bytes());
        fs::write(&file, &bytes).unwrap();
        match SharedMap::open(file.open(), 0, ByteOrder) {
            Ok(map) => assert!(opens && map.is_empty().unwrap(), "at {at}"),
            Err(SharedMapError::Damage(damage)) => assert!(!opens && damage.offset as usize == at, "at {at}"),
            Err(other) => panic!("{other:?} at {at}"),
        }
    }
}
