//! Collections in an arena: the standard traits of allocators.

use std::alloc::{GlobalAlloc, Layout};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use marena_core::{Arena, Regions, StaticMemory};

use crate::owned::{raw_bytes, zeroed_arena};

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

/// Allocates `size` bytes and writes all of them.
fn written(allocator: impl Allocator, size: usize) -> NonNull<u8> {
    let start = allocator.allocate(layout(size)).unwrap().cast::<u8>();
    // SAFETY: just allocated.
    unsafe { start.write_bytes(0xEE, size) };
    start
}

/// Returns a copy of `len` bytes.
///
/// # Safety
///
/// The bytes belong to the caller and are initialised.
unsafe fn bytes(start: NonNull<u8>, len: usize) -> std::vec::Vec<u8> {
    // SAFETY: the caller's promise.
    unsafe { NonNull::slice_from_raw_parts(start, len).as_ref() }.to_vec()
}

#[test]
fn the_last_collection_grows_in_place_and_gives_back_what_it_frees() {
    let arena = zeroed_arena(4096);
    let mut numbers = Vec::new_in(&arena);
    numbers.push(0_u64);
    let start = numbers.as_ptr();
    numbers.extend(1..200);
    assert_eq!((numbers.as_ptr(), numbers.len()), (start, 200));
    assert!(numbers.iter().copied().eq(0..200));
    numbers.truncate(10);
    numbers.shrink_to_fit();
    assert_eq!(arena.used(), 80);
    drop(numbers);
    assert_eq!(arena.used(), 0);
}

#[test]
fn a_collection_that_is_not_the_last_moves_when_it_grows_and_keeps_its_content() {
    let arena = zeroed_arena(4096);
    let mut numbers = Vec::new_in(&arena);
    numbers.extend(0..8_u64);
    let start = numbers.as_ptr();
    let other = Box::new_in(7_u64, &arena);
    numbers.extend(8..16);
    assert_ne!(numbers.as_ptr(), start);
    assert!(numbers.iter().copied().eq(0..16));
    assert_eq!(*other, 7);
}

#[test]
fn collections_in_leases_and_scratches_keep_their_values() {
    let mut arena = zeroed_arena(65_536);
    {
        let lease = arena.lease(1024);
        let mut maps: std::vec::Vec<_> = (0..3).map(|_| hashbrown::HashMap::<u32, u32, _, _>::new_in(&lease)).collect();
        for i in 0..100 {
            for (which, map) in maps.iter_mut().enumerate() {
                map.insert(i, i * which as u32);
            }
        }
        for (which, map) in maps.iter().enumerate() {
            assert!((0..100).all(|i| map.get(&i) == Some(&(i * which as u32))));
        }
    }
    let used = arena.used();
    for _ in 0..10 {
        let scratch = arena.scratch();
        let mut one = Vec::new_in(&scratch);
        let mut two = Vec::new_in(&scratch);
        for i in 0..500_u32 {
            one.push(i);
            two.push(!i);
        }
        assert!((0..500).all(|i: u32| one[i as usize] == i && two[i as usize] == !i));
    }
    assert_eq!(arena.used(), used);
}

#[test]
fn a_full_arena_is_an_error_that_leaves_the_collection_as_it_was() {
    let arena = zeroed_arena(128 + 64);
    let mut numbers = Vec::new_in(&arena);
    numbers.try_reserve_exact(8).unwrap();
    numbers.extend(0..8_u64);
    assert!(numbers.try_reserve_exact(1).is_err());
    assert!(numbers.iter().copied().eq(0..8));
    assert_eq!(arena.remaining(), 0);
}

#[test]
fn growing_zeroed_zeroes_the_bytes_that_it_adds() {
    for (old, new) in [(1, 2), (5, 8), (8, 9), (13, 100), (24, 24)] {
        let arena = zeroed_arena(4096);
        // Dirties the bytes behind the first block.
        // SAFETY: just allocated with this layout, and not used afterwards.
        unsafe { (&arena).deallocate(written(&arena, 500), layout(500)) };
        let start = written(&arena, old);
        // SAFETY: allocated with this layout.
        let grown = unsafe { (&arena).grow_zeroed(start, layout(old), layout(new)) }.unwrap().cast();
        // SAFETY: the first bytes were written, and the others are zeroed.
        let found = unsafe { bytes(grown, new) };
        assert!(found[..old].iter().all(|&byte| byte == 0xEE));
        assert!(found[old..].iter().all(|&byte| byte == 0), "{old} to {new}: {found:?}");
    }
}

#[test]
fn growing_zeroed_zeroes_dirty_bytes_behind_a_large_block_of_a_lease() {
    let arena = zeroed_arena(8192);
    let lease = arena.lease(256);
    lease.allocate(8).unwrap();
    // Another claim lies behind the chunk, so a large block is claimed apart from the chunk.
    // Afterwards the lease continues in its chunk.
    arena.allocate(8).unwrap();
    let start = written(&lease, 300);
    lease.allocate(8).unwrap();
    // Dirties the bytes behind that block.
    // SAFETY: just allocated with this layout, and not used afterwards.
    unsafe { (&arena).deallocate(written(&arena, 500), layout(500)) };
    // SAFETY: allocated with this layout.
    let grown = unsafe { (&lease).grow_zeroed(start, layout(300), layout(600)) }.unwrap().cast();
    assert_eq!(grown, start, "no other claim lies behind it");
    // SAFETY: the first bytes were written, and the others are zeroed.
    let found = unsafe { bytes(grown, 600) };
    assert!(found[..300].iter().all(|&byte| byte == 0xEE));
    assert!(found[300..].iter().all(|&byte| byte == 0), "{found:?}");
}

#[test]
fn a_block_that_gets_a_larger_alignment_moves_with_the_bytes_it_keeps_and_no_more() {
    for size in [16, 200, 300] {
        let arena = zeroed_arena(4096);
        let start = written(&arena, 200);
        let aligned = Layout::from_size_align(size, 256).unwrap();
        let moved = if size < 200 {
            // SAFETY: allocated with this layout.
            unsafe { (&arena).shrink(start, layout(200), aligned) }
        } else {
            // SAFETY: as above.
            unsafe { (&arena).grow(start, layout(200), aligned) }
        };
        let moved = moved.unwrap().cast::<u8>();
        assert!(moved != start && moved.addr().get().is_multiple_of(256), "{size} bytes");
        // SAFETY: written before it moved.
        assert!(unsafe { bytes(moved, size.min(200)) }.iter().all(|&byte| byte == 0xEE), "{size} bytes");
        let behind = arena.allocate(200).unwrap();
        assert!(behind.iter().all(|&byte| byte == 0), "{size} bytes: {behind:?}");
    }
}

/// Shrinks a written block of `from` bytes to `to`, grows it to `new` with zeros, and checks the
/// zeros.
fn check_regrown(allocator: impl Allocator + Copy, from: usize, to: usize, new: usize, last: bool) {
    let start = written(allocator, from);
    if !last {
        written(allocator, 8);
    }
    // SAFETY: allocated with this layout.
    let shrunk = unsafe { allocator.shrink(start, layout(from), layout(to)) }.unwrap().cast();
    // SAFETY: shrunk to this layout.
    let grown = unsafe { allocator.grow_zeroed(shrunk, layout(to), layout(new)) }.unwrap().cast();
    // SAFETY: the first bytes were written, and the others are zeroed.
    let found = unsafe { bytes(grown, new) };
    assert!(found[..to].iter().all(|&byte| byte == 0xEE));
    assert!(found[to..].iter().all(|&byte| byte == 0), "{from} to {to} to {new}, last: {last}: {found:?}");
}

#[test]
fn a_block_that_shrank_and_grows_again_shows_none_of_its_old_bytes() {
    for last in [true, false] {
        for (from, to, new) in [(24, 20, 24), (24, 20, 100), (64, 20, 24), (64, 20, 64), (64, 1, 200), (8, 1, 8)] {
            let mut arena = zeroed_arena(4096);
            check_regrown(&arena, from, to, new, last);
            let lease = arena.lease(1024);
            check_regrown(&lease, from, to, new, last);
            drop(lease);
            check_regrown(&arena.scratch(), from, to, new, last);
        }
    }
}

#[test]
fn a_scratch_gets_what_fits_although_its_lease_took_bytes_back_from_below_its_chunk() {
    let arena = zeroed_arena(65_536);
    let mut lease = arena.lease(512);
    lease.allocate(8).unwrap();
    // The lease is overtaken, so a large block is claimed on its own, and the next chunk directly
    // behind it.
    arena.allocate(8).unwrap();
    let large = written(&lease, 8000);
    let first = loop {
        let next = written(&lease, 8);
        if next > large {
            break next;
        }
    };
    assert_eq!(first.addr().get(), large.addr().get() + 8000, "directly behind");
    // SAFETY: of this layout, not used afterwards.
    unsafe { (&lease).deallocate(first, layout(8)) };
    // SAFETY: as above.
    unsafe { (&lease).deallocate(large, layout(8000)) };
    let fits = 20_000;
    assert!(arena.remaining() > fits + 8000);
    assert_eq!(lease.scratch().allocate(fits).unwrap().len(), fits);
}

#[test]
fn zeroed_allocations_are_zero_in_dirty_bytes() {
    let arena = zeroed_arena(4096);
    // SAFETY: just allocated with this layout, and not used afterwards.
    unsafe { (&arena).deallocate(written(&arena, 500), layout(500)) };
    let block = Allocator::allocate_zeroed(&&arena, layout(600)).unwrap();
    // SAFETY: just allocated, zeroed.
    assert!(unsafe { bytes(block.cast(), 600) }.iter().all(|&byte| byte == 0));
}

#[test]
fn a_wipe_zeroes_the_bytes_of_collections() {
    let mut arena = zeroed_arena(4096);
    {
        let mut numbers = Vec::new_in(&arena);
        numbers.extend([u64::MAX; 100]);
        numbers.truncate(3);
        numbers.shrink_to_fit();
    }
    assert!(raw_bytes(&mut arena).contains(&0xFF));
    arena.wipe();
    assert!(raw_bytes(&mut arena).iter().all(|&byte| byte == 0));
}

#[test]
fn a_static_arena_works_as_a_global_allocator() {
    static MEMORY: StaticMemory<8192> = StaticMemory::new();
    static ARENA: Arena<&'static StaticMemory<8192>> = Arena::from_static(&MEMORY);
    let layout = Layout::from_size_align(100, 64).unwrap();
    // SAFETY: the layout is not empty.
    let start = unsafe { GlobalAlloc::alloc_zeroed(&ARENA, layout) };
    assert!(start.addr().is_multiple_of(64));
    // SAFETY: just allocated.
    unsafe { start.write_bytes(0xEE, 100) };
    // SAFETY: of this layout.
    let grown = unsafe { GlobalAlloc::realloc(&ARENA, start, layout, 1000) };
    assert_eq!(grown, start, "the last block grows in place");
    // SAFETY: of this layout; the first 100 bytes are initialised.
    assert_eq!(unsafe { bytes(NonNull::new(grown).unwrap(), 100) }, [0xEE; 100]);
    let grown_layout = Layout::from_size_align(1000, 64).unwrap();
    // SAFETY: of this layout.
    assert!(unsafe { GlobalAlloc::realloc(&ARENA, grown, grown_layout, 100_000) }.is_null());
    // SAFETY: of this layout, not used afterwards.
    unsafe { GlobalAlloc::dealloc(&ARENA, grown, grown_layout) };
    assert!(ARENA.used() < 128);
    // SAFETY: the layout is not empty.
    let again = unsafe { GlobalAlloc::alloc_zeroed(&ARENA, layout) };
    // SAFETY: just allocated, zeroed.
    assert_eq!(unsafe { bytes(NonNull::new(again).unwrap(), 100) }, [0; 100], "in dirty bytes too");
    // SAFETY: the layout is not empty.
    assert!(unsafe { GlobalAlloc::alloc(&ARENA, Layout::from_size_align(10_000, 1).unwrap()) }.is_null());
}

#[test]
fn a_block_that_moves_to_another_region_goes_back_to_its_own() {
    let (mut small, mut large) = ([MaybeUninit::uninit(); 512], [MaybeUninit::uninit(); 2048]);
    let mut regions: Regions<_, 2> = Regions::new();
    regions.push(Arena::borrowed(&mut small).unwrap()).unwrap();
    regions.push(Arena::borrowed(&mut large).unwrap()).unwrap();
    let mut numbers = Vec::with_capacity_in(16, &regions);
    numbers.extend(0..16_u64);
    let [first, second] = regions.arenas() else { panic!("two arenas") };
    assert_eq!((first.used(), second.used()), (128, 0));
    numbers.reserve_exact(100);
    assert_eq!((first.used(), second.used()), (0, 8 * 116));
    assert!(numbers.iter().copied().eq(0..16));
}
