//! What the builder's settings do to an arena, and what they leave as it is.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use marena_std::Arena;
use marena_std::marena_core::Memory;

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
fn a_prefaulted_arena_is_empty_and_zero() {
    for huge_pages in [false, true] {
        let arena = Arena::builder().capacity(CAPACITY).huge_pages(huge_pages).prefault(|_, _| ()).build().unwrap();
        assert_eq!((arena.used(), arena.stats().high_water), (0, 0));
        assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
    }
}

#[test]
fn a_refused_capacity_is_not_prefaulted() {
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
    for capacity in [1, 65_537, CAPACITY] {
        let mut arena = Arena::builder().capacity(capacity).huge_pages(true).build().unwrap();
        assert_eq!(arena.capacity(), capacity.next_multiple_of(65_536));
        if cfg!(target_os = "linux") {
            assert!(arena.memory().region().cast::<u8>().addr().get().is_multiple_of(2 << 20));
        }
        arena.allocate(arena.remaining()).unwrap().fill(0xA5);
        arena.reset();
        assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
    }
}
