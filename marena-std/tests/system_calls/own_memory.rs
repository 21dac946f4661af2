//! Anonymous memory: which bytes are mapped, made usable, and unmapped.

use std::cell::{Cell, RefCell};

use marena_std::marena_core::{Memory, Reserve};
use marena_std::{Arena, Error, OwnedMemory};

use crate::calls::{Answer, Call, answering};

const ARENA: usize = 65_536;
const MIB: usize = 1 << 20;
const USABLE: i32 = libc::PROT_READ | libc::PROT_WRITE;

fn page_size() -> usize {
    // SAFETY: asking for a number has no precondition.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap()
}

/// Addresses that the system keeps for a test.
struct Addresses(usize);

impl Addresses {
    const LEN: usize = 4 * ARENA;

    fn new() -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, where nothing else is mapped.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), Self::LEN, USABLE, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        Self(start.expose_provenance())
    }

    /// The first multiple of an arena's alignment.
    fn aligned(&self) -> usize {
        self.0.next_multiple_of(ARENA)
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and not used any more.
        unsafe { libc::munmap(std::ptr::with_exposed_provenance_mut(self.0), Self::LEN) };
    }
}

/// Wherever the system maps the bytes, they are unmapped again up to the arena, and behind it.
#[test]
fn what_alignment_skips_is_unmapped_and_nothing_else() {
    let page = page_size();
    if page >= ARENA {
        return;
    }
    let (addresses, slack) = (Addresses::new(), ARENA - page);
    let first = addresses.aligned();
    for (start, arena, unmapped) in [
        (first, first, vec![(first + ARENA, slack)]),
        (first + page, first + ARENA, vec![(first + page, slack)]),
        (first + 2 * page, first + ARENA, vec![(first + 2 * page, slack - page), (first + 2 * ARENA, page)]),
    ] {
        let (mapped, unmaps) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let answer = |call: &Call<'_>| match *call {
            Call::Map { len, access, file } => {
                mapped.borrow_mut().push((len, access, file));
                Answer::Value(start as u64)
            }
            Call::Unmap { start, len } => {
                unmaps.borrow_mut().push((start, len));
                Answer::Value(0)
            }
            _ => Answer::Real,
        };
        answering(answer, || {
            let made = Arena::with_capacity(1).unwrap();
            assert_eq!(made.memory().region().addr().get(), arena);
            assert_eq!(mapped.take(), [(ARENA + slack, USABLE, -1)]);
            assert_eq!(unmaps.take(), unmapped);
            drop(made);
            assert_eq!(unmaps.take(), [(arena, ARENA)]);
        });
        // The header that the arena wrote is no part of the next one.
        // SAFETY: the test's own bytes, at the place of the arena that is gone.
        unsafe { std::ptr::with_exposed_provenance_mut::<u8>(arena).write_bytes(0, 128) };
    }
}

/// The slack of an alignment tells which page size is taken for the system's.
#[test]
fn a_page_size_that_cannot_be_is_taken_for_the_smallest() {
    for (answer, expected) in [
        (Answer::Value(8192), 8192),
        (Answer::Value(-1_i64 as u64), 4096),
        (Answer::Value(0), 4096),
        (Answer::Value(12_288), 4096),
    ] {
        let mapped = RefCell::new(Vec::new());
        let result = answering(
            |call| match *call {
                Call::PageSize => answer,
                Call::Map { len, .. } => {
                    mapped.borrow_mut().push(len);
                    Answer::Error(libc::ENOMEM)
                }
                _ => Answer::Real,
            },
            || Arena::with_capacity(1).map(drop),
        );
        assert!(matches!(result, Err(Error::OutOfAddressSpace { requested: ARENA, .. })), "{result:?}");
        // Usable bytes, and then addresses only.
        assert_eq!(mapped.take(), [2 * ARENA - expected; 2]);
    }
}

#[test]
fn an_alignment_beyond_all_addresses_makes_no_call() {
    let mapped = RefCell::new(0);
    let answer = |call: &Call<'_>| {
        *mapped.borrow_mut() += usize::from(matches!(call, Call::Map { .. }));
        Answer::Real
    };
    let result = answering(answer, || Arena::builder().capacity(1).align(1 << 63).build());
    assert!(matches!(result, Err(Error::OutOfAddressSpace { requested: ARENA, limit: None, .. })), "{result:?}");
    assert_eq!(mapped.take(), 0);
}

/// A limit may count usable bytes only. Then the addresses are reserved, and no more is made usable
/// than is there.
#[test]
fn where_usable_bytes_cannot_be_mapped_a_step_of_them_is_committed() {
    for capacity in [ARENA, MIB, 4 * MIB] {
        let committed = RefCell::new(Vec::new());
        let answer = |call: &Call<'_>| match *call {
            Call::Map { access: USABLE, .. } => Answer::Error(libc::ENOMEM),
            Call::Protect { start, len, access } => {
                committed.borrow_mut().push((start, len, access));
                Answer::Real
            }
            _ => Answer::Real,
        };
        answering(answer, || {
            let arena = Arena::with_capacity(capacity).unwrap();
            let base = arena.memory().region().addr().get();
            let step = MIB.min(capacity);
            assert_eq!(committed.take(), [(base, step, USABLE)]);
            assert_eq!(arena.memory().ready(), step);
            drop(arena);
            // Touching all commits the rest.
            let arena = Arena::builder().capacity(capacity).prefault(|_, _| ()).build().unwrap();
            let base = arena.memory().region().addr().get();
            let mut expected = vec![(base, step, USABLE)];
            if capacity > step {
                expected.push((base + step, capacity - step, USABLE));
            }
            assert_eq!(committed.take(), expected);
        });
    }
}

#[test]
fn a_thread_that_waits_lets_others_run() {
    let yields = Cell::new(0);
    let answer = |call: &Call<'_>| {
        yields.set(yields.get() + usize::from(matches!(call, Call::Yield)));
        Answer::Real
    };
    answering(answer, <OwnedMemory as Reserve>::wait);
    assert_eq!(yields.get(), 1);
}

#[test]
fn bytes_that_are_usable_are_not_committed_again() {
    let calls = RefCell::new(0);
    let answer = |call: &Call<'_>| {
        *calls.borrow_mut() += usize::from(matches!(call, Call::Protect { .. }));
        Answer::Real
    };
    answering(answer, || {
        let mut arena = Arena::builder().capacity(ARENA).prefault(|_, _| ()).build().unwrap();
        arena.allocate(arena.remaining()).unwrap().fill(1);
        arena.reset();
        arena.trim().unwrap();
        assert_eq!(arena.memory().ready(), ARENA);
        arena.allocate(arena.remaining()).unwrap().fill(1);
        assert!(arena.memory().provide(1) && arena.memory().provide(ARENA));
    });
    assert_eq!(calls.take(), 0);
}
