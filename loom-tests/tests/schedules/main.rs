//! Random schedules of eight threads over the real arena, under shuttle. They are longer than loom
//! can explore.
//!
//! Shuttle runs one thread at a time and switches at the arena's atomic steps. It finds faults of
//! the schedule; the loom models find faults of memory orders. By default there are 10,000
//! schedules. Before a release, `MARENA_SCHEDULES=1000000` runs a million.
#![cfg(not(miri))]

mod growing;
mod memory;
mod owners;

use std::alloc::{GlobalAlloc, Layout};
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;

use marena_core::Arena;
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};

use crate::memory::{Region, Step};
use crate::owners::Owners;

const THREADS: usize = 8;
const LEN: usize = 2048;

type Scheduled<S> = Arena<Region<S>>;

/// One thread, with the arena and the table of owners.
struct Worker<'a, S: Step> {
    arena: &'a Scheduled<S>,
    owners: &'a Owners,
    id: u32,
}

impl<S: Step> Worker<'_, S> {
    fn position(&self, start: *const u8) -> usize {
        start.addr() - marena_core::Memory::region(self.arena.memory()).addr().get() - 128
    }

    /// Makes this thread the owner of the bytes. If `zeroed`, they must be zero.
    fn take(&self, bytes: &mut [u8], zeroed: bool) {
        assert!(!zeroed || bytes.iter().all(|&byte| byte == 0), "dirty bytes from a zeroing call");
        self.owners.claim(self.position(bytes.as_ptr()), bytes.len(), self.id);
        bytes.fill(self.id as u8);
    }

    /// Checks that no other thread wrote the bytes, and gives up owning them.
    fn leave(&self, bytes: &[u8]) {
        assert!(bytes.iter().all(|&byte| byte == self.id as u8), "another thread wrote these bytes");
        self.owners.release(self.position(bytes.as_ptr()), bytes.len(), self.id);
    }

    /// Allocates a block, resizes it if `new_size` is given, and frees it.
    fn allocate_and_free(&self, size: usize, new_size: Option<usize>) {
        let mut layout = Layout::from_size_align(size, 8).unwrap();
        // SAFETY: the layout has a size.
        let Some(mut block) = NonNull::new(unsafe { GlobalAlloc::alloc(self.arena, layout) }) else { return };
        let bytes = |block: NonNull<u8>, len| {
            // SAFETY: allocated with this length.
            unsafe { block.write_bytes(0, len) };
            // SAFETY: as above; the bytes were just initialised, and only this thread has them.
            unsafe { std::slice::from_raw_parts_mut(block.as_ptr(), len) }
        };
        self.take(bytes(block, size), false);
        thread::yield_now();
        if let Some(new_size) = new_size {
            // As soon as the call has moved the block, the old bytes may have another owner.
            self.owners.release(self.position(block.as_ptr()), size, self.id);
            // SAFETY: allocated above with this layout.
            let Some(moved) = NonNull::new(unsafe { self.arena.realloc(block.as_ptr(), layout, new_size) }) else {
                return;
            };
            block = moved;
            // SAFETY: both sizes were initialised up to the smaller.
            let kept = unsafe { std::slice::from_raw_parts(block.as_ptr(), size.min(new_size)) };
            assert!(kept.iter().all(|&byte| byte == self.id as u8), "a block that moved lost its bytes");
            layout = Layout::from_size_align(new_size, 8).unwrap();
            self.take(bytes(block, new_size), false);
            thread::yield_now();
        }
        // SAFETY: held by this thread, and initialised.
        self.leave(unsafe { std::slice::from_raw_parts(block.as_ptr(), layout.size()) });
        // SAFETY: allocated with this layout, not used again.
        unsafe { self.arena.dealloc(block.as_ptr(), layout) };
    }

    fn lease_and_scratch(&self, sizes: &[usize]) {
        let mut lease = self.arena.lease(64);
        for &size in sizes {
            if let Ok(block) = lease.allocate(size) {
                self.take(block.into_mut(), true);
            }
            let scratch = lease.scratch();
            if let Ok(mut block) = scratch.allocate(size) {
                self.take(&mut block, true);
                thread::yield_now();
                self.leave(&block);
            }
        }
    }

    fn run(&self) {
        let mut random = thread_rng();
        for _ in 0..random.gen_range(12..=20) {
            let size = random.gen_range(1..48);
            match random.gen_range(0..7) {
                0 => {
                    if let Ok(block) = self.arena.allocate(size) {
                        self.take(block.into_mut(), true);
                    }
                }
                1 => {
                    if let Ok(block) = self.arena.allocate_aligned(size, 32) {
                        self.take(block.into_mut(), true);
                    }
                }
                2 => {
                    for block in self.arena.allocate_multiple([size, 8, 1]).into_iter().flatten() {
                        self.take(block.into_mut(), true);
                    }
                }
                3 => self.allocate_and_free(size, None),
                4 => self.allocate_and_free(size, Some(random.gen_range(1..64))),
                5 => self.lease_and_scratch(&[size, 40]),
                _ => {
                    let remaining = self.arena.remaining();
                    // Other threads only take from the rest, or give back what they took.
                    assert!(self.arena.allocate(LEN).is_err(), "{remaining} were left");
                }
            }
        }
    }
}

/// All threads work on one arena. Afterwards its used bytes cover all bytes with an owner.
fn scenario<S: Step>() {
    // SAFETY: the region is new, and nothing else has it.
    let arena: Arc<Scheduled<S>> = Arc::new(unsafe { Arena::format(Region::new(LEN)) }.unwrap());
    let owners = Arc::new(Owners::new(LEN));
    let threads: Vec<_> = (1..=THREADS as u32)
        .map(|id| {
            let (arena, owners) = (Arc::clone(&arena), Arc::clone(&owners));
            thread::spawn(move || Worker { arena: &arena, owners: &owners, id }.run())
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(owners.end() <= arena.used(), "bytes behind the cursor have an owner");
    assert!(arena.used() + arena.remaining() == LEN - 128);
}

/// Threads serve requests, each in a scope of the thread's lease, and keep nothing. They find room
/// in every schedule.
fn scopes<S: Step>() {
    const SERVERS: u32 = 4;
    // SAFETY: the region is new, and nothing else has it.
    let arena: Arc<Scheduled<S>> = Arc::new(unsafe { Arena::format(Region::new(LEN)) }.unwrap());
    let owners = Arc::new(Owners::new(LEN));
    let threads: Vec<_> = (1..=SERVERS)
        .map(|id| {
            let (arena, owners) = (Arc::clone(&arena), Arc::clone(&owners));
            thread::spawn(move || {
                let worker = Worker { arena: &arena, owners: &owners, id };
                let mut random = thread_rng();
                let mut lease = arena.lease(32);
                for _ in 0..40 {
                    let scope = lease.scratch();
                    let mut blocks = Vec::new();
                    for _ in 0..random.gen_range(1..=4) {
                        let mut block = scope.allocate(random.gen_range(1..=24)).expect("room for a request");
                        worker.take(&mut block, true);
                        blocks.push(block);
                    }
                    thread::yield_now();
                    blocks.iter().for_each(|block| worker.leave(block));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    // For each lease, its chunk and four times its largest scope.
    assert!(arena.used() <= SERVERS as usize * (32 + 4 * 96), "{}", arena.stats());
}

/// Half of the schedules are purely random. The other half have three priority changes each, which
/// finds rarer schedules.
fn explore(scenario: fn(), schedules: usize) {
    let config = || {
        let mut config = Config::default();
        config.stack_size = 1 << 16;
        config
    };
    Runner::new(RandomScheduler::new(schedules.div_ceil(2)), config()).run(scenario);
    Runner::new(PctScheduler::new(3, schedules / 2), config()).run(scenario);
}

fn schedules() -> usize {
    env::var("MARENA_SCHEDULES").map_or(10_000, |number| number.parse().expect("a number"))
}

#[test]
fn leases_whose_scopes_come_and_go_stay_bounded_in_every_schedule() {
    explore(scopes::<memory::Atomic>, schedules() / 5);
}

#[test]
fn segments_of_a_growing_arena_fill_up_in_every_schedule() {
    explore(growing::scenario::<memory::Atomic>, schedules() / 5);
}

#[test]
fn eight_threads_hold_disjoint_bytes_in_every_schedule() {
    explore(scenario::<memory::Atomic>, schedules());
    println!("{} schedules of {THREADS} threads", schedules());
}

#[test]
fn a_compare_and_swap_that_loads_and_then_stores_is_found() {
    assert!(catch_unwind(AssertUnwindSafe(|| explore(scenario::<memory::LoadThenStore>, 1_000))).is_err());
}
