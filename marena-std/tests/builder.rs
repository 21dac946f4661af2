//! The settings of the builder, and their effect on an arena.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use marena_std::marena_core::Memory;
use marena_std::{Arena, Error, OwnedMemory};

const CAPACITY: usize = if cfg!(miri) { 128 << 10 } else { 21 << 20 };

#[test]
fn prefaulting_reports_rising_progress_that_ends_at_the_total() {
    let mut reports = Vec::new();
    let arena =
        Arena::builder().capacity(CAPACITY).prefault(|done, total| reports.push((done, total))).build().unwrap();
    assert!(reports.iter().all(|&(_, total)| total == arena.capacity()), "{reports:?}");
    assert!(reports.windows(2).all(|pair| pair[0].0 < pair[1].0), "{reports:?}");
    assert_eq!(reports.last(), Some(&(CAPACITY, CAPACITY)));
    assert!(cfg!(miri) || reports.len() > 1, "21 MiB are worth more than one report: {reports:?}");
}

#[test]
fn progress_counts_the_bytes_of_all_arenas_of_a_pool() {
    let mut reports = Vec::new();
    let pool = Arena::builder().capacity(1).prefault(|done, total| reports.push((done, total))).build_pool(3).unwrap();
    assert_eq!(pool.arena_count(), 3);
    drop(pool);
    assert_eq!(reports, [1, 2, 3].map(|arenas| (arenas * 65_536, 3 * 65_536)));
}

#[test]
#[cfg(not(miri))]
fn progress_is_reported_every_four_mebibytes() {
    const MIB: usize = 1 << 20;
    let mut reports = Vec::new();
    let arena = Arena::builder().capacity(10 * MIB).prefault(|done, _| reports.push(done)).build().unwrap();
    drop(arena);
    assert_eq!(reports, [4 * MIB, 8 * MIB, 10 * MIB]);
}

#[test]
fn a_prefaulted_arena_is_empty_and_zero() {
    for huge_pages in [false, true] {
        let arena = Arena::builder().capacity(CAPACITY).huge_pages(huge_pages).prefault(|_, _| ()).build().unwrap();
        assert_eq!((arena.used(), arena.stats().high_water), (0, 0));
        assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
    }
}

#[test]
fn a_capacity_that_is_an_error_is_not_prefaulted() {
    let called = Cell::new(false);
    assert!(Arena::builder().capacity(usize::MAX).prefault(|_, _| called.set(true)).build().is_err());
    assert!(!called.get());
}

#[test]
fn a_panic_in_the_progress_callback_reaches_the_caller() {
    let build = || Arena::builder().capacity(1024).prefault(|_, _| panic!("enough")).build();
    assert!(catch_unwind(AssertUnwindSafe(build)).is_err());
}

#[test]
fn an_arena_of_huge_pages_works_at_any_capacity() {
    let capacities: &[usize] = if cfg!(miri) { &[1, 65_537] } else { &[1, 65_537, 2 << 20, (2 << 20) + 1, CAPACITY] };
    for &capacity in capacities {
        let mut arena = Arena::builder().capacity(capacity).huge_pages(true).build().unwrap();
        assert_eq!(arena.capacity(), capacity.next_multiple_of(65_536));
        arena.allocate(arena.remaining()).unwrap().fill(0xA5);
        arena.reset();
        assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
    }
}

fn is_aligned(arena: &Arena, align: usize) -> bool {
    arena.memory().region().cast::<u8>().addr().get().is_multiple_of(align)
}

#[test]
fn every_region_has_all_alignments_up_to_64_kib() {
    for align in [1, 2, 4096, 65_536] {
        let arena = Arena::builder().capacity(1).align(align).build().unwrap();
        assert!(is_aligned(&arena, 65_536), "{align}");
        arena.allocate(arena.remaining()).unwrap().fill(1);
    }
}

#[cfg(all(any(unix, windows), not(miri)))]
#[test]
fn a_region_lies_at_a_multiple_of_what_is_asked_for_and_is_used_to_its_last_byte() {
    for align in [128 << 10, 2 << 20, 64 << 20] {
        for huge_pages in [false, true] {
            let builder = Arena::builder().capacity(5 << 20).align(align).huge_pages(huge_pages);
            let arenas: Vec<Arena> = (0..3).map(|_| Arena::builder().capacity(1).build().unwrap()).collect();
            let mut arena = builder.build().unwrap();
            assert!(is_aligned(&arena, align), "{align}");
            assert_eq!(arena.capacity(), 5 << 20);
            arena.allocate(arena.remaining()).unwrap().fill(0xA5);
            arena.reset();
            arena.trim().unwrap();
            assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
            drop(arenas);
        }
    }
}

#[cfg(all(unix, target_pointer_width = "64", not(miri)))]
#[test]
fn two_gibibytes_lie_at_a_multiple_of_four() {
    let pool = Arena::builder().capacity(2 << 30).align(4 << 30).build_pool(3).unwrap();
    let arenas: Vec<_> = (0..3).map(|_| pool.acquire().unwrap()).collect();
    for arena in &arenas {
        assert!(is_aligned(arena, 4 << 30));
        let rest = arena.allocate_uninit(arena.remaining() - 8, 8).unwrap();
        assert_eq!(rest.len(), (2 << 30) - 128 - 8);
        arena.alloc(1_u64).unwrap();
    }
}

#[test]
fn an_alignment_that_is_no_power_of_two_is_a_typed_error() {
    for requested in [0, 3, 65_537, usize::MAX] {
        let result = Arena::builder().capacity(1).align(requested).build();
        assert!(matches!(result, Err(Error::Alignment { requested: told }) if told == requested), "{result:?}");
    }
    let highest = 1 << (usize::BITS - 1);
    let result = Arena::builder().capacity(1).align(highest).build();
    assert!(matches!(result, Err(Error::OutOfAddressSpace { requested: 65_536, .. })), "{result:?}");
}

#[test]
fn a_region_comes_back_from_its_raw_parts() {
    let (capacity, used) = if cfg!(miri) { (65_536, 5_000) } else { (196_608 + 65_536, 100_000) };
    let arena = Arena::with_capacity(capacity - 1).unwrap();
    arena.allocate(used).unwrap().fill(0xA5);
    let (region, ready) = arena.into_memory().into_raw_parts();
    assert_eq!((region.len(), ready), (capacity, capacity));
    // SAFETY: the region came from `into_raw_parts` just now, and only an arena wrote it.
    let memory = unsafe { OwnedMemory::from_raw_parts(region, ready) };
    assert_eq!(memory.region(), region);
    let arena = Arena::new(memory).unwrap();
    assert_eq!(arena.stats().high_water, used);
    assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
}
