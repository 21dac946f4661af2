//! Scopes of a lease, and nested scopes, that continue in other chunks of the lease.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use marena_core::{AllocError, Arena, BorrowedMemory, Claim, Lease, Memory, Scope, Scratch, StaticMemory};

type Bytes = [MaybeUninit<u8>; 8192];

/// Returns a lease whose first chunk has `room` bytes left. Another claim lies behind the chunk.
fn crowded_lease<'a>(arena: &'a Arena<BorrowedMemory<'_>>, room: usize) -> Lease<'a, BorrowedMemory<'a>> {
    let lease = arena.lease(256);
    lease.allocate(256 - room).unwrap();
    arena.allocate(8).unwrap();
    lease
}

/// Fills the arena except for `rest` bytes.
fn fill(arena: &Arena<BorrowedMemory<'_>>, rest: usize) {
    arena.allocate(arena.remaining() - rest).unwrap();
}

fn remaining_of(result: Result<marena_core::Block<'_>, AllocError>) -> usize {
    match result {
        Err(AllocError::Full { remaining, .. }) => remaining,
        other => panic!("{other:?}"),
    }
}

/// Makes an outer scope with 200 bytes left in its chunk, which is the lease's shortest. The lease
/// gave it up for one of 64 bytes, which an inner scope needed, and the arena is full.
fn with_an_old_chunk(check: impl FnOnce(&Scratch<'_, BorrowedMemory<'_>>)) {
    let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let chunks = [264, 256, 248, 240, 232, 224, 208];
    // So little is left that nothing is claimed ahead.
    fill(&arena, chunks.iter().sum::<usize>() + 8 * chunks.len() + 64);
    let mut lease = arena.lease(0);
    let scope = lease.scratch();
    for size in chunks {
        scope.allocate(size).unwrap();
        arena.allocate(8).unwrap();
    }
    drop(scope);
    let mut outer = lease.scratch();
    for size in &chunks[..6] {
        outer.allocate(*size).unwrap();
    }
    outer.allocate(8).unwrap();
    let inner = outer.scratch();
    inner.allocate(200).unwrap();
    inner.allocate(64).unwrap();
    drop(inner);
    assert_eq!(arena.remaining(), 0);
    check(&outer);
}

#[test]
fn a_failed_request_leaves_a_scope_in_its_chunk() {
    with_an_old_chunk(|outer| {
        assert!(outer.allocate(201).is_err());
        assert!(outer.allocate(200).is_ok());
        assert!(outer.allocate(64).is_ok());
        assert!(outer.allocate(1).is_err());
    });
}

#[test]
fn a_scope_counts_no_bytes_between_the_chunks_of_its_lease() {
    with_an_old_chunk(|outer| {
        assert_eq!(outer.remaining(), 200 + 64);
        outer.allocate(200).unwrap();
        assert_eq!(outer.remaining(), 64);
        outer.allocate(64).unwrap();
        assert_eq!(outer.remaining(), 0);
    });
}

#[test]
fn a_full_lease_or_scope_reports_the_bytes_that_one_more_request_can_have() {
    for rest in [0, 64, 1024] {
        let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
        let arena = Arena::borrowed(&mut bytes).unwrap();
        let mut lease = crowded_lease(&arena, 208);
        fill(&arena, rest);
        let remaining = remaining_of(lease.allocate(2048));
        assert_eq!(remaining, rest.max(208));
        assert_eq!(remaining_of(lease.scratch().allocate(2048)), remaining);
        assert!(lease.scratch().allocate(remaining).is_ok());
        assert!(lease.allocate(remaining).is_ok());
    }
    with_an_old_chunk(|outer| {
        assert_eq!((remaining_of(outer.allocate(2048)), Claim::remaining(outer)), (200, 200));
        assert!(outer.allocate(200).is_ok());
        assert_eq!(remaining_of(outer.allocate(2048)), 64);
    });
}

#[test]
fn a_full_lease_reports_the_free_bytes_behind_its_chunk_too() {
    let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let all = arena.remaining();
    let lease = arena.lease(256);
    lease.allocate(8).unwrap();
    let remaining = remaining_of(lease.allocate(8192));
    assert_eq!(remaining, all - 8);
    assert!(lease.allocate(remaining).is_ok());
}

#[test]
fn a_cursor_that_a_peer_moved_back_leads_no_scope_out_of_the_region() {
    static MEMORY: StaticMemory<8192> = StaticMemory::new();
    let memory = &MEMORY;
    let arena = Arena::from_static(memory);
    arena.allocate(4096).unwrap();
    let mut lease = arena.lease(256);
    let mut outer = lease.scratch();
    outer.allocate(8).unwrap();
    // SAFETY: the header is longer.
    let cursor = unsafe { memory.region().cast::<u32>().add(64 / size_of::<u32>()) };
    // SAFETY: the header has the cursor there, an atomic word that lives as long as the static.
    let cursor = unsafe { AtomicU32::from_ptr(cursor.as_ptr()) };
    cursor.store(0, Relaxed);
    let inner = outer.scratch();
    inner.allocate_address(512).unwrap();
    drop(inner);
    assert!(outer.remaining() > 0);
    for size in [8, 300, 600, 4000, 4000] {
        match outer.allocate_address(size) {
            Ok(address) => assert!(address.offset() >= 128 && (address.offset() + address.size()) as usize <= 8192),
            Err(error) => assert!(matches!(error, AllocError::Full { .. })),
        }
    }
}

#[test]
#[cfg(feature = "allocator-api2")]
fn a_scope_can_use_bytes_that_came_back_to_its_lease_below_the_chunk() {
    use std::alloc::Layout;

    use allocator_api2::alloc::Allocator;

    let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let mut lease = crowded_lease(&arena, 208);
    let layout = |size| Layout::from_size_align(size, 8).unwrap();
    let allocate = |size| Allocator::allocate(&&lease, layout(size)).unwrap().cast::<u8>();
    let free = |start, size| {
        // SAFETY: allocated with this layout, not used again.
        unsafe { Allocator::deallocate(&&lease, start, layout(size)) }
    };
    // A large block lies behind the chunk, and another chunk behind the block.
    let large = allocate(512);
    let behind = large.addr().get() + 512;
    let small = std::iter::repeat_with(|| allocate(8)).find(|small| small.addr().get() == behind).unwrap();
    free(small, 8);
    free(large, 512);
    let remaining = remaining_of(lease.allocate(8192));
    assert!(remaining >= 512 + arena.remaining());
    assert_eq!(lease.scratch().remaining(), remaining);
    assert!(lease.scratch().allocate(remaining).is_ok());
    assert!(lease.allocate(remaining).is_ok());
}

#[test]
fn bytes_that_a_scope_still_has_are_not_counted_as_stranded() {
    let mut bytes = vec![MaybeUninit::uninit(); 1 << 16];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let mut lease = arena.lease(0);
    let scope = lease.scratch();
    // Each request needs a longer run than all before it, and there are more than a lease keeps.
    for shift in 0..12 {
        let mut block = scope.allocate(8 << shift).unwrap();
        block.fill(shift);
        arena.allocate(8).unwrap();
        assert_eq!(arena.stats().stranded, 0);
    }
    drop(scope);
    lease.scoped(|scope| assert!(scope.allocate(8 << 11).is_ok()));
    drop(lease);
    let stats = arena.stats();
    assert_eq!(stats.used, 12 * 8 + stats.stranded);
}

#[test]
fn a_lease_counts_the_run_that_it_loses_at_once() {
    let mut bytes = vec![MaybeUninit::uninit(); 1 << 16];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let lease = arena.lease(256);
    // Each chunk has room for four blocks, and 32 bytes are left of it.
    for chunk in 0..7 {
        (0..4).for_each(|_| _ = lease.allocate(56).unwrap());
        arena.allocate(8).unwrap();
        assert_eq!(arena.stats().stranded, 0, "{chunk}");
        assert_eq!(lease.remaining() - arena.remaining(), 32 * (chunk + 1));
    }
    lease.allocate(56).unwrap();
    assert_eq!(arena.stats().stranded, 32);
    assert_eq!(lease.remaining() - arena.remaining(), 32 * 6 + 200);
    // A run that is used up makes room for the next one.
    lease.allocate(200).unwrap();
    arena.allocate(8).unwrap();
    lease.allocate(56).unwrap();
    assert_eq!(arena.stats().stranded, 32);
    assert_eq!(lease.remaining() - arena.remaining(), 32 * 6 + 200);
}

#[test]
fn values_of_an_outer_scope_stay_while_scopes_within_it_come_and_go() {
    fn check<M: Memory>(outer: &mut Scope<'_, M>) {
        let left = outer.remaining();
        let numbers = outer.alloc_slice_fill_with(10, |i| i).unwrap();
        let published = outer.allocate(8).unwrap().publish();
        let view = outer.view(published).unwrap();
        for round in 0..100 {
            let sum = outer.scoped(|inner| {
                assert_eq!(inner.view(published), None);
                let squares = inner.alloc_slice_fill_with(200, |i| i * round).unwrap();
                let deepest = inner.scoped(|innermost| innermost.alloc_slice_copy(&[1_u8; 3000]).unwrap().len());
                numbers[round % 10] += squares.len();
                squares[1] + deepest
            });
            assert_eq!(sum, round + 3000);
        }
        assert!(numbers.iter().enumerate().all(|(i, &number)| number == i + 10 * 200));
        assert_eq!((view, outer.view(published)), (&[0; 8][..], Some(&[0; 8][..])));
        assert_eq!(outer.remaining(), left - 10 * size_of::<usize>() - 8);
    }
    let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    arena.scoped(check);
    arena.scratch().scoped(check);
    assert_eq!(arena.used(), 0);
    let mut lease = crowded_lease(&arena, 100);
    lease.scoped(check);
    lease.scratch().scoped(check);
}

#[test]
fn a_scope_ends_when_its_closure_panics() {
    let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        arena.scoped(|scope| {
            scope.alloc_str("text").unwrap();
            resume_unwind(Box::new("on purpose"))
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(arena.used(), 0);
}

#[test]
fn a_block_that_failed_in_a_scope_is_given_back_after_an_inner_scope_used_it() {
    let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    arena.scoped(|outer| {
        let kept = outer.alloc_slice_copy(&[7_u8; 24]).unwrap();
        let left = outer.remaining();
        outer.scoped(|inner| inner.alloc_slice_copy(&[1_u8; 2000]).unwrap().len());
        assert!(outer.alloc_try_with(|| Err::<u64, _>(())).is_err());
        assert_eq!(outer.remaining(), left);
        outer.scoped(|inner| inner.alloc_slice_copy(&[2_u8; 2000]).unwrap().len());
        assert_eq!(kept, [7; 24]);
    });
}

#[test]
fn a_forgotten_scope_of_exclusive_memory_keeps_nothing() {
    let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    let kept = arena.insert([7_u64; 4]).unwrap();
    let left = arena.remaining();
    for size in [8, 200, 3000] {
        let mut outer = arena.scratch();
        outer.allocate(size).unwrap().fill(0xEE);
        let inner = outer.scratch();
        inner.allocate(size).unwrap().fill(0xEE);
        std::mem::forget(inner);
        assert_eq!(*outer.allocate(size).unwrap(), vec![0; size]);
        std::mem::forget(outer);
        assert_eq!((arena.remaining(), arena.get(kept)), (left, Some(&[7; 4])));
        assert!(arena.stats().high_water >= 32 + 2 * size);
    }
    arena.allocate(left).unwrap();
    assert_eq!(arena.scoped(|scope| scope.allocate(1).unwrap_err()), AllocError::Full { requested: 1, remaining: 0 });
}

#[test]
fn the_last_bytes_of_a_run_go_to_blocks_of_every_size() {
    for size in 1..=300 {
        let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
        let arena = Arena::borrowed(&mut bytes).unwrap();
        let mut lease = crowded_lease(&arena, 208);
        fill(&arena, 0);
        let scope = lease.scratch();
        let fits = 208 / usize::next_multiple_of(size, 8);
        let mut blocks: Vec<_> = (0..fits).map(|_| scope.allocate(size).unwrap().into_mut()).collect();
        assert!(scope.allocate(size).is_err(), "{size} bytes");
        blocks.iter_mut().zip(1..).for_each(|(block, mark)| block.fill(mark));
        assert!(blocks.iter().zip(1..).all(|(block, mark)| block.iter().all(|&byte| byte == mark)));
        drop(scope);
        assert_eq!((0..fits).filter(|_| lease.allocate(size).is_ok()).count(), fits);
        assert!(lease.allocate(size).is_err(), "{size} bytes");
    }
}

#[test]
fn a_scope_whose_empty_run_was_replaced_by_one_before_it_uses_all_of_that() {
    let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    // Chunks are as long as what they are claimed for.
    let mut lease = arena.lease(0);
    let block = lease.allocate_uninit(16, 8).unwrap();
    // SAFETY: the end of what the lease claimed from the arena, which nobody uses any more.
    unsafe { Claim::give_back(&arena, NonNull::from(block).cast(), 16) };
    assert_eq!(arena.used(), 0);

    let mut outer = lease.scratch();
    outer.scratch().allocate(8).unwrap();
    assert_eq!(arena.used(), 8);
    // The run that the inner scope claimed grows to where the outer one has been from the start.
    outer.allocate(16).unwrap();
    assert_eq!(arena.used(), 16);
}

#[test]
fn a_scope_whose_empty_run_was_replaced_by_one_around_it_uses_all_of_that() {
    for size in (8..64).step_by(8) {
        let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
        let arena = Arena::borrowed(&mut bytes).unwrap();
        let mut lease = arena.lease(0);
        let block = lease.allocate_uninit(16, 8).unwrap();
        // SAFETY: the end of what the lease claimed from the arena, which nobody uses any more.
        unsafe { Claim::give_back(&arena, NonNull::from(block).cast(), 16) };
        let scope = lease.scratch();
        scope.allocate(size).unwrap();
        assert_eq!(arena.used(), size);
    }
}

#[test]
fn a_scope_that_comes_back_to_a_run_takes_back_what_it_handed_out_there_first() {
    let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let mut lease = crowded_lease(&arena, 64);
    let scope = lease.scratch();
    let mut first = scope.alloc_slot::<[u64; 2]>().unwrap();
    let place = first.as_uninit_mut().as_ptr().addr();
    scope.allocate(200).unwrap();
    fill(&arena, 0);
    // All of the second run is used, and of the first one 48 bytes are left.
    while scope.allocate(56).is_ok() {}
    scope.allocate(scope.remaining() - 48).unwrap();
    drop(scope.alloc_slot::<[u8; 48]>().unwrap());
    drop(first);
    assert_eq!(scope.remaining(), 64);
    drop(scope);
    let scope = lease.scratch();
    assert_eq!(scope.allocate_uninit(64, 8).unwrap().as_ptr().addr(), place);
}
