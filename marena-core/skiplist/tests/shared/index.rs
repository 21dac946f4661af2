//! The index of a map in a file.

use std::cell::Cell;
use std::cmp::Ordering;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use marena_skiplist::{Order, SharedMap, SharedMapError};

use crate::{TestFile, nodes, numbers, word};

const COUNT: u32 = 1_500;

/// The length of the shortest index.
const SHORTEST: usize = 64;

fn key(number: u32) -> [u8; 16] {
    (u128::from(number) << 90).to_be_bytes()
}

/// The place of the longest complete index's word, and its number of entries.
fn longest(bytes: &[u8]) -> (usize, usize) {
    let indexes = word(bytes, 28) + 176;
    let number = (0..18).rfind(|number| word(bytes, indexes + 4 * number) % 2 == 1).expect("there is no index");
    (indexes + 4 * number, SHORTEST << number)
}

/// A map with an index. Returns the bytes of its file, the index's offset and its number of
/// entries.
fn indexed(file: &TestFile) -> (Vec<u8>, usize, usize) {
    let map = file.map(1 << 18);
    for number in 0..COUNT {
        map.insert(&key(number), &number.to_le_bytes()).unwrap();
    }
    // Everything is accounted for but the alignment of the first block.
    let verified = map.verify().unwrap();
    assert!(map.stats().used - verified.bytes < 64);
    drop(map);
    let bytes = fs::read(file).unwrap();
    let (at, len) = longest(&bytes);
    let index = word(&bytes, at) - 1;
    (bytes, index, len)
}

/// Whether every search finds what it should.
fn is_complete(file: &TestFile) -> bool {
    let map = file.reopen();
    let found = (0..COUNT).step_by(3).all(|number| {
        let Ok(value) = map.get(&key(number)) else { return false };
        value.is_some_and(|value| value == number.to_le_bytes())
    });
    found && map.seek(&key(COUNT)).is_ok_and(|entry| entry.is_none())
}

#[test]
fn damage_in_an_index_hides_no_entry() {
    let file = TestFile::new();
    let (sound, index, len) = indexed(&file);
    let block = word(&sound, 28);
    assert!(is_complete(&file));
    let entry = |number: usize| index + 12 * number;
    let node = |number: usize| word(&sound, entry(number) + 8) as u32;
    let words = (block + 172..block + 248).step_by(4);
    let words = words.chain([0, 1, len / 2, len - 2, len - 1].into_iter().flat_map(|number| {
        let at = entry(number);
        [at, at + 4, at + 8]
    }));
    for at in words {
        let others =
            [0, 1, 2, 64, u32::MAX, 1 << 31, node(0), node(len / 3), node(len - 1), index as u32, 1 + index as u32];
        for other in others.into_iter().chain(numbers(5).take(8).map(|number| number as u32)) {
            let mut damaged = sound.clone();
            damaged[at..at + 4].copy_from_slice(&other.to_ne_bytes());
            fs::write(&file, &damaged).unwrap();
            assert!(is_complete(&file), "{other} at {at}");
            let map = file.reopen();
            let changed = other as usize != word(&sound, at);
            // The number of nodes is not checked: a killed process may leave any.
            if changed && at >= index {
                map.verify().unwrap_err();
            }
            map.insert(&[1, 2, 3], b"new").unwrap();
            assert_eq!(map.get(&[1, 2, 3]).unwrap().unwrap(), b"new");
            assert_eq!(map.len().unwrap(), COUNT as usize + 1);
        }
    }
}

#[test]
fn an_index_of_other_nodes_hides_no_entry() {
    let file = TestFile::new();
    let (sound, index, len) = indexed(&file);
    for seed in 0..50 {
        let mut damaged = sound.clone();
        // Entries change places, as a whole or their nodes alone.
        for pair in numbers(seed).take(2 * len).collect::<Vec<_>>().chunks(2) {
            let [a, b] = [0, 1].map(|side| index + 12 * (pair[side] as usize % len));
            let start = if seed % 2 == 0 { 0 } else { 8 };
            for at in start..12 {
                damaged.swap(a + at, b + at);
            }
        }
        fs::write(&file, &damaged).unwrap();
        assert!(is_complete(&file), "seed {seed}");
    }
}

#[test]
fn a_map_without_indexes_gets_one_later() {
    let file = TestFile::new();
    let (mut bytes, ..) = indexed(&file);
    let (at, _) = longest(&bytes);
    let first = word(&bytes, 28) + 176;
    bytes[first..at + 4].fill(0);
    fs::write(&file, &bytes).unwrap();
    assert!(is_complete(&file));
    let map: SharedMap<_, _> = file.reopen();
    for number in COUNT..3 * COUNT {
        map.insert(&key(number), &number.to_le_bytes()).unwrap();
    }
    map.verify().unwrap();
    drop(map);
    let bytes = fs::read(&file).unwrap();
    assert!(longest(&bytes).0 > at);
    assert!((0..3 * COUNT).all(|number| file.reopen().get(&key(number)).unwrap().unwrap() == number.to_le_bytes()));
}

#[test]
fn a_damaged_number_of_nodes_takes_no_room() {
    let file = TestFile::new();
    let (mut bytes, ..) = indexed(&file);
    let at = word(&bytes, 28) + 172;
    // The next node on the index's level makes it the length of an index: one that has room in no
    // such file, the longest, and one that no map has. The last number wraps.
    for count in [8191, (64 << 17) - 1, (64 << 18) - 1, u32::MAX] {
        bytes[at..at + 4].copy_from_slice(&count.to_ne_bytes());
        fs::write(&file, &bytes).unwrap();
        let map = file.reopen();
        let used = map.stats().used;
        for number in COUNT..COUNT + 200 {
            map.insert(&key(number), &number.to_le_bytes()).unwrap();
        }
        let taken = map.stats().used - used;
        assert!(taken < 200 * 64, "{taken} bytes");
        map.verify().unwrap();
    }
}

#[test]
fn a_number_of_nodes_that_was_there_before_takes_no_room() {
    let file = TestFile::new();
    let (mut bytes, ..) = indexed(&file);
    let at = word(&bytes, 28) + 172;
    // The next node on the index's level makes it the length of the first index.
    bytes[at..at + 4].copy_from_slice(&(SHORTEST as u32 - 1).to_ne_bytes());
    fs::write(&file, &bytes).unwrap();
    let map = file.reopen();
    for number in COUNT..COUNT + 200 {
        map.insert(&key(number), b"").unwrap();
    }
    assert!(map.stats().used - map.verify().unwrap().bytes < 64);
}

#[test]
fn an_index_may_lie_at_every_whole_word_up_to_the_end_of_the_file() {
    let file = TestFile::new();
    let (mut bytes, index, len) = indexed(&file);
    let (at, _) = longest(&bytes);
    let last = bytes.len() - 12 * len;
    bytes.copy_within(index..index + 12 * len, last);
    let mut verify = |place: usize| {
        bytes[at..at + 4].copy_from_slice(&(place as u32).to_ne_bytes());
        fs::write(&file, &bytes).unwrap();
        file.reopen().verify().map(|verified| verified.entries)
    };
    // Complete, and not complete yet.
    for complete in [1, 0] {
        assert_eq!(verify(last + complete).unwrap(), COUNT as usize);
        for outside in [last - 2, last + 4, 4] {
            match verify(outside + complete) {
                Err(SharedMapError::Damage(damage)) => assert_eq!(damage.offset as usize, outside),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Panics when it is asked for a prefix too many, as if the process was killed there.
struct Killing<'c>(&'c Cell<u32>);

impl Order for Killing<'_> {
    const ID: u32 = 11;

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        a.cmp(b)
    }

    fn prefix(&self, first: u64, _: usize) -> u64 {
        self.0.set(self.0.get().checked_sub(1).expect("the process is killed"));
        first
    }
}

#[test]
fn an_index_whose_maker_was_killed_is_accounted_for_and_hides_no_entry() {
    let file = TestFile::new();
    let left = Cell::new(u32::MAX);
    let map = SharedMap::create(file.create(1 << 20), 0, Killing(&left)).unwrap();
    let mut killed = 0;
    for number in 0..4 * COUNT {
        // More than a search takes, and fewer than the second index.
        left.set(2 * SHORTEST as u32 - 1);
        killed += u32::from(catch_unwind(AssertUnwindSafe(|| map.insert(&key(number), b"value"))).is_err());
    }
    assert!(killed >= 3, "{killed} makers of an index were killed");
    left.set(u32::MAX);
    let verified = map.verify().unwrap();
    assert_eq!(verified.entries, 4 * COUNT as usize);
    // Everything is accounted for but the alignment of the first block.
    assert!(map.stats().used - verified.bytes < 64, "{verified:?} of {} bytes", map.stats().used);
    assert!((0..4 * COUNT).all(|number| map.get(&key(number)).unwrap().unwrap() == b"value"));
}

#[test]
fn an_index_that_names_another_node_of_a_key_is_noticed() {
    let file = TestFile::new();
    let map = file.map(1 << 18);
    for number in 0..COUNT {
        map.insert(&key(number / 8), &number.to_le_bytes()).unwrap();
    }
    drop(map);
    let mut bytes = fs::read(&file).unwrap();
    let (at, len) = longest(&bytes);
    let index = word(&bytes, at) - 1;
    let nodes = nodes(&bytes);
    // Two nodes of a key have one prefix. The first of them is in the index, and the second one is
    // not on its level.
    let key_of = |node: usize| &bytes[node + 4..node + 20];
    let is_pair = |pair: &[(usize, usize)]| pair[0].1 > 3 && pair[1].1 <= 3 && key_of(pair[0].0) == key_of(pair[1].0);
    let place_of = |node: usize| (0..len).map(|entry| index + 12 * entry + 8).find(|&at| word(&bytes, at) == node);
    let pairs = nodes.windows(2).filter(|pair| is_pair(pair));
    let (place, low) = pairs.filter_map(|pair| Some((place_of(pair[0].0)?, pair[1].0))).next().unwrap();
    file.reopen().verify().unwrap();
    bytes[place..place + 4].copy_from_slice(&(low as u32).to_ne_bytes());
    fs::write(&file, &bytes).unwrap();
    match file.reopen().verify() {
        Err(SharedMapError::Damage(damage)) => assert_eq!(damage.offset, low as u32),
        other => panic!("{other:?}"),
    }
}
