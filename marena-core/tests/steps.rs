//! Memory that becomes ready in steps. No byte is handed out before it is ready, and the arena is
//! full where the memory cannot provide more.
// The memory writes bytes that nobody has claimed. AddressSanitizer is told that this is a fault.
#![cfg(not(marena_asan))]

use std::ptr::NonNull;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use marena_core::{AllocError, Allocate, Arena, AtomicU32, ExclusiveMemory, GivenBack, Memory, MemoryError, Reserve};

const CAPACITY: usize = if cfg!(miri) { 16 << 10 } else { 256 << 10 };
const STEP: usize = 1024;
/// The content of bytes that are not ready. No block may show or change one of them.
const UNREADY: u8 = 0xEE;

#[repr(align(128))]
#[expect(dead_code, reason = "reached through the region's pointer")]
struct Bytes([u8; CAPACITY]);

/// Memory whose first bytes are ready. At most `most` bytes can become ready.
struct Stepped {
    bytes: NonNull<Bytes>,
    ready: AtomicUsize,
    most: AtomicUsize,
    provided: AtomicUsize,
}

impl Stepped {
    fn new(most: usize) -> Self {
        let bytes = Box::new(Bytes([UNREADY; CAPACITY]));
        let memory = Self {
            bytes: NonNull::from(Box::leak(bytes)),
            ready: AtomicUsize::new(0),
            most: AtomicUsize::new(most),
            provided: AtomicUsize::new(0),
        };
        memory.make_ready(STEP);
        memory
    }

    /// A byte of the region. The caller passes an offset below the capacity.
    fn byte(&self, offset: usize) -> NonNull<u8> {
        assert!(offset < CAPACITY);
        // SAFETY: in the region.
        unsafe { self.bytes.cast::<u8>().add(offset) }
    }

    fn make_ready(&self, end: usize) {
        let ready = self.ready.load(Relaxed);
        for offset in ready..end {
            // SAFETY: in the region, and not ready, so nothing else uses it.
            unsafe { self.byte(offset).write(0) };
        }
        self.ready.store(end.max(ready), Relaxed);
    }

    /// Asserts that no byte was written before it was ready.
    fn check(&self) {
        for offset in self.ready.load(Relaxed)..CAPACITY {
            // SAFETY: in the region, and not ready, so nothing else uses it.
            let byte = unsafe { self.byte(offset).read() };
            assert_eq!(byte, UNREADY, "byte {offset} was written before it was ready");
        }
    }
}

// SAFETY: the bytes are valid as long as the value; bytes that are not ready are not zero, and
// become zero before they are ready.
unsafe impl Memory for Stepped {
    type Word = AtomicU32;

    fn region(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.bytes.cast(), CAPACITY)
    }

    fn is_zeroed(&self) -> bool {
        true
    }

    fn ready(&self) -> usize {
        self.ready.load(Relaxed)
    }

    fn provide(&self, len: usize) -> bool {
        self.provided.fetch_add(1, Relaxed);
        let end = len.next_multiple_of(STEP).min(CAPACITY);
        let possible = end <= self.most.load(Relaxed);
        if possible {
            self.make_ready(end);
        }
        possible || len <= self.ready()
    }
}

// SAFETY: nothing else has the pointer, and the value is not `Clone`.
unsafe impl ExclusiveMemory for Stepped {}

impl Reserve for Stepped {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = marena_core::NoThreads<T>;
    const MAX_CAPACITY: usize = CAPACITY;

    fn reserve(_: usize) -> Result<Self, MemoryError> {
        Ok(Self::new(CAPACITY))
    }

    unsafe fn give_back_past(&self, kept: usize) -> Result<GivenBack, MemoryError> {
        // Bytes behind the next step are not ready any more.
        let end = kept.next_multiple_of(STEP).min(self.ready());
        for offset in end..self.ready() {
            // SAFETY: in the region, and nothing uses it any more.
            unsafe { self.byte(offset).write(UNREADY) };
        }
        let bytes = self.ready() - end;
        self.ready.store(end, Relaxed);
        // Where it gave nothing back, it promises nothing.
        Ok(GivenBack { bytes, zero_from: if bytes == 0 { usize::MAX } else { end } })
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        // SAFETY: leaked by `new`.
        drop(unsafe { Box::from_raw(self.bytes.as_ptr()) });
    }
}

fn arena(most: usize) -> Arena<Stepped> {
    Arena::new(Stepped::new(most)).unwrap()
}

/// Allocates blocks of many sizes until one does not fit. Each is zero and lies in ready bytes.
/// Without `memory`, the test checks the ready bytes afterwards.
fn fill<'a>(allocator: impl Allocate<'a>, memory: Option<&Stepped>) -> AllocError {
    let mut size = 1;
    loop {
        let block = allocator.allocate_aligned(size, 8 << (size % 5));
        let mut block = match block {
            Ok(block) => block,
            Err(error) => break error,
        };
        let end = block.address().offset() as usize + block.len();
        assert!(memory.is_none_or(|memory| end <= memory.ready()), "{end}");
        assert!(block.iter().all(|&byte| byte == 0));
        block.fill(0xA5);
        size = (size * 7 + 13) % 3000 + 1;
    }
}

#[test]
fn every_way_to_allocate_hands_out_only_what_is_ready() {
    let mut arena = arena(CAPACITY);
    for round in 0..3 {
        assert!(matches!(fill(&arena, Some(arena.memory())), AllocError::Full { .. }));
        arena.allocate(arena.remaining()).unwrap();
        assert_eq!(arena.memory().ready(), CAPACITY, "round {round}");
        arena.reset();
        arena.trim().unwrap();
        assert_eq!(arena.memory().ready(), STEP);

        let lease = arena.lease(5000);
        fill(&lease, Some(arena.memory()));
        drop(lease);
        arena.reset();
        arena.trim().unwrap();

        let mut scratch = arena.scratch();
        scratch.allocate(1000).unwrap().fill(1);
        let inner = scratch.scratch();
        inner.allocate(5000).unwrap().fill(1);
        drop(inner);
        drop(scratch);
        arena.memory().check();
        let scratch = arena.scratch();
        assert!(matches!(scratch.allocate(CAPACITY), Err(AllocError::Full { .. })));
        scratch.allocate(scratch.remaining() / 2).unwrap().fill(1);
        drop(scratch);
        arena.memory().check();

        let mut lease = arena.lease(500);
        lease.alloc([1_u8; 700]).unwrap();
        let scratch = lease.scratch();
        fill(&scratch, Some(arena.memory()));
        drop(scratch);
        drop(lease);
        arena.memory().check();
        arena.wipe();
        arena.trim().unwrap();
        arena.memory().check();
    }
}

#[test]
fn a_small_allocation_makes_few_bytes_ready() {
    let arena = arena(CAPACITY);
    for _ in 0..100 {
        arena.alloc(1_u64).unwrap();
    }
    assert_eq!((arena.memory().ready(), arena.memory().provided.load(Relaxed)), (STEP, 0));
    let lease = arena.lease(2 * STEP);
    lease.alloc([1_u8; STEP]).unwrap();
    assert!(arena.memory().ready() <= 6 * STEP);
    assert_eq!(arena.remaining() + arena.used(), CAPACITY - 128, "bytes that can become ready count as room");
}

#[test]
fn an_arena_whose_memory_provides_no_more_is_full_and_says_what_still_fits() {
    for most in [STEP, 2 * STEP, 5 * STEP] {
        let mut arena = arena(most);
        let remaining = |error| match error {
            AllocError::Full { remaining, .. } => remaining,
            other => panic!("{other}"),
        };
        let left = remaining(arena.allocate(most).unwrap_err());
        assert_eq!(left, arena.memory().ready() - 128);
        arena.allocate(left).unwrap();
        // The previous claim did not need these bytes; the next one does.
        while let Ok(block) = arena.allocate(8) {
            assert!(block.address().offset() as usize + 8 <= most);
        }
        assert_eq!(arena.used(), most - 128);
        assert_eq!(remaining(arena.alloc(1_u8).unwrap_err()), 0);
        arena.memory().check();
        arena.reset();

        // A lease that cannot have a whole chunk claims only what the request needs.
        let lease = arena.lease(CAPACITY);
        while lease.alloc(1_u64).is_ok() {}
        drop(lease);
        assert_eq!(arena.used(), most - 128);
        arena.reset();
        let lease = arena.lease(100);
        let left = remaining(lease.allocate(most).unwrap_err());
        lease.allocate(left).unwrap();
        drop(lease);
        arena.reset();

        let scratch = arena.scratch();
        let left = remaining(scratch.allocate(most).unwrap_err());
        scratch.allocate(left).unwrap();
        while scratch.allocate(8).is_ok() {}
        assert_eq!(remaining(scratch.alloc(1_u8).unwrap_err()), 0);
        drop(scratch);
        arena.memory().check();

        // The memory can provide more later.
        arena.memory().most.store(CAPACITY, Relaxed);
        arena.reset();
        arena.allocate(arena.remaining()).unwrap().fill(1);
    }
}

#[test]
fn an_arena_that_is_found_with_more_used_than_is_ready_is_full() {
    for used in [3 * STEP, CAPACITY - 256] {
        let arena = arena(CAPACITY);
        arena.allocate(used).unwrap();
        let memory = arena.into_memory();
        memory.ready.store(STEP, Relaxed);
        memory.most.store(STEP, Relaxed);
        // SAFETY: a header of an arena, of which nothing is used any more.
        let mut arena = unsafe { Arena::attach(memory) }.unwrap();
        let full = |size| Err(AllocError::Full { requested: size, remaining: 0 });
        for size in [1, 64, 128] {
            assert_eq!(arena.allocate(size).map(drop), full(size));
            assert_eq!(arena.lease(256).allocate(size).map(drop), full(size));
            assert_eq!(arena.lease(256).scratch().allocate(size).map(drop), full(size));
            assert_eq!(arena.scratch().allocate(size).map(drop), full(size));
        }
        assert_eq!(arena.used(), used);
    }
}

#[test]
fn a_leaked_scope_over_the_whole_arena_makes_nothing_ready() {
    let mut arena = arena(CAPACITY);
    std::mem::forget(arena.scratch());
    assert_eq!(arena.remaining(), 0);
    arena.reset();
    assert_eq!(arena.stats().high_water, STEP - 128);
    let scratch = arena.scratch();
    fill(&scratch, None);
    drop(scratch);
    std::mem::forget(arena.scratch());
    arena.trim().unwrap();
    arena.reset();
    arena.wipe();
    arena.memory().check();

    std::mem::forget(arena.scratch());
    let mut arena = Arena::new(arena.into_memory()).unwrap();
    arena.scratch().allocate(100).unwrap().fill(1);
    arena.wipe();
    arena.memory().check();

    std::mem::forget(arena.scratch());
    // SAFETY: nothing from before is used.
    unsafe { arena.reset_shared() };
    arena.scratch().allocate(100).unwrap().fill(1);
    arena.memory().check();
    assert!(fill_ends_full(&arena));
}

fn fill_ends_full(arena: &Arena<Stepped>) -> bool {
    matches!(fill(arena, Some(arena.memory())), AllocError::Full { .. })
}

#[cfg(feature = "allocator-api2")]
#[test]
fn what_a_leaked_scope_claimed_and_is_not_ready_is_not_among_what_is_allocated() {
    let mut arena = arena(CAPACITY);
    std::mem::forget(arena.scratch());
    assert_eq!(arena.remaining(), 0);
    let ready = arena.memory().ready();
    assert_eq!(arena.allocated().len(), ready - 128);
}

#[test]
fn growing_in_place_makes_its_new_bytes_ready() {
    use allocator_api2::vec::Vec;

    let arena = arena(4 * STEP);
    let mut bytes = Vec::new_in(&arena);
    while bytes.try_reserve(1).is_ok() && bytes.len() < CAPACITY {
        bytes.push(1_u8);
        assert!(arena.used() + 128 <= arena.memory().ready());
    }
    assert!(bytes.len() > STEP);
    arena.memory().check();
}

#[test]
fn memory_that_gives_nothing_back_and_promises_nothing_leaves_the_high_water_mark() {
    let mut arena = Arena::new(Stepped::new(CAPACITY)).unwrap();
    arena.allocate(STEP).unwrap();
    arena.trim().unwrap();
    let before = arena.stats();
    assert_eq!(arena.trim(), Ok(0));
    assert_eq!(arena.stats(), before);
}
