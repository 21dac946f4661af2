//! Memory for the arenas.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use marena_core::{ExclusiveMemory, Memory};
use portable_atomic::AtomicU32;

/// Zeroed memory that the value owns, like a mapping from the system.
pub(crate) struct ZeroedHeap {
    region: NonNull<u8>,
    layout: Layout,
}

impl ZeroedHeap {
    pub(crate) fn new(len: usize) -> Self {
        let layout = Layout::from_size_align(len, 128).expect("a small region");
        // SAFETY: the layout is not empty.
        let region = NonNull::new(unsafe { alloc_zeroed(layout) }).expect("some memory");
        Self { region, layout }
    }
}

impl Drop for ZeroedHeap {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `new`, and not used again.
        unsafe { dealloc(self.region.as_ptr(), self.layout) };
    }
}

// SAFETY: the value owns heap memory, which is valid from any thread.
unsafe impl Send for ZeroedHeap {}
// SAFETY: a shared reference gives only the raw pointer.
unsafe impl Sync for ZeroedHeap {}

// SAFETY: the bytes stay in place until the value is dropped. The value holds them as a raw pointer
// that nothing else has, and they were zero before arenas wrote them.
unsafe impl Memory for ZeroedHeap {
    type Word = AtomicU32;

    const IS_EXCLUSIVE: bool = true;

    fn region(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.region, self.layout.size())
    }

    fn is_zeroed(&self) -> bool {
        true
    }
}

// SAFETY: the value owns its bytes, and cannot be cloned.
unsafe impl ExclusiveMemory for ZeroedHeap {}

/// Returns bytes that are not zero.
pub(crate) fn dirty(len: usize) -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::new(0xA5); len]
}
