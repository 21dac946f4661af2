//! marena in its three speeds.

use std::alloc::Layout;
use std::ptr::NonNull;

use marena_core::{Lease, Scratch};
use marena_std::{Arena, OwnedMemory};

use crate::contender::{Contender, SharedContender, Source};

/// What a lease takes at once, in bytes, unless a work says otherwise.
const CHUNK: usize = 64 << 10;

/// Claims on the shared cursor.
pub struct Shared(pub Arena);

/// Claims in a lease of so many bytes.
pub struct Leased<const BYTES: usize = CHUNK>(pub Arena);

/// Claims in a scratch of the arena.
pub struct Scratched(pub marena_core::Arena<OwnedMemory>);

/// Claims in a scratch of a lease.
pub struct LeasedScratch(Lease<'static, OwnedMemory>);

/// As [`Shared`], in huge pages where the system gives them.
pub struct HugePages(Arena);

fn arena(bytes: usize) -> Arena {
    Arena::with_capacity(bytes + 128).expect("address space")
}

impl Contender for Shared {
    const NAME: &'static str = "marena shared";

    fn with_capacity(bytes: usize) -> Self {
        Self(arena(bytes))
    }

    fn source(&mut self) -> impl Source {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl SharedContender for Shared {
    fn thread_source(&self) -> impl Source {
        &self.0
    }
}

impl Contender for HugePages {
    const NAME: &'static str = "marena huge_pages";

    fn with_capacity(bytes: usize) -> Self {
        Self(Arena::builder().capacity(bytes + 128).huge_pages(true).build().expect("address space"))
    }

    fn source(&mut self) -> impl Source {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl<const BYTES: usize> Contender for Leased<BYTES> {
    const NAME: &'static str = "marena lease";

    fn with_capacity(bytes: usize) -> Self {
        // Each chunk leaves less than a block at its end, and the last of each thread may be hardly
        // used.
        Self(arena(2 * bytes + crate::machine::cores() * BYTES))
    }

    fn source(&mut self) -> impl Source {
        self.0.lease(BYTES)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl<const BYTES: usize> SharedContender for Leased<BYTES> {
    fn thread_source(&self) -> impl Source {
        self.0.lease(BYTES)
    }
}

impl Contender for Scratched {
    const NAME: &'static str = "marena scratch";

    fn with_capacity(bytes: usize) -> Self {
        let memory = OwnedMemory::reserve(bytes + 128).expect("address space");
        Self(marena_core::Arena::new(memory).expect("memory of a length that it reserved"))
    }

    fn source(&mut self) -> impl Source {
        self.0.scratch()
    }

    /// The scratch's end took everything back.
    fn reset(&mut self) {}
}

impl Contender for LeasedScratch {
    const NAME: &'static str = "marena lease's scratch";

    fn with_capacity(bytes: usize) -> Self {
        // Leaked: a contender that borrows from itself would be harder to read than a few MiB are
        // worth.
        Self(Box::leak(Box::new(arena(bytes + CHUNK))).lease(bytes))
    }

    fn source(&mut self) -> impl Source {
        self.0.scratch()
    }

    /// The scratch's end took everything back.
    fn reset(&mut self) {}
}

/// The slice's pointer.
macro_rules! block {
    ($memory:expr, $layout:expr) => {
        $memory.allocate_layout($layout).expect("works reserve what they use").cast()
    };
}

impl Source for &Arena {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        block!(self, layout)
    }
}

impl Source for Lease<'_, OwnedMemory> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        block!(self, layout)
    }
}

impl Source for Scratch<'_, OwnedMemory> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        block!(self, layout)
    }
}
