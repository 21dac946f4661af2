//! Scopes of a lease, and scopes within them, that go on in other chunks of the lease.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use marena_core::{AllocError, Arena, BorrowedMemory, Lease, Memory, Scratch, StaticMemory};

type Bytes = [MaybeUninit<u8>; 8192];

/// A lease whose first chunk has `room` bytes left, with a claim of somebody else's behind it.
fn crowded_lease<'a>(arena: &'a Arena<BorrowedMemory<'_>>, room: usize) -> Lease<'a, BorrowedMemory<'a>> {
    let lease = arena.lease(256);
    lease.allocate(256 - room).unwrap();
    arena.allocate(8).unwrap();
    lease
}

/// Leaves the arena `rest` bytes.
fn fill(arena: &Arena<BorrowedMemory<'_>>, rest: usize) {
    arena.allocate(arena.remaining() - rest).unwrap();
}

fn remaining_of(refused: Result<marena_core::Block<'_>, AllocError>) -> usize {
    match refused {
        Err(AllocError::Full { remaining, .. }) => remaining,
        other => panic!("{other:?}"),
    }
}

/// An outer scope with 200 bytes left in a chunk that an inner one replaced by one of 64, in a full arena.
fn with_an_old_chunk(check: impl FnOnce(&Scratch<'_, BorrowedMemory<'_>>)) {
    let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let mut lease = crowded_lease(&arena, 208);
    let mut outer = lease.scratch();
    outer.allocate(8).unwrap();
    fill(&arena, 64);
    let inner = outer.scratch();
    inner.allocate(200).unwrap();
    inner.allocate(64).unwrap();
    drop(inner);
    assert_eq!(arena.remaining(), 0);
    check(&outer);
}

#[test]
fn a_refused_request_in_a_scope_leaves_the_chunk_that_it_is_in() {
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
        assert!(outer.remaining() <= 200 + 64);
        outer.allocate(200).unwrap();
        assert_eq!(outer.remaining(), 64);
        outer.allocate(64).unwrap();
        assert_eq!(outer.remaining(), 0);
    });
}

#[test]
fn what_a_full_lease_or_scope_reports_is_what_one_more_request_can_have() {
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
        assert_eq!(remaining_of(outer.allocate(2048)), 200);
        assert!(outer.allocate(200).is_ok());
        assert_eq!(remaining_of(outer.allocate(2048)), 64);
    });
}

#[test]
fn what_a_full_lease_reports_includes_what_lies_next_to_its_chunk() {
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
fn a_scope_can_have_what_came_back_to_its_lease_below_the_chunk() {
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
    // A large piece behind the chunk, and another chunk behind the piece.
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
    let mut bytes: Bytes = [MaybeUninit::uninit(); 8192];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let mut lease = arena.lease(64);
    // Each round needs a longer run than all before it, more of them than a lease keeps.
    for round in 0..12 {
        let scope = lease.scratch();
        scope.allocate(8 << (round / 2)).unwrap();
        arena.allocate(8).unwrap();
        scope.allocate(8 << (round / 2 + 1)).unwrap();
        assert_eq!(arena.stats().stranded, 0);
        arena.allocate(8).unwrap();
    }
    drop(lease);
    assert_eq!(arena.used(), 24 * 8 + arena.stats().stranded);
}
