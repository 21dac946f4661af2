//! Memory of the heap, for test programs and for `.ci/programs/counts`.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::Arc;

use marena_core::{AtomicU32, ExclusiveMemory, Memory, MemoryError, NoThreads, Reserve};

/// Bytes that the value owns, all `FILL` at first.
pub(crate) struct Heap<const FILL: u8> {
    bytes: NonNull<[u8]>,
    _counted: Arc<()>,
}

thread_local! {
    /// Shared by the regions that this thread made, wherever they are dropped.
    pub(crate) static REGIONS: Arc<()> = Arc::default();
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, 128).expect("a capacity that `reserve` has checked")
}

// SAFETY: `reserve` allocates and fills the bytes. Only arenas write them, and only dropping the
// value frees them.
unsafe impl<const FILL: u8> Memory for Heap<FILL> {
    type Word = AtomicU32;

    const IS_EXCLUSIVE: bool = true;

    fn region(&self) -> NonNull<[u8]> {
        self.bytes
    }

    fn is_zeroed(&self) -> bool {
        FILL == 0
    }
}

// SAFETY: nothing else has the pointer, and the value is not `Clone`.
unsafe impl<const FILL: u8> ExclusiveMemory for Heap<FILL> {}
// SAFETY: plain bytes that the value owns.
unsafe impl<const FILL: u8> Send for Heap<FILL> {}
// SAFETY: a shared reference gives only the pointer.
unsafe impl<const FILL: u8> Sync for Heap<FILL> {}

impl<const FILL: u8> Reserve for Heap<FILL> {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = NoThreads<T>;
    const MAX_CAPACITY: usize = 1 << 30;

    fn reserve(capacity: usize) -> Result<Self, MemoryError> {
        if capacity > Self::MAX_CAPACITY {
            return Err(MemoryError::TooLarge { limit: Self::MAX_CAPACITY, len: capacity });
        }
        let layout = layout(capacity.next_multiple_of(8));
        // SAFETY: the size is not 0: regions are larger.
        let start = NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout));
        // SAFETY: just allocated.
        unsafe { start.write_bytes(FILL, layout.size()) };
        Ok(Self { bytes: NonNull::slice_from_raw_parts(start, layout.size()), _counted: REGIONS.with(Arc::clone) })
    }
}

impl<const FILL: u8> Drop for Heap<FILL> {
    fn drop(&mut self) {
        // SAFETY: allocated by `reserve` with this layout.
        unsafe { dealloc(self.bytes.cast().as_ptr(), layout(self.bytes.len())) };
    }
}
