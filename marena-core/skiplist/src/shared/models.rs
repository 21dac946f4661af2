//! Models of every interleaving, under loom: the real map, over words of loom's.
//!
//! A checked region reads and writes everything through its space's words. So loom sees every
//! access, and lets a reader see each value that the memory order allows. With the real orders all
//! models hold. With a weaker one, models must fail.

use core::alloc::Layout;
use core::ptr::NonNull;
use std::boxed::Box;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, Ordering::Relaxed};
use std::vec::Vec;

use loom::sync::atomic::AtomicU32;
use marena_core::{AllocError, Word};

use super::map::SharedMap;
use crate::insert::Rule;
use crate::map::Entry;
use crate::order::{ByteOrder, first_bytes};
use crate::region::Region;
use crate::space::Space;

/// How a word changes the orders that it gets.
trait Fault: 'static {
    fn load(order: Ordering) -> Ordering {
        order
    }

    fn store(order: Ordering) -> Ordering {
        order
    }

    fn exchange(order: Ordering) -> Ordering {
        order
    }
}

struct Faithful;
impl Fault for Faithful {}

struct RelaxedLoads;
impl Fault for RelaxedLoads {
    fn load(_: Ordering) -> Ordering {
        Relaxed
    }
}

struct RelaxedStores;
impl Fault for RelaxedStores {
    fn store(_: Ordering) -> Ordering {
        Relaxed
    }
}

struct RelaxedLinks;
impl Fault for RelaxedLinks {
    fn exchange(_: Ordering) -> Ordering {
        Relaxed
    }
}

struct LoomWord<F>(AtomicU32, PhantomData<fn() -> F>);

// SAFETY: with `Faithful` each method is loom's operation of the same name. The others prove that
// the models notice weaker orders. No such word lies in a region.
unsafe impl<F: Fault> Word for LoomWord<F> {
    fn load(&self, order: Ordering) -> u32 {
        self.0.load(F::load(order))
    }

    fn store(&self, value: u32, order: Ordering) {
        self.0.store(value, F::store(order));
    }

    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        self.0.compare_exchange(current, new, F::exchange(success), failure)
    }

    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        self.compare_exchange(current, new, success, failure)
    }
}

#[repr(align(128))]
struct Bytes {
    _room: [u8; LEN],
}

const LEN: usize = 768;

/// A region whose bytes nobody reads, with one of loom's words for each four bytes.
struct LoomSpace<F> {
    region: NonNull<Bytes>,
    words: Vec<LoomWord<F>>,
    /// Not a part of the model: another one shows that allocations are disjoint. Loom runs one
    /// thread at a time.
    cursor: AtomicUsize,
}

impl<F> LoomSpace<F> {
    fn new() -> Self {
        let words = (0..LEN / 4).map(|_| LoomWord(AtomicU32::new(0), PhantomData)).collect();
        let region = NonNull::from(Box::leak(Box::new(Bytes { _room: [0; LEN] })));
        Self { region, words, cursor: AtomicUsize::new(128) }
    }
}

impl<F> Drop for LoomSpace<F> {
    fn drop(&mut self) {
        // SAFETY: the pointer is from `Box::leak`, and nobody uses it any more.
        drop(unsafe { Box::from_raw(self.region.as_ptr()) });
    }
}

// SAFETY: nobody accesses the region, and the words are atomics.
unsafe impl<F> Send for LoomSpace<F> {}
// SAFETY: as above.
unsafe impl<F> Sync for LoomSpace<F> {}

// SAFETY: the region does not move, bytes are handed out once, and each place has its own word.
unsafe impl<F: Fault> Space for LoomSpace<F> {
    type Word = LoomWord<F>;

    fn region(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.region.cast(), LEN)
    }

    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let size = layout.pad_to_align().size().next_multiple_of(8);
        // ORDERING: Relaxed: loom runs one thread at a time.
        let start = self.cursor.fetch_add(size, Relaxed);
        assert!(start.is_multiple_of(layout.align()) && start + size <= LEN, "the model's region is full");
        // SAFETY: in the region.
        Ok(unsafe { self.region.cast::<u8>().add(start) })
    }

    fn used(&self) -> usize {
        // ORDERING: Relaxed: as above.
        self.cursor.load(Relaxed)
    }

    fn word(&self, place: NonNull<u32>) -> NonNull<LoomWord<F>> {
        NonNull::from(&self.words[(place.addr().get() - self.region.addr().get()) / 4])
    }
}

type Map<F> = SharedMap<LoomSpace<F>, ByteOrder>;

fn insert<F: Fault>(map: &Map<F>, key: &[u8], value: &[u8], rule: Rule) -> Option<Vec<u8>> {
    map.put_with(key, Some(value), rule, || Ok(()), |_| Ok(())).unwrap()
}

/// Explores what two threads do to a map with these keys, and calls `then` with the map that they
/// leave. Returns how many interleavings there were. If there are fewer than when the model was
/// written, its race is gone.
fn explore<F: Fault>(seed: u64, keys: &'static [&'static [u8]], threads: [fn(&Map<F>); 2], then: fn(&Map<F>)) -> usize {
    let iterations = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&iterations);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 100_000;
    builder.check(move || {
        // ORDERING: Relaxed: a count, read at the end by the thread that wrote it.
        counted.fetch_add(1, Relaxed);
        let map = Arc::new(Map::<F>::allocate_seeded(LoomSpace::new(), ByteOrder, seed).unwrap());
        for key in keys {
            insert(&map, key, key, Rule::Always);
        }
        let [own, other] = threads;
        let shared = Arc::clone(&map);
        let thread = loom::thread::spawn(move || other(&shared));
        own(&map);
        thread.join().unwrap();
        map.verify().unwrap();
        then(&map);
    });
    // ORDERING: Relaxed, as above.
    iterations.load(Relaxed)
}

/// Two seeds with which the first nodes have different heights, and one with which they are on the
/// index's level. In models, two such nodes get an index.
const LOW: u64 = 296;
const HIGH: u64 = 731;
const TALL: u64 = 45;

fn entries<F: Fault>(map: &Map<F>) -> Vec<Vec<u8>> {
    map.iter().map(|entry| entry.unwrap().0).collect()
}

fn neighbours<F: Fault>(seed: u64) -> usize {
    explore::<F>(
        seed,
        &[b"a", b"d"],
        [
            |map| assert_eq!(insert(map, b"b", b"b", Rule::Always), None),
            |map| assert_eq!(insert(map, b"c", b"c", Rule::Always), None),
        ],
        |map| assert_eq!(entries(map), [b"a", b"b", b"c", b"d"]),
    )
}

#[test]
fn two_inserts_into_one_gap_are_both_there() {
    for seed in [LOW, HIGH] {
        assert!(neighbours::<Faithful>(seed) >= 50);
    }
}

#[test]
fn two_inserts_of_one_key_have_one_order() {
    let iterations = explore::<Faithful>(
        HIGH,
        &[b"a", b"k"],
        [|map| drop(insert(map, b"k", b"1", Rule::Always)), |map| drop(insert(map, b"k", b"2", Rule::Always))],
        |map| {
            let newest = map.get(b"k").unwrap().unwrap();
            assert!(newest == b"1" || newest == b"2");
            // What the next insert replaces is the newest.
            assert_eq!(insert(map, b"k", b"3", Rule::Always), Some(newest));
            assert_eq!(map.verify().unwrap().nodes, 5);
        },
    );
    assert!(iterations >= 100);
}

#[test]
fn of_two_inserts_if_absent_one_wins() {
    fn attempt<F: Fault>(map: &Map<F>, own: &[u8], other: &[u8]) {
        match insert(map, b"k", own, Rule::IfAbsent) {
            None => assert_eq!(map.get(b"k").unwrap().unwrap(), own),
            Some(winner) => assert_eq!(winner, other),
        }
    }
    let iterations =
        explore::<Faithful>(LOW, &[], [|map| attempt(map, b"1", b"2"), |map| attempt(map, b"2", b"1")], |map| {
            assert_eq!(map.verify().unwrap().nodes, 1);
        });
    assert!(iterations >= 50);
}

#[test]
fn a_group_and_an_insert_of_one_of_its_keys_are_both_there() {
    for seed in [LOW, HIGH] {
        let iterations = explore::<Faithful>(
            seed,
            &[b"a", b"d"],
            [
                |map| {
                    let group: [Entry<'_>; 3] = [(b"c", b"1"), (b"b", b"2"), (b"c", b"3")];
                    assert_eq!(map.insert_some_with(&group, || Ok(()), |_| Ok(())).unwrap(), 3);
                },
                |map| drop(insert(map, b"c", b"4", Rule::Always)),
            ],
            |map| {
                assert_eq!(entries(map), [b"a", b"b", b"c", b"d"]);
                // Of the group's two, the last is the newer.
                let newest = map.get(b"c").unwrap().unwrap();
                assert!(newest == b"3" || newest == b"4");
                let verified = map.verify().unwrap();
                assert_eq!((verified.nodes, verified.missing_links), (6, 0));
            },
        );
        assert!(iterations >= 3_000, "{iterations}");
    }
}

/// A reader finds a new entry whole or not at all, and always the earlier entries.
fn reading<F: Fault>(seed: u64) -> usize {
    explore::<F>(
        seed,
        &[b"a", b"c"],
        [
            |map| drop(insert(map, b"b", b"a value of several words", Rule::Always)),
            |map| {
                if let Some(value) = map.get(b"b").unwrap() {
                    assert_eq!(value, b"a value of several words");
                }
                assert_eq!(map.get(b"c").unwrap().unwrap(), b"c");
            },
        ],
        |map| assert_eq!(entries(map), [b"a", b"b", b"c"]),
    )
}

#[test]
fn a_reader_sees_an_insert_whole_or_not_at_all() {
    for seed in [LOW, HIGH] {
        assert!(reading::<Faithful>(seed) >= 150);
    }
}

#[test]
fn a_walk_meets_all_that_was_there_while_another_inserts() {
    let iterations = explore::<Faithful>(
        HIGH,
        &[b"a", b"c"],
        [
            |map| drop(insert(map, b"b", b"b", Rule::Always)),
            |map| {
                let keys: Vec<_> = map.iter().map(|entry| entry.unwrap()).collect();
                assert!(keys.iter().all(|(key, value)| key == value));
                assert!(keys.len() == 2 || keys.len() == 3);
                assert!(keys.is_sorted() && keys[0].0 == b"a" && keys.last().unwrap().0 == b"c");
                assert!(map.iter().rev().count() >= keys.len());
            },
        ],
        |map| assert_eq!(entries(map), [b"a", b"b", b"c"]),
    );
    assert!(iterations >= 5_000);
}

#[test]
fn a_walk_stays_in_its_bounds_while_another_inserts_right_outside() {
    let iterations = explore::<Faithful>(
        LOW,
        &[b"a", b"c", b"e"],
        [
            |map| assert_eq!([&b"b"[..], b"d"].map(|key| insert(map, key, key, Rule::Always)), [None, None]),
            |map| {
                assert_eq!(map.seek(b"c").unwrap().unwrap().0, b"c");
                assert_eq!(map.seek_back(b"c").unwrap().unwrap().0, b"c");
            },
        ],
        |map| assert_eq!(entries(map), [b"a", b"b", b"c", b"d", b"e"]),
    );
    assert!(iterations >= 100, "{iterations}");
}

/// A reader sees an index whole or not at all, with the nodes that it names. The writer's insert
/// makes it.
fn indexing<F: Fault>() -> usize {
    explore::<F>(
        TALL,
        &[b"a"],
        [
            |map| assert_eq!(insert(map, b"c", b"c", Rule::Always), None),
            |map| {
                if let Some(index) = map.nodes.index().unwrap() {
                    assert_eq!(index.len(), 2);
                    for (entry, key) in [(0, first_bytes(b"a")), (1, first_bytes(b"c"))] {
                        let node = index.place(entry).unwrap().unwrap().node().unwrap();
                        assert_eq!((index.prefix(entry), node.first_bytes()), (key, key));
                    }
                }
                assert_eq!(map.get(b"a").unwrap().unwrap(), b"a");
            },
        ],
        |map| {
            assert_eq!(map.nodes.index().unwrap().map(|index| index.len()), Some(2));
            assert_eq!(entries(map), [b"a", b"c"]);
        },
    )
}

#[test]
fn a_reader_sees_an_index_whole_or_not_at_all() {
    assert!(indexing::<Faithful>() >= 50);
}

#[test]
fn two_inserts_at_once_make_one_index_of_both() {
    let iterations = explore::<Faithful>(
        TALL,
        &[],
        [
            |map| assert_eq!(insert(map, b"a", b"a", Rule::Always), None),
            |map| assert_eq!(insert(map, b"b", b"b", Rule::Always), None),
        ],
        |map| {
            let index = map.nodes.index().unwrap().unwrap();
            assert_eq!([0, 1].map(|entry| index.prefix(entry)), [first_bytes(b"a"), first_bytes(b"b")]);
            // Every byte that was allocated is accounted for, but for the alignment of the block.
            let unaccounted = map.nodes.region().space().used() - 384 + 248 - map.verify().unwrap().bytes;
            assert_eq!(unaccounted, 0);
        },
    );
    assert!(iterations >= 500, "{iterations}");
}

#[test]
#[should_panic]
fn an_index_loaded_without_acquire_is_noticed() {
    indexing::<RelaxedLoads>();
}

#[test]
#[should_panic]
fn an_index_completed_without_release_is_noticed() {
    indexing::<RelaxedStores>();
}

#[test]
#[should_panic]
fn links_loaded_without_acquire_are_noticed() {
    reading::<RelaxedLoads>(LOW);
}

#[test]
#[should_panic]
fn links_stored_without_release_are_noticed() {
    reading::<RelaxedLinks>(LOW);
}
