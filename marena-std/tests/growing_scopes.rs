//! Scopes of growing arenas.

use marena_std::{AllocError, GrowingArena};

const KIB: usize = 1 << 10;

fn capacity(arena: &GrowingArena) -> usize {
    arena.stats().capacity
}

#[test]
fn a_scope_continues_in_further_segments_and_gives_all_bytes_back() {
    let mut arena = GrowingArena::new();
    let kept = arena.insert(7).unwrap();
    let used = arena.stats().used;
    let mut after_first = 0;
    for round in 0..20_usize {
        let scratch = arena.scratch();
        let numbers: Vec<_> = (0..20_000).map(|number| scratch.alloc([round + number; 3]).unwrap()).collect();
        assert!(numbers.iter().enumerate().all(|(index, number)| **number == [round + index; 3]));
        drop(scratch);
        assert_eq!((arena.stats().used, arena.get(kept)), (used, Some(&7)));
        if round == 0 {
            after_first = capacity(&arena);
        }
        assert_eq!(capacity(&arena), after_first);
    }
}

#[test]
fn scopes_with_large_requests_come_and_go_without_growing_the_arena_further() {
    let mut arena = GrowingArena::builder().max_segment(256 * KIB).build().unwrap();
    let mut after_first = 0;
    for round in 0..50 {
        // A block between the scopes must not keep the large ones from going back.
        arena.alloc(round).unwrap();
        let scratch = arena.scratch();
        for size in [100, 1 << 20, 100, 3 << 20, 300_000, 100] {
            scratch.allocate(size).unwrap().fill(0xEE);
        }
        drop(scratch);
        if round == 0 {
            after_first = capacity(&arena);
        }
        assert_eq!(capacity(&arena), after_first, "round {round}");
    }
}

#[test]
fn large_collections_come_and_go_without_growing_the_arena_further() {
    let arena = GrowingArena::builder().max_segment(256 * KIB).build().unwrap();
    let mut after_first = 0;
    for round in 0..50 {
        arena.alloc(round).unwrap();
        let failed = arena.alloc_try_with(|| Err::<[u8; 300_000], _>(()));
        assert!(failed.is_err());
        if round == 0 {
            after_first = capacity(&arena);
        }
        assert_eq!(capacity(&arena), after_first, "round {round}");
    }
}

#[test]
fn handles_of_a_scope_are_read_across_its_segments_and_nowhere_else() {
    let mut arena = GrowingArena::new();
    let outside = arena.insert(1_u64).unwrap();
    let mut scratch = arena.scratch();
    let handles: Vec<_> = (0..30_000_u64).map(|number| scratch.insert(number).unwrap()).collect();
    let text = scratch.allocate(10).unwrap().publish();
    assert!((0..).zip(&handles).all(|(number, &handle)| scratch.get(handle) == Some(&number)));
    assert_eq!((scratch.view(text), scratch.get(outside)), (Some(&[0; 10][..]), None));
    let inner = scratch.scratch();
    let within: Vec<_> = (0..30_000_u64).map(|number| inner.insert(number).unwrap()).collect();
    assert!((0..).zip(&within).all(|(number, &handle)| inner.get(handle) == Some(&number)));
    assert!(handles.iter().all(|&handle| inner.get(handle).is_none()));
    drop(inner);
    assert!(within.iter().all(|&handle| scratch.get(handle).is_none()));
    assert!((0..).zip(&handles).all(|(number, &handle)| scratch.get(handle) == Some(&number)));
    drop(scratch);
    assert!(handles.iter().chain(&within).all(|&handle| arena.get(handle).is_none()));
    assert_eq!(arena.get(outside), Some(&1));
}

#[test]
fn scopes_within_scopes_keep_to_themselves_over_segments() {
    let mut arena = GrowingArena::new();
    let mut outer = arena.scratch();
    let first = std::ptr::from_mut(outer.alloc([1_u8; 1_000]).unwrap());
    for depth in 0..100_u8 {
        let mut inner = outer.scratch();
        let block = std::ptr::from_mut(inner.alloc([2_u8; 50_000]).unwrap());
        {
            let innermost = inner.scratch();
            for _ in 0..20 {
                innermost.alloc([3_u8; 50_000]).unwrap();
            }
        }
        inner.alloc([4_u8; 70_000]).unwrap();
        // SAFETY: the inner scope has not ended, and no other code has the block.
        assert_eq!(unsafe { *block }, [2; 50_000], "{depth}");
    }
    for _ in 0..100 {
        outer.alloc([5_u8; 1_000]).unwrap();
    }
    // SAFETY: the outer scope has not ended, and no other code has the block.
    assert_eq!(unsafe { *first }, [1; 1_000]);
    drop(outer);
    assert_eq!(arena.stats().used, 0);
}

#[test]
fn values_of_a_scope_stay_usable_while_scopes_within_it_come_and_go() {
    let mut arena = GrowingArena::new();
    for _ in 0..3 {
        let total = arena.scoped(|scope| {
            let sum = scope.alloc(0_u64).unwrap();
            let kept = scope.insert(7_u64).unwrap();
            let mut texts = Vec::new();
            for round in 0..50_u64 {
                *sum += scope.scoped(|inner| {
                    let numbers = inner.alloc_slice_fill_with(20_000, |index| index as u64 + round).unwrap();
                    let within = inner.insert(round).unwrap();
                    inner
                        .scoped(|innermost| assert!(innermost.alloc([1_u8; 100_000]).unwrap().iter().all(|&b| b == 1)));
                    numbers.iter().sum::<u64>() + inner.get(within).unwrap()
                });
                // The scope itself allocates much too, in segments that inner scopes used.
                texts.push(scope.alloc_fmt(format_args!("{round:0>3000}")).unwrap());
            }
            assert!((0..).zip(&texts).all(|(round, text): (u64, _)| text.parse::<u64>().unwrap() == round));
            assert_eq!(scope.get(kept), Some(&7));
            *sum
        });
        let each = (0..20_000_u64).sum::<u64>();
        assert_eq!(total, 50 * each + (0..50).map(|round| round * 20_001).sum::<u64>());
        assert_eq!(arena.stats().used, 0);
    }
}

#[test]
fn a_scope_may_be_the_first_use_and_may_be_forgotten() {
    let mut arena = GrowingArena::new();
    for _ in 0..10 {
        let scratch = arena.scratch();
        assert_eq!(scratch.get(scratch.insert(()).unwrap()), Some(&()));
        drop(scratch);
        assert_eq!(arena.stats().used, 0);
    }
    for round in 0..10 {
        let scratch = arena.scratch();
        scratch.alloc([round; 100]).unwrap();
        scratch.alloc([1_u8; 100_000]).unwrap();
        std::mem::forget(scratch);
        // The rest of its segments is lost until the reset, and allocation continues in other
        // segments.
        let mut block = arena.allocate(100).unwrap();
        assert!(block.iter().all(|&byte| byte == 0));
        block.fill(0xEE);
    }
    arena.reset();
    assert_eq!(arena.stats().used, 0);
    assert!(arena.allocate(60_000).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn at_the_limit_a_scope_is_full_and_the_reported_bytes_can_be_allocated() {
    let mut arena = GrowingArena::builder().limit(512 * KIB).build().unwrap();
    for size in [8, 1_000, 60_000, 200_000] {
        let scratch = arena.scratch();
        while scratch.allocate_uninit(size, 8).is_ok() {}
        for _ in 0..100 {
            let Err(AllocError::Full { requested, remaining }) = scratch.allocate_uninit(size, 8) else { panic!() };
            assert_eq!(requested, size);
            if remaining == 0 {
                break;
            }
            assert!(scratch.allocate_uninit(remaining, 8).is_ok(), "{remaining}, after requests of {size}");
        }
        assert!(scratch.allocate_uninit(8, 8).is_err(), "after requests of {size}");
        drop(scratch);
        assert_eq!(arena.stats().used, 0);
        assert!(capacity(&arena) <= 512 * KIB);
    }
    assert!(arena.alloc(1).is_ok());
}

#[cfg(feature = "allocator-api2")]
#[test]
fn collections_grow_through_the_segments_of_a_scope() {
    let mut arena = GrowingArena::new();
    for _ in 0..5 {
        let scratch = arena.scratch();
        let mut numbers = allocator_api2::vec::Vec::new_in(&scratch);
        let mut others = allocator_api2::vec::Vec::new_in(&scratch);
        for number in 0..100_000_u32 {
            numbers.push(number);
            others.push(number);
        }
        others.shrink_to_fit();
        assert!((0..).zip(&numbers).all(|(index, number)| index == *number));
        assert!((0..).zip(&others).all(|(index, number)| index == *number));
    }
    assert_eq!(arena.stats().used, 0);
}

#[test]
fn a_request_that_no_arena_can_serve_is_too_large_in_an_empty_scope_too() {
    let mut arena = GrowingArena::new();
    for requested in [1 << 31, usize::MAX] {
        let error = arena.scratch().allocate(requested).unwrap_err();
        assert_eq!(error, AllocError::TooLarge { requested });
        assert_eq!(arena.scoped(|scope| scope.allocate(requested).unwrap_err()), error);
    }
    assert_eq!(capacity(&arena), 0);
}
