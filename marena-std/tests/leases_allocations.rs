//! Leases that a thread uses in turns take no memory from the general allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use marena_std::Arena;

/// The system's allocator, which counts the calls.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
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

/// This is the only test of its program, because other tests would allocate meanwhile.
#[test]
fn a_thread_that_has_a_lease_at_each_of_two_finds_both_without_an_allocation() {
    let arenas = [(); 2].map(|()| Arena::with_capacity(1 << 20).unwrap());
    let leases = arenas.each_ref().map(|arena| arena.leases(4096));
    let round = || leases.iter().for_each(|leases| *leases.alloc(0_u64).unwrap() += 1);
    let start = ALLOCATIONS.load(Relaxed);
    round();
    let before = ALLOCATIONS.load(Relaxed);
    assert!(before > start, "a table each was made, or nothing is counted");
    for _ in 0..1000 {
        round();
    }
    // The other thread of the test runner may allocate a few times. A thousand allocations would
    // show.
    let during = ALLOCATIONS.load(Relaxed) - before;
    assert!(during < 100, "{during} allocations in 1,000 rounds");
}
