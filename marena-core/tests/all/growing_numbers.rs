//! Growing arenas by their numbers: statistics, the sizes of segments, and where blocks lie.

use std::cell::Cell;
use std::ptr::NonNull;

use marena_core::{
    ARENA_MAX_ALLOC_SIZE, AllocError, Arena, AtomicU32, Claim, ExclusiveMemory, GivenBack, GrowingArena, GrowthError,
    Memory, MemoryError, NoThreads, Reserve, Stats,
};

use crate::owned::Owned;

thread_local! {
    /// How many regions this thread's memories may still reserve, and how many may be trimmed
    /// before one fails. A test runs on one thread.
    static REGIONS: Cell<usize> = const { Cell::new(usize::MAX) };
    static TRIMS: Cell<usize> = const { Cell::new(usize::MAX) };
    /// How many trims were asked for.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

/// Memory whose supply can end. It gives back everything that it can, in steps of 8 bytes.
#[derive(Debug)]
struct Supply<const REMAP: usize>(Owned<REMAP>);

// SAFETY: the bytes are those of the memory within.
unsafe impl<const REMAP: usize> Memory for Supply<REMAP> {
    type Word = AtomicU32;
    const REMAP_ALIGN: Option<usize> = <Owned<REMAP> as Memory>::REMAP_ALIGN;

    fn region(&self) -> NonNull<[u8]> {
        self.0.region()
    }
}

// SAFETY: nothing else reaches the memory within.
unsafe impl<const REMAP: usize> ExclusiveMemory for Supply<REMAP> {}

fn take(left: &'static std::thread::LocalKey<Cell<usize>>) -> Result<(), MemoryError> {
    let less = left.get().checked_sub(1).ok_or(MemoryError::TooSmall { required: 1, len: 0 })?;
    left.set(less);
    Ok(())
}

impl<const REMAP: usize> Reserve for Supply<REMAP> {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = NoThreads<T>;
    const MAX_CAPACITY: usize = if REMAP == 1 { usize::MAX } else { 1 << 20 };

    fn reserve(capacity: usize) -> Result<Self, MemoryError> {
        take(&REGIONS).map(|()| Self(Owned::new(capacity)))
    }

    unsafe fn give_back_past(&self, kept: usize) -> Result<GivenBack, MemoryError> {
        ASKED.set(ASKED.get() + 1);
        take(&TRIMS).map(|()| GivenBack { bytes: self.region().len() - kept, zero_from: usize::MAX })
    }
}

type Growing = GrowingArena<Supply<0>>;

/// A growing arena whose segments have 1,024, 2,048 and from then on 4,096 bytes.
fn growing(limit: usize) -> Growing {
    GrowingArena::builder().first_segment(1024).max_segment(4096).limit(limit).build().unwrap()
}

fn capacities(arena: &Growing) -> Vec<usize> {
    arena.segments().map(Arena::capacity).collect()
}

/// Allocates 8 bytes at a time until the arena has so many segments.
fn grow_to(arena: &Growing, segments: usize) {
    while arena.segments().count() < segments {
        arena.alloc(0_u64).unwrap();
    }
}

fn numbers(stats: Stats) -> [usize; 8] {
    let Stats { capacity, used, remaining, high_water, high_water_since_reset, stranded, leased, failed, .. } = stats;
    [capacity, remaining, stranded, leased, failed, used, high_water, high_water_since_reset]
}

/// How many numbers of `numbers` are sums over the segments as they are. The last three count from
/// each segment's first block.
const PLAIN: usize = 5;

#[test]
fn the_statistics_are_the_sums_over_the_segments_from_their_first_blocks_on() {
    let mut arena: Growing = GrowingArena::builder().first_segment(8192).max_segment(16_384).build().unwrap();
    for round in 1..=4 {
        // A chunk that is stranded, one that a lease keeps for good, bytes that come back, and
        // requests that fail in a segment.
        for leaked in [false, true] {
            let lease = arena.lease(4096);
            for _ in 0..300 {
                lease.alloc(0_u64).unwrap();
            }
            arena.allocate(8).unwrap();
            if leaked {
                std::mem::forget(lease);
            }
        }
        drop(arena.alloc_vec::<u64>(10 * round).unwrap());
    }
    assert!(arena.segments().count() > 2);
    let sums = |arena: &Growing| {
        arena.segments().map(|segment| numbers(segment.stats())).fold([0; 8], |sum, one| {
            assert!(one[0] > 0);
            std::array::from_fn(|i| sum[i] + one[i])
        })
    };
    let (all, parts) = (numbers(arena.stats()), sums(&arena));
    assert!(all.iter().all(|&number| number > 0), "{:?}", arena.stats());
    // A reset leaves what lies before the first block of each segment.
    arena.reset();
    let before: usize = arena.segments().map(Arena::used).sum();
    assert!(before > 0);
    for i in 0..8 {
        assert_eq!(all[i], parts[i] - if i < PLAIN { 0 } else { before }, "number {i}");
    }
    let (all, parts) = (numbers(arena.stats()), sums(&arena));
    assert_eq!(all[..PLAIN], parts[..PLAIN]);
    assert_eq!([all[5], all[7]], [0, 0]);
    assert_eq!(all[6], parts[6] - before);
}

#[test]
fn a_reset_or_a_trim_begins_with_the_first_segment_again() {
    for trimmed in [false, true] {
        let mut arena = growing(usize::MAX);
        arena.alloc(0_u64).unwrap();
        arena.allocate(1500).unwrap();
        let lies_in_the_first = |arena: &Growing| {
            let block = NonNull::from(arena.alloc(1_u64).unwrap());
            arena.segments().map(|segment| segment.contains(block)).collect::<Vec<_>>() == [true, false]
        };
        assert!(!lies_in_the_first(&arena));
        if trimmed {
            arena.trim().unwrap();
        } else {
            arena.reset();
        }
        assert!(lies_in_the_first(&arena));
    }
}

#[test]
fn a_segment_that_serves_is_the_first_that_the_next_request_tries() {
    let arena = growing(usize::MAX);
    grow_to(&arena, 3);
    let failed = arena.stats().failed;
    for _ in 0..20 {
        arena.alloc(0_u64).unwrap();
    }
    assert_eq!(arena.stats().failed, failed);
    // After a reset as well, when the segments are there already.
    let mut arena = arena;
    arena.reset();
    let mut used = 0;
    while arena.segments().nth(1).unwrap().used() != used {
        used = arena.segments().nth(1).unwrap().used();
        arena.alloc(0_u64).unwrap();
    }
    while arena.segments().nth(1).unwrap().used() == used {
        arena.alloc(0_u64).unwrap();
    }
    let failed = arena.stats().failed;
    for _ in 0..20 {
        arena.alloc(0_u64).unwrap();
    }
    assert_eq!(arena.stats().failed, failed);
}

#[test]
fn a_request_that_the_last_segments_have_no_room_for_goes_on_in_a_new_one() {
    let arena = growing(usize::MAX);
    arena.alloc(0_u64).unwrap();
    arena.allocate(1500).unwrap();
    assert_eq!(capacities(&arena), [1024, 2048]);
    // The first one would have room for it.
    arena.allocate(500).unwrap();
    assert_eq!(capacities(&arena), [1024, 2048, 4096]);
}

#[test]
fn a_trim_frees_unused_segments_and_says_how_many_bytes_went_back() {
    let mut arena = growing(18_000);
    assert_eq!(arena.trim(), Ok(0));
    // A segment from which all went back is unused.
    drop(arena.alloc_vec::<u8>(100).unwrap());
    assert_eq!(capacities(&arena), [1024]);
    assert_eq!((arena.trim(), arena.segments().count()), (Ok(1024), 0));
    // So the series begins anew.
    grow_to(&arena, 3);
    let own = arena.allocate(5000).unwrap().len();
    let large = arena.segments().map(Arena::capacity).find(|&capacity| capacity > own).unwrap();
    assert_eq!(capacities(&arena), [large, 1024, 2048, 4096]);
    let kept = |arena: &Growing| arena.segments().map(|segment| segment.capacity() - 128 - segment.used()).sum();
    let rest: usize = kept(&arena);
    assert_eq!(arena.trim(), Ok(rest));
    // Nothing went away, so the next one is as large as those before, until the limit.
    grow_to(&arena, 5);
    assert_eq!(capacities(&arena), [large, 1024, 2048, 4096, 4096]);
    let left = 18_000 - capacities(&arena).iter().sum::<usize>();
    grow_to(&arena, 6);
    assert_eq!(capacities(&arena), [large, 1024, 2048, 4096, 4096, left]);
    while arena.alloc(0_u64).is_ok() {}
    assert_eq!(arena.segments().count(), 6);

    // What was reset goes away, and counts no more towards the limit.
    arena.reset();
    assert_eq!(arena.trim(), Ok(18_000));
    grow_to(&arena, 4);
    assert_eq!(capacities(&arena), [1024, 2048, 4096, 4096]);
    arena.reset();
    // One of the series that is kept says where the series goes on.
    let wide = arena.allocate(1500).unwrap().len();
    assert_eq!(arena.trim(), Ok(1024 + 4096 + 4096 + kept(&arena)));
    assert_eq!(capacities(&arena), [2048]);
    assert!(wide > 1024);
    grow_to(&arena, 2);
    assert_eq!(capacities(&arena), [2048, 4096]);
    arena.reset();
    // A segment of its own says nothing about the series.
    arena.trim().unwrap();
    arena.allocate(6000).unwrap();
    arena.trim().unwrap();
    grow_to(&arena, 2);
    assert_eq!(capacities(&arena)[1], 1024);
}

#[test]
fn a_trim_that_fails_stops_at_the_segment_and_says_so() {
    for trims in 0..4 {
        let mut arena = growing(usize::MAX);
        grow_to(&arena, 3);
        TRIMS.set(trims);
        ASKED.set(0);
        let outcome = arena.trim();
        assert_eq!(ASKED.get(), 3.min(trims + 1));
        let left = TRIMS.replace(usize::MAX);
        assert_eq!((outcome.is_ok(), left), (trims >= 3, trims.saturating_sub(3)), "{trims}");
    }
}

#[test]
fn a_request_that_no_segment_can_serve_is_an_error_of_its_own() {
    let arena = growing(usize::MAX);
    for requested in [ARENA_MAX_ALLOC_SIZE + 1, usize::MAX] {
        assert_eq!(arena.allocate(requested).unwrap_err(), AllocError::TooLarge { requested });
        assert_eq!(arena.lease(64).allocate(requested).unwrap_err(), AllocError::TooLarge { requested });
    }
    assert!(matches!(arena.allocate(ARENA_MAX_ALLOC_SIZE), Err(AllocError::Full { .. })));
    assert_eq!(arena.segments().count(), 0);
    let mut arena = growing(usize::MAX);
    let scratch = arena.scratch();
    let requested = ARENA_MAX_ALLOC_SIZE + 1;
    assert_eq!(scratch.allocate(requested).unwrap_err(), AllocError::TooLarge { requested });
    // Not only in the scope's own segment is something left.
    for requested in [ARENA_MAX_ALLOC_SIZE - 1000, ARENA_MAX_ALLOC_SIZE] {
        let remaining = Claim::remaining(&scratch);
        assert_eq!(scratch.allocate(requested).unwrap_err(), AllocError::Full { requested, remaining });
    }
    scratch.allocate(Claim::remaining(&scratch)).unwrap();
}

#[test]
fn an_alignment_that_mappings_do_not_keep_fails_before_anything_is_reserved() {
    let mut arena = GrowingArena::<Supply<4096>>::new();
    let error = AllocError::Alignment { requested: 8192, supported: 4096 };
    assert_eq!(arena.allocate_aligned(8, 8192).unwrap_err(), error);
    assert_eq!(arena.lease(64).allocate_aligned(8, 8192).unwrap_err(), error);
    assert_eq!(arena.scratch().allocate_aligned(8, 8192).unwrap_err(), error);
    assert_eq!(arena.segments().count(), 0);
    arena.allocate_aligned(8, 4096).unwrap();
    let lease = arena.lease(64 << 10);
    for _ in 0..4000 {
        lease.alloc(0_u64).unwrap();
        // Its chunk would have a place for the block.
        assert_eq!(lease.allocate_aligned(8, 8192).unwrap_err(), error);
    }
    drop(lease);
    // In a scope, with room for it at hand or not.
    for size in [8, 40_000] {
        arena.scratch().allocate(size).unwrap();
        assert_eq!(arena.scratch().allocate_aligned(8, 8192).unwrap_err(), error);
    }
}

#[test]
fn segments_may_be_as_large_as_their_memory_can_be() {
    let most = Supply::<0>::MAX_CAPACITY;
    let arena: Growing = GrowingArena::builder().first_segment(most).max_segment(most).build().unwrap();
    arena.alloc(0_u64).unwrap();
    assert_eq!(capacities(&arena), [most]);
    let error = Growing::builder().max_segment(most + 1).build().unwrap_err();
    assert_eq!(error, GrowthError::MaxSegment { requested: most + 1, smallest: 1024, largest: most });
    assert!(error.to_string().contains(&(most + 1).to_string()), "{error}");
    let error = Growing::builder().first_segment(1023).build().unwrap_err();
    assert!(error.to_string().contains("1023") && error.to_string().contains("1024"), "{error}");
    let error = Growing::builder().first_segment(2048).limit(2047).build().unwrap_err();
    assert!(error.to_string().contains("2047") && error.to_string().contains("2048"), "{error}");
}

#[test]
fn no_more_is_left_than_one_request_can_have() {
    assert_eq!(Claim::remaining(&GrowingArena::<Supply<1>>::new()), ARENA_MAX_ALLOC_SIZE);
}

#[test]
fn what_is_left_below_a_page_is_what_the_segments_have() {
    let longest = |arena: &Growing| arena.segments().map(Arena::remaining).max().unwrap_or(0);
    let arena = growing(3072);
    // Less than a page: the memory may provide nothing.
    assert_eq!(Claim::remaining(&arena), 0);
    for _ in 0..200 {
        arena.alloc(0_u64).unwrap();
        assert_eq!(Claim::remaining(&arena), longest(&arena));
    }
    while arena.alloc(0_u64).is_ok() {}
    assert_eq!((Claim::remaining(&arena), longest(&arena)), (0, 0));
    assert_eq!(arena.alloc(0_u64), Err(AllocError::Full { requested: 8, remaining: 0 }));
    let lease = arena.lease(256);
    assert_eq!(Claim::remaining(&lease), 0);
    assert_eq!(lease.alloc(0_u64), Err(AllocError::Full { requested: 8, remaining: 0 }));

    // One lease can have what it holds, and what lies behind that.
    let arena = growing(1024);
    let lease = arena.lease(256);
    for _ in 0..2 {
        lease.alloc(0_u64).unwrap();
    }
    let left = Claim::remaining(&lease);
    assert!(left > arena.stats().remaining);
    lease.allocate(left).unwrap();
    assert_eq!((arena.stats().remaining, Claim::remaining(&lease)), (0, 0));

    // Even where more segments are full than a request looks at before.
    let mut arena: Growing =
        GrowingArena::builder().first_segment(1024).max_segment(1024).limit(70 * 1024).build().unwrap();
    grow_to(&arena, 70);
    arena.trim().unwrap();
    assert!(longest(&arena) > 0);
    assert_eq!(Claim::remaining(&arena), longest(&arena));
}

#[test]
fn what_a_lease_has_in_pieces_is_not_left_for_one_request() {
    let arena = growing(1024);
    let lease = arena.lease(64);
    // Others allocate behind each of its runs, so that it has several.
    let mut runs = 0;
    while lease.alloc_slice_copy(&[1_u8; 40]).is_ok() {
        runs += usize::from(arena.alloc(0_u64).is_ok());
    }
    assert!(runs > 2, "{runs}");
    let left = Claim::remaining(&lease);
    let error = AllocError::Full { requested: left + 1, remaining: left };
    assert_eq!(lease.allocate(left + 1).unwrap_err(), error);
    // It has more than the arena, which does not know what leases have.
    if cfg!(target_pointer_width = "64") {
        assert!(left > Claim::remaining(&arena), "{left}");
    }
    lease.allocate(left).unwrap();
}

#[test]
fn without_memory_nothing_is_left_and_nothing_is_read() {
    let mut arena = growing(3072);
    REGIONS.set(0);
    let full = AllocError::Full { requested: 8, remaining: 0 };
    assert_eq!(arena.alloc(0_u64), Err(full));
    let nothing = arena.insert(()).unwrap();
    assert_eq!(arena.get(nothing), None);
    let scratch = arena.scratch();
    assert_eq!(scratch.alloc(0_u64), Err(full));
    assert_eq!(Claim::remaining(&scratch), 0);
    let nothing = scratch.insert(()).unwrap();
    assert_eq!(scratch.get(nothing), None);
    REGIONS.set(usize::MAX);
    scratch.alloc(0_u64).unwrap();
}

#[test]
fn a_scope_of_many_segments_ends_where_it_began() {
    let mut arena = growing(usize::MAX);
    let kept = arena.insert(7).unwrap();
    let used = arena.stats().used;
    for _ in 0..2 {
        let scratch = arena.scratch();
        // Handles to nothing take no room, and no segment.
        for _ in 0..3 {
            scratch.insert(()).unwrap();
        }
        let handles: Vec<_> = (0..400_u64).map(|number| scratch.insert(number).unwrap()).collect();
        for (number, &handle) in (0..).zip(&handles) {
            assert_eq!(scratch.get(handle), Some(&number));
        }
        drop(scratch);
        assert_eq!(arena.segments().count(), 3);
        assert_eq!(arena.stats().used, used);
        // The next block lies where the scope began.
        let block = NonNull::from(arena.alloc(0_u64).unwrap());
        assert!(arena.segments().next().unwrap().contains(block));
        // SAFETY: the last block, of which nothing else is used.
        unsafe { Claim::give_back(&arena, block.cast(), 8) };
    }
    assert_eq!(arena.get(kept), Some(&7));
    arena.reset();
    let scratch = arena.scratch();
    let handle = scratch.insert(()).unwrap();
    assert_eq!(scratch.get(handle), Some(&()));
    drop(scratch);
    assert_eq!(arena.segments().count(), 3);
}

#[test]
fn what_a_growing_scope_reports_can_be_had_at_every_alignment() {
    for align in [1, 2, 4, 8, 16, 64, 512] {
        for pages in [2, 3] {
            let world = || {
                let arena = growing(pages * marena_core::ARENA_PAGESIZE);
                arena.alloc(0_u64).unwrap();
                arena
            };
            let mut arena = world();
            let scratch = arena.scratch();
            scratch.alloc(0_u64).unwrap();
            let error = scratch.allocate_uninit(1 << 20, align).unwrap_err();
            let AllocError::Full { requested: 0x10_0000, remaining } = error else { panic!("{error}") };
            assert!(remaining.is_multiple_of(8), "{remaining}");
            // What is not left is the segment's, and a part of the scope.
            let rest = (pages - 1) * marena_core::ARENA_PAGESIZE - remaining;
            assert!(rest < 640 + align, "{rest} and {align}");
            drop(scratch);
            let mut arena = world();
            let scratch = arena.scratch();
            scratch.alloc(0_u64).unwrap();
            let error = scratch.allocate_uninit(remaining + 8, align).map(|bytes| bytes.len()).unwrap_err();
            assert_eq!(error, AllocError::Full { requested: remaining + 8, remaining });
            scratch.allocate_uninit(remaining, align).unwrap();
        }
    }
}

#[test]
fn a_lease_stays_in_its_segment_while_another_has_no_more_room() {
    let arena = growing(usize::MAX);
    let lease = arena.lease(256);
    let small = NonNull::from(lease.alloc(1_u64).unwrap());
    // A block with a segment of its own, which is full then.
    let large = lease.allocate_layout(std::alloc::Layout::new::<[u8; 5000]>()).unwrap().cast::<u8>();
    let behind = NonNull::from(lease.alloc(2_u64).unwrap());
    let (used, segments) = (arena.stats().used, arena.segments().count());
    assert_eq!(behind.addr().get(), small.addr().get() + 8);
    // The large one is in no chunk of the lease's, and goes back all the same.
    // SAFETY: the last block of its segment, which is not used any more.
    unsafe { Claim::give_back(&lease, large, 5000) };
    assert_eq!((arena.stats().used, arena.segments().count()), (used - 5000, segments));
}

#[test]
fn a_lease_takes_larger_and_larger_chunks_from_one_segment_to_the_next() {
    let arena: Growing = GrowingArena::builder().first_segment(8192).max_segment(8192).build().unwrap();
    let lease = arena.lease(2048);
    let mut claimed = Vec::new();
    let mut used = 0;
    while arena.segments().count() < 2 {
        lease.alloc(0_u64).unwrap();
        if arena.stats().used != used {
            claimed.push(arena.stats().used - used);
            used = arena.stats().used;
        }
    }
    // Chunks up to the largest size, then all the rest. The next segment begins with the largest.
    assert_eq!(claimed[..6], [256, 512, 1024, 2048, 2048, 2048]);
    assert!(claimed[6] < 2048 && claimed[7..] == [2048], "{claimed:?}");

    // However small that is.
    let arena = growing(usize::MAX);
    let lease = arena.lease(64);
    for used in [64, 64, 64, 64, 64, 64, 64, 64, 128, 128] {
        lease.alloc(0_u64).unwrap();
        assert_eq!(arena.stats().used, used);
    }
}
