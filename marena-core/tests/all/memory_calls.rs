//! Memory whose own code allocates from the lease that asks for more of it, or panics.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;

use marena_core::{ExclusiveMemory, GrowingArena, GrowingLease, Memory, MemoryError, NoThreads, Reserve};

use crate::owned::Owned;

thread_local! {
    /// What is called when memory is reserved next.
    static WHEN_RESERVED: Cell<fn()> = const { Cell::new(|| ()) };
    /// What is called when bytes of it are announced next.
    static WHEN_ANNOUNCED: Cell<fn()> = const { Cell::new(|| ()) };
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
