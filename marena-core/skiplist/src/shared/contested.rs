//! Inserts against a peer that changes every link first.

use core::alloc::Layout;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use marena_core::{AllocError, Arena, BorrowedMemory, Memory, Word};
use portable_atomic::AtomicU32;

use super::error::SharedMapError;
use super::map::SharedMap;
use crate::height::Heights;
use crate::insert::Rule;
use crate::node::INDEX_LEVEL;
use crate::order::ByteOrder;
use crate::space::Space;

std::thread_local! {
    /// The number of compare-and-swaps that succeed before all others fail.
    static WINS: Cell<u32> = const { Cell::new(0) };
    /// The link at which the peer won last, and where that link leads when it is loaded next.
    static DETOUR: Cell<(usize, u32)> = const { Cell::new((0, 0)) };
    /// The number of loads.
    static LOADS: Cell<u32> = const { Cell::new(0) };
}

#[repr(transparent)]
struct Contested(AtomicU32);

// SAFETY: each method is the atomic operation of the same name, a failed one that changes nothing,
// or a load of what a peer could have written there.
unsafe impl Word for Contested {
    fn load(&self, order: Ordering) -> u32 {
        LOADS.set(LOADS.get() + 1);
        match DETOUR.get() {
            (place, start) if place == self.0.as_ptr().addr() => {
                DETOUR.set((0, start));
                start
            }
            _ => self.0.load(order),
        }
    }

    fn store(&self, value: u32, order: Ordering) {
        self.0.store(value, order);
    }

    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        match WINS.get().checked_sub(1) {
            Some(left) => {
                WINS.set(left);
                self.0.compare_exchange(current, new, success, failure)
            }
            None => {
                let (_, start) = DETOUR.get();
                if start != 0 {
                    DETOUR.set((self.0.as_ptr().addr(), start));
                }
                Err(self.0.load(failure))
            }
        }
    }

    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        self.compare_exchange(current, new, success, failure)
    }
}

struct Contest<'a>(&'a Arena<BorrowedMemory<'a>>);

// SAFETY: as for `&Arena`. A word is an atomic at its place.
unsafe impl Space for Contest<'_> {
    type Word = Contested;

    fn region(&self) -> NonNull<[u8]> {
        self.0.memory().region()
    }

    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        Space::allocate(&self.0, layout)
    }

    fn used(&self) -> usize {
        self.0.used()
    }

    fn word(&self, place: NonNull<u32>) -> NonNull<Contested> {
        place.cast()
    }
}

#[test]
fn a_peer_that_wins_every_race_holds_up_no_insert_for_ever() {
    let mut bytes = [MaybeUninit::zeroed(); 4096];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let map = SharedMap::allocate_seeded(Contest(&arena), ByteOrder, 0).unwrap();
    let insert = |number: u8, wins| {
        WINS.set(wins);
        map.put_with(&[number], Some(b""), Rule::Always, || Ok(()), |_| Ok(()))
    };
    assert!(matches!(insert(0, 0), Err(SharedMapError::Damage(_))));
    assert_eq!(map.len().unwrap(), 0);
    // The peer leaves the lowest level alone. Then entries have no shortcuts.
    for number in 0..10 {
        assert_eq!(insert(number, 1).unwrap(), None);
    }
    let verified = map.verify().unwrap();
    assert_eq!((verified.entries, verified.nodes), (10, 10));
    assert!(verified.missing_links > 0);
}

#[test]
fn a_peer_that_sends_every_attempt_through_the_whole_list_costs_two_walks_in_all() {
    let mut bytes = [MaybeUninit::zeroed(); 4096];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let map = SharedMap::allocate_seeded(Contest(&arena), ByteOrder, 0).unwrap();
    let insert = |number: u8| map.put_with(&[number], Some(b""), Rule::Always, || Ok(()), |_| Ok(()));
    WINS.set(u32::MAX);
    (0..100).for_each(|number| drop(insert(number).unwrap()));
    let first = map.nodes.head().next().unwrap().unwrap().offset();
    WINS.set(0);
    DETOUR.set((0, first));
    LOADS.set(0);
    assert!(matches!(insert(100), Err(SharedMapError::Damage(_))));
    DETOUR.set((0, 0));
    // Each node of a walk takes some loads. A walk after each attempt takes hundreds of times more.
    assert!(LOADS.get() < 10_000, "{} loads", LOADS.get());
}

#[test]
fn a_peer_that_counts_nodes_without_end_holds_up_no_insert() {
    let mut bytes = [MaybeUninit::zeroed(); 4096];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let mut map = SharedMap::allocate_seeded(Contest(&arena), ByteOrder, 0).unwrap();
    // The next node is on the index's level.
    let height = |seed| Heights { seed }.draw(arena.used() as u64);
    let seed = (0..).find(|&seed| height(seed) > INDEX_LEVEL).unwrap();
    map.heights = Heights { seed };
    // The peer leaves all links alone.
    WINS.set(height(seed));
    assert_eq!(map.put_with(b"key", Some(b""), Rule::Always, || Ok(()), |_| Ok(())).unwrap(), None);
    assert_eq!((WINS.get(), map.verify().unwrap().missing_links), (0, 0));
}
