//! Trimming: used bytes stay, and blocks are zero afterwards.

use marena_std::marena_core::Memory;
use marena_std::{ARENA_PAGESIZE, Arena, OwnedMemory, Pool};

const PAGES: usize = if cfg!(miri) { 1 } else { 4 };

#[test]
fn trimming_keeps_every_used_byte_wherever_the_cursor_stands() {
    let step = if cfg!(miri) { 16_384 } else { 1024 };
    // Around each multiple of a small page, as counted from the region's start.
    for boundary in (step..=PAGES * ARENA_PAGESIZE).step_by(step) {
        for used in [boundary - 128 - 8, boundary - 128, boundary - 128 + 8] {
            let mut arena = Arena::with_capacity(PAGES * ARENA_PAGESIZE).unwrap();
            if used > arena.remaining() {
                continue;
            }
            let mut block = arena.allocate(used).unwrap();
            block.fill(0xA5);
            let handle = block.publish();
            arena.trim().unwrap();
            assert_eq!(arena.used(), used);
            assert!(arena.view(handle).unwrap().iter().all(|&byte| byte == 0xA5), "{used} bytes");
        }
    }
}

#[test]
fn blocks_are_zero_after_reset_and_trim_in_any_order() {
    let mut arena = Arena::with_capacity(PAGES * ARENA_PAGESIZE).unwrap();
    for trims in [[true, false], [false, true], [true, true]] {
        arena.allocate(arena.remaining() - 4096).unwrap().fill(0xA5);
        if trims[0] {
            arena.trim().unwrap();
        }
        arena.reset();
        if trims[1] {
            arena.trim().unwrap();
        }
        let half = arena.allocate(arena.remaining() / 2).unwrap();
        assert!(half.iter().all(|&byte| byte == 0));
        assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
        arena.reset();
    }
}

#[test]
fn an_arena_that_is_full_to_the_last_page_has_nothing_to_give_back() {
    let mut arena = Arena::with_capacity(1024).unwrap();
    arena.allocate(arena.remaining()).unwrap();
    assert_eq!(arena.trim().unwrap(), 0);
}

#[test]
fn trimming_between_a_reset_and_a_wipe_leaves_the_arena_usable() {
    let mut arena = Arena::with_capacity(1024).unwrap();
    let remaining = arena.remaining();
    arena.allocate(remaining).unwrap().fill(0xA5);
    arena.reset();
    arena.trim().unwrap();
    arena.wipe();
    assert_eq!((arena.remaining(), arena.stats().high_water), (remaining, 0));
    assert!(arena.allocate(remaining).unwrap().iter().all(|&byte| byte == 0));
}

#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn locked_pages_are_a_typed_error_that_changes_nothing() {
    use marena_std::Error;

    let mut arena = Arena::with_capacity(1 << 20).unwrap();
    let kept = arena.insert(7).unwrap();
    let address = arena.allocate_address(arena.remaining()).unwrap();
    let locked = arena.view_ptr(address).unwrap().cast::<u8>().as_ptr().wrapping_add(512 << 10);
    // The test makes the system call itself, because sanitizers replace the library's function by
    // one that does nothing.
    // SAFETY: locking has no effect on the bytes, which are the arena's.
    assert_eq!(unsafe { libc::syscall(libc::SYS_mlock, locked, 1_usize) }, 0, "{}", std::io::Error::last_os_error());
    arena.reset();
    let result = arena.trim();
    assert!(matches!(result, Err(Error::Trim { offered, .. }) if offered > 512 << 10), "{result:?}");
    assert_eq!((arena.used(), arena.get(kept)), (0, None));

    // SAFETY: as for locking.
    assert_eq!(unsafe { libc::syscall(libc::SYS_munlock, locked, 1_usize) }, 0);
    assert!(arena.trim().unwrap() > 512 << 10);
}

#[test]
fn a_pool_sums_what_its_free_arenas_offer() {
    let pool = Pool::with_capacity(3, ARENA_PAGESIZE).unwrap();
    assert_eq!(pool.arena_count(), 3);
    let in_use: Vec<_> = (0..3).map(|_| pool.acquire().unwrap()).collect();
    assert_eq!((pool.trim().unwrap(), pool.arena_count(), pool.available()), (0, 3, 0));
    let alone = Arena::with_capacity(ARENA_PAGESIZE).unwrap().trim().unwrap();
    drop(in_use);
    assert_eq!((pool.trim().unwrap(), pool.available()), (3 * alone, 3));
}

#[test]
fn more_than_the_region_is_never_provided() {
    let memory = OwnedMemory::reserve(65_536).unwrap();
    assert!(memory.provide(memory.region().len()));
    for len in [memory.region().len() + 1, usize::MAX - 1, usize::MAX] {
        assert!(!memory.provide(len), "{len}");
    }
}
