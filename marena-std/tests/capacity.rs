//! Capacities: which an arena can have, and which error each other one is.

use std::error::Error as _;

use marena_std::marena_core::Memory;
use marena_std::{ARENA_PAGESIZE, Arena, Error};

#[test]
fn a_capacity_is_rounded_up_to_whole_pages() {
    for (requested, pages) in [(1, 1), (1024, 1), (65_535, 1), (65_536, 1), (65_537, 2), (1_000_000, 16)] {
        let arena = Arena::with_capacity(requested).unwrap();
        assert_eq!(arena.capacity(), pages * ARENA_PAGESIZE, "{requested}");
        assert_eq!(arena.remaining(), arena.capacity() - 128);
    }
}

#[test]
fn every_region_starts_at_a_multiple_of_the_page_and_is_zero_to_its_last_byte() {
    let capacities = if cfg!(miri) { 1..3 } else { 1..40 };
    let arenas: Vec<Arena> = capacities.map(|pages| Arena::with_capacity(pages * ARENA_PAGESIZE).unwrap()).collect();
    for arena in &arenas {
        let base = arena.memory().region().cast::<u8>();
        assert!(base.addr().get().is_multiple_of(ARENA_PAGESIZE), "{base:?}");
        let mut all = arena.allocate(arena.remaining()).unwrap();
        assert!(all.iter().all(|&byte| byte == 0));
        *all.last_mut().unwrap() = 1;
    }
}

#[test]
fn a_page_can_be_aligned_to_and_so_can_more() {
    let arena = Arena::with_capacity(8 * ARENA_PAGESIZE).unwrap();
    for align in [16, 4096, ARENA_PAGESIZE, 2 * ARENA_PAGESIZE] {
        let block = arena.allocate_aligned(10, align).unwrap();
        assert!(block.as_ptr().addr().is_multiple_of(align), "{align}");
    }
}

#[test]
fn a_capacity_of_zero_is_a_typed_error() {
    assert!(matches!(Arena::with_capacity(0), Err(Error::ZeroCapacity)));
    assert!(matches!(Arena::builder().huge_pages(true).build(), Err(Error::ZeroCapacity)));
}

#[test]
fn a_capacity_that_addresses_do_not_reach_is_a_typed_error() {
    for requested in [Arena::MAX_CAPACITY + 1, (1 << 31) + 1, usize::MAX - ARENA_PAGESIZE + 2, usize::MAX] {
        for huge_pages in [false, true] {
            let result = Arena::builder().capacity(requested).huge_pages(huge_pages).build();
            let Err(Error::CapacityTooLarge { requested: told, limit }) = result else { panic!("{result:?}") };
            assert_eq!((told, limit), (requested, Arena::MAX_CAPACITY));
        }
    }
}

#[test]
fn errors_say_what_to_do_and_what_the_system_said() {
    let too_large = Arena::with_capacity(usize::MAX).unwrap_err();
    assert!(too_large.to_string().contains(&usize::MAX.to_string()), "{too_large}");
    assert!(too_large.to_string().contains("use several arenas"), "{too_large}");
    assert!(Error::ZeroCapacity.to_string().contains("give a capacity"));

    let error =
        Error::OutOfAddressSpace { requested: 65_536, limit: None, source: std::io::ErrorKind::OutOfMemory.into() };
    assert!(error.to_string().contains("request fewer"), "{error}");
    assert!(error.source().is_some());
}

#[test]
fn an_allocation_error_becomes_this_crates_error_with_its_own_message() {
    let arena = Arena::with_capacity(1024).unwrap();
    let error = arena.allocate(1 << 20).unwrap_err();
    let message = error.to_string();
    assert_eq!(Error::from(error).to_string(), message);
}

// Miri keeps every reserved byte in memory. On 32-bit targets a process seldom has so many adjacent
// addresses.
#[cfg(all(target_pointer_width = "64", not(miri)))]
#[test]
fn two_gibibytes_can_be_reserved_many_times_over_and_used_to_the_last_byte() {
    let arenas: Vec<Arena> = (0..4).map(|_| Arena::with_capacity(1 << 31).unwrap()).collect();
    for arena in &arenas {
        assert_eq!(arena.capacity(), 1 << 31);
        // All but the last eight bytes are allocated without an access to them.
        let rest = arena.allocate_uninit(arena.remaining() - 8, 8).unwrap();
        assert_eq!(rest.len(), (1 << 31) - 128 - 8);
        let mut last = arena.allocate(8).unwrap();
        assert_eq!(*last, [0; 8]);
        last.fill(0xFF);
        assert_eq!((last.address().offset(), arena.remaining()), (0x7FFF_FFF8, 0));
    }
}

/// The test runs itself again in a process with a GiB of addresses, because the limit holds for a
/// whole process.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn running_out_of_addresses_is_a_typed_error_after_which_less_still_fits() {
    const LIMITED: &str = "MARENA_TEST_ADDRESSES_ARE_LIMITED";
    const NAME: &str = "running_out_of_addresses_is_a_typed_error_after_which_less_still_fits";
    if std::env::var_os(LIMITED).is_none() {
        let limited = |arguments: &[&str]| {
            std::process::Command::new("sh")
                .args(["-c", "ulimit -v 1048576 && exec \"$0\" \"$@\""])
                .arg(std::env::current_exe().unwrap())
                .args(arguments)
                .env(LIMITED, "1")
                // A backtrace may find no memory, and wait for itself for ever.
                .env("RUST_BACKTRACE", "0")
                .output()
                .unwrap()
        };
        // The shadow memory of a sanitizer is larger than the limit, and an emulated program cannot
        // be run again. There the test checks nothing.
        if !limited(&["--list"]).status.success() {
            eprintln!("not tested: this program does not run with a GiB of addresses");
            return;
        }
        let ran = limited(&["--exact", NAME]);
        assert!(ran.status.success(), "{ran:?}");
        assert!(String::from_utf8_lossy(&ran.stdout).contains("1 passed"), "{ran:?}");
        return;
    }
    for huge_pages in [false, true] {
        let result = Arena::builder().capacity(1 << 30).huge_pages(huge_pages).build();
        let Err(Error::OutOfAddressSpace { requested, limit, source }) = result else { panic!("{result:?}") };
        assert_eq!((requested, source.kind()), (1 << 30, std::io::ErrorKind::OutOfMemory));
        assert_eq!(limit, Some(marena_std::Limit::AddressSpace(1 << 30)));
        let arena = Arena::builder().capacity(1 << 20).huge_pages(huge_pages).build().unwrap();
        assert!(arena.alloc(1_u64).is_ok());
    }
}
