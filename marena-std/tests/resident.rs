//! The memory that an arena occupies, as the system counts it for each mapping. The rest of the
//! process does not count.
#![cfg(all(target_os = "linux", target_pointer_width = "64", not(miri)))]

use std::fs;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use marena_std::marena_core::Memory;
use marena_std::{Arena, Pool};

const MIB: usize = 1 << 20;

/// Lets one test run at a time, because the system counts adjacent arenas as one mapping.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the addresses of the arena.
fn addresses(arena: &Arena) -> Range<usize> {
    let region = arena.memory().region();
    let base = region.cast::<u8>().addr().get();
    base..base + region.len()
}

/// Returns how many bytes of all mappings that overlap `addresses` are in memory, or `None` if
/// there are no such mappings.
fn resident(addresses: &Range<usize>) -> Option<usize> {
    // A flag of its own keeps the mapping apart from those beside it, such as another thread's
    // heap.
    let start = std::ptr::without_provenance_mut(addresses.start);
    // SAFETY: the advice changes no byte.
    unsafe { libc::madvise(start, addresses.len(), libc::MADV_DONTDUMP) };
    let mut total = None;
    let mut counted = false;
    for line in fs::read_to_string("/proc/self/smaps").unwrap().lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap();
        if let Some((start, end)) = first.split_once('-') {
            let [start, end] = [start, end].map(|hex| usize::from_str_radix(hex, 16).unwrap());
            counted = start < addresses.end && addresses.start < end;
        } else if counted && first == "Rss:" {
            let kib: usize = words.next().unwrap().parse().unwrap();
            total = Some(total.unwrap_or(0) + kib * 1024);
        }
    }
    total
}

fn resident_in(arena: &Arena) -> usize {
    resident(&addresses(arena)).unwrap()
}

/// Touches `size` fresh bytes of the arena.
fn dirty(arena: &Arena, size: usize) {
    arena.allocate(size).unwrap().fill(0xA5);
}

#[test]
fn two_gibibytes_occupy_a_page_until_they_are_touched() {
    let _alone = alone();
    let arena = Arena::with_capacity(1 << 31).unwrap();
    // The header is in memory. Allocating bytes that are known to be zero touches none of them.
    assert_eq!(arena.allocate(1 << 30).unwrap().len(), 1 << 30);
    assert!(resident_in(&arena) <= MIB, "{}", resident_in(&arena));

    dirty(&arena, 64 * MIB);
    assert!((64 * MIB..66 * MIB).contains(&resident_in(&arena)), "{}", resident_in(&arena));
}

#[test]
fn a_reset_keeps_pages_and_trimming_gives_them_back() {
    let _alone = alone();
    let mut arena = Arena::with_capacity(256 * MIB).unwrap();
    dirty(&arena, 64 * MIB);
    arena.reset();
    assert!(resident_in(&arena) >= 64 * MIB, "{}", resident_in(&arena));

    let offered = arena.trim().unwrap();
    assert!(offered > 255 * MIB && offered < 256 * MIB, "all but the header's page: {offered}");
    assert!(resident_in(&arena) <= MIB, "{}", resident_in(&arena));
    assert!(arena.allocate(MIB).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn untouched_bytes_take_no_memory_after_a_reset_and_a_trim() {
    let _alone = alone();
    let mut arena = Arena::with_capacity(256 * MIB).unwrap();
    dirty(&arena, 200 * MIB);
    arena.reset();
    arena.trim().unwrap();
    assert!(arena.stats().high_water < 65_536, "{:?}", arena.stats());
    // Bytes that are zero already are not written.
    let block = arena.allocate(200 * MIB).unwrap();
    assert_eq!(block.len(), 200 * MIB);
    assert!(resident_in(&arena) <= MIB, "{}", resident_in(&arena));
    // A wipe writes no pages that were never used.
    arena.reset();
    arena.trim().unwrap();
    arena.wipe();
    assert!(resident_in(&arena) <= MIB, "{}", resident_in(&arena));
}

#[test]
fn trimming_leaves_the_high_water_mark_above_all_that_was_kept() {
    let _alone = alone();
    let mut arena = Arena::with_capacity(64 * MIB).unwrap();
    dirty(&arena, 10 * MIB + 8);
    let handle = arena.insert([0xA5_u8; 100]).unwrap();
    // A scope reaches further than the blocks that stay.
    arena.scratch().allocate(20 * MIB).unwrap().fill(0xA5);
    assert!(arena.stats().high_water > 30 * MIB);
    arena.trim().unwrap();
    let (used, high_water) = (arena.used(), arena.stats().high_water);
    assert!((used..used + 65_536).contains(&high_water), "{used} used, {high_water} dirty");
    assert_eq!(arena.get(handle), Some(&[0xA5; 100]));
    // The bytes in between are not known to be zero, but are zero when they are handed out.
    assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn huge_pages_take_no_memory_before_they_are_used() {
    let _alone = alone();
    let pool = Arena::builder().capacity(64 * MIB).huge_pages(true).build_pool(20).unwrap();
    let arenas: Vec<_> = (0..20).map(|_| pool.acquire().unwrap()).collect();
    let total: usize = arenas.iter().map(|arena| resident_in(arena)).max().unwrap();
    assert!(total <= 20 * 65_536, "{total} bytes, at most a small page for each header");
    arenas[0].allocate(32 * MIB).unwrap().fill(1);
    assert!(resident_in(&arenas[0]) >= 32 * MIB);
}

#[test]
fn a_pool_may_have_more_small_arenas_than_a_process_has_mappings() {
    let _alone = alone();
    for huge_pages in [false, true] {
        let pool = Arena::builder().capacity(1).huge_pages(huge_pages).build_pool(70_000).unwrap();
        assert_eq!(pool.available(), 70_000);
        let arena = pool.acquire().unwrap();
        arena.allocate(arena.remaining()).unwrap().fill(1);
    }
}

#[test]
fn a_small_arena_takes_no_more_addresses_than_its_capacity() {
    let _alone = alone();
    let addresses = || {
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        // The numbers are pages. Their size does not matter for a comparison.
        statm.split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    let plain: Vec<Arena> = (0..1000).map(|_| Arena::with_capacity(1).unwrap()).collect();
    let before = addresses();
    let more: Vec<Arena> = (0..1000).map(|_| Arena::builder().capacity(1).huge_pages(true).build().unwrap()).collect();
    let pages_of_one = 65_536 / usize::try_from(page_size()).unwrap();
    let taken = addresses() - before;
    assert!(taken <= 1100 * pages_of_one.max(1), "{taken} pages for 1,000 arenas of {pages_of_one}");
    drop((plain, more));

    // Arenas with an alignment keep no addresses that were skipped for it.
    let before = addresses();
    let aligned: Vec<Arena> = (0..20).map(|_| Arena::builder().capacity(1).align(64 * MIB).build().unwrap()).collect();
    let taken = addresses() - before;
    assert!(taken <= 100 * pages_of_one.max(1), "{taken} pages for 20 arenas of {pages_of_one}");
    drop(aligned);
}

fn page_size() -> libc::c_long {
    // SAFETY: asking for a number has no precondition.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) }
}

#[test]
fn trimming_a_part_keeps_the_pages_that_are_used() {
    let _alone = alone();
    let mut arena = Arena::builder().capacity(64 * MIB).prefault(|_, _| ()).build().unwrap();
    assert!(resident_in(&arena) >= 64 * MIB, "prefaulted: {}", resident_in(&arena));
    dirty(&arena, 16 * MIB);
    arena.trim().unwrap();
    assert!((16 * MIB..17 * MIB).contains(&resident_in(&arena)), "{}", resident_in(&arena));
}

#[test]
fn dropping_an_arena_unmaps_it() {
    let _alone = alone();
    // The arena is larger than any mapping that the test harness could make in its place meanwhile.
    let arena = Arena::with_capacity(1 << 31).unwrap();
    dirty(&arena, MIB);
    let middle = addresses(&arena).start + (1 << 30);
    assert!(resident(&(middle..middle + 1)).is_some());
    drop(arena);
    assert_eq!(resident(&(middle..middle + 1)), None);
}

#[test]
fn huge_pages_are_asked_for_where_the_kernel_has_them() {
    let _alone = alone();
    let arena = Arena::builder().capacity(16 * MIB).huge_pages(true).build().unwrap();
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    // An emulator of another processor shows its own file, with merged mappings and without such
    // flags. The arena's first 64 KiB, with its header, are left out.
    let Some((_, mapping)) = smaps.split_once(&format!("\n{:x}-", addresses(&arena).start + 65_536)) else {
        assert_ne!(std::env::consts::ARCH, "x86_64", "the arena's mapping is not among this program's");
        return;
    };
    // The advice covers only whole huge pages.
    let end = usize::from_str_radix(mapping.split(' ').next().unwrap(), 16).unwrap();
    assert_eq!(end - addresses(&arena).start, 65_536 + 14 * MIB);
    assert!(end.is_multiple_of(2 * MIB));
    let (_, flags) = mapping.split_once("VmFlags:").unwrap();
    let asked = flags.lines().next().unwrap().split_whitespace().any(|flag| flag == "hg");
    let kernel_has_them = fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap();
    assert_eq!(asked, kernel_has_them);
}

#[test]
fn a_pool_gives_memory_back_after_a_burst_and_leaves_arenas_in_use_alone() {
    let _alone = alone();
    let pool = Pool::with_capacity(3, 64 * MIB).unwrap();
    let burst: Vec<_> = (0..3).map(|_| pool.acquire().unwrap()).collect();
    burst.iter().for_each(|arena| dirty(arena, 32 * MIB));
    let places: Vec<_> = burst.iter().map(|arena| addresses(arena)).collect();
    let resident_in_all = || {
        let all =
            places.iter().map(|place| place.start).min().unwrap()..places.iter().map(|place| place.end).max().unwrap();
        resident(&all).unwrap()
    };
    assert!(resident_in_all() >= 96 * MIB);
    let kept = burst[0].insert(7).unwrap();
    let in_use = burst[0].clone();
    drop(burst);
    assert!(resident_in_all() >= 96 * MIB, "recycling keeps the pages");

    assert!(pool.trim().unwrap() >= 2 * 63 * MIB);
    assert!((32 * MIB..34 * MIB).contains(&resident_in_all()), "{}", resident_in_all());
    assert_eq!((pool.available(), in_use.get(kept)), (2, Some(&7)));
    drop(in_use);
    pool.trim().unwrap();
    assert!(resident_in_all() <= MIB, "{}", resident_in_all());
    assert!(pool.acquire().unwrap().allocate(MIB).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn a_pool_is_trimmed_while_others_take_its_arenas() {
    let _alone = alone();
    let pool = Pool::with_capacity(2, MIB).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let Some(arena) = pool.acquire() else { continue };
                    let mut block = arena.allocate(5000).unwrap();
                    assert!(block.iter().all(|&byte| byte == 0));
                    block.fill(0xA5);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..500 {
                pool.trim().unwrap();
            }
        });
    });
    assert_eq!(pool.available(), 2);
}

/// Returns whether the kernel can provide several pages at once.
fn kernel_fetches_pages() -> bool {
    let arena = Arena::with_capacity(MIB).unwrap();
    let page = arena.memory().region().cast::<u8>();
    // SAFETY: pages of the arena; this advice changes no byte.
    unsafe { libc::madvise(page.as_ptr().cast(), 65_536, libc::MADV_POPULATE_WRITE) == 0 }
}

#[test]
fn a_lease_fetches_the_pages_of_a_chunk_at_once() {
    let _alone = alone();
    let arena = Arena::with_capacity(64 * MIB).unwrap();
    let lease = arena.lease(256 << 10);
    for _ in 0..8 * MIB / 64 {
        lease.allocate(64).unwrap().fill(1);
    }
    // The first block of the next chunk.
    let used = arena.used();
    while arena.used() == used {
        lease.allocate(64).unwrap().fill(1);
    }
    assert_eq!(arena.used(), used + (256 << 10));
    let resident = resident_in(&arena);
    assert_eq!(resident >= used + (250 << 10), kernel_fetches_pages(), "{resident} of {}", arena.used());
    // The chunk and the header.
    assert!(resident <= arena.used() + 2 * 65_536, "{resident} of {}", arena.used());
}

#[test]
fn large_blocks_of_a_lease_occupy_memory_when_they_are_touched() {
    let _alone = alone();
    let arena = Arena::with_capacity(64 * MIB).unwrap();
    let lease = arena.lease(256 << 10);
    let blocks: Vec<_> = (0..40).map(|_| lease.allocate(900 << 10).unwrap()).collect();
    assert!(blocks.iter().all(|block| block.len() == 900 << 10));
    assert!(resident_in(&arena) <= MIB, "{}", resident_in(&arena));
}
