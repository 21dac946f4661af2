//! An owned guard and an owned value take no memory from the general allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use marena_std::{Owned, Pool};

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
fn an_owned_value_from_guard_to_drop_makes_no_general_allocation() {
    let pool = Arc::new(Pool::with_capacity(2, 1 << 16).unwrap());
    let before = ALLOCATIONS.load(Relaxed);
    assert!(before > 0, "the pool itself was allocated, or nothing is counted");
    for _ in 0..1000 {
        let guard = pool.acquire_owned().unwrap();
        let mut block = guard.allocate(64).unwrap();
        block.fill(1);
        let handle = block.publish();
        let owned = Owned::new(guard, handle).unwrap();
        assert_eq!(owned.clone().iter().map(|&byte| usize::from(byte)).sum::<usize>(), 64);
    }
    // The other thread of the test runner may allocate a few times. A thousand allocations would
    // show.
    let during = ALLOCATIONS.load(Relaxed) - before;
    assert!(during < 100, "{during} allocations in 1,000 rounds");
}
