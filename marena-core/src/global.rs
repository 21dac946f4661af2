//! An arena as a program's global allocator.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use crate::arena::Arena;
use crate::claim::Claim;
use crate::memory::Memory;
use crate::reallocate::Reallocate;

/// Lets an arena in a `static` be a program's `#[global_allocator]`: for firmware, and for
/// processes that end before the memory is used up. Freed bytes come back only if they were
/// allocated last.
///
/// Call this trait's methods by its name: `GlobalAlloc::alloc(&ARENA, layout)`.
/// `ARENA.alloc(layout)` is [`Arena::alloc`], which places the layout in the arena as a value.
///
/// ```standalone_crate
/// use marena_core::{Arena, StaticMemory};
///
/// static MEMORY: StaticMemory<{ 16 << 20 }> = StaticMemory::new();
/// #[global_allocator]
/// static ARENA: Arena<&'static StaticMemory<{ 16 << 20 }>> = Arena::from_static(&MEMORY);
///
/// let numbers: Vec<u32> = (0..1000).collect();
/// assert_eq!(numbers[999], 999);
/// assert!(ARENA.used() >= 4000);
/// ```
// SAFETY: blocks are claimed with their layout, are nobody else's, and stay until they are given
// back. A reset needs the arena mutably, which a `static` cannot be borrowed, or a promise that
// nothing from before is used. Nothing here panics.
unsafe impl<M: Memory> GlobalAlloc for Arena<M> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        pointer(self.allocate_bytes(layout))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        pointer(self.allocate_zeros(layout))
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if let Some(start) = NonNull::new(start) {
            // SAFETY: the caller passes a block of this layout, and does not use it afterwards.
            unsafe { self.give_back(start, layout.size()) };
        }
    }

    unsafe fn realloc(&self, start: *mut u8, old: Layout, new_size: usize) -> *mut u8 {
        let Some(start) = NonNull::new(start) else { return ptr::null_mut() };
        let Ok(new) = Layout::from_size_align(new_size, old.align()) else { return ptr::null_mut() };
        let block = if new_size >= old.size() {
            // SAFETY: the caller passes a block of this layout, and does not use it afterwards
            // unless the result is null.
            unsafe { Reallocate::grow(self, start, old, new) }
        } else {
            // SAFETY: as above.
            unsafe { Reallocate::shrink(self, start, old, new) }
        };
        pointer(block)
    }
}

/// Returns the start of a block, or null.
fn pointer(block: Option<NonNull<[u8]>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), |block| block.cast().as_ptr())
}
