//! A region of plain bytes, with a header of loom's words beside it.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use marena_core::{ExclusiveMemory, Header, Memory};

use crate::fault::Fault;
use crate::word::LoomWord;

/// Memory that the value owns, aligned as a region must be.
pub struct LoomMemory<F: Fault> {
    /// INVARIANT: allocated with `layout(region.len())`, initialised, and freed on drop.
    region: NonNull<[u8]>,
    /// INVARIANT: from `Box::into_raw`, freed on drop.
    header: NonNull<Header<LoomWord<F>>>,
    zeroed: bool,
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, 128).expect("a model's region is small")
}

impl<F: Fault> LoomMemory<F> {
    /// Creates a region of `len` bytes that are all `fill`, and a header of zeros. If `fill` is 0,
    /// the bytes count as known to be zero.
    ///
    /// # Panics
    ///
    /// Panics if `len` is 0.
    #[must_use]
    pub fn new(len: usize, fill: u8) -> Self {
        assert!(len > 0, "a region has bytes");
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc(layout(len)) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout(len)) };
        // SAFETY: allocated above with this length.
        unsafe { start.write_bytes(fill, len) };
        let header = Box::new(Header::from_words(|| LoomWord::new(0)));
        Self {
            region: NonNull::slice_from_raw_parts(start, len),
            header: NonNull::from(Box::leak(header)),
            zeroed: fill == 0,
        }
    }
}

impl<F: Fault> Drop for LoomMemory<F> {
    fn drop(&mut self) {
        // SAFETY: the invariant of `header`; no arena over the memory is left.
        drop(unsafe { Box::from_raw(self.header.as_ptr()) });
        // SAFETY: the invariant of `region`; likewise.
        unsafe { dealloc(self.region.cast().as_ptr(), layout(self.region.len())) };
    }
}

impl<F: Fault> fmt::Debug for LoomMemory<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoomMemory").field("region", &self.region).field("zeroed", &self.zeroed).finish_non_exhaustive()
    }
}

// SAFETY: plain bytes and a header of atomics, owned by this value.
unsafe impl<F: Fault> Send for LoomMemory<F> {}
// SAFETY: a shared reference gives pointers only.
unsafe impl<F: Fault> Sync for LoomMemory<F> {}

// SAFETY: the region is a raw allocation that stays in place and is valid as long as the value. The
// header is valid from the start. `zeroed` is true only of bytes that are all zero, under an
// all-zero header.
unsafe impl<F: Fault> Memory for LoomMemory<F> {
    type Word = LoomWord<F>;
    const BACKS_OFF: bool = true;

    fn region(&self) -> NonNull<[u8]> {
        self.region
    }

    fn header(&self) -> NonNull<Header<LoomWord<F>>> {
        self.header
    }

    fn is_zeroed(&self) -> bool {
        self.zeroed
    }
}

// SAFETY: the type is not `Clone`, and the value is the only way to the bytes.
unsafe impl<F: Fault> ExclusiveMemory for LoomMemory<F> {}

/// Memory that several arenas share, as arenas in several processes do. It is not exclusive.
#[derive(Debug)]
pub struct SharedMemory<F: Fault>(Arc<LoomMemory<F>>);

impl<F: Fault> SharedMemory<F> {
    /// Shares `memory`.
    #[must_use]
    pub fn new(memory: LoomMemory<F>) -> Self {
        Self(Arc::new(memory))
    }
}

impl<F: Fault> Clone for SharedMemory<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

// SAFETY: the memory is valid as long as any value shares it, and keeps the contract itself. All of
// them have the same header.
unsafe impl<F: Fault> Memory for SharedMemory<F> {
    type Word = LoomWord<F>;

    fn region(&self) -> NonNull<[u8]> {
        self.0.region()
    }

    fn header(&self) -> NonNull<Header<LoomWord<F>>> {
        self.0.header()
    }

    fn is_zeroed(&self) -> bool {
        self.0.is_zeroed()
    }
}
