//! What allocates: each with its memory, in one value without a lifetime.
//!
//! What is allocated here counts as `'static`; `Bump` gives it the lifetime of its own borrow.
#![allow(dead_code, reason = "a feature chooses one source")]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use marena_core::{GrowingLease, Lease, Reallocate};
use marena_std::{Arena, GrowingArena, OwnedMemory};

#[cfg(not(any(feature = "growing-lease", feature = "lease", feature = "shared")))]
compile_error!("choose what the parser allocates from: `--features growing-lease`, `lease` or `shared`");

#[cfg(feature = "growing-lease")]
pub(crate) type Chosen = Leased<GrowingArena>;
#[cfg(all(feature = "lease", not(feature = "growing-lease")))]
pub(crate) type Chosen = Leased<Arena>;
#[cfg(not(any(feature = "growing-lease", feature = "lease")))]
pub(crate) type Chosen = Shared;

/// What a lease claims at once.
const CHUNK: usize = 256 << 10;
/// What an arena that does not grow reserves.
const CAPACITY: usize = 1 << 30;

/// What `Bump` asks of its memory.
pub(crate) trait Source: Sized {
    fn new() -> Self;
    /// What allocates. What it hands out is valid until the next reset, and until this value is
    /// dropped.
    fn memory(&self) -> impl Reallocate<'static>;
    fn reset(&mut self);
    /// Bytes handed out and claimed, rounding included.
    fn used(&self) -> usize;
    /// Bytes reserved.
    fn reserved(&self) -> usize;
}

/// An arena, and what there is for a lease of it.
pub(crate) trait Lessor: 'static {
    type Lease: 'static;

    fn new() -> Self;
    fn lease(&'static self) -> Self::Lease;
    fn reset(&mut self);
    fn stats(&self) -> marena_std::Stats;
}

macro_rules! lessor {
    ($arena:ty, $lease:ty, $new:expr) => {
        impl Lessor for $arena {
            type Lease = $lease;

            fn new() -> Self {
                $new
            }

            fn lease(&'static self) -> $lease {
                <$arena>::lease(self, CHUNK)
            }

            fn reset(&mut self) {
                <$arena>::reset(self);
            }

            fn stats(&self) -> marena_std::Stats {
                <$arena>::stats(self)
            }
        }
    };
}

lessor!(GrowingArena, GrowingLease<'static, OwnedMemory>, GrowingArena::new());
lessor!(Arena, Lease<'static, OwnedMemory>, Arena::with_capacity(CAPACITY).expect("the address space has room"));

/// An arena and the lease that all is allocated from.
pub(crate) struct Leased<A: Lessor> {
    /// INVARIANT: a lease of the arena. It is dropped before the arena is reset or dropped.
    lease: ManuallyDrop<A::Lease>,
    /// INVARIANT: from a box, and borrowed by the lease alone.
    arena: NonNull<A>,
}

impl<A: Lessor> Leased<A> {
    fn arena(&self) -> &A {
        // SAFETY: from a box that is freed when `self` is dropped.
        unsafe { self.arena.as_ref() }
    }

    /// # Safety
    ///
    /// The lease is dropped before the arena is reset or dropped.
    unsafe fn lease(arena: NonNull<A>) -> ManuallyDrop<A::Lease> {
        // SAFETY: the caller's promise.
        ManuallyDrop::new(unsafe { arena.as_ref() }.lease())
    }

    fn start() -> Self {
        let arena = NonNull::from(Box::leak(Box::new(A::new())));
        // SAFETY: `start_over` and `drop` drop it first.
        Self { lease: unsafe { Self::lease(arena) }, arena }
    }

    fn start_over(&mut self) {
        // SAFETY: replaced below, and not used before.
        unsafe { ManuallyDrop::drop(&mut self.lease) };
        // SAFETY: the lease is gone, and `Bump` lends nothing while it is borrowed exclusively.
        unsafe { self.arena.as_mut() }.reset();
        // SAFETY: as in `start`.
        self.lease = unsafe { Self::lease(self.arena) };
    }
}

impl<A: Lessor> Drop for Leased<A> {
    fn drop(&mut self) {
        // SAFETY: not used after this, and dropped before the arena.
        unsafe { ManuallyDrop::drop(&mut self.lease) };
        // SAFETY: from a box, and nobody uses it any more.
        drop(unsafe { Box::from_raw(self.arena.as_ptr()) });
    }
}

impl<A: Lessor> Source for Leased<A>
where
    for<'s> &'s A::Lease: Reallocate<'static>,
{
    fn new() -> Self {
        Self::start()
    }

    #[inline(always)]
    fn memory(&self) -> impl Reallocate<'static> {
        &*self.lease
    }

    fn reset(&mut self) {
        self.start_over();
    }

    fn used(&self) -> usize {
        self.arena().stats().used
    }

    fn reserved(&self) -> usize {
        self.arena().stats().capacity
    }
}

/// An arena by itself: a compare-and-swap for each allocation.
pub(crate) struct Shared(Leased<Arena>);

impl Source for Shared {
    fn new() -> Self {
        Self(Leased::start())
    }

    #[inline(always)]
    fn memory(&self) -> impl Reallocate<'static> {
        // SAFETY: it stays where it is until `self` is dropped, and `Bump` lets out no reference
        // that outlives its borrow.
        unsafe { self.0.arena.as_ref() }
    }

    fn reset(&mut self) {
        self.0.start_over();
    }

    fn used(&self) -> usize {
        self.0.used()
    }

    fn reserved(&self) -> usize {
        self.0.reserved()
    }
}
