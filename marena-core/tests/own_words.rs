//! Memory and atomic words of the user's own.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use marena_core::{
    AllocError, Arena, ExclusiveMemory, GrowingArena, Header, Memory, MemoryError, NoThreads, Reserve, Word,
};

/// A word on the heap, as a test double or a model checker may have. All-zero bytes are not a valid
/// value.
///
/// Its weak compare-and-swap fails spuriously a given number of times. Rivals claim a step before
/// its strong compare-and-swap.
struct BoxedWord(Box<AtomicU32>);

thread_local! {
    static FAILURES: Cell<u32> = const { Cell::new(0) };
    static RIVALS: Cell<u32> = const { Cell::new(0) };
}

// SAFETY: each method is the operation of its name on the boxed `u32`. Such words lie only in
// headers beside the region.
unsafe impl Word for BoxedWord {
    fn load(&self, order: Ordering) -> u32 {
        self.0.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.0.store(value, order);
    }

    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        let rivals = RIVALS.get();
        if rivals > 0 {
            RIVALS.set(rivals - 1);
            self.0.fetch_add(8, Ordering::Relaxed);
        }
        self.0.compare_exchange(current, new, success, failure)
    }

    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        let failures = FAILURES.get();
        if failures > 0 {
            FAILURES.set(failures - 1);
            return Err(self.0.load(failure));
        }
        self.0.compare_exchange_weak(current, new, success, failure)
    }
}

/// A region on the heap, with its header in a box.
struct TwoPieces {
    region: NonNull<u8>,
    header: NonNull<Header<BoxedWord>>,
}

const LAYOUT: Layout = match Layout::from_size_align(4096, 128) {
    Ok(layout) => layout,
    Err(_) => panic!("a valid layout"),
};

impl TwoPieces {
    fn new() -> Self {
        // SAFETY: the layout is not empty.
        let region = NonNull::new(unsafe { alloc(LAYOUT) }).expect("4 KiB");
        let header = Box::new(Header::from_words(|| BoxedWord(Box::new(AtomicU32::new(0)))));
        Self { region, header: NonNull::from(Box::leak(header)) }
    }
}

impl Drop for TwoPieces {
    fn drop(&mut self) {
        // SAFETY: made from a box in `new`, and not used again.
        drop(unsafe { Box::from_raw(self.header.as_ptr()) });
        // SAFETY: allocated with this layout in `new`, and not used again.
        unsafe { dealloc(self.region.as_ptr(), LAYOUT) };
    }
}

// SAFETY: both pieces stay in place and are valid from any thread until the value is dropped. The
// value holds them as raw pointers that nothing else has. The header is valid from the start.
unsafe impl Memory for TwoPieces {
    type Word = BoxedWord;

    fn region(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.region, LAYOUT.size())
    }

    fn header(&self) -> NonNull<Header<BoxedWord>> {
        self.header
    }
}

// SAFETY: the value owns both pieces.
unsafe impl ExclusiveMemory for TwoPieces {}

impl Reserve for TwoPieces {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = NoThreads<T>;
    const MAX_CAPACITY: usize = LAYOUT.size();

    fn reserve(_: usize) -> Result<Self, MemoryError> {
        Ok(Self::new())
    }
}

fn growing() -> GrowingArena<TwoPieces> {
    GrowingArena::builder().first_segment(LAYOUT.size()).max_segment(LAYOUT.size()).build().unwrap()
}

#[test]
fn a_header_beside_the_region_keeps_its_words() {
    let mut arena = Arena::new(TwoPieces::new()).unwrap();
    let handle = arena.allocate(100).unwrap().publish();
    assert_eq!(arena.view(handle), Some(&[0; 100][..]));
    arena.reset();
    assert_eq!(arena.used(), 0);
    let again = Arena::new(arena.into_memory()).unwrap();
    assert_eq!(again.remaining(), 4096 - 128);
}

#[test]
fn a_growing_arena_finds_headers_beside_their_regions() {
    let mut arena = growing();
    let (mut blocks, lease) = (Vec::new(), arena.lease(512));
    for mark in 0..100_u8 {
        let block = if mark % 3 == 0 { lease.allocate(200) } else { arena.allocate(200) };
        blocks.push((block.unwrap().into_mut(), mark));
        blocks.last_mut().unwrap().0.fill(mark);
    }
    assert!(blocks.iter().all(|(block, mark)| block.iter().all(|byte| byte == mark)));
    drop(lease);
    let used = arena.segments().map(Arena::used).min();
    assert!(used >= Some(2_000), "all segments are in use: {arena:?}");
    assert!((6..9).contains(&arena.segments().count()), "{arena:?}");
    arena.reset();
    assert_eq!(arena.stats().used, 0);
}

#[test]
fn a_bounded_allocation_ends_when_rivals_came_before_all_its_attempts() {
    let arena = Arena::new(TwoPieces::new()).unwrap();
    let mut lease = arena.lease(0);
    let ended = |outcome: Result<marena_core::Block<'_>, AllocError>, retries, attempts| {
        assert_eq!(outcome.unwrap_err(), AllocError::Contended { retries });
        assert_eq!(RIVALS.replace(0), 1000 - attempts);
        RIVALS.set(1000);
    };
    RIVALS.set(1000);
    for retries in [0, 1, 7] {
        ended(arena.allocate_bounded(8, retries), retries, retries + 1);
        // A lease's first attempt is to extend its chunk.
        ended(lease.allocate_bounded(8, retries), retries, retries + 2);
        ended(lease.scratch().allocate_bounded(8, retries), retries, retries + 2);
        ended(lease.scratch().scratch().allocate_bounded(8, retries), retries, retries + 2);
    }
    let growing = growing();
    RIVALS.set(0);
    growing.allocate(8).unwrap();
    RIVALS.set(1000);
    for retries in [0, 1, 7] {
        ended(growing.allocate_bounded(8, retries), retries, retries + 1);
    }
    for retries in [0, 1, 7] {
        RIVALS.set(retries);
        assert!(arena.allocate_bounded(8, retries).is_ok());
        RIVALS.set(retries + 1);
        assert!(lease.scratch().allocate_bounded(8, retries).is_ok());
    }
    RIVALS.set(0);
}

#[test]
fn an_allocation_succeeds_however_often_a_weak_compare_and_swap_fails() {
    let arena = Arena::new(TwoPieces::new()).unwrap();
    FAILURES.set(1000);
    assert!(arena.allocate_bounded(8, 0).is_ok());
    assert!(arena.lease(256).allocate_bounded(8, 0).is_ok());
    // No other thread used the arena, so no attempt failed.
    assert_eq!(FAILURES.replace(100), 1000);
    assert!(arena.allocate(8).is_ok());
    assert_eq!(FAILURES.replace(0), 0);
}
