//! Memory as a user of the crate would implement it, and buffers for the crate's own kinds of
//! memory.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use marena_core::{Arena, ExclusiveMemory, Memory};

/// Zeroed bytes that the value owns. If `REMAP` is not 0, other mappings may have the memory at
/// other addresses.
#[derive(Debug)]
pub(crate) struct Owned<const REMAP: usize = 0> {
    /// INVARIANT: from `alloc_zeroed` with `layout(region.len())`, freed on drop.
    region: NonNull<[u8]>,
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, 4096).unwrap()
}

impl<const REMAP: usize> Owned<REMAP> {
    pub(crate) fn new(len: usize) -> Self {
        assert!(len > 0);
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc_zeroed(layout(len)) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout(len)) };
        Self { region: NonNull::slice_from_raw_parts(start, len) }
    }
}

impl<const REMAP: usize> Drop for Owned<REMAP> {
    fn drop(&mut self) {
        // SAFETY: the invariant of `region`; no reference to the bytes is left.
        unsafe { dealloc(self.region.cast().as_ptr(), layout(self.region.len())) };
    }
}

// SAFETY: the value owns the bytes.
unsafe impl<const REMAP: usize> Send for Owned<REMAP> {}
// SAFETY: a shared reference gives only the pointer.
unsafe impl<const REMAP: usize> Sync for Owned<REMAP> {}

// SAFETY: an allocation stays where it is; its bytes start zero and only arenas write them.
unsafe impl<const REMAP: usize> Memory for Owned<REMAP> {
    type Word = portable_atomic::AtomicU32;
    const REMAP_ALIGN: Option<usize> = if REMAP == 0 { None } else { Some(REMAP) };

    fn region(&self) -> NonNull<[u8]> {
        self.region
    }

    fn is_zeroed(&self) -> bool {
        true
    }
}

// SAFETY: the value is the only owner of the allocation.
unsafe impl<const REMAP: usize> ExclusiveMemory for Owned<REMAP> {}

/// Returns the place of a byte of a region.
pub(crate) fn byte_of(memory: &impl Memory, offset: usize) -> NonNull<u8> {
    assert!(offset < memory.region().len());
    // SAFETY: in the region.
    unsafe { memory.region().cast::<u8>().add(offset) }
}

/// Returns an arena over `len` bytes that are known to be zero.
pub(crate) fn zeroed_arena(len: usize) -> Arena<Owned> {
    Arena::new(Owned::new(len)).unwrap()
}

#[cfg(marena_asan)]
unsafe extern "C" {
    fn __asan_unpoison_memory_region(start: *const u8, size: usize);
}

/// Returns all bytes of an arena behind its header, used or not.
pub(crate) fn raw_bytes<const REMAP: usize>(arena: &mut Arena<Owned<REMAP>>) -> Vec<u8> {
    let region = arena.memory().region();
    #[cfg(marena_asan)]
    // SAFETY: bytes of a live allocation. The call only tells the sanitizer that they may be read.
    unsafe {
        __asan_unpoison_memory_region(region.cast().as_ptr(), region.len());
    };
    (128..region.len())
        .map(|offset| {
            // SAFETY: below the region's length.
            let byte = unsafe { region.cast::<u8>().add(offset) };
            // SAFETY: zeroed at first, so initialised. The arena is mutably borrowed, so there is
            // no other reference.
            unsafe { byte.read() }
        })
        .collect()
}

/// Uninitialised bytes for borrowed memory, which start `skew` bytes behind a multiple of 128.
pub(crate) struct Buffer {
    bytes: Vec<MaybeUninit<u8>>,
}

impl Buffer {
    pub(crate) fn new(len: usize) -> Self {
        Self { bytes: vec![MaybeUninit::uninit(); len + 2 * 128] }
    }

    /// Returns a buffer of `len` bytes that are all `fill`.
    pub(crate) fn filled(len: usize, fill: u8) -> Self {
        Self { bytes: vec![MaybeUninit::new(fill); len + 2 * 128] }
    }

    pub(crate) fn skewed(&mut self, skew: usize, len: usize) -> &mut [MaybeUninit<u8>] {
        let first = self.bytes.as_ptr().addr().wrapping_neg() & 127;
        &mut self.bytes[first + skew..][..len]
    }
}
