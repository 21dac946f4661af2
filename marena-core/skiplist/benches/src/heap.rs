//! What a peer's entries take on the heap, counted by the allocator they come from.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// The system's allocator, which counts while [`count`] runs and otherwise costs one load.
pub(crate) struct Counting;

static COUNTING: AtomicBool = AtomicBool::new(false);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Returns what `fill` makes, and the bytes that it leaves on the heap.
pub(crate) fn count<T>(fill: impl FnOnce() -> T) -> (T, usize) {
    // ORDERING: Relaxed, here and below: one thread counts, and reads what it counted.
    TAKEN.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
    let filled = fill();
    COUNTING.store(false, Relaxed);
    (filled, TAKEN.load(Relaxed))
}

/// Bytes that a block takes: those that can be used, and the word before them in which glibc holds
/// their number.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn taken(block: *mut u8, _: Layout) -> usize {
    // SAFETY: null, or a block of glibc's that is not freed yet.
    let usable = unsafe { libc::malloc_usable_size(block.cast()) };
    usable + size_of::<usize>()
}

/// Bytes that a block takes, as far as is known here.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn taken(_: *mut u8, layout: Layout) -> usize {
    layout.size()
}

// SAFETY: every call goes to the system's allocator as it is; counting touches no block.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let block = unsafe { System.alloc(layout) };
        // ORDERING: Relaxed: see `count`.
        if COUNTING.load(Relaxed) {
            TAKEN.fetch_add(taken(block, layout), Relaxed);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // ORDERING: as above.
        if COUNTING.load(Relaxed) {
            TAKEN.fetch_sub(taken(block, layout), Relaxed);
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}
