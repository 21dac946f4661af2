//! What writing the blocks costs at least: each thread walks through memory of its own, without
//! asking anybody.

use std::alloc::Layout;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::contender::{Contender, SharedContender, Source};
use crate::machine;

/// Memory in one piece for each thread.
pub struct Stores {
    memory: Box<[u64]>,
    start: NonNull<u8>,
    /// Bytes of each piece.
    piece: usize,
    /// How many are taken.
    taken: AtomicUsize,
}

/// A thread's piece from some position on.
pub struct Walk<'a> {
    next: NonNull<u8>,
    piece: PhantomData<&'a Stores>,
}

// SAFETY: the pointer is to the boxed memory, of which each piece is taken once.
unsafe impl Sync for Stores {}

impl Contender for Stores {
    const NAME: &'static str = "plain stores";

    fn with_capacity(bytes: usize) -> Self {
        // No more than one thread's share of the bytes goes to one piece; each is one page longer.
        let piece = bytes.next_multiple_of(4096) + 4096;
        let mut memory = vec![0_u64; machine::cores() * piece / size_of::<u64>()].into_boxed_slice();
        let start = NonNull::from(&mut *memory).cast();
        Self { memory, start, piece, taken: AtomicUsize::new(0) }
    }

    fn source(&mut self) -> impl Source {
        self.thread_source()
    }

    fn reset(&mut self) {
        *self.taken.get_mut() = 0;
    }
}

impl SharedContender for Stores {
    fn thread_source(&self) -> impl Source {
        // ORDERING: Relaxed: only who gets which piece.
        let offset = self.taken.fetch_add(1, Relaxed) * self.piece;
        assert!(offset + self.piece <= size_of_val(&*self.memory), "a piece for each core");
        // SAFETY: asserted.
        Walk { next: unsafe { self.start.add(offset) }, piece: PhantomData }
    }
}

impl Source for Walk<'_> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        let block = self.next;
        // SAFETY: works reserve what they use.
        self.next = unsafe { block.add(layout.size()) };
        block
    }
}
