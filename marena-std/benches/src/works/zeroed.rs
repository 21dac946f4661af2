//! Zeroed blocks, from memory that was never handed out.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::ptr::NonNull;

use marena_std::Arena;

use super::{NODES, Node};
use crate::contender::{Contender, Source};
use crate::contenders::{Bumpalo, Heap, HeapAllocator, Jemalloc, Mimalloc, Shared, System};
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

pub(super) fn work() -> Work {
    Work {
        id: "zeroed",
        title: "zeroed 24 B",
        unit: "block",
        how: "8,192 blocks of 24 B that read as zero, the first word written. marena's memory is fresh (wiped before each batch, \
              which leaves it warm), so it is known to be zero and not written again.",
        entries: vec![
            entry::<Zeroed>("marena allocate, fresh"),
            entry::<Uninitialised>("marena allocate_layout"),
            entry::<Reused>("marena allocate, reused"),
            entry::<ZeroedBump>("bumpalo alloc([0; 3])"),
            entry::<Calloc<System>>("system allocator"),
            entry::<Calloc<Mimalloc>>("mimalloc"),
            entry::<Calloc<Jemalloc>>("jemalloc"),
        ],
        absent: vec![
            ("bumpalo-herd, bump-scope, blink-alloc", "as bumpalo: they write the zeros"),
            ("rarena-allocator, static-alloc", "no zeroed blocks"),
        ],
        targets: vec![Target::at_most("marena allocate, fresh", "marena allocate_layout", 1.3)],
        effort: Effort::SMALL,
    }
}

fn entry<C: Contender + 'static>(name: &'static str) -> Entry {
    Entry { name: name.to_owned(), ..Entry::blocks::<C, Node>(NODES) }
}

fn arena(bytes: usize) -> Arena {
    Arena::with_capacity(bytes + 128).expect("address space")
}

/// `allocate` after a wipe.
struct Zeroed(Arena);

/// `allocate_layout` after a wipe.
struct Uninitialised(Arena);

/// `allocate` after a reset.
struct Reused(Arena);

/// What [`Zeroed`] and [`Reused`] allocate from.
struct Blocks<'a>(&'a Arena);

impl Source for Blocks<'_> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        NonNull::from(self.0.allocate(layout.size()).expect("works reserve what they use").into_mut()).cast()
    }
}

impl Contender for Zeroed {
    const NAME: &'static str = Shared::NAME;

    fn with_capacity(bytes: usize) -> Self {
        Self(arena(bytes))
    }

    fn source(&mut self) -> impl Source {
        Blocks(&self.0)
    }

    fn reset(&mut self) {
        self.0.wipe();
    }
}

impl Contender for Uninitialised {
    const NAME: &'static str = Shared::NAME;

    fn with_capacity(bytes: usize) -> Self {
        Self(arena(bytes))
    }

    fn source(&mut self) -> impl Source {
        &self.0
    }

    fn reset(&mut self) {
        self.0.wipe();
    }
}

impl Contender for Reused {
    const NAME: &'static str = Shared::NAME;

    fn with_capacity(bytes: usize) -> Self {
        Self(arena(bytes))
    }

    fn source(&mut self) -> impl Source {
        Blocks(&self.0)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

/// bumpalo, whose way to zeroed bytes is a value of zeros.
struct ZeroedBump(Bumpalo);

impl Contender for ZeroedBump {
    const NAME: &'static str = Bumpalo::NAME;

    fn with_capacity(bytes: usize) -> Self {
        Self(Bumpalo::with_capacity(bytes))
    }

    fn source(&mut self) -> impl Source {
        Values(&self.0.0)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

struct Values<'a>(&'a bumpalo::Bump);

impl Source for Values<'_> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        debug_assert_eq!(layout, Layout::new::<Node>());
        // The zeros are there before the first word is overwritten.
        black_box(NonNull::from(self.0.alloc([0_u64; 3]))).cast()
    }
}

/// A heap's zeroed blocks.
struct Calloc<H>(Heap<H>);

impl<H: HeapAllocator> Contender for Calloc<H> {
    const NAME: &'static str = H::NAME;

    fn with_capacity(bytes: usize) -> Self {
        Self(Heap::with_capacity(bytes))
    }

    fn source(&mut self) -> impl Source {
        ZeroedHeap(H::HEAP)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

struct ZeroedHeap<H>(H);

impl<H: GlobalAlloc> Source for ZeroedHeap<H> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        // SAFETY: no work asks for blocks of no bytes.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        NonNull::new(block).expect("memory")
    }

    #[inline(always)]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.0.dealloc(block.as_ptr(), layout) };
    }
}
