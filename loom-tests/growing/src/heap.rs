//! Memory for segments, which reports whoever uses a segment without having seen that it was made.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use loom::cell::UnsafeCell;
use marena_core::{ExclusiveMemory, Header, Memory, MemoryError, NoThreads, Reserve};

use crate::fault::Faithful;
use crate::word::LoomWord;

/// Zeroed bytes with a header of loom's words beside them.
pub struct LoomHeap {
    /// INVARIANT: allocated with `layout(region.len())`, and freed on drop.
    region: NonNull<[u8]>,
    /// INVARIANT: from `Box::leak`, freed on drop.
    header: NonNull<Header<LoomWord<Faithful>>>,
    /// Written when the memory is made, and read at each use.
    made: UnsafeCell<()>,
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, 128).expect("a model's segment is small")
}

impl Drop for LoomHeap {
    fn drop(&mut self) {
        // SAFETY: the invariant of `header`; no arena over the memory is left.
        drop(unsafe { Box::from_raw(self.header.as_ptr()) });
        // SAFETY: the invariant of `region`; likewise.
        unsafe { dealloc(self.region.cast().as_ptr(), layout(self.region.len())) };
    }
}

// SAFETY: plain bytes and a header of atomics, owned by this value.
unsafe impl Send for LoomHeap {}
// SAFETY: a shared reference gives pointers only.
unsafe impl Sync for LoomHeap {}

// SAFETY: the region is an allocation that stays in place and is valid as long as the value. So is
// the header. The bytes were zero at first, and only arenas write them.
unsafe impl Memory for LoomHeap {
    type Word = LoomWord<Faithful>;
    const BACKS_OFF: bool = true;

    fn region(&self) -> NonNull<[u8]> {
        self.made.with(|_| ());
        self.region
    }

    fn header(&self) -> NonNull<Header<LoomWord<Faithful>>> {
        self.header
    }

    fn is_zeroed(&self) -> bool {
        true
    }
}

// SAFETY: the type is not `Clone`, and the value is the only way to the bytes.
unsafe impl ExclusiveMemory for LoomHeap {}

impl Reserve for LoomHeap {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = NoThreads<T>;
    const MAX_CAPACITY: usize = 1 << 16;

    fn reserve(capacity: usize) -> Result<Self, MemoryError> {
        let layout = layout(capacity);
        // SAFETY: segments have bytes.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout));
        let memory = Self {
            region: NonNull::slice_from_raw_parts(start, capacity),
            header: NonNull::from(Box::leak(Box::new(Header::from_words(|| LoomWord::new(0))))),
            made: UnsafeCell::new(()),
        };
        memory.made.with_mut(|_| ());
        Ok(memory)
    }

    fn wait() {
        loom::thread::yield_now();
    }
}
