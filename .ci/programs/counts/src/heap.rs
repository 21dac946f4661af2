//! Memory for a growing arena.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use marena_core::{AtomicU32, ExclusiveMemory, Memory, MemoryError, NoThreads, Reserve};

/// Bytes of the heap.
pub(crate) struct Heap(NonNull<[u8]>);

impl Heap {
    fn layout(len: usize) -> Layout {
        Layout::from_size_align(len, 128).expect("a capacity that `reserve` has checked")
    }
}

// SAFETY: `reserve` allocates the bytes, and only dropping the value frees them.
unsafe impl Memory for Heap {
    type Word = AtomicU32;

    fn region(&self) -> NonNull<[u8]> {
        self.0
    }
}

// SAFETY: nothing else has the pointer, and the value is not `Clone`.
unsafe impl ExclusiveMemory for Heap {}

impl Reserve for Heap {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = NoThreads<T>;
    const MAX_CAPACITY: usize = 1 << 30;

    fn reserve(capacity: usize) -> Result<Self, MemoryError> {
        if capacity > Self::MAX_CAPACITY {
            return Err(MemoryError::TooLarge { limit: Self::MAX_CAPACITY, len: capacity });
        }
        let layout = Self::layout(capacity.next_multiple_of(4096));
        // SAFETY: the size is not 0: segments are larger.
        let start = NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout));
        Ok(Self(NonNull::slice_from_raw_parts(start, layout.size())))
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: allocated by `reserve` with this layout.
        unsafe { dealloc(self.0.cast().as_ptr(), Self::layout(self.0.len())) };
    }
}
