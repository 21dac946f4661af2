//! What takes no memory from the general allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use marena_std::{Arena, Owned, Pool};

/// The system's allocator, which counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) };
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Returns how many allocations this thread makes meanwhile.
fn allocations(action: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    action();
    ALLOCATIONS.get() - before
}

#[test]
fn a_thread_that_has_a_lease_at_each_of_two_finds_both_without_an_allocation() {
    let arenas = [(); 2].map(|()| Arena::with_capacity(1 << 20).unwrap());
    let leases = arenas.each_ref().map(|arena| arena.leases(4096));
    let round = || leases.iter().for_each(|leases| *leases.alloc(0_u64).unwrap() += 1);
    assert!(allocations(round) >= 2, "a table each was made, or nothing is counted");
    assert_eq!(allocations(|| (0..1000).for_each(|_| round())), 0);
}

#[test]
fn an_owned_value_from_guard_to_drop_makes_no_general_allocation() {
    let pool = Arc::new(Pool::with_capacity(2, 1 << 16).unwrap());
    let round = || {
        let guard = pool.acquire_owned().unwrap();
        let mut block = guard.allocate(64).unwrap();
        block.fill(1);
        let handle = block.publish();
        let owned = Owned::new(guard, handle).unwrap();
        assert_eq!(owned.clone().iter().map(|&byte| usize::from(byte)).sum::<usize>(), 64);
    };
    assert_eq!(allocations(|| (0..1000).for_each(|_| round())), 0);
}
