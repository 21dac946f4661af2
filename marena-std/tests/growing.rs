//! Growing arenas.

use std::sync::Barrier;
use std::thread;

use marena_std::{AllocError, Arena, Error, GrowingArena, GrowthError};

const KIB: usize = 1 << 10;

/// Returns the sizes of the arena's segments, in KiB.
fn segments(arena: &GrowingArena) -> Vec<usize> {
    arena.segments().map(|segment| segment.capacity() / KIB).collect()
}

/// Returns the bytes that the newest segment has left.
fn rest(arena: &GrowingArena) -> usize {
    arena.segments().last().unwrap().remaining()
}

/// Runs `work` on `threads` threads at once.
fn on_threads<R: Send>(threads: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        let (work, barrier) = (&work, &barrier);
        let run = move |thread| {
            barrier.wait();
            work(thread)
        };
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn there_is_no_memory_before_the_first_allocation() {
    let arena = GrowingArena::new();
    assert_eq!((segments(&arena), arena.stats().capacity), (vec![], 0));
    drop(arena.lease(4096));
    drop(arena.leases(4096));
    assert!(arena.allocate(usize::MAX).is_err());
    assert!(arena.allocate_aligned(8, 3).is_err());
    assert_eq!(segments(&arena), []);
    arena.alloc(7_u8).unwrap();
    assert_eq!(segments(&arena), [64]);
}

#[test]
fn each_segment_is_twice_the_one_before_up_to_the_largest() {
    let builder = GrowingArena::builder().first_segment(64 * KIB).max_segment(512 * KIB);
    let arena = builder.build().unwrap();
    let mut blocks = Vec::new();
    while segments(&arena).len() < 6 {
        let mut block = arena.allocate(1000).unwrap();
        block.fill(blocks.len() as u8);
        blocks.push(block);
    }
    assert_eq!(segments(&arena), [64, 128, 256, 512, 512, 512]);
    assert!(blocks.iter().enumerate().all(|(index, block)| block.iter().all(|&byte| byte == index as u8)));
    assert_eq!(arena.stats().used, blocks.len() * 1000);
}

#[test]
fn a_request_larger_than_the_next_segment_gets_one_of_its_own_size() {
    let arena = GrowingArena::new();
    arena.allocate(8).unwrap();
    let large = arena.allocate(10 << 20).unwrap();
    assert!(large.iter().all(|&byte| byte == 0));
    assert_eq!(arena.segments().map(Arena::capacity).max(), Some((10 << 20) + 64 * KIB));
    // The series of sizes continues as if the large segment were not there, and the segment in use
    // has not changed.
    arena.allocate(100).unwrap();
    let mut sizes = segments(&arena);
    sizes.sort_unstable();
    assert_eq!(sizes, [64, 10 * KIB + 64]);
    arena.allocate(100 * KIB).unwrap();
    let mut sizes = segments(&arena);
    sizes.sort_unstable();
    assert_eq!(sizes, [64, 128, 10 * KIB + 64]);
}

#[test]
fn the_first_request_may_be_the_large_one() {
    let arena = GrowingArena::new();
    let handle = arena.insert([7_u8; 100_000]).unwrap();
    let after = arena.insert(8).unwrap();
    assert_eq!(arena.get(handle), Some(&[7; 100_000]));
    assert_eq!(arena.get(after), Some(&8));
    let large = arena.allocate_aligned(1 << 20, 1 << 16).unwrap();
    assert!(large.as_ptr().addr().is_multiple_of(1 << 16));
}

#[test]
fn threads_that_arrive_at_a_boundary_together_make_one_segment() {
    let (threads, rounds) = if cfg!(miri) { (4, 2) } else { (64, 20) };
    for round in 0..rounds {
        let arena = GrowingArena::new();
        for _ in 0..=round % 4 {
            arena.allocate(8).unwrap();
            arena.allocate(rest(&arena)).unwrap();
        }
        let before = arena.segments().count();
        let numbers = on_threads(threads, |thread| arena.alloc(thread).unwrap());
        assert_eq!(arena.segments().count(), before + 1, "{:?}", segments(&arena));
        assert!(numbers.into_iter().enumerate().all(|(index, number)| *number == index));
    }
}

#[test]
fn the_first_allocations_of_many_threads_make_one_segment() {
    let threads = if cfg!(miri) { 4 } else { 64 };
    let arena = GrowingArena::new();
    on_threads(threads, |thread| assert_eq!(*arena.alloc(thread).unwrap(), thread));
    assert_eq!(segments(&arena), [64]);
}

#[test]
fn segments_fill_up_while_threads_race_for_each_next_one() {
    let (threads, each) = if cfg!(miri) { (2, 200) } else { (8, 20_000) };
    let arena = GrowingArena::builder().max_segment(256 * KIB).build().unwrap();
    let numbers = on_threads(threads, |thread| {
        (0..each).map(|index| arena.alloc([thread * each + index; 5]).unwrap()).collect::<Vec<_>>()
    });
    for (index, number) in numbers.into_iter().flatten().enumerate() {
        assert_eq!(*number, [index; 5]);
    }
    let sizes = segments(&arena);
    assert!(sizes.windows(2).all(|pair| pair[1] == (2 * pair[0]).min(256)), "{sizes:?}");
    // At every boundary less than one request is left.
    let full = arena.segments().take(sizes.len() - 1);
    let left: Vec<_> = full.map(Arena::remaining).collect();
    assert!(left.iter().all(|&left| left < 40), "{left:?}");
}

#[test]
fn handles_are_read_across_segments_and_are_stale_after_a_reset() {
    let mut arena = GrowingArena::new();
    let handles: Vec<_> = (0..50_000_u64).map(|number| arena.insert(number).unwrap()).collect();
    let text = arena.allocate(100).unwrap().publish();
    assert!(arena.segments().count() > 2);
    for (number, &handle) in (0..).zip(&handles) {
        assert_eq!(arena.get(handle), Some(&number));
        assert_eq!(arena.segments().filter(|segment| segment.get(handle).is_some()).count(), 1);
    }
    assert_eq!(arena.view(text), Some(&[0; 100][..]));
    let other = GrowingArena::new();
    other.alloc(1).unwrap();
    assert_eq!(other.get(handles[0]), None);
    arena.reset();
    assert!(handles.iter().all(|&handle| arena.get(handle).is_none()));
    assert_eq!(arena.view(text), None);
}

#[test]
fn a_reset_keeps_the_segments_and_later_blocks_are_zero() {
    let mut arena = GrowingArena::new();
    let fill = |arena: &GrowingArena| {
        for _ in 0..1_000 {
            let mut block = arena.allocate(1_000).unwrap();
            assert!(block.iter().all(|&byte| byte == 0));
            block.fill(0xEE);
        }
        segments(arena)
    };
    let first = fill(&arena);
    for _ in 0..5 {
        arena.reset();
        assert_eq!((arena.stats().used, arena.stats().stranded), (0, 0));
        assert_eq!(fill(&arena), first);
    }
}

#[test]
fn a_request_that_needed_its_own_segment_finds_it_again_after_a_reset() {
    let mut arena = GrowingArena::new();
    for round in 0..4 {
        for size in [100, 300 * KIB, 100, 5 << 20, 70 * KIB, 100] {
            let mut block = arena.allocate(size).unwrap();
            assert!(block.iter().all(|&byte| byte == 0), "{size} in round {round}");
            block.fill(0xEE);
        }
        let sum: usize = segments(&arena).iter().sum();
        assert!(sum < 16 * KIB, "{:?} in round {round}", segments(&arena));
        arena.reset();
    }
}

#[test]
fn trimming_returns_empty_segments_and_keeps_the_others() {
    let mut arena = GrowingArena::new();
    assert_eq!(arena.trim().unwrap(), 0);
    for _ in 0..1_000 {
        arena.allocate(1_000).unwrap();
    }
    let before = segments(&arena);
    arena.trim().unwrap();
    assert_eq!(segments(&arena), before);
    arena.reset();
    let handle = arena.insert(7).unwrap();
    let returned = arena.trim().unwrap();
    assert_eq!((segments(&arena), arena.get(handle)), (vec![64], Some(&7)));
    assert!(returned >= before[1..].iter().sum::<usize>() * KIB, "{returned} of {before:?}");
    // The series of sizes continues behind the segments that stayed.
    arena.allocate(100 * KIB).unwrap();
    assert_eq!(segments(&arena), [64, 128]);
    arena.reset();
    arena.trim().unwrap();
    assert_eq!(segments(&arena), []);
    assert_eq!(arena.get(handle), None);
    arena.alloc(1).unwrap();
    assert_eq!(segments(&arena), [64]);
}

#[test]
fn a_growing_arena_at_its_limit_is_full_and_a_failure_changes_nothing() {
    let arena = GrowingArena::builder().limit(300 * KIB).build().unwrap();
    let handle = arena.insert(1).unwrap();
    let mut blocks = 0;
    while arena.allocate(1_000).is_ok() {
        blocks += 1;
    }
    // Segments of 64 and 128 KiB, and a third with the whole pages that the limit leaves.
    assert_eq!(segments(&arena), [64, 128, 64]);
    let before = arena.stats();
    for _ in 0..1_000 {
        let error = arena.allocate(1_000).unwrap_err();
        assert!(matches!(error, AllocError::Full { requested: 1_000, remaining } if remaining < 1_000), "{error:?}");
        let error = arena.allocate_multiple([1 << 30, 1 << 30]).unwrap_err();
        assert!(matches!(error, AllocError::Full { .. }), "{error:?}");
    }
    let mut after = arena.stats();
    assert!(after.failed >= 1_000, "{after}");
    after.failed = before.failed;
    assert_eq!((after, arena.get(handle)), (before, Some(&1)));
    assert!(blocks >= 250, "{blocks}");
    // Smaller requests get the bytes that are left.
    let AllocError::Full { remaining, .. } = arena.allocate(1_000).unwrap_err() else { panic!() };
    assert!(arena.allocate(remaining).is_ok());
}

#[test]
fn after_a_failure_exactly_the_reported_bytes_can_be_allocated() {
    for size in [100, 10_000, 60_000, 100_000, 200_000, 300_000] {
        let arena =
            GrowingArena::builder().first_segment(64 * KIB).max_segment(128 * KIB).limit(512 * KIB).build().unwrap();
        while arena.allocate(size).is_ok() {}
        let mut reports = 0;
        while let Err(AllocError::Full { remaining, .. }) = arena.allocate(size.max(8)) {
            if remaining == 0 {
                break;
            }
            assert!(arena.allocate(remaining).is_ok(), "{remaining} of {arena:?}, after requests of {size}");
            reports += 1;
            assert!(reports < 100);
        }
        assert!(arena.allocate(8).is_err(), "{arena:?}, after requests of {size}");
        assert!(arena.stats().capacity <= 512 * KIB);
    }
}

#[test]
fn a_limit_can_be_changed_while_the_arena_is_in_use() {
    let mut arena = GrowingArena::new();
    assert_eq!(arena.limit(), usize::MAX);
    arena.set_limit(0);
    assert_eq!(arena.alloc(1), Err(AllocError::Full { requested: 4, remaining: 0 }));
    arena.set_limit(200 * KIB);
    let kept = arena.alloc(1).unwrap();
    let lease = arena.lease(4096);
    lease.allocate(100 * KIB).unwrap();
    assert_eq!(segments(&arena), [64, 128]);
    // The segments are larger than the new limit, and stay.
    arena.set_limit(1);
    while lease.allocate(KIB).is_ok() {}
    assert!(matches!(arena.allocate(KIB), Err(AllocError::Full { requested: KIB, remaining: ..KIB })));
    assert_eq!((*kept, arena.limit(), arena.stats().capacity), (1, 1, 192 * KIB));
    arena.set_limit(usize::MAX);
    assert!(lease.allocate(300 * KIB).is_ok());
    drop(lease);
    arena.set_limit(1);
    arena.reset();
    assert_eq!(arena.limit(), 1);
    assert!(arena.allocate(100 * KIB).is_ok(), "a reset keeps the segments");
    arena.reset();
    arena.trim().unwrap();
    assert!(arena.allocate(1).is_err());
}

#[test]
fn a_limit_that_eight_threads_reach_together_loses_nothing() {
    let arena = GrowingArena::builder().limit(1 << 20).build().unwrap();
    let counts = on_threads(8, |thread| {
        let blocks: Vec<_> = std::iter::from_fn(|| arena.alloc([thread; 13]).ok()).collect();
        assert!(blocks.iter().all(|block| **block == [thread; 13]));
        blocks.len()
    });
    let blocks: usize = counts.into_iter().sum();
    let stats = arena.stats();
    assert_eq!(stats.used, blocks * size_of::<[usize; 13]>().next_multiple_of(8));
    assert!(stats.remaining < stats.capacity / 100, "{stats}");
    assert_eq!(stats.capacity, 1 << 20);
}

#[test]
fn sizes_that_contradict_each_other_are_typed_errors() {
    let builder = GrowingArena::builder;
    assert_eq!(builder().limit(0).build().unwrap_err(), GrowthError::Limit { requested: 0, first_segment: 65_536 });
    assert!(builder().limit(65_535).build().is_err());
    assert!(builder().limit(65_536).build().is_ok());
    let larger = builder().first_segment(2 << 20).max_segment(1 << 20).build().unwrap_err();
    assert_eq!(larger, GrowthError::FirstSegment { requested: 2 << 20, smallest: 1024, largest: 1 << 20 });
    assert!(matches!(builder().first_segment(0).build(), Err(GrowthError::FirstSegment { requested: 0, .. })));
    assert!(matches!(builder().max_segment(0).build(), Err(GrowthError::MaxSegment { requested: 0, .. })));
    let huge = builder().max_segment(usize::MAX).build().unwrap_err();
    assert!(matches!(huge, GrowthError::MaxSegment { largest: Arena::MAX_CAPACITY, .. }));
    assert!(builder().max_segment(Arena::MAX_CAPACITY).first_segment(Arena::MAX_CAPACITY).build().is_ok());
    let error = Error::from(huge);
    assert_eq!(error.to_string(), huge.to_string());
}

#[test]
fn an_arena_with_little_memory_for_its_first_segment_works() {
    let arena = GrowingArena::builder().first_segment(1024).max_segment(1024).build().unwrap();
    // Memory consists of pages of 64 KiB.
    for index in 0..3_000_usize {
        assert_eq!(*arena.alloc([index; 10]).unwrap(), [index; 10]);
    }
    assert!(segments(&arena).iter().all(|&size| size == 64));
}

#[test]
fn zero_sized_values_can_be_read_before_there_is_a_segment() {
    let arena = GrowingArena::new();
    let handle = arena.insert(()).unwrap();
    assert_eq!(arena.get(handle), Some(&()));
    let nothing = arena.allocate(0).unwrap().publish();
    assert_eq!(arena.view(nothing), Some(&[][..]));
    assert_eq!(arena.stats().used, 0);
}

#[test]
fn trimming_keeps_zero_sized_values_readable_until_the_reset() {
    let mut arena = GrowingArena::new();
    let nothing = arena.insert_str("").unwrap();
    arena.trim().unwrap();
    assert_eq!(arena.get(nothing), Some(""));
    arena.reset();
    assert_eq!(arena.get(nothing), None);
    arena.trim().unwrap();
    assert_eq!(segments(&arena), []);
}

#[test]
fn a_growing_arena_moves_to_other_threads_with_everything_in_it() {
    let arena = GrowingArena::new();
    let handles: Vec<_> = (0..10_000_u64).map(|number| arena.insert([number; 4]).unwrap()).collect();
    let arena = thread::spawn(move || {
        arena.alloc([0_u8; 100_000]).unwrap();
        arena
    });
    let arena = arena.join().unwrap();
    assert!((0..).zip(handles).all(|(number, handle)| arena.get(handle) == Some(&[number; 4])));
}

#[test]
fn a_lease_goes_on_in_the_next_segment() {
    for chunk in [0, 8, 1_000, 65_536, 1 << 31, usize::MAX] {
        let arena = GrowingArena::builder().max_segment(256 * KIB).build().unwrap();
        let lease = arena.lease(chunk);
        let count = if cfg!(miri) { 3_000 } else { 30_000 };
        let numbers: Vec<_> = (0..count).map(|index| lease.alloc([index; 5]).unwrap()).collect();
        let handle = lease.insert("kept").unwrap();
        let large = lease.allocate(1 << 20).unwrap();
        assert!(large.iter().all(|&byte| byte == 0));
        drop(lease);
        assert!(numbers.iter().enumerate().all(|(index, number)| **number == [index; 5]), "{chunk}");
        assert_eq!(arena.get(handle), Some(&"kept"));
        let stats = arena.stats();
        let used = count * size_of::<[usize; 5]>().next_multiple_of(8);
        assert!(stats.used >= used);
        assert!(stats.used - used - (1 << 20) - stats.stranded < 16 * KIB, "{chunk}: {stats}");
    }
}

#[test]
fn a_lease_gives_back_what_it_did_not_use() {
    let arena = GrowingArena::new();
    let lease = arena.lease(65_536);
    for _ in 0..100 {
        lease.alloc(1_u64).unwrap();
    }
    assert!(arena.stats().used > 800);
    drop(lease);
    assert_eq!((arena.stats().used, arena.stats().stranded), (800, 0));
}

#[test]
fn blocks_of_a_lease_are_zero_whatever_the_memory_held() {
    let mut arena = GrowingArena::new();
    for round in 0..5 {
        let lease = arena.lease(4_096);
        for size in (0..2_000).step_by(7) {
            let mut block = lease.allocate(size).unwrap();
            assert!(block.iter().all(|&byte| byte == 0), "{size} bytes in round {round}");
            block.fill(0xEE);
        }
        drop(lease);
        let mut block = arena.allocate(20_000).unwrap();
        assert!(block.iter().all(|&byte| byte == 0));
        block.fill(0xEE);
        arena.reset();
    }
}

#[test]
fn leases_of_many_threads_share_the_segments() {
    let (threads, each) = if cfg!(miri) { (2, 200) } else { (16, 10_000) };
    let arena = GrowingArena::new();
    let numbers = on_threads(threads, |thread| {
        let lease = arena.lease(4_096);
        (0..each).map(|index| lease.alloc(thread * each + index).unwrap()).collect::<Vec<_>>()
    });
    assert!(numbers.iter().flatten().enumerate().all(|(index, number)| **number == index));
    let stats = arena.stats();
    assert!(stats.used <= threads * each * 8 + threads * 4_096 * 4, "{stats}");
}
