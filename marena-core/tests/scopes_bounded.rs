//! Leases whose scopes come and go while other threads claim behind them. The bytes that such a
//! lease takes of the arena stay bounded.

use std::thread;

use marena_core::{Arena, BorrowedMemory, Lease, Memory, Scratch};

/// Returns the most bytes that the leases may hold if no scope keeps anything: for each lease, its
/// chunk and four times its largest scope.
fn bound(leases: usize, chunk: usize, largest_scope: usize) -> usize {
    leases * (4 * largest_scope + chunk)
}

fn with_arena(len: usize, run: impl FnOnce(&Arena<BorrowedMemory<'_>>)) {
    let mut bytes: Vec<u8> = Vec::with_capacity(len + 256);
    run(&Arena::borrowed(&mut bytes.spare_capacity_mut()[..len + 256]).unwrap());
}

/// A random generator that gives the same numbers in every run.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

#[test]
fn scopes_of_two_leases_that_take_turns_leave_room_for_ever() {
    let (chunk, piece, pieces) = (4096, 1000, 10);
    let bound = bound(2, chunk, piece * pieces);
    with_arena(8 * bound, |arena| {
        let mut leases = [arena.lease(chunk), arena.lease(chunk)];
        for _ in 0..if cfg!(miri) { 20 } else { 2000 } {
            let [one, two] = &mut leases;
            let (one, two) = (one.scratch(), two.scratch());
            for _ in 0..pieces {
                one.allocate(piece).unwrap();
                two.allocate(piece).unwrap();
            }
            assert!(arena.used() <= bound, "{} of {bound}", arena.used());
        }
        drop(leases);
        assert_eq!(arena.used(), arena.stats().stranded);
    });
}

#[test]
fn blocks_of_a_lease_and_its_scopes_add_up_and_do_not_multiply() {
    let (chunk, piece, pieces, rounds) = (4096, 1000, 10, if cfg!(miri) { 20 } else { 2000 });
    let bound = bound(2, chunk, piece * pieces);
    with_arena(2 * 32 * rounds + 8 * bound, |arena| {
        let mut leases = [arena.lease(chunk), arena.lease(chunk)];
        for round in 1..=rounds {
            let [one, two] = &mut leases;
            one.allocate(32).unwrap();
            two.allocate(32).unwrap();
            let (one, two) = (one.scratch(), two.scratch());
            for _ in 0..pieces {
                one.allocate(piece).unwrap();
                two.allocate(piece).unwrap();
            }
            assert!(arena.used() <= 2 * 32 * round + bound, "{} in round {round}", arena.used());
        }
    });
}

/// Allocates at most `left` bytes in a scope and in nested scopes, in blocks of any size and
/// alignment. Other claims come between any two of them.
fn nest<M: Memory>(
    scope: &mut Scratch<'_, M>,
    mut left: usize,
    others: &mut impl FnMut(&mut Rng),
    rng: &mut Rng,
    depth: usize,
) {
    for _ in 0..rng.below(24) {
        others(rng);
        let most = 1 << (3 + rng.below(9));
        let (size, align) = (1 + rng.below(most), 8 << rng.below(3));
        if size + align > left {
            continue;
        }
        left -= size + align;
        scope.allocate_aligned(size, align).unwrap();
        if depth < 3 && rng.below(4) == 0 {
            nest(&mut scope.scratch(), left, others, rng, depth + 1);
        }
    }
}

#[test]
fn scopes_of_any_pieces_within_each_other_stay_bounded_on_any_schedule() {
    const LARGEST: usize = 16_384;
    let worlds = if cfg!(miri) { 2 } else { 60 };
    for (world, chunk) in (0..worlds).zip([0, 64, 1024, 16_384].into_iter().cycle()) {
        let rng = &mut Rng(world);
        let (bound, rounds) = (bound(1, chunk, LARGEST), if cfg!(miri) { 5 } else { 300 });
        // Others claim a step now and then, so any scope may find a claim behind its lease.
        with_arena(4 * bound + (1 << 20), |arena| {
            let mut lease = arena.lease(chunk);
            let mut others_have = 0;
            let mut others = |rng: &mut Rng| {
                if rng.below(8) == 0 {
                    arena.allocate(8).unwrap();
                    others_have += 8;
                }
            };
            for _ in 0..rounds {
                nest(&mut lease.scratch(), LARGEST, &mut others, rng, 0);
            }
            let taken = arena.used() - others_have;
            assert!(taken <= bound, "world {world}: {taken} of {bound} with chunks of {chunk}");
        });
    }
}

/// Serves requests that each need a scope of at most 32 pieces of at most 1,000 bytes, until
/// `requests` are done or the arena is full.
fn serve(mut lease: Lease<'_, BorrowedMemory<'_>>, seed: usize, requests: usize) -> usize {
    let rng = &mut Rng(seed as u64);
    for served in 0..requests {
        let scope = lease.scratch();
        for _ in 0..1 + rng.below(32) {
            let Ok(mut block) = scope.allocate(1 + rng.below(1000)) else { return served };
            block[0] = 1;
            if rng.below(8) == 0 {
                thread::yield_now();
            }
        }
    }
    requests
}

#[test]
fn threads_that_need_a_scope_for_each_request_serve_for_ever() {
    let (threads, chunk, requests) = (4, 4096, if cfg!(miri) { 10 } else { 3000 });
    let bound = bound(threads, chunk, 32 * 1008);
    with_arena(2 * bound, |arena| {
        let served: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..threads).map(|seed| scope.spawn(move || serve(arena.lease(chunk), seed, requests))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(served, [requests; 4], "{}", arena.stats());
        assert!(arena.used() <= bound, "{} of {bound}", arena.stats());
    });
}
