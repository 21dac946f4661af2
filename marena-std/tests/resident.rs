//! Which memory an arena occupies, as the system counts it: per mapping, so that the rest of the process does not show.
#![cfg(all(target_os = "linux", target_pointer_width = "64", not(miri)))]

use std::fs;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use marena_std::Arena;
use marena_std::marena_core::Memory;

const MIB: usize = 1 << 20;

/// One test at a time: the system counts adjacent arenas as one mapping.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the arena lies.
fn addresses(arena: &Arena) -> Range<usize> {
    let region = arena.memory().region();
    let base = region.cast::<u8>().addr().get();
    base..base + region.len()
}

/// Bytes in memory of all mappings that reach into `addresses`, or `None` if there are no such mappings.
fn resident(addresses: &Range<usize>) -> Option<usize> {
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
    // The header is there. Claiming bytes that are known to be zero touches none of them.
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
    // Larger than anything that the test harness could put in its place meanwhile.
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
    // An emulator of another processor shows a file of its own, in which mappings are merged and have no such flags.
    let Some((_, mapping)) = smaps.split_once(&format!("{:x}-", addresses(&arena).start)) else {
        assert_ne!(std::env::consts::ARCH, "x86_64", "the arena's mapping is not among this program's");
        return;
    };
    let (_, flags) = mapping.split_once("VmFlags:").unwrap();
    let asked = flags.lines().next().unwrap().split_whitespace().any(|flag| flag == "hg");
    let kernel_has_them = fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap();
    assert_eq!(asked, kernel_has_them);
}
