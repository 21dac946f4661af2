//! The books of leases: every byte that is used was handed out, is free in a lease, or counts as
//! stranded in the end.

use std::ptr::NonNull;

use marena_core::{Arena, Claim, Lease, Memory, Scratch};

use crate::owned::zeroed_arena;

/// A random generator that gives the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn size(&mut self) -> usize {
        let bound = [16, 100, 600, 3000][self.below(4)];
        1 + self.below(bound)
    }
}

/// Claims a block, and grows it or gives a part of it back. Returns how many bytes it has in the
/// end.
fn block<'a>(source: impl Claim<'a>, random: &mut Random) -> usize {
    let size = random.size();
    // SAFETY: a power of two, and not 0.
    let Ok(claimed) = (unsafe { source.claim(size, 8, None) }) else { return 0 };
    let start = claimed.start();
    match random.below(4) {
        0 => {
            let new = size + random.size();
            // SAFETY: the last block, which becomes no less.
            let extended = unsafe { source.extend(start, size, new) };
            (if extended.is_some() { new } else { size }).next_multiple_of(8)
        }
        1 => {
            let kept = random.below(size);
            // SAFETY: in the block.
            let rest = unsafe { start.add(kept) };
            // SAFETY: the end of the last block, which is not used any more.
            unsafe { source.give_back(rest, size - kept) };
            kept.next_multiple_of(8)
        }
        _ => size.next_multiple_of(8),
    }
}

/// Allocates in a scope, and in scopes within it.
fn in_scope<M: Memory>(scope: &mut Scratch<'_, M>, random: &mut Random, depth: usize) {
    for _ in 0..random.below(6) {
        let before = scope.remaining();
        if depth > 0 && random.below(4) == 0 {
            in_scope(&mut scope.scratch(), random, depth - 1);
            assert_eq!(scope.remaining(), before, "the bytes of an inner scope come back");
        } else {
            let taken = block(&*scope, random);
            assert_eq!(scope.remaining(), before - taken, "{taken}");
        }
    }
}

/// Returns how many bytes a lease has claimed and not handed out.
fn free<M: Memory>(lease: &mut Lease<'_, M>, arena: &Arena<M>) -> usize {
    lease.scratch().remaining() - arena.remaining()
}

#[test]
fn every_used_byte_is_handed_out_free_in_a_lease_or_stranded() {
    for seed in 0..if cfg!(miri) { 3 } else { 400 } {
        let mut random = Random(seed);
        let arena = zeroed_arena([8 << 10, 64 << 10][random.below(2)]);
        let mut handed_out = 0;
        let mut lost = 0;
        {
            let mut leases = [0, 64, 512, 4096, 100_000].map(|chunk| arena.lease(chunk));
            let alone = random.below(leases.len());
            for _ in 0..40 {
                // Runs of requests to one lease, and some to others.
                let which = if random.below(3) > 0 { alone } else { random.below(leases.len()) };
                let lease = &mut leases[which];
                match random.below(6) {
                    0 => handed_out += block(&arena, &mut random),
                    1 => in_scope(&mut lease.scratch(), &mut random, 2),
                    _ => handed_out += block(&*lease, &mut random),
                }
                let held: usize = leases.iter_mut().map(|lease| free(lease, &arena)).sum();
                let stats = arena.stats();
                assert!(stats.used >= handed_out + held + lost, "seed {seed}: a byte has two owners");
                // What was lost stays lost.
                lost = stats.used - handed_out - held;
                assert!(stats.stranded <= lost, "seed {seed}");
                // Leases that hold little do not count.
                assert!(held <= stats.leased + 1024 * leases.len(), "seed {seed}: {held} and {}", stats.leased);
            }
        }
        let stats = arena.stats();
        assert_eq!((stats.used - handed_out, stats.leased), (stats.stranded, 0), "seed {seed}");
        assert!(stats.stranded >= lost, "seed {seed}");
        assert!(arena.allocate(arena.remaining()).is_ok());
    }
}

#[test]
fn a_lease_with_a_chunk_larger_than_the_arena_acts_as_one_of_the_arenas_size() {
    for seed in 0..if cfg!(miri) { 2 } else { 50 } {
        let arenas = [zeroed_arena(32 << 10), zeroed_arena(32 << 10)];
        let leases = [arenas[0].lease(usize::MAX), arenas[1].lease((32 << 10) - 128)];
        let mut randoms = [Random(seed), Random(seed)];
        for _ in 0..60 {
            let used = [0, 1].map(|i| {
                let random = &mut randoms[i];
                let handed_out =
                    if random.below(4) == 0 { block(&arenas[i], random) } else { block(&leases[i], random) };
                (handed_out, arenas[i].used())
            });
            assert_eq!(used[0], used[1], "seed {seed}");
        }
    }
}

#[test]
fn the_last_block_of_a_lease_or_its_scopes_grows_to_the_end_of_the_arena_and_no_farther() {
    fn grows<'a>(source: impl Claim<'a>, before: usize, total: usize) {
        // SAFETY: a power of two, and not 0.
        let start = unsafe { source.claim(8, 8, None) }.unwrap().start();
        let mut size = 8;
        let mut to = |new| {
            // SAFETY: the last block, which becomes no less.
            let extended = unsafe { source.extend(start, size, new) };
            size = if extended.is_some() { new } else { size };
            extended.is_some()
        };
        let most = total - before;
        assert!(!to(most + 1));
        for new in [9, 64, most / 2, most - 8, most - 7, most] {
            assert!(to(new), "{before} of {total}: {new} of {most}");
        }
        assert!(!to(most + 1));
    }
    let total = 4096 - 128;
    for chunk in [0, 8, 64, 256, 1024, 100_000] {
        for before in [8, 40, 64, 248, 256, 2000] {
            let arena = zeroed_arena(4096);
            let mut lease = arena.lease(chunk);
            lease.allocate(before).unwrap();
            grows(&lease.scratch(), before, total);
            {
                let mut scratch = lease.scratch();
                grows(&scratch.scratch(), before, total);
                // The inner scope claimed it all for the lease.
                grows(&scratch, before, total);
            }
            grows(&lease, before, total);
            assert_eq!(arena.remaining(), 0);
        }
    }
}

#[test]
fn a_block_at_the_cursor_grows_and_goes_back_through_any_lease() {
    let arena = zeroed_arena(4096);
    let lease = arena.lease(64);
    lease.alloc(0_u64).unwrap();
    let claim = |size| {
        // SAFETY: a power of two, and not 0.
        unsafe { Claim::claim(&arena, size, 8, None) }.unwrap().start()
    };
    let start: NonNull<u8> = claim(16);
    let used = arena.used();
    // SAFETY: the last block of the arena, which becomes no less.
    let extended = unsafe { Claim::extend(&lease, start, 16, 100) }.unwrap();
    assert_eq!((extended.start(), arena.used()), (start, used + 88));
    // SAFETY: the last block, which is not used any more.
    unsafe { Claim::give_back(&lease, start, 100) };
    assert_eq!(arena.used(), used - 16);
    let (first, second) = (claim(16), claim(16));
    let used = arena.used();
    // SAFETY: a block that is not the last one.
    assert!(unsafe { Claim::extend(&lease, first, 16, 24) }.is_none());
    // SAFETY: as above; it is not used any more.
    unsafe { Claim::give_back(&lease, first, 16) };
    assert_eq!((arena.used(), second.addr().get()), (used, first.addr().get() + 16));
}

/// Makes a lease keep free runs of these sizes, by claims of another behind each of them.
fn with_runs<'a, M: Memory>(arena: &'a Arena<M>, sizes: &[usize]) -> Lease<'a, M> {
    let mut lease = arena.lease(0);
    let scope = lease.scratch();
    for &size in sizes {
        scope.allocate(size).unwrap();
        arena.allocate(8).unwrap();
    }
    drop(scope);
    lease
}

#[test]
fn a_lease_keeps_seven_runs_and_serves_each_request_from_the_shortest_that_fits() {
    for order in [[80, 160, 320, 640, 1280, 2560, 5120], [5120, 80, 2560, 160, 1280, 320, 640]] {
        for ascending in [true, false] {
            let arena = zeroed_arena(64 << 10);
            let mut lease = with_runs(&arena, &order);
            let used = arena.used();
            let mut sizes = order;
            sizes.sort_unstable();
            if !ascending {
                sizes.reverse();
            }
            for (served, size) in sizes.into_iter().enumerate() {
                let left: usize = sizes[served..].iter().sum();
                assert!(free(&mut lease, &arena) >= left, "{served} of {sizes:?}");
                lease.allocate(size).unwrap();
                assert_eq!(arena.used(), used, "{size} of {sizes:?}");
            }
        }
    }
}

#[test]
fn a_run_that_grows_for_a_scope_in_another_one_counts_as_leased() {
    let arena = zeroed_arena(1 << 20);
    let mut lease = arena.lease(256);
    lease.allocate(8).unwrap();
    arena.allocate(8).unwrap();
    for size in [4 << 10, 32 << 10, 256 << 10] {
        // The scope begins in the first run. The second one, at the end, grows for it.
        lease.scratch().allocate(size).unwrap();
        let (held, leased) = (free(&mut lease, &arena), arena.stats().leased);
        assert!(size <= held && held <= leased && leased <= 2 * held, "{held} bytes held, {leased} counted");
    }
}

#[test]
fn a_scope_of_a_fresh_lease_claims_a_chunk() {
    let arena = zeroed_arena(64 << 10);
    let mut lease = arena.lease(4096);
    lease.scratch().allocate(8).unwrap();
    assert_eq!(arena.used(), 256);
    // Larger ones from then on, until the largest, and as much as the lease has.
    lease.scratch().allocate(300).unwrap();
    assert_eq!(arena.used(), 256 + 512);
}

#[test]
fn a_scope_goes_on_in_a_run_that_its_lease_no_longer_keeps() {
    let arena = zeroed_arena(4 << 20);
    let mut lease = arena.lease(512);
    lease.allocate(100).unwrap();
    arena.allocate(8).unwrap();
    let mut scope = lease.scratch();
    // In a run of its own, which has some room behind it.
    let first = scope.allocate_layout(std::alloc::Layout::new::<[u64; 30]>()).unwrap().cast::<u8>();
    arena.allocate(8).unwrap();
    // Within it, so many runs are claimed that the lease gives up the shortest: that one.
    let inner = scope.scratch();
    for doublings in 0..8 {
        // No run before has room for it.
        inner.allocate_uninit(1000 << doublings, 8).unwrap();
        arena.allocate(8).unwrap();
    }
    drop(inner);
    let mut left = scope.remaining();
    let mut end = first.addr().get() + 240;
    let mut steps = 0;
    loop {
        let block = scope.allocate_layout(std::alloc::Layout::new::<u64>()).unwrap().cast::<u8>();
        if block.addr().get() != end {
            break;
        }
        assert_eq!(scope.remaining(), left - 8, "step {steps}");
        // The last block grows in its run and not out of it.
        // SAFETY: the last block, which becomes no less.
        let grows = |to| unsafe { Claim::extend(&scope, block, 8, to) }.is_some();
        assert!(!grows(600) && !grows(4 << 20));
        (left, end, steps) = (left - 8, end + 8, steps + 1);
    }
    assert!(steps > 4, "{steps}");
}
