//! A failure reports exactly the bytes that the next request can have: in an arena, in leases, in
//! nested scopes, in regions, and for several blocks at once.
//!
//! The random programs are the same in every run. `MARENA_REMAINING_WORLDS` sets their number.

use std::mem::MaybeUninit;

use marena_core::{ARENA_MAX_ALLOC_SIZE, AllocError, Allocate, Arena, BorrowedMemory, Lease, Regions, Scratch};

const LEN: usize = 8192;

/// Its address is always the same modulo every alignment in use, so each run is the same.
#[repr(align(4096))]
struct Bytes([MaybeUninit<u8>; LEN]);

impl Bytes {
    fn new() -> Self {
        Self([MaybeUninit::uninit(); LEN])
    }
}

type Memory<'m> = BorrowedMemory<'m>;

fn worlds() -> u64 {
    let short = if cfg!(miri) { 4 } else { 3_000 };
    std::env::var("MARENA_REMAINING_WORLDS").map_or(short, |worlds| worlds.parse().expect("a number of worlds"))
}

/// A random generator that gives the same numbers in every run.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// Returns a size: mostly small, sometimes a large part of the arena.
    fn size(&mut self) -> usize {
        let bound = [24, 64, 300, 1500, LEN][self.below(5)];
        1 + self.below(bound)
    }
}

/// An iterator that announces more values than it has.
struct Short {
    says: usize,
    has: usize,
}

impl Iterator for Short {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.has = self.has.checked_sub(1)?;
        Some(0)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.says, Some(self.says))
    }
}

fn steps(size: usize) -> usize {
    size.next_multiple_of(8)
}

/// Returns the remaining bytes that a failure reports. The request is larger than any arena.
fn reported<'a>(memory: impl Allocate<'a>) -> usize {
    let huge = ARENA_MAX_ALLOC_SIZE;
    let failures = [
        memory.allocate(huge).map(drop),
        memory.allocate_bounded(huge, 0).map(drop),
        memory.allocate_multiple([huge, 8]).map(drop),
        memory.allocate_multiple([1 << 20, 1]).map(drop),
        memory.allocate_addresses(&mut [1 << 20, 1 << 30]).map(drop),
    ];
    let remaining = failures.map(|failure| match failure {
        Err(AllocError::Full { remaining, .. }) => remaining,
        other => panic!("{other:?}"),
    });
    assert!(remaining.windows(2).all(|pair| pair[0] == pair[1]), "{remaining:?}");
    remaining[0]
}

/// Makes a random request, which succeeds exactly if it fits the reported bytes. Returns the bytes
/// that it took.
fn request<'a>(memory: impl Allocate<'a>, rng: &mut Rng) -> usize {
    let longest = reported(memory);
    let size = match rng.below(4) {
        // Exactly the bytes that are left, or one byte more.
        0 if longest > 0 => longest + rng.below(2),
        _ => rng.size(),
    };
    let (taken, outcome) = match rng.below(5) {
        // Room for `size` values. The iterator has fewer, so the rest goes back.
        0 if size <= longest => {
            let has = rng.below(size + 1);
            return memory.alloc_slice_from_iter(Short { says: size, has }).map(|values| steps(values.len())).unwrap();
        }
        1 => (steps(size) + 8, memory.allocate_multiple([size, 0, 1]).map(drop)),
        2 => (steps(size), memory.allocate_bounded(size, 0).map(drop)),
        3 => (steps(size), memory.allocate_uninit(size, 1).map(drop)),
        _ => (steps(size), memory.allocate(size).map(drop)),
    };
    assert_eq!(outcome.is_ok(), taken <= longest, "{taken} of {longest}: {outcome:?}");
    if outcome.is_ok() { taken } else { 0 }
}

/// Claims behind the lease. There are only a few, so the lease never has more runs than it keeps.
struct Others<'a, 'm> {
    arena: &'a Arena<Memory<'m>>,
    claims: usize,
    taken: usize,
}

impl Others<'_, '_> {
    fn act(&mut self, rng: &mut Rng) {
        if self.claims > 0 && rng.below(4) == 0 {
            self.claims -= 1;
            let size = [8, 8, 64, self.arena.remaining() / 2][rng.below(4)];
            if self.arena.allocate(size).is_ok() {
                self.taken += steps(size);
            }
        }
    }
}

/// Makes requests in a scope and in scopes within it. No byte is lost between two requests, and the
/// end of an inner scope restores the state before it.
fn scope(scope: &mut Scratch<'_, Memory<'_>>, others: &mut Others<'_, '_>, rng: &mut Rng, depth: usize) {
    for _ in 0..1 + rng.below(6) {
        let (left, before) = (scope.remaining(), others.taken);
        if depth < 3 && rng.below(3) == 0 {
            let mut inner = scope.scratch();
            assert_eq!(inner.remaining(), left);
            self::scope(&mut inner, others, rng, depth + 1);
            if rng.below(4) == 0 {
                std::mem::forget(inner);
            } else {
                drop(inner);
            }
            assert_eq!(scope.remaining(), left - (others.taken - before));
        } else {
            let taken = request(&*scope, rng);
            assert_eq!(scope.remaining(), left - taken);
            others.act(rng);
        }
    }
}

/// Makes requests of a lease and of its scopes. Returns the bytes that the lease handed out outside
/// of scopes.
fn lease(lease: &mut Lease<'_, Memory<'_>>, others: &mut Others<'_, '_>, rng: &mut Rng) -> usize {
    let mut kept = 0;
    for _ in 0..1 + rng.below(8) {
        let (left, before) = (lease.scratch().remaining(), others.taken);
        if rng.below(2) == 0 {
            let mut outer = lease.scratch();
            scope(&mut outer, others, rng, 0);
            if rng.below(4) == 0 {
                std::mem::forget(outer);
            } else {
                drop(outer);
            }
            assert_eq!(lease.scratch().remaining(), left - (others.taken - before));
        } else {
            let taken = request(&*lease, rng);
            assert_eq!(lease.scratch().remaining(), left - taken);
            kept += taken;
            others.act(rng);
        }
        let reported = reported(&*lease);
        assert_eq!(self::reported(&lease.scratch()), reported, "a scope can have what its lease can have");
    }
    kept
}

#[test]
fn a_failure_in_a_lease_or_a_scope_reports_the_bytes_that_fit_and_no_byte_is_lost() {
    let rng = &mut Rng(1);
    for world in 0..worlds() {
        let mut bytes = Bytes::new();
        let arena = Arena::borrowed(&mut bytes.0[..LEN - 8 * rng.below(64)]).unwrap();
        let mut others = Others { arena: &arena, claims: 6, taken: 0 };
        others.act(rng);
        let mut one = arena.lease([0, 64, 256, 1024, 8192][rng.below(5)]);
        let kept = lease(&mut one, &mut others, rng);
        drop(one);
        let stats = arena.stats();
        assert_eq!(stats.used, kept + others.taken + stats.stranded, "world {world}");
    }
}

#[test]
fn a_failure_in_an_arena_or_its_scopes_reports_the_bytes_that_fit() {
    let rng = &mut Rng(2);
    for _ in 0..worlds() / 4 {
        let mut bytes = Bytes::new();
        let mut arena = Arena::borrowed(&mut bytes.0[..LEN - 8 * rng.below(64)]).unwrap();
        for _ in 0..rng.below(4) {
            let left = arena.remaining();
            assert_eq!(reported(&arena), left);
            let taken = request(&arena, rng);
            assert_eq!(arena.remaining(), left - taken);
        }
        let mut outer = arena.scratch();
        for _ in 0..4 {
            let left = outer.remaining();
            assert_eq!(reported(&outer), left);
            let taken = request(&outer, rng);
            let inner = outer.scratch();
            assert_eq!(reported(&inner), left - taken);
            request(&inner, rng);
        }
    }
}

#[test]
fn a_failure_in_regions_reports_the_bytes_that_the_roomiest_of_them_has() {
    let rng = &mut Rng(3);
    for _ in 0..worlds() / 4 {
        let mut bytes = [[MaybeUninit::uninit(); 1024]; 3];
        let mut regions: Regions<_, 3> = Regions::new();
        for bytes in &mut bytes {
            let len = 300 + rng.below(700);
            regions.push(Arena::borrowed(&mut bytes[..len]).unwrap()).unwrap();
        }
        for _ in 0..8 {
            let roomiest = regions.arenas().iter().map(Arena::remaining).max();
            assert_eq!(Some(reported(&regions)), roomiest);
            request(&regions, rng);
        }
    }
}
