//! Resets, wipes and shared resets, and the statistics that follow them.

use marena_core::{Arena, BorrowedMemory, Memory, Pool, PoolSlot};

use crate::owned::{Buffer, Owned, zeroed_arena};

#[test]
fn a_reset_starts_over_at_the_same_place() {
    let mut arena = zeroed_arena(1024);
    let first = arena.allocate(100).unwrap().address();
    arena.allocate(arena.remaining()).unwrap();
    arena.allocate(1).unwrap_err();
    arena.reset();
    assert_eq!((arena.used(), arena.remaining()), (0, 896));
    assert_eq!(arena.allocate(100).unwrap().address(), first);
}

#[test]
fn an_arena_can_be_reset_any_number_of_times() {
    let mut arena = zeroed_arena(1024);
    for generation in 0..if cfg!(miri) { 10 } else { 10_000_u64 } {
        let value = arena.alloc(generation).unwrap();
        assert_eq!(*value, generation);
        arena.allocate(arena.remaining()).unwrap();
        if generation.is_multiple_of(2) { arena.reset() } else { arena.wipe() }
    }
    assert_eq!(arena.used(), 0);
}

#[test]
fn statistics_follow_what_was_allocated_reset_and_wiped() {
    let mut arena = zeroed_arena(4096);
    let numbers = |arena: &Arena<Owned>| {
        let stats = arena.stats();
        assert_eq!((stats.capacity, stats.used + stats.remaining), (4096, 4096 - 128));
        assert_eq!((stats.used, stats.remaining), (arena.used(), arena.remaining()));
        (stats.used, stats.high_water, stats.stranded)
    };
    assert_eq!(numbers(&arena), (0, 0, 0));
    arena.allocate(201).unwrap();
    assert_eq!(numbers(&arena), (208, 208, 0));
    arena.reset();
    assert_eq!(numbers(&arena), (0, 208, 0));
    arena.allocate(8).unwrap();
    assert_eq!(numbers(&arena), (8, 208, 0));
    arena.alloc_try_with(|| Err::<[u64; 100], _>(())).unwrap_err();
    assert_eq!(numbers(&arena), (8, 808, 0), "bytes that were handed out and came back count");
    arena.wipe();
    assert_eq!(numbers(&arena), (0, 0, 0));
}

#[test]
fn a_lease_that_was_overtaken_strands_its_rest_until_the_reset() {
    let mut arena = zeroed_arena(4096);
    let lease = arena.lease(1024);
    lease.allocate(8).unwrap();
    let claimed = arena.used();
    arena.allocate(8).unwrap();
    drop(lease);
    assert_eq!((arena.stats().stranded, arena.used()), (claimed - 8, claimed + 8));
    arena.reset();
    assert_eq!(arena.stats().stranded, 0);
}

#[test]
fn a_lease_that_was_not_overtaken_gives_its_rest_back() {
    let arena = zeroed_arena(4096);
    let lease = arena.lease(1024);
    lease.allocate(8).unwrap();
    assert!(arena.used() > 8);
    drop(lease);
    assert_eq!((arena.used(), arena.stats().stranded), (8, 0));
}

#[test]
fn a_request_that_fits_the_arena_fits_through_a_lease_whatever_its_chunk() {
    for chunk in [0, 1, 8, 64, 256, 4096, usize::MAX] {
        let arena = zeroed_arena(4096);
        let lease = arena.lease(chunk);
        lease.allocate(8).unwrap();
        let rest = lease.remaining();
        assert_eq!(lease.allocate(rest).unwrap().len(), rest, "chunk {chunk}");
        assert_eq!(arena.remaining(), 0, "chunk {chunk}");
        lease.allocate(1).unwrap_err();
    }
}

#[test]
fn many_leases_that_overtake_each_other_leave_little_of_a_small_arena_unused() {
    let arena = zeroed_arena(65_536);
    let room = arena.remaining();
    // With fixed chunks of this size, the last two of eight leases would get nothing.
    let leases: Vec<_> = (0..8).map(|_| arena.lease(8192)).collect();
    let mut served = 0;
    while leases.iter().filter(|lease| lease.allocate(40).is_ok()).map(|_| served += 40).count() > 0 {}
    drop(leases);
    let stats = arena.stats();
    assert_eq!(stats.used, served + stats.stranded, "a used byte is in a block or is stranded");
    assert!(served >= room * 9 / 10, "{served} of {room}, {} stranded", stats.stranded);
}

#[test]
fn leases_and_the_arena_hand_out_disjoint_blocks_in_any_order() {
    let arena = zeroed_arena(65_536);
    let leases = [arena.lease(64), arena.lease(256), arena.lease(4096)];
    let mut blocks = Vec::new();
    for round in 0..if cfg!(miri) { 20 } else { 200_usize } {
        let size = round * 7 % 61 + 1;
        let block = match round % 4 {
            0 => arena.allocate(size).unwrap(),
            which => leases[which - 1].allocate(size).unwrap(),
        };
        blocks.push((round as u8, block));
        let (mark, block) = blocks.last_mut().unwrap();
        assert!(block.iter().all(|&byte| byte == 0));
        block.fill(*mark);
    }
    drop(leases);
    for (mark, block) in &blocks {
        assert!(block.iter().all(|byte| byte == mark));
    }
}

#[test]
fn a_scratch_gives_all_its_bytes_back_and_keeps_what_was_there() {
    let mut arena = zeroed_arena(4096);
    let kept = arena.insert([1_u64; 8]).unwrap();
    for _ in 0..100 {
        let mut outer = arena.scratch();
        outer.allocate(1000).unwrap().fill(0xFF);
        {
            let inner = outer.scratch();
            inner.allocate(inner.remaining()).unwrap().fill(0xFF);
        }
        outer.allocate(outer.remaining()).unwrap().fill(0xFF);
    }
    assert_eq!((arena.used(), arena.get(kept)), (64, Some(&[1; 8])));
}

#[test]
fn a_forgotten_scratch_keeps_the_arena_full_until_the_reset() {
    let mut arena = zeroed_arena(1024);
    std::mem::forget(arena.scratch());
    assert_eq!(arena.remaining(), 0);
    arena.allocate(8).unwrap_err();
    arena.reset();
    assert_eq!(arena.remaining(), 896);
}

#[test]
fn scratches_of_a_lease_use_its_bytes_again_and_again() {
    let arena = zeroed_arena(4096);
    let mut lease = arena.lease(512);
    let kept = lease.alloc(7_u64).unwrap();
    for round in 0..1000_u64 {
        let mut scratch = lease.scratch();
        let value = scratch.insert([round; 8]).unwrap();
        assert_eq!(scratch.get(value), Some(&[round; 8]));
        let inner = scratch.scratch();
        inner.allocate(100).unwrap().fill(0xFF);
        drop(inner);
        assert_eq!(scratch.get(value), Some(&[round; 8]));
    }
    assert_eq!(*kept, 7);
    assert!(arena.used() < 1024, "{} used", arena.used());
}

#[test]
fn a_scratch_of_a_lease_survives_chunks_that_others_claim_behind() {
    let arena = zeroed_arena(8192);
    let mut lease = arena.lease(256);
    lease.allocate(8).unwrap().fill(1);
    let mut scratch = lease.scratch();
    let mut blocks = vec![scratch.allocate(200).unwrap()];
    // Overtakes the lease, so the scratch must continue in another chunk.
    arena.allocate(8).unwrap();
    blocks.push(scratch.allocate(300).unwrap());
    blocks.iter_mut().for_each(|block| block.fill(2));
    assert!(blocks.iter().all(|block| block.iter().all(|&byte| byte == 2)));
    drop(blocks);
    let inner = scratch.scratch();
    inner.allocate(1000).unwrap().fill(3);
    arena.allocate(8).unwrap();
    inner.allocate(1000).unwrap().fill(3);
    drop(inner);
    assert!(scratch.allocate(500).unwrap().iter().all(|&byte| byte == 0));
    drop(scratch);
    assert!(lease.allocate(500).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn a_pool_recycles_an_arena_when_the_last_of_its_guards_is_gone() {
    let mut buffers = [Buffer::new(1024), Buffer::new(1024)];
    let [a, b] = &mut buffers;
    let memories = [a, b].map(|buffer| BorrowedMemory::new(buffer.skewed(0, 1024)).unwrap());
    let pool = Pool::new(memories).unwrap();
    let (first, second) = (pool.acquire().unwrap(), pool.acquire().unwrap());
    assert!(pool.acquire().is_none());
    let handle = first.insert(1).unwrap();
    assert_eq!(second.get(handle), None);
    let clones: Vec<_> = (0..10).map(|_| first.clone()).collect();
    drop(first);
    for clone in clones {
        assert_eq!((pool.available(), clone.get(handle)), (0, Some(&1)));
    }
    assert_eq!(pool.available(), 1);
    let again = pool.acquire().unwrap();
    assert_eq!((again.used(), again.get(handle)), (0, None));
    assert!(again.allocate(100).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn a_forgotten_guard_keeps_its_arena_out_and_harms_no_other() {
    let mut buffers = [Buffer::new(1024), Buffer::new(1024)];
    let [a, b] = &mut buffers;
    let pool = Pool::new([a, b].map(|buffer| BorrowedMemory::new(buffer.skewed(0, 1024)).unwrap())).unwrap();
    std::mem::forget(pool.acquire().unwrap().clone());
    for _ in 0..10 {
        assert_eq!(pool.available(), 1);
        pool.acquire().unwrap().allocate(100).unwrap().fill(1);
    }
}

#[test]
fn acquiring_from_a_pool_of_no_arenas_returns_none() {
    let pool = Pool::<BorrowedMemory<'_>, 0>::new([]).unwrap();
    assert!(pool.acquire().is_none());
    assert_eq!(pool.available(), 0);
}

#[test]
fn a_slot_begins_with_an_empty_arena_that_is_free() {
    let mut buffer = Buffer::new(1024);
    let arena = Arena::new(BorrowedMemory::new(buffer.skewed(0, 1024)).unwrap()).unwrap();
    let handle = arena.insert(1).unwrap();
    let slot = PoolSlot::new(arena);
    assert!(slot.is_free());
    let guard = slot.acquire().unwrap();
    assert!(!slot.is_free() && slot.acquire().is_none());
    assert_eq!((guard.used(), guard.get(handle)), (0, None));
    std::mem::forget(guard);
    // A new slot over the same arena does not count the forgotten guard.
    assert!(PoolSlot::new(slot.into_inner()).acquire().is_some());
}

#[test]
fn a_guard_is_a_reference_to_its_arena() {
    fn used<M: Memory>(arena: impl AsRef<Arena<M>>) -> usize {
        arena.as_ref().used()
    }

    let mut buffer = Buffer::new(1024);
    let pool = Pool::new([BorrowedMemory::new(buffer.skewed(0, 1024)).unwrap()]).unwrap();
    let guard = pool.acquire().unwrap();
    guard.alloc(1_u64).unwrap();
    assert_eq!(used(guard), 8);
}

#[test]
fn the_recent_high_water_mark_starts_anew_with_each_reset() {
    let mut arena = zeroed_arena(1 << 16);
    let marks = |arena: &Arena<Owned>| (arena.stats().high_water, arena.stats().high_water_since_reset);
    arena.allocate(20_000).unwrap();
    assert_eq!(marks(&arena), (20_000, 20_000));
    arena.reset();
    assert_eq!(marks(&arena), (20_000, 0));
    // These bytes were given back, but still count.
    drop(arena.alloc_slot::<[u64; 100]>().unwrap());
    assert_eq!((arena.used(), marks(&arena)), (0, (20_000, 800)));
    arena.reset();
    // Less than before. A scope counts at most some way ahead.
    arena.scratch().allocate(8000).unwrap();
    let (ever, recent) = marks(&arena);
    assert!(ever == 20_000 && (8000..=8000 + 4096).contains(&recent), "{recent}");
    arena.reset();
    let lease = arena.lease(1024);
    lease.allocate(100).unwrap();
    drop(lease);
    // No more than its chunk, although its bytes were dirty before the reset.
    assert_eq!(marks(&arena).1, 256);
    arena.wipe();
    assert_eq!(marks(&arena), (0, 0));
    // SAFETY: no block from before is left, and no other thread knows the arena.
    unsafe {
        arena.allocate(64).unwrap();
        arena.reset_shared();
    }
    assert_eq!(marks(&arena), (64, 0));
}

#[test]
fn blocks_are_zero_after_a_reset_and_a_scope_of_any_size() {
    let mut arena = zeroed_arena(1 << 16);
    arena.allocate(30_000).unwrap().fill(1);
    arena.reset();
    for size in [100, 5000, 20_000, 40_000] {
        arena.scratch().allocate(size).unwrap().fill(2);
        let all = arena.remaining();
        let scope = arena.allocate(all).unwrap();
        assert!(scope.iter().all(|&byte| byte == 0), "after a scope of {size}");
        arena.reset();
    }
}

#[test]
fn requests_that_find_no_room_are_counted_in_every_mode() {
    let mut arena = zeroed_arena(4096);
    arena.allocate(5000).unwrap_err();
    arena.allocate(usize::MAX).unwrap_err();
    arena.alloc([0_u8; 4096]).unwrap_err();
    assert_eq!(arena.stats().failed, 3);
    let lease = arena.lease(512);
    lease.allocate(100).unwrap();
    lease.allocate(5000).unwrap_err();
    assert_eq!(lease.stats().failed, 4);
    drop(lease);
    let scratch = arena.scratch();
    scratch.allocate(5000).unwrap_err();
    scratch.allocate(100).unwrap();
    drop(scratch);
    arena.reset();
    assert_eq!(arena.stats().failed, 5);
    // A request that succeeds in the end is no failure, whatever attempts failed on the way.
    let lease = arena.lease(4096);
    while lease.allocate(24).is_ok() {}
    assert_eq!(lease.stats().failed, 6);
}

#[test]
fn the_bytes_that_leases_hold_are_bounded_by_the_statistics() {
    let arena = zeroed_arena(1 << 16);
    let leases = [1024, 4096, 64].map(|chunk| arena.lease(chunk));
    assert_eq!(arena.stats().leased, 0);
    let mut handed_out = 0;
    for round in 0..100 {
        for lease in &leases {
            handed_out += lease.allocate(24 + 8 * (round % 3)).unwrap().len();
        }
        let stats = arena.stats();
        let held = stats.used - handed_out - stats.stranded;
        // Three leases, each with up to 1,024 bytes that do not count.
        assert!((held..=stats.used + 3072).contains(&(stats.leased + 3072)), "{held} held in round {round}, {stats}");
    }
    assert!((4096..=16_384).contains(&arena.stats().leased), "{}", arena.stats());
    drop(leases);
    assert_eq!(arena.stats().leased, 0);
    let leaked = arena.lease(4096);
    leaked.allocate(2048).unwrap();
    leaked.allocate(2048).unwrap();
    std::mem::forget(leaked);
    assert!(arena.stats().leased >= 2048, "{}", arena.stats());
}
