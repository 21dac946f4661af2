//! Counts what a program takes from the system's allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// The system's allocator, which counts while [`count`] runs and otherwise costs one load.
#[derive(Debug)]
pub struct CountingAllocator;

/// What the whole process took from the heap during [`count`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heap {
    /// Blocks that were allocated, moved or grown.
    pub calls: usize,
    /// Bytes that were asked for and not freed.
    pub requested: usize,
    /// Bytes that the allocator took for them, as far as is known on this system.
    pub taken: usize,
}

static COUNTING: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicUsize = AtomicUsize::new(0);
static REQUESTED: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Runs `work` and returns what it took from the heap. Blocks from before must not be freed in it.
///
/// Not for two threads at the same time.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Heap) {
    // ORDERING: Relaxed, in this file: counts that order nothing. What other threads do for `work`
    // is done when it returns.
    for counter in [&CALLS, &REQUESTED, &TAKEN] {
        counter.store(0, Relaxed);
    }
    COUNTING.store(true, Relaxed);
    let done = work();
    COUNTING.store(false, Relaxed);
    let [calls, requested, taken] = [&CALLS, &REQUESTED, &TAKEN].map(|counter| counter.load(Relaxed));
    (done, Heap { calls, requested, taken })
}

/// Bytes that a block takes: those that can be used, and the word before them in which glibc holds
/// their number.
#[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
fn taken(block: *mut u8, _: Layout) -> usize {
    // SAFETY: null, or a block of glibc's that is not freed yet.
    let usable = unsafe { libc::malloc_usable_size(block.cast()) };
    usable + size_of::<usize>()
}

/// Bytes that a block takes, as far as is known here.
#[cfg(not(all(target_os = "linux", target_env = "gnu", not(miri))))]
fn taken(_: *mut u8, layout: Layout) -> usize {
    layout.size()
}

// SAFETY: every call goes to the system's allocator as it is; counting touches no block. The
// methods that are not here call these.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let block = unsafe { System.alloc(layout) };
        if COUNTING.load(Relaxed) {
            CALLS.fetch_add(1, Relaxed);
            REQUESTED.fetch_add(layout.size(), Relaxed);
            TAKEN.fetch_add(taken(block, layout), Relaxed);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if COUNTING.load(Relaxed) {
            REQUESTED.fetch_sub(layout.size(), Relaxed);
            TAKEN.fetch_sub(taken(block, layout), Relaxed);
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}
