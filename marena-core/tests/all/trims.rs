//! What a trim and a shared reset make of the statistics, for memory that gives back any part.

use std::mem;
use std::ptr::NonNull;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use marena_core::{Arena, AtomicU32, ExclusiveMemory, GivenBack, Memory, MemoryError, NoThreads, Reserve};

use crate::owned::{Owned, byte_of, zeroed_arena};

const LEN: usize = 1024;
const HEADER: usize = 128;

/// Memory that gives back what it is told to.
struct Told<const ZEROED: bool> {
    memory: Owned,
    ready: AtomicUsize,
    /// The offset from which on the bytes are zero after they were given back.
    zero_from: AtomicUsize,
}

impl<const ZEROED: bool> Told<ZEROED> {
    fn new(ready: usize) -> Self {
        Self { memory: Owned::new(LEN), ready: ready.into(), zero_from: 0.into() }
    }
}

// SAFETY: the bytes are those of `memory`. All of them are valid, and zero at first.
unsafe impl<const ZEROED: bool> Memory for Told<ZEROED> {
    type Word = AtomicU32;

    fn region(&self) -> NonNull<[u8]> {
        self.memory.region()
    }

    fn ready(&self) -> usize {
        self.ready.load(Relaxed)
    }

    fn is_zeroed(&self) -> bool {
        ZEROED
    }
}

// SAFETY: nothing else reaches `memory`.
unsafe impl<const ZEROED: bool> ExclusiveMemory for Told<ZEROED> {}

impl<const ZEROED: bool> Reserve for Told<ZEROED> {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = NoThreads<T>;
    const MAX_CAPACITY: usize = LEN;

    fn reserve(_: usize) -> Result<Self, MemoryError> {
        Ok(Self::new(LEN))
    }

    unsafe fn give_back_past(&self, kept: usize) -> Result<GivenBack, MemoryError> {
        let zero_from = self.zero_from.load(Relaxed);
        for offset in zero_from.max(kept)..LEN {
            // SAFETY: in the region, behind what is in use.
            unsafe { byte_of(self, offset).write(0) };
        }
        Ok(GivenBack { bytes: 5, zero_from })
    }
}

/// Returns an arena with `used` bytes in use, that had `recent` bytes since a reset and `peak`
/// before it.
fn with_peaks<const ZEROED: bool>(used: usize, recent: usize, peak: usize) -> Arena<Told<ZEROED>> {
    let mut arena = Arena::new(Told::new(LEN)).unwrap();
    arena.allocate(peak).unwrap().fill(0xEE);
    arena.reset();
    arena.allocate(used).unwrap().fill(0xEE);
    drop(arena.alloc_vec::<u8>(recent - used).unwrap());
    let stats = arena.stats();
    assert_eq!((stats.used, stats.high_water_since_reset, stats.high_water), (used, recent, peak));
    arena
}

#[test]
fn a_trim_lowers_the_marks_to_where_the_memory_is_zero_in_whole_steps() {
    let offsets = if cfg!(miri) { 37 } else { 1 };
    for (used, recent, peak) in [(0, 0, 0), (0, 0, 896), (0, 200, 400), (8, 200, 400), (200, 200, 400), (200, 400, 400)]
    {
        for zero_from in (0..=LEN + 16).step_by(offsets).chain([usize::MAX - 1, usize::MAX]) {
            let mut arena = with_peaks::<true>(used, recent, peak);
            arena.memory().zero_from.store(zero_from, Relaxed);
            assert_eq!(arena.trim(), Ok(5));
            // The bytes in use count, and nothing past the region.
            let zero = zero_from.clamp(HEADER + used, LEN).next_multiple_of(8) - HEADER;
            let stats = arena.stats();
            let marks = (stats.used, stats.high_water_since_reset, stats.high_water);
            assert_eq!(marks, (used, recent.min(zero), peak.min(zero)), "{zero_from}");
            assert!(arena.allocate(LEN - HEADER - used).unwrap().iter().all(|&byte| byte == 0));
        }
    }
}

#[test]
fn a_trim_of_memory_that_is_not_zeroed_leaves_the_marks_where_they_are() {
    for zero_from in [0, HEADER, 300, LEN, usize::MAX] {
        let mut arena = with_peaks::<false>(8, 200, 400);
        arena.memory().zero_from.store(zero_from, Relaxed);
        assert_eq!(arena.trim(), Ok(5));
        assert_eq!((arena.stats().high_water_since_reset, arena.stats().high_water), (200, 400));
    }
}

#[test]
fn memory_that_gives_nothing_back_keeps_its_marks() {
    let mut arena = zeroed_arena(LEN);
    drop(arena.alloc_vec::<u8>(400).unwrap());
    assert_eq!((arena.trim(), arena.stats().high_water), (Ok(0), 400));
}

#[test]
fn a_shared_reset_begins_a_generation_and_hands_out_no_byte_that_is_not_ready() {
    for (ready, leaked) in
        [HEADER + 8, 512, 517, LEN - 8, LEN].into_iter().flat_map(|ready| [(ready, false), (ready, true)])
    {
        let mut arena = Arena::new(Told::<true>::new(ready)).unwrap();
        let bytes = (ready & !7) - HEADER;
        drop(arena.alloc_vec::<u8>(8).unwrap());
        assert_eq!(arena.stats().high_water_since_reset, 8);
        arena.alloc(0_u64).unwrap();
        if leaked {
            // Such a scope may keep the whole region, although not all of it is ready.
            mem::forget(arena.scratch());
        }
        let used = arena.used();
        // SAFETY: nothing of the arena is used, and no other thread has it.
        unsafe { arena.reset_shared() };
        let stats = arena.stats();
        assert_eq!((stats.used, stats.high_water_since_reset, stats.stranded), (0, 0, 0));
        assert_eq!(stats.high_water, used.clamp(8, bytes), "{ready}");
        assert!(arena.allocate(bytes).unwrap().iter().all(|&byte| byte == 0));
    }
}
