//! What a shared bump costs at least: one fetch-and-add, without a check for room or alignment.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::contender::{Contender, SharedContender, Source};

/// A cursor over memory. Sound only because no work asks it for more than its capacity.
pub struct Floor {
    cursor: AtomicUsize,
    memory: Box<[u64]>,
    start: NonNull<u8>,
}

// SAFETY: the pointer is to the boxed memory, whose bytes the cursor deals out, each once.
unsafe impl Sync for Floor {}

impl Contender for Floor {
    const NAME: &'static str = "fetch_add";

    fn with_capacity(bytes: usize) -> Self {
        let mut memory = vec![0_u64; bytes / size_of::<u64>()].into_boxed_slice();
        let start = NonNull::from(&mut *memory).cast();
        Self { cursor: AtomicUsize::new(0), memory, start }
    }

    fn source(&mut self) -> impl Source {
        &*self
    }

    fn reset(&mut self) {
        let used = std::mem::take(self.cursor.get_mut());
        assert!(used <= size_of_val(&*self.memory), "a work asked for more than it reserved");
    }
}

impl SharedContender for Floor {
    fn thread_source(&self) -> impl Source {
        self
    }
}

impl Source for &Floor {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        // ORDERING: Relaxed: the blocks are disjoint, and threads start and end by spawn and join.
        let offset = self.cursor.fetch_add(layout.size(), Relaxed);
        // SAFETY: works reserve what they use; `reset` asserts it.
        unsafe { self.start.add(offset) }
    }
}
