//! Systems that commit memory for all writable bytes: reserving commits nothing, and used bytes are
//! committed in steps.
//!
//! For this program `vm.overcommit_memory` is 2. The arena looks at it once, so these tests are no
//! part of `system_calls`, whose calls they answer.
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    not(any(miri, target_arch = "s390x"))
))]

#[path = "system_calls/calls.rs"]
#[expect(dead_code, reason = "these tests need some of the answers")]
mod calls;

use std::cell::Cell;
use std::path::Path;
use std::thread;

use marena_std::marena_core::Memory;
use marena_std::{AllocError, Arena, Error, Limit, OwnedMemory};

use calls::{Answer, Call, answering};

const MIB: usize = 1 << 20;
const PAGE: usize = 65_536;

/// A system that commits no more memory than it has.
struct Strict {
    /// The committed bytes of large mappings, and the most that there may be.
    committed: Cell<usize>,
    most: Cell<usize>,
    /// Calls that made bytes writable.
    calls: Cell<usize>,
}

impl Strict {
    fn answer(&self, call: &Call<'_>) -> Answer {
        let len = match *call {
            Call::Open { path, .. } if path == Path::new("/proc/sys/vm/overcommit_memory") => {
                return Answer::Content("2\n");
            }
            // Only mappings as large as a step belong to arenas here. Smaller ones are stacks of
            // threads, for example.
            Call::Map { len, access, .. } if len > 8 * MIB && access & libc::PROT_WRITE != 0 => len,
            Call::Protect { len, access, .. } if access & libc::PROT_WRITE != 0 => len,
            _ => return Answer::Real,
        };
        self.calls.set(self.calls.get() + 1);
        if self.committed.get() + len > self.most.get() {
            return Answer::Error(libc::ENOMEM);
        }
        self.committed.set(self.committed.get() + len);
        Answer::Real
    }
}

/// Runs a test on a system that commits at most `most` bytes for this thread.
fn on_strict(most: usize, test: impl FnOnce(&Strict)) {
    let system = Strict { committed: Cell::new(0), most: Cell::new(most), calls: Cell::new(0) };
    answering(|call| system.answer(call), || test(&system));
}

#[test]
fn two_gibibytes_take_one_step_and_more_as_they_are_used() {
    on_strict(usize::MAX, |system| {
        for huge_pages in [false, true] {
            system.committed.set(0);
            let arena = Arena::builder().capacity(1 << 31).huge_pages(huge_pages).build().unwrap();
            assert_eq!((arena.remaining(), system.committed.get()), ((1 << 31) - 128, MIB));
            arena.allocate(MIB / 2).unwrap().fill(1);
            assert_eq!(system.committed.get(), MIB);
            let calls = system.calls.get();
            for _ in 0..1000 {
                arena.allocate(10_000).unwrap().fill(1);
            }
            // Not many more bytes than are used, and not a system call for each block.
            assert!((10 * MIB..13 * MIB).contains(&system.committed.get()), "{}", system.committed.get());
            assert!(system.calls.get() - calls <= 12, "{}", system.calls.get() - calls);
            // One large block at once.
            arena.allocate(100 * MIB).unwrap().fill(1);
            assert!((110 * MIB..113 * MIB).contains(&system.committed.get()), "{}", system.committed.get());
        }
    });
}

#[test]
fn small_arenas_are_committed_whole() {
    on_strict(usize::MAX, |system| {
        let arenas: Vec<Arena> = [1, PAGE, MIB].map(|capacity| Arena::with_capacity(capacity).unwrap()).into();
        for arena in &arenas {
            assert_eq!(arena.memory().ready(), arena.capacity());
            arena.allocate(arena.remaining()).unwrap().fill(1);
        }
        assert_eq!(system.calls.get(), 0);
        assert_eq!(Arena::with_capacity(MIB + 1).unwrap().memory().ready(), MIB);
    });
}

#[test]
fn an_arena_can_use_all_memory_of_the_system_and_is_full_afterwards() {
    // The limit is no multiple of a step, so the last step is smaller.
    let most = 5 * MIB + 3 * PAGE;
    on_strict(most, |system| {
        let mut arena = Arena::with_capacity(64 * MIB).unwrap();
        let error = arena.allocate(6 * MIB).unwrap_err();
        let AllocError::Full { remaining, .. } = error else { panic!("{error}") };
        arena.allocate(remaining).unwrap().fill(1);
        while let Ok(mut block) = arena.allocate(1000) {
            block.fill(1);
        }
        assert_eq!((system.committed.get(), arena.memory().ready()), (most, most));
        assert!(arena.used() > most - 128 - 1008, "{}", arena.used());

        // The same arena uses memory that becomes free.
        system.most.set(usize::MAX);
        arena.allocate(40 * MIB).unwrap().fill(1);
        arena.reset();
        arena.trim().unwrap();
        assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
    });
}

#[test]
fn leases_and_scopes_use_all_that_the_system_has() {
    let most = 3 * MIB + 2 * PAGE;
    on_strict(most, |_| {
        let mut arena = Arena::with_capacity(64 * MIB).unwrap();
        let scratch = arena.scratch();
        let mut taken = 0;
        while scratch.allocate(1000).is_ok_and(|mut block| {
            block.fill(1);
            true
        }) {
            taken += 1000;
        }
        assert!(taken > most - 128 - 1008, "{taken}");
        drop(scratch);
        let lease = arena.lease(5000);
        let mut taken = 0;
        while lease.allocate(1000).is_ok_and(|mut block| {
            block.fill(1);
            true
        }) {
            taken += 1000;
        }
        assert!(taken > most - 128 - 1008, "{taken}");
    });
}

#[test]
fn threads_that_need_more_at_once_get_it() {
    on_strict(usize::MAX, |_| {
        let arena = Arena::with_capacity(1 << 30).unwrap();
        thread::scope(|scope| {
            for id in 1..=4_u8 {
                let arena = &arena;
                scope.spawn(move || {
                    let mut blocks = Vec::new();
                    for _ in 0..500 {
                        let mut block = arena.allocate(10_000).unwrap();
                        assert!(block.iter().all(|&byte| byte == 0));
                        block.fill(id);
                        blocks.push(block);
                    }
                    assert!(blocks.iter().all(|block| block.iter().all(|&byte| byte == id)));
                });
            }
        });
        assert!((4 * 500 * 10_000..64 * MIB).contains(&arena.memory().ready()), "{}", arena.memory().ready());
    });
}

#[test]
fn prefaulting_takes_everything_or_is_an_error() {
    on_strict(20 * MIB, |system| {
        let arena = Arena::builder().capacity(10 * MIB).prefault(|_, _| ()).build().unwrap();
        assert_eq!((system.committed.get(), arena.memory().ready()), (10 * MIB, 10 * MIB));
        let result = Arena::builder().capacity(30 * MIB).prefault(|_, _| panic!("not touched")).build();
        let Err(Error::OutOfAddressSpace { requested, limit, .. }) = result else { panic!("{result:?}") };
        assert_eq!((requested, limit), (30 * MIB, None::<Limit>));
    });
}

#[test]
fn without_memory_for_the_first_step_there_is_no_arena() {
    on_strict(MIB - 1, |system| {
        let result = Arena::with_capacity(64 * MIB);
        assert!(
            matches!(result, Err(Error::OutOfAddressSpace { requested, .. }) if requested == 64 * MIB),
            "{result:?}"
        );
        system.most.set(MIB);
        assert!(Arena::with_capacity(64 * MIB).is_ok());
    });
}

#[test]
fn a_region_that_comes_back_from_its_raw_parts_knows_what_is_ready() {
    on_strict(usize::MAX, |_| {
        let arena = Arena::with_capacity(64 * MIB).unwrap();
        arena.allocate(5 * MIB).unwrap().fill(1);
        let (region, ready) = arena.into_memory().into_raw_parts();
        assert!((5 * MIB..7 * MIB).contains(&ready) && region.len() == 64 * MIB, "{ready}");
        // SAFETY: the region came from `into_raw_parts` just now, and only an arena wrote it.
        let arena = Arena::new(unsafe { OwnedMemory::from_raw_parts(region, ready) }).unwrap();
        assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
    });
}
