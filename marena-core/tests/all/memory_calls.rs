//! Memory whose own code allocates from the lease that asks for more of it, panics, or lies.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;

use marena_core::{ExclusiveMemory, GivenBack, GrowingArena, GrowingLease, Memory, MemoryError, NoThreads, Reserve};

use crate::owned::Owned;

thread_local! {
    /// What is called when memory is reserved next.
    static WHEN_RESERVED: Cell<fn()> = const { Cell::new(|| ()) };
    /// What is called when bytes of it are announced next.
    static WHEN_ANNOUNCED: Cell<fn()> = const { Cell::new(|| ()) };
    /// What is called when memory is dropped next.
    static WHEN_DROPPED: Cell<fn()> = const { Cell::new(|| ()) };
    /// How many bytes each memory says to give back.
    static GIVEN_BACK: Cell<usize> = const { Cell::new(0) };
}

struct Calling(Owned);

// SAFETY: as that of the memory within. What is called uses no arena over these bytes.
unsafe impl Memory for Calling {
    type Word = portable_atomic::AtomicU32;

    fn region(&self) -> NonNull<[u8]> {
        self.0.region()
    }

    fn is_zeroed(&self) -> bool {
        self.0.is_zeroed()
    }

    fn announce(&self, _: usize, _: usize) {
        WHEN_ANNOUNCED.replace(|| ())();
    }
}

// SAFETY: as that of the memory within.
unsafe impl ExclusiveMemory for Calling {}

impl Reserve for Calling {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = NoThreads<T>;
    const MAX_CAPACITY: usize = 1 << 20;

    fn reserve(capacity: usize) -> Result<Self, MemoryError> {
        WHEN_RESERVED.replace(|| ())();
        Ok(Self(Owned::new(capacity)))
    }

    unsafe fn give_back_past(&self, _: usize) -> Result<GivenBack, MemoryError> {
        Ok(GivenBack { bytes: GIVEN_BACK.get(), zero_from: self.region().len() })
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        WHEN_DROPPED.replace(|| ())();
    }
}

static ARENA: GrowingArena<Calling> = GrowingArena::new();

thread_local! {
    static LEASE: GrowingLease<'static, Calling> = ARENA.lease(4096);
    static WITHIN: Cell<Option<&'static mut u64>> = const { Cell::new(None) };
}

#[test]
fn memory_may_allocate_from_the_lease_that_needs_a_segment() {
    LEASE.with(|lease| {
        lease.allocate(10_000).unwrap();
        lease.alloc(1_u64).unwrap();
        let first = ARENA.segments().next().unwrap();
        WHEN_RESERVED.set(|| LEASE.with(|lease| WITHIN.set(lease.alloc(2).ok())));
        lease.allocate(60_000).unwrap();
        // The lease went on and gave back what it had left.
        assert_eq!(*first.alloc(3_u64).unwrap(), 3);
        assert_eq!(WITHIN.take(), Some(&mut 2));
    });
}

#[test]
fn a_lease_hands_nothing_out_twice_if_its_next_segment_panics() {
    let arena = GrowingArena::<Calling>::builder().first_segment(1024).build().unwrap();
    let lease = arena.lease(4096);
    lease.alloc(0_u8).unwrap();
    WHEN_RESERVED.set(|| WHEN_ANNOUNCED.set(|| resume_unwind(Box::new("on purpose"))));
    while catch_unwind(AssertUnwindSafe(|| lease.alloc([0_u64; 11]).unwrap())).is_ok() {}
    let first = arena.segments().next().unwrap();
    assert!(first.remaining() >= 8, "the lease left nothing behind");
    let ours = lease.alloc(1_u64).unwrap();
    let others = first.alloc(2_u64).unwrap();
    assert_eq!((*ours, *others), (1, 2));
}

#[test]
fn a_trim_in_which_memory_panics_loses_no_more_than_that_segment() {
    const LIMIT: usize = 1024 + 2048 + 4096;
    let mut arena = GrowingArena::<Calling>::builder().first_segment(1024).limit(LIMIT).build().unwrap();
    let first = arena.insert(1_u64).unwrap();
    let fails = |arena: &GrowingArena<_>| assert!(arena.alloc_try_with(|| Err::<[u8; 1500], _>(())).is_err());
    let trim = |arena: &mut GrowingArena<_>| {
        WHEN_DROPPED.set(|| resume_unwind(Box::new("on purpose")));
        assert!(catch_unwind(AssertUnwindSafe(|| arena.trim())).is_err());
    };
    // The second segment is the current one, and empty.
    fails(&arena);
    trim(&mut arena);
    assert_eq!((arena.segments().count(), arena.stats().capacity), (1, 1024));
    let second = arena.insert(2_u64).unwrap();
    assert_eq!((arena.get(first), arena.get(second)), (Some(&1), Some(&2)));
    // It lies before one that is in use.
    fails(&arena);
    let third = arena.insert([3_u64; 300]).unwrap();
    trim(&mut arena);
    assert_eq!((arena.segments().count(), arena.stats().capacity), (2, 1024 + 4096));
    assert_eq!((arena.get(second), arena.get(third)), (Some(&2), Some(&[3; 300])));
    // The limit has room for what was given back.
    assert!(arena.alloc([4_u8; 1500]).is_ok());
}

#[test]
fn memory_that_says_to_give_back_more_than_there_is_harms_nothing() {
    let mut arena = GrowingArena::<Calling>::builder().first_segment(1024).build().unwrap();
    let kept = [arena.insert([1_u64; 100]).unwrap(), arena.insert([2_u64; 100]).unwrap()];
    GIVEN_BACK.set(usize::MAX);
    assert_eq!((arena.trim(), arena.segments().count()), (Ok(usize::MAX), 2));
    assert_eq!(kept.map(|kept| arena.get(kept)), [Some(&[1; 100]), Some(&[2; 100])]);
}
