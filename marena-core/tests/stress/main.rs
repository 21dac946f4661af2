//! Random programs that combine all ways to hand out bytes and to take them back: arenas, leases,
//! nested scopes, allocators, initialisers that fail, panic and lie, and resets.
//!
//! Each block must be aligned, in the region, zero where that is promised, and apart from all
//! others. A later check must find it as it was written. Set `MARENA_STRESS_STEPS` for longer runs,
//! and `MARENA_STRESS_SEED` to repeat a run.

#![cfg(feature = "allocator-api2")]

#[path = "../heap/mod.rs"]
mod heap;
mod tracked;
mod world;

use std::mem::{self, MaybeUninit};
use std::sync::Barrier;
use std::thread;

use marena_core::{Arena, BorrowedMemory, ExclusiveMemory, Handle, Memory, Regions, Reserve, StaticMemory};

use crate::heap::Heap;
use crate::tracked::{Reached, Rng, assert_apart};
use crate::world::World;

/// The length of a region. Miri is about a thousand times slower for each byte.
const LEN: usize = if cfg!(miri) { 3_000 } else { 24_000 };

/// Returns an arena over bytes that are known to be zero, like a mapping from the system.
fn zeroed_arena(len: usize) -> Arena<Heap<0>> {
    Arena::new(Heap::reserve(len).unwrap()).unwrap()
}

/// Returns the number of steps of one test.
fn steps() -> u64 {
    let short = if cfg!(miri) { 200 } else { 20_000 };
    std::env::var("MARENA_STRESS_STEPS").map_or(short, |steps| steps.parse().expect("a number of steps"))
}

/// Returns how many steps one generation has: sometimes few, sometimes enough to fill the arena.
fn some_steps(rng: &mut Rng) -> u64 {
    1 << rng.below(if cfg!(miri) { 6 } else { 10 })
}

/// Uses an arena for one generation after another; each ends in another way.
fn generations<M: Memory>(
    rng: &mut Rng,
    mut arena: Arena<M>,
    peer: Option<&Arena<M>>,
    mut end_generation: impl FnMut(Arena<M>, &mut Rng) -> Arena<M>,
) -> Reached {
    let mut reached = Reached::default();
    let mut published: Vec<(Handle, u8)> = Vec::new();
    let mut left = steps();
    while left > 0 {
        let now = some_steps(rng).min(left);
        left -= now;
        let mut world = World::new(&arena, rng);
        world.live(now);
        world.publish_some(&mut published);
        reached.add(&world.finish());
        if rng.below(2) == 0 {
            let other = &mut Rng::from_seed(rng.next());
            let mut others = peer.map(|peer| World::new(peer, other));
            others.iter_mut().for_each(|world| world.live(20));
            let mut scratch = arena.scratch();
            reached.add(&world::scope(&mut scratch, None, rng, 60, 0));
            if let (Some(peer), Some(world)) = (peer, &mut others) {
                assert!(scratch.remaining() == 0 || peer.allocate(8).is_err());
                world.live(20);
                reached.add(&world::scope(&mut scratch, None, rng, 20, 0));
            }
            if rng.below(8) == 0 {
                mem::forget(scratch);
            } else {
                drop(scratch);
            }
            others.into_iter().for_each(|world| reached.add(&world.finish()));
        }
        for &(handle, mark) in &published {
            let bytes = arena.view(handle).expect("of this generation");
            assert!(bytes.iter().all(|&byte| byte == mark));
        }
        if rng.below(3) == 0 {
            arena = end_generation(arena, rng);
            assert_eq!((arena.used(), arena.stats().stranded), (0, 0));
            published.clear();
        }
    }
    reached
}

fn end_exclusive<M: ExclusiveMemory>(mut arena: Arena<M>, rng: &mut Rng) -> Arena<M> {
    match rng.below(4) {
        0 => arena.reset(),
        1 => arena = Arena::new(arena.into_memory()).unwrap(),
        // After a wipe all bytes are known to be zero, so they must be.
        _ => arena.wipe(),
    }
    arena
}

#[test]
fn an_arena_over_zeroed_memory_keeps_every_promise() {
    let rng = &mut Rng::seeded(1);
    let reached = generations(rng, zeroed_arena(LEN), None, end_exclusive);
    reached.assert_everything();
}

#[test]
fn an_arena_over_dirty_memory_keeps_every_promise() {
    let rng = &mut Rng::seeded(2);
    let mut bytes = vec![MaybeUninit::new(0xA5); LEN];
    let reached = generations(rng, Arena::new(BorrowedMemory::new(&mut bytes).unwrap()).unwrap(), None, end_exclusive);
    reached.assert_everything();
}

#[test]
fn an_arena_over_a_static_that_another_arena_shares_keeps_every_promise() {
    let rng = &mut Rng::seeded(3);
    static MEMORY: StaticMemory<LEN> = StaticMemory::new();
    let peer = Arena::from_static(&MEMORY);
    let reached = generations(rng, Arena::from_static(&MEMORY), Some(&peer), |arena, _| {
        // SAFETY: `generations` has dropped or forgotten all that borrowed the arena, and forgets
        // the handles after this.
        unsafe { arena.reset_shared() };
        arena
    });
    reached.assert_everything();
}

#[test]
fn regions_that_allocate_as_one_keep_every_promise() {
    let rng = &mut Rng::seeded(5);
    let mut regions: Regions<_, 3> = Regions::new();
    for len in [LEN / 12, LEN, LEN / 40 + 200] {
        regions.push(zeroed_arena(len)).unwrap();
    }
    let mut reached = Reached::default();
    let mut left = steps();
    while left > 0 {
        let now = some_steps(rng).min(left);
        left -= now;
        reached.add(&world::in_regions(&regions, rng, now));
        if rng.below(2) == 0 { regions.reset() } else { regions.wipe() }
    }
    let Reached { blocks, failed, failed_initialisers, grown, grown_in_place, shrunk, freed, .. } = reached;
    for count in [blocks, failed, failed_initialisers, grown, grown_in_place, shrunk, freed] {
        assert!(count > 0, "{reached:?}");
    }
}

#[test]
fn threads_that_share_an_arena_keep_each_others_promises() {
    let mut rng = Rng::seeded(4);
    let threads = if cfg!(miri) { 2 } else { 3 };
    let mut arena = zeroed_arena(2 * LEN);
    let mut reached = Reached::default();
    let mut left = steps();
    while left > 0 {
        let now = some_steps(&mut rng);
        left = left.saturating_sub(now * threads);
        let barrier = Barrier::new(threads as usize);
        let mut held = Vec::new();
        thread::scope(|scope| {
            let seeds: Vec<u64> = (0..threads).map(|_| rng.next()).collect();
            let (arena, barrier) = (&arena, &barrier);
            let workers: Vec<_> = seeds
                .into_iter()
                .map(|seed| {
                    scope.spawn(move || {
                        let mut rng = Rng::from_seed(seed);
                        barrier.wait();
                        let mut world = World::new(arena, &mut rng);
                        world.live(now);
                        let ranges = world.held_ranges();
                        (ranges, world.finish())
                    })
                })
                .collect();
            for worker in workers {
                let (ranges, counts) = worker.join().unwrap();
                held.extend(ranges);
                reached.add(&counts);
            }
        });
        assert_apart(held);
        arena = end_exclusive(arena, &mut rng);
    }
    reached.assert_everything();
}
