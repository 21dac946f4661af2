//! Blocks of a growing arena's lease that grow, shrink and go back, as the last of their chunk, of
//! their segment, or of none.
#![cfg(feature = "allocator-api2")]

mod heap;

use std::alloc::Layout;
use std::ptr::NonNull;

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec as ArenaVec;

use heap::Heap;

type GrowingArena = marena_core::GrowingArena<Heap<0>>;
type GrowingLease<'a> = marena_core::GrowingLease<'a, Heap<0>>;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

/// Allocates `size` bytes and writes all of them.
fn written(lease: &GrowingLease<'_>, size: usize) -> NonNull<u8> {
    let start = lease.allocate_layout(layout(size)).unwrap().cast::<u8>();
    // SAFETY: just allocated.
    unsafe { start.write_bytes(0xEE, size) };
    start
}

/// Grows a written block with zeros, and checks all its bytes.
///
/// # Safety
///
/// The block was allocated with the old size, and is not used afterwards.
unsafe fn grown(lease: &GrowingLease<'_>, start: NonNull<u8>, old: usize, new: usize) -> NonNull<u8> {
    // SAFETY: the caller's promise.
    let block = unsafe { lease.grow_zeroed(start, layout(old), layout(new)) }.unwrap();
    // SAFETY: the first bytes were written, and the others are zeroed.
    let bytes = unsafe { block.as_ref() };
    assert!(bytes[..old].iter().all(|&byte| byte == 0xEE), "{old} to {new}");
    assert!(bytes[old..].iter().all(|&byte| byte == 0), "{old} to {new}");
    block.cast()
}

#[test]
fn the_last_block_grows_in_place_past_the_end_of_its_chunk() {
    for chunk in [0, 8, 256, 4_096, 65_536] {
        let arena = GrowingArena::new();
        let lease = arena.lease(chunk);
        let mut numbers = ArenaVec::with_capacity_in(1, &lease);
        numbers.push(0_u64);
        let start = numbers.as_ptr();
        numbers.extend(1..4_000);
        assert_eq!(numbers.as_ptr(), start, "{chunk}");
        assert!(numbers.iter().copied().eq(0..4_000));
        drop(numbers);
        drop(lease);
        assert_eq!(arena.stats().used, 0, "{chunk}");
    }
}

#[test]
fn blocks_that_are_not_the_last_move_and_overlap_nothing() {
    let arena = GrowingArena::new();
    let lease = arena.lease(4_096);
    let count = if cfg!(miri) { 300 } else { 20_000 };
    let mut vectors: [_; 3] = std::array::from_fn(|_| ArenaVec::new_in(&lease));
    let mut values = Vec::new();
    for number in 0..count {
        vectors[number % 3].push(number);
        vectors[0].push(number);
        values.push(lease.alloc(number).unwrap());
    }
    assert!(values.iter().enumerate().all(|(index, value)| **value == index));
    for (which, vector) in vectors.iter().enumerate() {
        let of_all = (0..count).flat_map(|number| [(number % 3, number), (0, number)]);
        assert!(vector.iter().copied().eq(of_all.filter(|&(to, _)| to == which).map(|(_, number)| number)));
    }
}

#[test]
fn bytes_that_came_back_are_zero_for_the_next_block() {
    for size in [1, 8, 100, 500, 1_024, 3_000, 70_000] {
        let arena = GrowingArena::new();
        let lease = arena.lease(4_096);
        let start = written(&lease, size);
        // SAFETY: allocated with this layout, and not used afterwards.
        unsafe { (&lease).deallocate(start, layout(size)) };
        let block = lease.allocate(size).unwrap();
        assert_eq!(NonNull::from(&block[0]), start, "{size}: the same bytes");
        assert!(block.iter().all(|&byte| byte == 0), "{size}");
    }
}

#[test]
fn growing_zeroed_zeroes_what_a_block_gets_wherever_it_lies() {
    for (old, new) in [(1, 8), (5, 100), (20, 24), (100, 2_000), (1_030, 1_100), (2_000, 9_000), (3_000, 200_000)] {
        for last in [true, false] {
            let arena = GrowingArena::new();
            let lease = arena.lease(4_096);
            // Dirties the bytes that the blocks get.
            let dirty = written(&lease, 300);
            // SAFETY: allocated with this layout, and not used afterwards.
            unsafe { (&lease).deallocate(dirty, layout(300)) };
            let start = written(&lease, old);
            if !last {
                written(&lease, 8);
            }
            // SAFETY: allocated with this size.
            unsafe { grown(&lease, start, old, new) };
        }
    }
}

#[test]
fn a_large_block_apart_from_the_chunk_grows_in_place_and_goes_back() {
    let arena = GrowingArena::new();
    let lease = arena.lease(4_096);
    lease.allocate(8).unwrap();
    // Another claim lies behind the chunk, so a large block is claimed apart from the chunk.
    // Afterwards the lease continues in its chunk.
    arena.allocate(8).unwrap();
    let before = arena.stats().used;
    let start = written(&lease, 2_000);
    lease.allocate(8).unwrap();
    // SAFETY: allocated with this size.
    assert_eq!(unsafe { grown(&lease, start, 2_000, 6_000) }, start);
    assert_eq!(arena.stats().used, before + 6_000);
    // SAFETY: grown to this layout, and not used afterwards.
    unsafe { (&lease).deallocate(start, layout(6_000)) };
    assert_eq!(arena.stats().used, before);
}

#[test]
fn a_large_block_goes_back_to_the_segment_that_the_lease_has_left() {
    let arena = GrowingArena::builder().max_segment(256 << 10).build().unwrap();
    let lease = arena.lease(4_096);
    lease.allocate(8).unwrap();
    // One segment is for this block alone. It has less room left than the first one, in which the
    // lease stays.
    let size = (1 << 20) - 1_024;
    let large = written(&lease, size);
    lease.allocate(8).unwrap();
    let (used, capacity) = (arena.stats().used, arena.stats().capacity);
    // SAFETY: allocated with this layout, and not used afterwards.
    unsafe { (&lease).deallocate(large, layout(size)) };
    assert_eq!(arena.stats().used, used - size);
    // The next one of its size finds the segment again.
    assert_eq!((written(&lease, size), arena.stats().capacity), (large, capacity));
}

/// Allocates 48 bytes again and again, until a block lies in the third segment.
fn until_the_third_segment<'a>(arena: &'a GrowingArena, lease: &GrowingLease<'a>) -> Vec<&'a mut [u8]> {
    let third = || arena.segments().nth(2).is_some_and(|segment| segment.used() > 1_000);
    let mut blocks = Vec::new();
    while !third() {
        blocks.push(lease.allocate(48).unwrap().into_mut());
    }
    blocks
}

#[test]
fn a_lease_hands_out_zeros_in_every_segment_after_a_reset() {
    let mut arena = GrowingArena::builder().first_segment(8_192).max_segment(8_192).build().unwrap();
    for chunk in [0, 1_000, 4_096] {
        for block in until_the_third_segment(&arena, &arena.lease(chunk)) {
            assert!(block.iter().all(|&byte| byte == 0), "{chunk}");
            block.fill(0xEE);
        }
        arena.reset();
    }
}

#[test]
fn a_lease_that_goes_on_leaves_nothing_behind_and_is_counted_where_it_is() {
    let arena = GrowingArena::builder().first_segment(8_192).max_segment(8_192).build().unwrap();
    let lease = arena.lease(4_096);
    let blocks = until_the_third_segment(&arena, &lease);
    let in_third = arena.segments().nth(2).unwrap().stats();
    let leased: Vec<usize> = arena.segments().map(|segment| segment.stats().leased).collect();
    assert!(leased[..2] == [0, 0] && leased[2] >= 4_096 - 48, "{leased:?} of {in_third}");
    drop(lease);
    let stats = arena.stats();
    assert_eq!((stats.used, stats.leased, stats.stranded), (48 * blocks.len(), 0, 0));
}
