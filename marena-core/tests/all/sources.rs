//! Everything that allocates keeps the same promises: blocks grow in place and go back while they
//! are the last, what is said to be left can be had, and handles are read.

use std::ptr::NonNull;
use std::sync::{Mutex, OnceLock};

use marena_core::{
    ARENA_MAX_ALLOC_SIZE, ARENA_PAGESIZE, AllocError, Allocate, Arena, AtomicU32, Claim, ExclusiveMemory, GrowingArena,
    Handle, Memory, MemoryError, NoThreads, PerThread, Pool, PoolSlot, Regions, Reserve, View,
};

use crate::owned::{Owned, zeroed_arena};

/// A value that threads use in turns.
pub(crate) struct Turns<T>(OnceLock<Mutex<T>>);

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

// SAFETY: the mutex lends the value to one thread at a time.
unsafe impl<T: Send> PerThread<T> for Turns<T> {
    fn with<R>(&self, make: impl FnOnce() -> T, f: impl FnOnce(&T) -> R) -> Option<R> {
        Some(f(&self.0.get_or_init(|| Mutex::new(make())).lock().unwrap()))
    }
}

const PAGE: usize = ARENA_PAGESIZE;
/// No multiple of the step, so that what is left has to be rounded down.
const LARGEST: usize = 3 * PAGE + 5;

impl Reserve for Owned {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = Turns<T>;
    const MAX_CAPACITY: usize = LARGEST;

    fn reserve(capacity: usize) -> Result<Self, MemoryError> {
        Ok(Self::new(capacity))
    }
}

/// The same memory where no thread has values.
struct Alone(Owned);

// SAFETY: the memory within is one.
unsafe impl Memory for Alone {
    type Word = AtomicU32;

    fn region(&self) -> NonNull<[u8]> {
        self.0.region()
    }
}

// SAFETY: nothing else reaches the memory within.
unsafe impl ExclusiveMemory for Alone {}

impl Reserve for Alone {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = NoThreads<T>;
    const MAX_CAPACITY: usize = LARGEST;

    fn reserve(capacity: usize) -> Result<Self, MemoryError> {
        Ok(Self(Owned::new(capacity)))
    }
}

/// Claims `size` bytes.
fn claim<'a>(source: impl Allocate<'a>, size: usize) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: a power of two, and all callers pass a size that is not 0.
    unsafe { source.claim(size, 8, None) }.map(|claimed| claimed.start())
}

/// Checks every promise. `get` reads a handle to a number, one to nothing and one to bytes.
fn check<'a>(name: &str, source: impl Allocate<'a>, get: impl Fn(Handle<u64>, Handle<()>, Handle) -> bool) {
    check_up_to(name, source, get, true);
}

/// Checks every promise. If what is left is not `exact`, a larger request may be served as well.
fn check_up_to<'a>(
    name: &str,
    source: impl Allocate<'a>,
    get: impl Fn(Handle<u64>, Handle<()>, Handle) -> bool,
    exact: bool,
) {
    // Handles, the first of them to no bytes.
    let nothing = source.insert(()).unwrap();
    let number = source.insert(7_u64).unwrap();
    let empty = source.allocate(0).unwrap().publish();
    assert!(get(number, nothing, empty), "{name}");

    // The last block grows, by any number of bytes.
    let start = claim(source, 16).unwrap();
    // SAFETY: the last block, which becomes no less.
    let extend = |old, new| unsafe { source.extend(start, old, new) }.map(|claimed| claimed.start());
    for (old, new) in [(16, 16), (16, 17), (17, 24), (24, 25), (25, 40)] {
        assert_eq!(extend(old, new), Some(start), "{name}: {old} to {new}");
    }
    // SAFETY: the end of that block.
    let end = unsafe { start.add(40) };
    assert_eq!(claim(source, 8), Ok(end), "{name}");
    // Another one does not, whether or not it fills its last step.
    assert_eq!([extend(40, 48), extend(40, 41)], [None; 2], "{name}");
    // SAFETY: all of the last block, which is not used any more.
    unsafe { source.give_back(end, 8) };
    assert_eq!(claim(source, 8), Ok(end), "{name}: the bytes came back");
    // SAFETY: as above.
    unsafe { source.give_back(end, 8) };
    assert_eq!(extend(40, 64), Some(start), "{name}");
    // A part of a block goes back in whole steps, and a part of no bytes changes nothing.
    // SAFETY: in the last block.
    let part = unsafe { start.add(13) };
    // SAFETY: the end of that block.
    unsafe { source.give_back(part, 51) };
    // SAFETY: no bytes.
    unsafe { source.give_back(NonNull::dangling(), 0) };
    // SAFETY: in that block.
    assert_eq!(claim(source, 8), Ok(unsafe { start.add(16) }), "{name}: the end of the block came back");

    // What is left, to the last step.
    let remaining = source.remaining();
    assert!(remaining >= 8, "{name}");
    let most = [ARENA_MAX_ALLOC_SIZE; 2];
    let requested = (ARENA_MAX_ALLOC_SIZE + 1).saturating_mul(2);
    let full = Err(AllocError::Full { requested, remaining });
    assert_eq!(source.allocate_multiple(most).map(|_| ()), full, "{name}");
    assert_eq!(remaining % 8, 0, "{name}");
    if exact {
        let full = Err(AllocError::Full { requested: remaining + 8, remaining });
        assert_eq!(claim(source, remaining + 8), full, "{name}");
    }
    assert_eq!(source.remaining(), remaining, "{name}: a failure changes nothing");
    claim(source, remaining).unwrap_or_else(|error| panic!("{name}: {error}"));
    // The bytes are the last ones, unless the source grew for them.
    assert!(source.remaining() <= remaining, "{name}");
    assert!(get(number, nothing, empty), "{name}");
}

/// Reads handles by a type's own methods, and as code that is generic over what it reads.
macro_rules! get {
    ($view:expr) => {
        |number, nothing, bytes| {
            let own = ($view.get(number), $view.get(nothing), $view.view(bytes));
            let generic = (View::get($view, number), View::get($view, nothing), View::view($view, bytes));
            own == (Some(&7), Some(&()), Some(&[][..])) && generic == own
        }
    };
}

/// Calls `f` with the lengths and what was used before that the sources are tried with.
fn worlds(mut f: impl FnMut(usize, usize)) {
    for len in [512, 640, 4096] {
        for used in [0, 8, 200] {
            f(len, used);
        }
    }
}

#[test]
fn arenas_and_regions_keep_their_promises() {
    worlds(|len, used| {
        let arena = zeroed_arena(len);
        arena.allocate(used).unwrap();
        check("arena", &arena, get!(&arena));

        let mut regions = Regions::<_, 2>::new();
        regions.push(zeroed_arena(len)).unwrap();
        regions.push(zeroed_arena(256)).unwrap();
        regions.allocate(used).unwrap();
        check("regions", &regions, get!(&regions));

        let pool = Pool::<_, 1>::new([Owned::<0>::new(len)]).unwrap();
        let guard = pool.acquire().unwrap();
        guard.allocate(used).unwrap();
        check("guard", &guard, |number, nothing, bytes| get!(&*guard)(number, nothing, bytes));
    });
}

#[test]
fn a_slot_of_a_pool_trims_what_it_has_only_while_nobody_has_it() {
    let slot = PoolSlot::new(zeroed_arena(512));
    assert_eq!(slot.trim(), Some(Ok(0)));
    let guard = slot.acquire().unwrap();
    let number = guard.alloc(7_u64).unwrap();
    assert_eq!((slot.trim(), *number), (None, 7));
    let other = guard.clone();
    drop(guard);
    assert_eq!(slot.trim(), None);
    drop(other);
    assert_eq!((slot.trim(), slot.is_free()), (Some(Ok(0)), true));
}

#[test]
fn leases_keep_their_promises() {
    for chunk in [0, 8, 64, 256, 100_000] {
        worlds(|len, used| {
            let arena = zeroed_arena(len);
            let lease = arena.lease(chunk);
            lease.allocate(used).unwrap();
            check("lease", &lease, |number, nothing, bytes| {
                get!(&arena)(number, nothing, bytes)
                    && (lease.get(number), lease.get(nothing)) == (Some(&7), Some(&()))
                    && lease.view(bytes) == Some(&[])
            });

            let arena = zeroed_arena(len);
            let leases = arena.leases(chunk);
            leases.allocate(used).unwrap();
            check("leases", &leases, get!(&arena));

            let arena = Arena::new(Alone(Owned::new(len))).unwrap();
            let leases = arena.leases(chunk);
            leases.allocate(used).unwrap();
            check("leases without threads", &leases, get!(&arena));
            assert_eq!(Claim::remaining(&leases), 0);
        });
    }
}

#[test]
fn scopes_keep_their_promises() {
    worlds(|len, used| {
        let mut arena = zeroed_arena(len);
        arena.allocate(used).unwrap();
        let mut scratch = arena.scratch();
        {
            let inner = scratch.scratch();
            inner.allocate(8).unwrap();
            check("inner scratch", &inner, get!(&inner));
        }
        check("scratch", &scratch, get!(&scratch));
        drop(scratch);
        arena.scoped(|scope| {
            scope.scoped(|inner| check("inner scope", &*inner, get!(inner)));
            check("scope", &*scope, get!(scope));
        });
        for chunk in [0, 8, 64, 100_000] {
            let arena = zeroed_arena(len);
            let mut lease = arena.lease(chunk);
            lease.allocate(used).unwrap();
            let mut scratch = lease.scratch();
            {
                let inner = scratch.scratch();
                inner.allocate(8).unwrap();
                check("inner scratch of a lease", &inner, get!(&inner));
            }
            check("scratch of a lease", &scratch, get!(&scratch));
            drop(scratch);
            lease.scoped(|scope| check("scope of a lease", &*scope, get!(scope)));
        }
    });
}

/// A growing arena of small segments.
fn growing(first: usize, max: usize, limit: usize) -> GrowingArena<Owned> {
    GrowingArena::builder().first_segment(first).max_segment(max).limit(limit).build().unwrap()
}

#[test]
fn growing_arenas_and_their_leases_keep_their_promises() {
    for limit in [8192, PAGE, 2 * PAGE, 2 * PAGE + 1024, 5 * PAGE, usize::MAX] {
        for used in [0, 8, 200, 4000] {
            // Of less than a page, the memory may provide nothing, so it does not count as left.
            let exact = limit > PAGE;
            let arena = growing(1024, 2048, limit);
            arena.allocate(used).unwrap();
            check_up_to("growing arena", &arena, get!(&arena), exact);

            for chunk in [0, 8, 64, 256, 100_000] {
                let arena = growing(1024, 2048, limit);
                let lease = arena.lease(chunk);
                lease.allocate(used).unwrap();
                check_up_to(
                    "growing lease",
                    &lease,
                    |number, nothing, bytes| {
                        get!(&arena)(number, nothing, bytes)
                            && (lease.get(number), lease.get(nothing)) == (Some(&7), Some(&()))
                            && lease.view(bytes) == Some(&[])
                    },
                    exact,
                );

                let arena = growing(1024, 2048, limit);
                let leases = arena.leases(chunk);
                leases.allocate(used).unwrap();
                check_up_to("leases of a growing arena", &leases, get!(&arena), exact);
            }
        }
    }
}

#[test]
fn scopes_of_growing_arenas_keep_their_promises() {
    for limit in [16_384, 2 * PAGE, 5 * PAGE, usize::MAX] {
        for used in [0, 8, 200, 3000] {
            let exact = limit > PAGE;
            let mut arena = growing(4096, 8192, limit);
            if used > 0 {
                arena.allocate(used).unwrap();
            }
            let scratch = arena.scratch();
            check_up_to("growing scratch", &scratch, get!(&scratch), exact);
            drop(scratch);
            let mut scratch = arena.scratch();
            scratch.allocate(used).unwrap();
            let inner = scratch.scratch();
            check_up_to("inner growing scratch", &inner, get!(&inner), exact);
            drop(inner);
            drop(scratch);
            arena.scoped(|scope| {
                scope.scoped(|inner| check_up_to("inner growing scope", &*inner, get!(inner), exact));
                check_up_to("growing scope", &*scope, get!(scope), exact);
            });
        }
    }
}
