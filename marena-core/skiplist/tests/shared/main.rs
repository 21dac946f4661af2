//! The map in a file.

// Miri maps no files.
#![cfg(all(feature = "mapped", unix, target_has_atomic = "64", not(miri)))]

mod damage;
mod far;
mod file;
mod hostile;
mod index;
mod layout;
mod processes;
mod verify;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use marena_skiplist::{ByteOrder, Mapped, SharedMap};
use marena_std::MappedArena;

thread_local! {
    /// The largest allocation that this thread can have, in bytes.
    static MOST: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Calls `work` while larger allocations of this thread fail.
fn with_allocations_up_to<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    MOST.set(bytes);
    let done = work();
    MOST.set(usize::MAX);
    done
}

/// The system's allocator, with a limit for each thread.
struct Limited;

// SAFETY: every method forwards to the system's allocator, or fails.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A message with a backtrace takes more, and a panic without memory for it may hang.
        if layout.size() > MOST.get() && !std::thread::panicking() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;

/// A file that is removed at the end.
struct TestFile(PathBuf);

impl TestFile {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // ORDERING: Relaxed: a number for each.
        let number = COUNT.fetch_add(1, Relaxed);
        Self(std::env::temp_dir().join(format!("marena-skiplist-{}-{number}", std::process::id())))
    }

    fn create(&self, capacity: usize) -> MappedArena {
        // SAFETY: the file is this test's own, and nobody makes it shorter; here and below.
        unsafe { MappedArena::create(&self.0, capacity) }.unwrap()
    }

    fn open(&self) -> MappedArena {
        // SAFETY: as above.
        unsafe { MappedArena::open(&self.0) }.unwrap()
    }

    /// A map in a new file.
    fn map(&self, capacity: usize) -> SharedMap<Mapped, ByteOrder> {
        SharedMap::create(self.create(capacity), 0, ByteOrder).unwrap()
    }

    /// The map in the file, once more.
    fn reopen(&self) -> SharedMap<Mapped, ByteOrder> {
        SharedMap::open(self.open(), 0, ByteOrder).unwrap()
    }
}

impl AsRef<Path> for TestFile {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The 32-bit word at an offset of a file.
fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// The offsets and heights of the nodes of a map in slot 0, in order.
fn nodes(bytes: &[u8]) -> Vec<(usize, usize)> {
    let head = word(bytes, 28) + 160;
    let next = |node: usize| Some(word(bytes, node - 4)).filter(|&next| next != 0);
    std::iter::successors(next(head), |&node| next(node)).map(|node| (node, word(bytes, node) % 32 + 1)).collect()
}

/// The same numbers at every run.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    })
}
