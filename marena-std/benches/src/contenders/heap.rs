//! General-purpose allocators. They free block by block, outside the measured time: arenas do not
//! free at all.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};

use crate::contender::{Contender, SharedContender, Source};

/// A general-purpose allocator.
pub trait HeapAllocator: GlobalAlloc + Sync {
    /// As the tables name it.
    const NAME: &'static str;
    /// The allocator.
    const HEAP: Self;
}

/// Microsoft's.
pub use mimalloc::MiMalloc as Mimalloc;
/// The C library's.
pub use std::alloc::System;
/// FreeBSD's and Facebook's.
pub use tikv_jemallocator::Jemalloc;

impl HeapAllocator for System {
    const NAME: &'static str = "system allocator";
    const HEAP: Self = Self;
}

impl HeapAllocator for Mimalloc {
    const NAME: &'static str = "mimalloc";
    const HEAP: Self = Self;
}

impl HeapAllocator for Jemalloc {
    const NAME: &'static str = "jemalloc";
    const HEAP: Self = Self;
}

/// A heap as a contender, and as the memory of a `Vec`.
pub struct Heap<H>(H);

impl<H: HeapAllocator> Contender for Heap<H> {
    const NAME: &'static str = H::NAME;

    fn with_capacity(_bytes: usize) -> Self {
        Self(H::HEAP)
    }

    fn source(&mut self) -> impl Source {
        &*self
    }

    /// Works have freed what they used.
    fn reset(&mut self) {}
}

impl<H: HeapAllocator> SharedContender for Heap<H> {
    fn thread_source(&self) -> impl Source {
        self
    }
}

impl<H: HeapAllocator> Source for &Heap<H> {
    #[inline(always)]
    fn block(&mut self, layout: Layout) -> NonNull<u8> {
        // SAFETY: no work asks for blocks of no bytes.
        let block = unsafe { self.0.alloc(layout) };
        NonNull::new(block).expect("memory")
    }

    #[inline(always)]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.0.dealloc(block.as_ptr(), layout) };
    }
}

fn slice(start: *mut u8, len: usize) -> Result<NonNull<[u8]>, AllocError> {
    NonNull::new(start).map(|start| NonNull::slice_from_raw_parts(start, len)).ok_or(AllocError)
}

// SAFETY: a heap's blocks are nobody else's until they are freed; the value is the heap itself,
// wherever it is moved. A vector of some values asks for no blocks of no bytes.
unsafe impl<H: HeapAllocator> Allocator for Heap<H> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        assert!(layout.size() > 0);
        // SAFETY: asserted.
        slice(unsafe { self.0.alloc(layout) }, layout.size())
    }

    #[inline]
    unsafe fn deallocate(&self, start: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.0.dealloc(start.as_ptr(), layout) };
    }

    #[inline]
    unsafe fn grow(&self, start: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        assert_eq!(old.align(), new.align());
        // SAFETY: the caller's promise; the alignment stays.
        slice(unsafe { self.0.realloc(start.as_ptr(), old, new.size()) }, new.size())
    }
}
