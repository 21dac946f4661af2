//! Recorded histories of real threads, and a checker that knows what an arena promises.
//!
//! Each call is recorded with its result and the moments between which it ran. The checker then
//! looks for results that no order of the calls can explain. By default there are 20,000 calls;
//! with `MARENA_LONG=1` there are four million.

use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::AcqRel;

use marena_core::{AllocError, Arena, BorrowedMemory};

const THREADS: usize = 4;
const MEAN_BYTES: usize = 72;

/// Calls of each thread.
fn calls() -> usize {
    match std::env::var_os("MARENA_LONG") {
        _ if cfg!(miri) => 40,
        Some(_) => 1_000_000,
        None => 5_000,
    }
}

/// A clock whose moments rise in an order in which they may have happened.
#[derive(Default)]
struct Clock(AtomicUsize);

impl Clock {
    fn now(&self) -> usize {
        // ORDERING: AcqRel: all before one moment happens before all after a later moment.
        self.0.fetch_add(1, AcqRel)
    }
}

/// One call that claims bytes.
#[derive(Clone, Debug)]
struct Claim {
    ran: Range<usize>,
    size: usize,
    align: usize,
    outcome: Result<usize, AllocError>,
}

impl Claim {
    /// Returns the positions of the bytes that a successful claim took.
    fn bytes(&self) -> Option<Range<usize>> {
        self.outcome.ok().map(|start| start..start + self.size.next_multiple_of(8))
    }
}

/// Bytes that had an owner at least from one moment to another.
#[derive(Clone, Debug)]
struct Hold {
    held: Range<usize>,
    bytes: Range<usize>,
}

/// Checks that no byte had two owners at the same time.
fn disjoint(holds: &[Hold]) -> Result<(), String> {
    let mut moments: Vec<(usize, bool, &Hold)> =
        holds.iter().flat_map(|hold| [(hold.held.start, true, hold), (hold.held.end, false, hold)]).collect();
    moments.sort_unstable_by_key(|&(moment, starts, _)| (moment, starts));
    let mut live = BTreeMap::new();
    for (_, starts, hold) in moments {
        if !starts {
            live.remove(&hold.bytes.start);
            continue;
        }
        let below = live.range(..hold.bytes.end).next_back();
        if let Some((_, other)) = below.filter(|(_, other): &(_, &&Hold)| other.bytes.end > hold.bytes.start) {
            return Err(format!("{hold:?} overlaps {other:?}"));
        }
        live.insert(hold.bytes.start, hold);
    }
    Ok(())
}

/// Checks a history in which nothing is given back: later claims lie higher, and no claim that
/// fitted failed.
///
/// `limit` is the last position, `base` the address of position 0.
fn ordered_and_justified(claims: &[Claim], base: usize, limit: usize) -> Result<(), String> {
    let mut by_start: Vec<&Claim> = claims.iter().collect();
    by_start.sort_unstable_by_key(|claim| claim.ran.start);
    let mut by_end = by_start.clone();
    by_end.sort_unstable_by_key(|claim| claim.ran.end);

    // The highest position of claims that had ended before a moment. The cursor had reached it by
    // then.
    let mut ended = by_end.iter().peekable();
    let mut reached = 0;
    let mut reached_before = Vec::with_capacity(claims.len());
    for claim in &by_start {
        while let Some(before) = ended.next_if(|other| other.ran.end < claim.ran.start) {
            reached = before.bytes().map_or(reached, |bytes| reached.max(bytes.end));
        }
        reached_before.push(reached);
        if let Some(bytes) = claim.bytes().filter(|bytes| bytes.start < reached) {
            return Err(format!("{claim:?} got {bytes:?} after {reached} was reached"));
        }
    }

    // The highest position of claims that had begun by a moment. The cursor was at most there.
    let lowest: BTreeMap<usize, usize> =
        by_start.iter().zip(reached_before).map(|(claim, reached)| (claim.ran.start, reached)).collect();
    let mut begun = by_start.iter().peekable();
    let mut highest = 0;
    for claim in by_end {
        while let Some(before) = begun.next_if(|other| other.ran.start < claim.ran.end) {
            highest = before.bytes().map_or(highest, |bytes| highest.max(bytes.end));
        }
        match claim.outcome {
            Ok(_) => {}
            Err(AllocError::Full { requested, remaining }) => {
                let start = (base + highest).next_multiple_of(claim.align.max(8)) - base;
                let cursor = limit - remaining;
                if requested != claim.size || start + claim.size <= limit {
                    return Err(format!("{claim:?} failed although at most {highest} of {limit} was taken"));
                }
                if cursor < lowest[&claim.ran.start] || cursor > highest {
                    return Err(format!("{claim:?} saw a cursor at {cursor}, which never was"));
                }
            }
            Err(other) => return Err(format!("{claim:?} failed as {other}")),
        }
    }
    Ok(())
}

/// A random generator that gives the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

type Borrowed<'m> = Arena<BorrowedMemory<'m>>;

/// Runs `record` on all threads at once, over one arena with room for `bytes`. Returns the records,
/// the base and the limit.
fn on_threads<T: Send>(
    bytes: usize,
    record: impl Fn(usize, &Borrowed<'_>, &Clock) -> Vec<T> + Sync,
) -> (Vec<T>, usize, usize) {
    let mut buffer: Vec<u8> = Vec::with_capacity(bytes + 1024);
    let spare: &mut [MaybeUninit<u8>] = buffer.spare_capacity_mut();
    let arena = Arena::borrowed(spare).unwrap();
    let limit = arena.remaining();
    let base = marena_core::Memory::region(arena.memory()).addr().get() + 128;
    let (clock, start) = (Clock::default(), Barrier::new(THREADS));
    let records = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (arena, clock, start, record) = (&arena, &clock, &start, &record);
                scope.spawn(move || {
                    start.wait();
                    record(thread, arena, clock)
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    (records, base, limit)
}

fn position(arena: &Borrowed<'_>, block: NonNull<u8>) -> usize {
    block.addr().get() - marena_core::Memory::region(arena.memory()).addr().get() - 128
}

#[test]
fn direct_claims_are_disjoint_and_in_order_and_fail_only_without_room() {
    // There is room for about three quarters of the claims, so some later ones fail.
    let room = THREADS * calls() * MEAN_BYTES * 3 / 4;
    let (claims, base, limit) = on_threads(room, |thread, arena, clock| {
        let mut random = Random(thread as u64);
        let claim = |_| {
            let (size, align) = (1 + random.below(2 * MEAN_BYTES - 16), 1 << random.below(7));
            let layout = Layout::from_size_align(size, align).unwrap();
            let began = clock.now();
            let outcome = arena.allocate_layout(layout);
            let ran = began..clock.now();
            Claim { ran, size, align, outcome: outcome.map(|block| position(arena, block.cast())) }
        };
        (0..calls()).map(claim).collect()
    });
    let holds: Vec<Hold> = claims
        .iter()
        .filter_map(|claim| Some(Hold { held: claim.ran.end..usize::MAX, bytes: claim.bytes()? }))
        .collect();
    assert!(holds.len() > claims.len() / 2 && holds.len() < claims.len(), "{} of {}", holds.len(), claims.len());
    disjoint(&holds).unwrap();
    ordered_and_justified(&claims, base, limit).unwrap();
}

#[test]
fn bytes_between_a_claim_and_its_give_back_have_one_owner() {
    let (holds, _, _) = on_threads(THREADS * calls() * MEAN_BYTES / 2, |thread, arena, clock| {
        let mut random = Random(thread as u64 + 100);
        let mut holds = Vec::new();
        for _ in 0..calls() {
            let layout = Layout::from_size_align(1 + random.below(64), 8).unwrap();
            // SAFETY: the layout has a size.
            let Some(block) = NonNull::new(unsafe { GlobalAlloc::alloc(arena, layout) }) else { continue };
            let start = position(arena, block);
            let bytes = start..start + layout.size().next_multiple_of(8);
            let claimed = clock.now();
            let given_up = if random.below(4) > 0 {
                let moment = clock.now();
                // SAFETY: a block of this arena and layout, not used again.
                unsafe { arena.dealloc(block.as_ptr(), layout) };
                moment
            } else {
                usize::MAX
            };
            holds.push(Hold { held: claimed..given_up, bytes });
        }
        holds
    });
    let kept = holds.iter().filter(|hold| hold.held.end == usize::MAX).count();
    assert!(kept > 0 && kept < holds.len(), "{kept} of {}", holds.len());
    disjoint(&holds).unwrap();
}

#[test]
fn leases_scratches_and_direct_claims_are_disjoint() {
    let (holds, _, _) = on_threads(THREADS * calls() * MEAN_BYTES, |thread, arena, clock| {
        let mut random = Random(thread as u64 + 200);
        let mut holds = Vec::new();
        while holds.len() < calls() {
            let mut lease = arena.lease(1 << (6 + random.below(7)));
            for _ in 0..random.below(200) {
                let size = 1 + random.below(64);
                let scoped = random.below(4) == 0;
                let hold = |block: NonNull<[u8]>, from: usize, to: usize| {
                    let start = position(arena, block.cast());
                    Hold { held: from..to, bytes: start..start + size.next_multiple_of(8) }
                };
                let layout = Layout::from_size_align(size, 8).unwrap();
                if scoped {
                    let scratch = lease.scratch();
                    if let Ok(block) = scratch.allocate_layout(layout) {
                        let from = clock.now();
                        holds.push(hold(block, from, clock.now()));
                    }
                } else {
                    let direct = random.below(8) == 0;
                    let block = if direct { arena.allocate_layout(layout) } else { lease.allocate_layout(layout) };
                    holds.extend(block.ok().map(|block| hold(block, clock.now(), usize::MAX)));
                }
                if arena.remaining() < 1024 {
                    return holds;
                }
            }
        }
        holds
    });
    assert!(holds.len() > calls());
    disjoint(&holds).unwrap();
}

/// Tests of the checker: an arena with a known bug would have each of the wrong histories.
mod checker {
    use super::*;

    fn claim(ran: Range<usize>, size: usize, outcome: Result<usize, usize>) -> Claim {
        let outcome = outcome.map_err(|remaining| AllocError::Full { requested: size, remaining });
        Claim { ran, size, align: 8, outcome }
    }

    #[test]
    fn a_sound_history_passes() {
        let claims = [claim(0..3, 8, Ok(8)), claim(1..2, 8, Ok(0)), claim(4..5, 100, Err(84)), claim(6..7, 84, Ok(16))];
        ordered_and_justified(&claims, 128, 100).unwrap();
    }

    #[test]
    fn bytes_with_two_owners_at_once_are_found() {
        let holds = [(0..5, 0..16), (6..9, 0..8), (7..8, 8..16), (8..9, 4..6)];
        let mut holds = holds.map(|(held, bytes)| Hold { held, bytes });
        assert!(disjoint(&holds).is_err());
        holds[3].bytes = 8..16;
        disjoint(&holds).unwrap();
    }

    #[test]
    fn a_claim_below_one_that_ended_before_it_is_found() {
        assert!(ordered_and_justified(&[claim(0..1, 8, Ok(8)), claim(2..3, 8, Ok(0))], 128, 100).is_err());
        ordered_and_justified(&[claim(0..2, 8, Ok(8)), claim(1..3, 8, Ok(0))], 128, 100).unwrap();
    }

    #[test]
    fn a_failure_of_a_claim_that_would_have_fitted_is_found() {
        assert!(ordered_and_justified(&[claim(0..1, 8, Ok(0)), claim(2..3, 88, Err(92))], 128, 100).is_err());
    }

    #[test]
    fn a_failure_that_saw_a_cursor_moved_by_another_failure_is_found() {
        // As with fetch-and-add: the failed request of 80 bytes was counted.
        assert!(ordered_and_justified(&[claim(0..1, 80, Err(96)), claim(2..3, 104, Err(16))], 128, 96).is_err());
    }
}
