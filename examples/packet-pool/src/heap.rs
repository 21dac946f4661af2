//! Counts the calls of the system's allocator, to show that there are none.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

pub(crate) struct CountingAllocator;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// By all threads, since the process began.
pub(crate) fn allocations() -> usize {
    // ORDERING: Relaxed, here and below: a count. Who wants it exact waits for the threads first.
    ALLOCATIONS.load(Relaxed)
}

// SAFETY: every call goes to the system's allocator as it is; counting touches no block. The methods that are not here call these.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}
