//! Programs of safe code that try to reach bytes of another owner. Each ends in an error or in a
//! value, never in a wrong byte.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::mem::{self, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

use marena_core::{
    ARENA_MAX_ALLOC_SIZE, Address, Allocate, Arena, Block, BorrowedMemory, Handle, Memory, Pool, StaticMemory,
};

type Buffer = [MaybeUninit<u8>; 8192];

fn dirty() -> Buffer {
    [MaybeUninit::new(0xA5); 8192]
}

fn panics<T>(run: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
}

/// Allocates in every way that gives bytes, and fills the bytes with `mark`.
fn everything<'a>(memory: impl Allocate<'a>, mark: u8, out: &mut Vec<&'a mut [u8]>) {
    let sizes = [0, 1, 7, 8, 9, 31, 64];
    for size in sizes {
        out.extend(memory.allocate(size).ok().map(Block::into_mut));
        out.extend(memory.allocate_aligned(size, 64).ok().map(Block::into_mut));
        out.extend(memory.allocate_bounded(size, 0).ok().map(Block::into_mut));
        out.extend(memory.allocate_multiple([size, 3, size]).into_iter().flatten().map(Block::into_mut));
        out.extend(memory.alloc_slice_fill_with(size, |_| 0).ok());
        out.extend(memory.alloc_slice_from_iter((0..size).map(|_| 0)).ok());
        out.extend(memory.alloc_slice_copy(&vec![0; size]).ok());
    }
    for bytes in out.iter_mut().filter(|bytes| bytes.iter().all(|&byte| byte == 0)) {
        bytes.fill(mark);
    }
}

#[test]
fn bytes_from_all_sources_at_once_are_disjoint_and_keep_their_content() {
    let mut buffer = dirty();
    let arena = Arena::borrowed(&mut buffer).unwrap();
    let leases = [arena.lease(64), arena.lease(1024)];
    let mut owners: Vec<Vec<&mut [u8]>> = Vec::new();
    for mark in 1..=6 {
        let mut bytes = Vec::new();
        match mark % 3 {
            0 => everything(&arena, mark, &mut bytes),
            which => everything(&leases[usize::from(which) - 1], mark, &mut bytes),
        }
        owners.push(bytes);
    }
    drop(leases);
    let mut ranges = Vec::new();
    for (bytes, mark) in owners.iter().zip(1..) {
        assert!(bytes.iter().all(|bytes| bytes.iter().all(|&byte| byte == mark)), "owner {mark}");
        ranges.extend(bytes.iter().filter(|bytes| !bytes.is_empty()).map(|bytes| bytes.as_ptr_range()));
    }
    ranges.sort_unstable_by_key(|range| range.start);
    assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert!(ranges.len() > 100);
}

#[test]
fn handles_of_every_generation_arena_and_scope_read_their_value_or_nothing() {
    let (mut first, mut second) = (dirty(), dirty());
    let mut arenas = [Arena::borrowed(&mut first).unwrap(), Arena::borrowed(&mut second).unwrap()];
    let mut hoard: Vec<(Handle, Handle<u64>, u64)> = Vec::new();
    let mut live = [Vec::new(), Vec::new()];
    for round in 0..if cfg!(miri) { 12 } else { 300_u64 } {
        let which = round as usize % 2;
        let arena = &mut arenas[which];
        match round % 7 {
            3 => {
                arena.reset();
                live[which].clear();
            }
            5 => {
                arena.wipe();
                live[which].clear();
            }
            6 => {
                let scratch = arena.scratch();
                let mut block = scratch.allocate(8).unwrap();
                block.copy_from_slice(&round.to_ne_bytes());
                hoard.push((block.publish(), scratch.insert(round).unwrap(), round));
                if round % 2 == 0 {
                    mem::forget(scratch);
                    arena.reset();
                    live[which].clear();
                }
            }
            _ => {
                let mut block = arena.allocate(8).unwrap();
                block.copy_from_slice(&round.to_ne_bytes());
                let entry = (block.publish(), arena.insert(round).unwrap(), round);
                hoard.push(entry);
                live[which].push(round);
            }
        }
        // Two arenas may be swapped. Their handles follow them.
        arenas.swap(0, 1);
        live.swap(0, 1);
        for (arena, live) in arenas.iter().zip(&live) {
            for (bytes, value, round) in &hoard {
                let expected = live.contains(round).then_some(*round);
                assert_eq!(arena.get(*value).copied(), expected);
                assert_eq!(arena.view(*bytes), expected.map(u64::to_ne_bytes).as_ref().map(|bytes| &bytes[..]));
            }
        }
    }
}

#[test]
fn a_destructor_that_runs_in_a_failing_initialiser_may_use_the_arena() {
    struct Meddler<'a>(&'a Arena<BorrowedMemory<'a>>, &'a RefCell<Vec<Handle<u32>>>, u32);
    impl Drop for Meddler<'_> {
        fn drop(&mut self) {
            let handle = self.0.insert(self.2).unwrap();
            self.1.borrow_mut().push(handle);
        }
    }

    let mut buffer = dirty();
    let arena = Arena::borrowed(&mut buffer).unwrap();
    let kept = RefCell::new(Vec::new());
    panics(|| {
        let made = |i| if i == 3 { resume_unwind(Box::new(())) } else { Meddler(&arena, &kept, i as u32) };
        arena.alloc_slice_fill_with(4, made).map(|slice| slice.len())
    });
    arena.allocate(64).unwrap().fill(0xFF);
    let kept: Vec<_> = kept.borrow().iter().map(|&handle| *arena.get(handle).unwrap()).collect();
    assert_eq!(kept, [0, 1, 2]);
}

#[test]
fn an_iterator_that_swaps_its_source_and_panics_later_leaves_no_value_twice() {
    let drops = Cell::new(0);
    struct Once<'c>(&'c Cell<u32>);
    impl Drop for Once<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    let mut buffer = dirty();
    let arena = Arena::borrowed(&mut buffer).unwrap();
    for at in 0..6 {
        drops.set(0);
        let mut source: Vec<_> = (0..6).map(|_| Once(&drops)).collect();
        panics(|| {
            let drained = source
                .drain(..)
                .enumerate()
                .map(|(i, value)| if i == at { resume_unwind(Box::new(())) } else { value });
            let drained: Vec<_> = Vec::from_iter(drained.take(at + 1));
            arena.alloc_slice_from_iter(drained).map(|slice| slice.len())
        });
        assert_eq!(drops.get(), 6);
        assert_eq!(arena.used(), 0);
    }
}

#[test]
fn forgetting_everything_costs_memory_and_nothing_else() {
    let mut buffer = dirty();
    let mut arena = Arena::borrowed(&mut buffer).unwrap();
    for round in 0..20_u8 {
        let mut lease = arena.lease(128);
        lease.allocate(10).unwrap().fill(0xFF);
        let scratch = lease.scratch();
        scratch.allocate(50).unwrap().fill(0xFF);
        mem::forget(scratch);
        assert_eq!(*lease.allocate(50).unwrap(), [0; 50]);
        mem::forget(lease);
        let mut scratch = arena.scratch();
        let inner = scratch.scratch();
        inner.allocate(500).unwrap().fill(0xFF);
        mem::forget(inner);
        assert_eq!(*scratch.allocate(500).unwrap(), [0; 500]);
        if round % 2 == 0 {
            let left = scratch.remaining();
            mem::forget(scratch);
            assert_eq!(arena.remaining(), left + 504);
            assert_eq!(*arena.allocate(500).unwrap(), [0; 500]);
        } else {
            drop(scratch);
        }
        arena.reset();
        assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
        arena.reset();
    }
}

#[test]
fn many_arenas_over_one_static_share_one_cursor() {
    static MEMORY: StaticMemory<8192> = StaticMemory::new();
    let mut arenas = [(); 3].map(|()| Arena::from_static(&MEMORY));
    let mut known = Vec::new();
    for round in 0..30_u32 {
        let which = round as usize % 3;
        let [own, scoped, other] = arenas.get_disjoint_mut([which, (which + 1) % 3, (which + 2) % 3]).unwrap();
        known.push((own.insert([round; 3]).unwrap(), round));
        let scratch = scoped.scratch();
        scratch.allocate(100).unwrap().fill(0xFF);
        if round % 5 == 4 {
            // Scopes of other arenas over the same static find nothing left. They give back only
            // their own bytes.
            let (empty, also_empty) = (own.scratch(), other.scratch());
            assert!(empty.allocate(8).is_err() && also_empty.allocate(8).is_err());
            drop(scratch);
            drop(empty);
            assert_eq!(also_empty.remaining(), 0);
        }
    }
    for arena in &arenas {
        assert!(known.iter().all(|&(handle, round)| arena.get(handle) == Some(&[round; 3])));
    }
}

#[test]
fn sizes_from_an_attacker_are_errors_in_every_form_and_every_allocator() {
    fn attack<'a>(memory: impl Allocate<'a>) {
        let huge = [ARENA_MAX_ALLOC_SIZE, ARENA_MAX_ALLOC_SIZE + 1, usize::MAX / 2, usize::MAX - 8, usize::MAX];
        for size in huge {
            assert!(memory.allocate(size).is_err());
            assert!(memory.allocate_multiple([size, size, size]).is_err());
            assert!(memory.allocate_multiple([8, size]).is_err());
            assert!(memory.allocate_addresses(&mut [8, size as u64, u64::MAX]).is_err());
            assert!(memory.alloc_slice_uninit::<u64>(size).is_err());
            assert!(memory.alloc_slice_fill_with(size, |_| 0_u16).is_err());
            for shift in 0..usize::BITS {
                assert!(memory.allocate_aligned(size, 1 << shift).is_err());
                if shift > 2 {
                    assert!(memory.allocate_uninit(8, (1 << shift) - 3).is_err());
                }
            }
        }
        for shift in 14..usize::BITS {
            assert!(memory.allocate_aligned(8192, 1 << shift).is_err());
        }
    }

    let mut buffer = dirty();
    let mut arena = Arena::borrowed(&mut buffer).unwrap();
    attack(&arena);
    attack(&arena.lease(64));
    attack(&arena.lease(usize::MAX).scratch());
    attack(&arena.scratch());
    assert_eq!(*arena.allocate(16).unwrap(), [0; 16]);
}

#[test]
fn forged_addresses_get_pointers_within_the_used_bytes_or_none() {
    let mut buffer = dirty();
    let arena = Arena::borrowed(&mut buffer).unwrap();
    arena.allocate(1000).unwrap();
    let mut raw = 0x9E37_79B9_7F4A_7C15_u64;
    let mut found = 0;
    for _ in 0..if cfg!(miri) { 200 } else { 100_000 } {
        raw = raw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Half of the addresses are near one that exists.
        let forged = if raw & 1 == 0 { raw } else { (raw >> 53) << 32 | (raw & 0x7FF) };
        let Some(address) = Address::from_raw(forged) else { continue };
        if let Some(bytes) = arena.view_ptr(address) {
            let region = arena.memory().region().cast::<u8>().addr().get();
            let start = bytes.cast::<u8>().addr().get() - region;
            assert!(start >= 128 && start + bytes.len() <= 128 + 1000);
            found += 1;
        }
    }
    assert!(found > 0);
}

#[test]
fn threads_that_panic_with_blocks_in_hand_leave_an_arena_that_works() {
    let mut buffer = dirty();
    let arena = Arena::borrowed(&mut buffer).unwrap();
    let finished = AtomicU32::new(0);
    thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (arena, finished) = (&arena, &finished);
            let worker = scope.spawn(move || {
                let lease = arena.lease(64);
                let mut block = lease.allocate(20).unwrap();
                block.fill(thread);
                let _ = arena.alloc_with(|| -> [u64; 4] {
                    if thread % 2 == 0 {
                        resume_unwind(Box::new(()));
                    }
                    [u64::MAX; 4]
                });
                assert!(block.iter().all(|&byte| byte == thread));
                // ORDERING: Relaxed: a count, read after the threads are joined.
                finished.fetch_add(1, Relaxed);
            });
            assert_eq!(worker.join().is_err(), thread % 2 == 0);
        }
    });
    assert_eq!(finished.into_inner(), 2);
    assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn a_guard_that_is_dropped_in_a_panic_recycles_and_its_handles_are_stale() {
    let mut buffer = dirty();
    let pool = Pool::new([BorrowedMemory::new(&mut buffer).unwrap()]).unwrap();
    let stale = Cell::new(None);
    panics(|| {
        let guard = pool.acquire().unwrap();
        guard.allocate(500).unwrap().fill(0xFF);
        stale.set(Some(guard.insert(1).unwrap()));
        resume_unwind(Box::new(()));
    });
    let guard = pool.acquire().unwrap();
    guard.insert(2).unwrap();
    assert_eq!(guard.get(stale.get().unwrap()), None);
    assert!(guard.allocate(500).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn a_lease_that_changes_threads_goes_on_where_it_was() {
    let mut buffer = dirty();
    let arena = Arena::borrowed(&mut buffer).unwrap();
    let lease = arena.lease(256);
    let mut first = lease.allocate(30).unwrap();
    first.fill(1);
    let second = thread::scope(|scope| {
        let moved = scope.spawn(move || {
            let mut second = lease.allocate(30).unwrap();
            second.fill(2);
            second
        });
        moved.join().unwrap()
    });
    assert_eq!((*first == [1; 30], *second == [2; 30]), (true, true));
}
