//! marena where no thread has a lease in its hand, and where the arena grows.

use std::alloc::Layout;
use std::ptr::NonNull;

use marena_core::GrowingScratch;
use marena_std::{Arena, GrowingArena, GrowingLease, Leases, OwnedMemory};

use crate::contender::{Contender, SharedContender, Source};

/// What a lease takes at once, in bytes, unless a work says otherwise.
const CHUNK: usize = 64 << 10;

/// One value for all threads, over an arena that does not grow.
pub struct AllThreads<const BYTES: usize = CHUNK> {
    /// Made anew after each reset. INVARIANT: `None` whenever `arena` is mutably borrowed, and
    /// dropped before it.
    leases: Option<Leases<'static>>,
    arena: Box<Arena>,
}

/// The same over a growing arena.
pub struct GrowingAllThreads<const BYTES: usize = CHUNK> {
    /// As above.
    leases: Option<Leases<'static, GrowingArena>>,
    arena: Box<GrowingArena>,
}

/// Claims on a growing arena.
pub struct Growing(GrowingArena);

/// Claims in a lease of a growing arena.
pub struct GrowingLeased<const BYTES: usize = CHUNK>(GrowingArena);

/// Claims in a scratch of a growing arena.
pub struct GrowingScratched(GrowingArena);

/// The segments are there: growing is no part of what is measured.
fn growing(bytes: usize) -> GrowingArena {
    let mut arena = GrowingArena::new();
    while arena.stats().capacity < 2 * bytes + crate::machine::cores() * CHUNK {
        arena.allocate_uninit(1 << 12, 8).expect("address space");
    }
    arena.reset();
    arena
}

macro_rules! all_threads {
    ($contender:ident, $arena:ty, $name:literal, $bytes:ident => $new:expr) => {
        impl<const BYTES: usize> $contender<BYTES> {
            fn lend(&mut self) {
                // SAFETY: the arena stays where its box is, and is mutably borrowed or dropped
                // after the leases only. What they hand out is used before the next reset.
                let arena: &'static $arena = unsafe { NonNull::from(&*self.arena).as_ref() };
                self.leases = Some(arena.leases(BYTES));
            }

            /// The thread has its lease before anything is measured, as one with a lease in its
            /// hand has.
            fn thread(&self) -> &Leases<'static, $arena> {
                let leases = self.leases.as_ref().expect("made at the reset");
                leases.allocate_uninit(8, 8).expect("works reserve what they use");
                leases
            }
        }

        impl<const BYTES: usize> Contender for $contender<BYTES> {
            const NAME: &'static str = $name;

            fn with_capacity($bytes: usize) -> Self {
                let mut contender = Self { leases: None, arena: Box::new($new) };
                contender.lend();
                contender
            }

            fn source(&mut self) -> impl Source {
                self.thread()
            }

            fn reset(&mut self) {
                self.leases = None;
                self.arena.reset();
                self.lend();
            }
        }

        impl<const BYTES: usize> SharedContender for $contender<BYTES> {
            fn thread_source(&self) -> impl Source {
                self.thread()
            }
        }

        impl Source for &Leases<'static, $arena> {
            #[inline(always)]
            fn block(&mut self, layout: Layout) -> NonNull<u8> {
                self.allocate_layout(layout).expect("works reserve what they use").cast()
            }
        }
    };
}

all_threads!(AllThreads, Arena, "marena leases", bytes => {
    let wanted = 2 * bytes + crate::machine::cores() * BYTES + 128;
    Arena::with_capacity(wanted.min(1 << 31)).expect("address space")
});
all_threads!(GrowingAllThreads, GrowingArena, "marena leases, growing", bytes => growing(bytes));

impl Contender for Growing {
    const NAME: &'static str = "marena shared, growing";

    fn with_capacity(bytes: usize) -> Self {
        Self(growing(bytes))
    }

    fn source(&mut self) -> impl Source {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl SharedContender for Growing {
    fn thread_source(&self) -> impl Source {
        &self.0
    }
}

impl Source for &GrowingArena {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        self.allocate_layout(layout).expect("works reserve what they use").cast()
    }
}

impl<const BYTES: usize> Contender for GrowingLeased<BYTES> {
    const NAME: &'static str = "marena lease, growing";

    fn with_capacity(bytes: usize) -> Self {
        Self(growing(bytes))
    }

    fn source(&mut self) -> impl Source {
        self.0.lease(BYTES)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl<const BYTES: usize> SharedContender for GrowingLeased<BYTES> {
    fn thread_source(&self) -> impl Source {
        self.0.lease(BYTES)
    }
}

impl Source for GrowingLease<'_, OwnedMemory> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        self.allocate_layout(layout).expect("works reserve what they use").cast()
    }
}

impl Contender for GrowingScratched {
    const NAME: &'static str = "marena scratch, growing";

    fn with_capacity(bytes: usize) -> Self {
        Self(growing(bytes))
    }

    fn source(&mut self) -> impl Source {
        self.0.scratch()
    }

    /// The scratch's end took everything back.
    fn reset(&mut self) {}
}

impl Source for GrowingScratch<'_, OwnedMemory> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        self.allocate_layout(layout).expect("works reserve what they use").cast()
    }
}
