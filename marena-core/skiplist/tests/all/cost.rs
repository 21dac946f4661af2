//! What operations cost, in comparisons.

use std::cell::Cell;
use std::cmp::Ordering;

use marena_core::Arena;
use marena_skiplist::{Order, SkipMap};

use crate::{bytes, numbers};

/// Counts comparisons. No prefix: each is of whole keys.
#[derive(Debug, Default)]
struct Counting(Cell<u64>);

impl Order for &Counting {
    const ID: u32 = 2;

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        self.0.set(self.0.get() + 1);
        a.cmp(b)
    }
}

/// The comparisons of an insert, on average, for these keys in this order.
fn comparisons(keys: impl ExactSizeIterator<Item = u64>) -> f64 {
    let count = keys.len();
    let mut memory = bytes(64 * count + (1 << 16));
    let arena = Arena::borrowed(&mut memory).unwrap();
    let order = Counting::default();
    let map = SkipMap::with_order(&arena, &order).unwrap();
    for key in keys {
        map.insert(&key.to_be_bytes(), b"").unwrap();
    }
    order.0.get() as f64 / count as f64
}

/// The height that a list once gave a record, from the byte at which its line began. The writer of
/// the lines chose it.
fn height_of_line(start: u64) -> u32 {
    let hash = (start + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let hash = (hash ^ hash >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    1 + hash.leading_zeros() / 2
}

#[test]
fn chosen_input_costs_what_random_input_costs() {
    let count = if cfg!(miri) { 100 } else { 4_000 };
    let random = comparisons(numbers(1).take(count).collect::<Vec<_>>().into_iter());
    // A file whose lines begin where that scheme made all nodes one link high, with keys that fall:
    // every insert passed all others.
    let starts: Vec<_> = (0..).filter(|&start| height_of_line(start) == 1).take(count).collect();
    let chosen = comparisons(starts.iter().rev().copied());
    let rising = comparisons(starts.iter().copied());
    // Between two that are neighbours in the index: until the next index, as without one.
    let spread = (0..count as u64 / 2).map(|number| number << 32);
    let between = comparisons(spread.chain((1..).take(count / 2)).collect::<Vec<_>>().into_iter());
    for (cost, limit) in [(chosen, 1.5), (rising, 2.0), (between, 2.5)] {
        assert!(cost < limit * random, "{cost} comparisons, {random} for random keys");
    }
}

#[test]
fn two_maps_of_the_same_entries_have_different_shapes() {
    let cost = || comparisons((0..if cfg!(miri) { 50_u32 } else { 1_000 }).map(u64::from));
    let first = cost();
    assert!((0..8).any(|_| cost() != first));
}

#[test]
fn a_search_among_many_takes_as_many_comparisons_as_a_logarithm_says() {
    let count = if cfg!(miri) { 64_u64 } else { 1 << 16 };
    let mut memory = bytes(64 * count as usize + (1 << 16));
    let arena = Arena::borrowed(&mut memory).unwrap();
    let order = Counting::default();
    let map = SkipMap::with_order(&arena, &order).unwrap();
    // Each key once, and neighbours far apart.
    for turn in 0..count {
        map.insert(&(turn * 40_503 % count).to_be_bytes(), b"").unwrap();
    }
    // Small maps differ more. A search among many takes 1.2 times the logarithm from the index, and
    // 1.4 times or more from the head.
    let [inserts, searches] = if cfg!(miri) { [4.0, 3.0] } else { [2.0, 1.3] };
    let mean = order.0.get() as f64 / count as f64;
    assert!(mean < inserts * (count as f64).log2(), "{mean} comparisons an insert");
    order.0.set(0);
    for key in 0..count {
        assert!(map.get(&key.to_be_bytes()).is_some());
    }
    let mean = order.0.get() as f64 / count as f64;
    assert!(mean < searches * (count as f64).log2(), "{mean} comparisons among {count} entries");

    // From the back: a search for each batch of entries, and two comparisons for each entry.
    order.0.set(0);
    assert_eq!(map.iter().rev().count() as u64, count);
    let mean = order.0.get() as f64 / count as f64;
    assert!(mean < 8.0, "{mean} comparisons an entry");
}
