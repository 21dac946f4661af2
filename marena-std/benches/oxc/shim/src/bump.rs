//! bumpalo's `Bump`: methods that cannot fail, over those of marena, which can.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};
use marena_core::{Allocate, Claim, Reallocate};

use crate::source::{Chosen, Source};

pub struct Bump(Chosen);

impl Default for Bump {
    fn default() -> Self {
        Self::new()
    }
}

#[cold]
#[inline(never)]
fn no_room(layout: Layout) -> ! {
    handle_alloc_error(layout)
}

impl Bump {
    pub fn new() -> Self {
        Self(Chosen::new())
    }

    /// Memory comes as it is needed.
    pub fn with_capacity(_: usize) -> Self {
        Self::new()
    }

    #[inline(always)]
    pub fn alloc<T>(&self, value: T) -> &mut T {
        let place = self.alloc_layout(Layout::new::<T>()).cast::<T>();
        // SAFETY: just allocated with the layout of a `T`.
        unsafe { place.write(value) };
        // SAFETY: initialised just now, and nobody else's while the `Bump` is borrowed.
        unsafe { &mut *place.as_ptr() }
    }

    #[inline(always)]
    pub fn alloc_str(&self, text: &str) -> &mut str {
        match self.0.memory().alloc_str(text) {
            Ok(text) => text,
            Err(_) => no_room(Layout::for_value(text)),
        }
    }

    #[inline(always)]
    pub fn alloc_slice_copy<T: Copy>(&self, values: &[T]) -> &mut [T] {
        let start = self.alloc_layout(Layout::for_value(values)).cast::<T>();
        // SAFETY: just allocated with the layout of the values, so apart from them.
        unsafe { start.copy_from_nonoverlapping(NonNull::from(values).cast(), values.len()) };
        // SAFETY: initialised just now, and nobody else's while the `Bump` is borrowed.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), values.len()) }
    }

    #[inline(always)]
    pub fn alloc_layout(&self, layout: Layout) -> NonNull<u8> {
        match self.0.memory().allocate_layout(layout) {
            Ok(block) => block.cast(),
            Err(_) => no_room(layout),
        }
    }

    pub fn reset(&mut self) {
        self.0.reset();
    }

    pub fn allocated_bytes(&self) -> usize {
        self.0.reserved()
    }

    /// bumpalo's chunks: one, of all that is used. Only their sizes are asked for.
    ///
    /// # Safety
    ///
    /// Nothing is asked; bumpalo's is unsafe.
    pub unsafe fn iter_allocated_chunks_raw(&self) -> impl Iterator<Item = (*mut u8, usize)> {
        std::iter::once((std::ptr::null_mut(), self.0.used()))
    }
}

// SAFETY: all is done by the memory, which lives as long as the `Bump`, and is not reset while that
// is borrowed.
unsafe impl Allocator for &Bump {
    #[inline(always)]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.0.memory().allocate_bytes(layout).ok_or(AllocError)
    }

    #[inline(always)]
    unsafe fn deallocate(&self, start: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller passes a block of this layout and uses it no more.
        unsafe { self.0.memory().give_back(start, layout.size()) };
    }

    #[inline(always)]
    unsafe fn grow(&self, start: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's promises.
        unsafe { Reallocate::grow(self.0.memory(), start, old, new) }.ok_or(AllocError)
    }

    #[inline(always)]
    unsafe fn grow_zeroed(&self, start: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's promises.
        unsafe { Reallocate::grow_zeroed(self.0.memory(), start, old, new) }.ok_or(AllocError)
    }

    #[inline(always)]
    unsafe fn shrink(&self, start: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's promises.
        unsafe { Reallocate::shrink(self.0.memory(), start, old, new) }.ok_or(AllocError)
    }
}
