//! What surrounds the allocator in every program: the same in all of them.
//!
//! The little firmware: take as many zeroed bytes as a register says, use them, and give back;
//! forever.
#![no_std]

use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::slice;

use cortex_m::peripheral::SYST;
use panic_halt as _;

/// Bytes that every allocator has to hand out; what it needs besides is its overhead.
pub const BYTES: usize = 4096;

/// A size that the compiler does not know.
#[inline(always)]
pub fn request() -> usize {
    SYST::get_current() as usize
}

/// A use of bytes that the compiler cannot leave out.
#[inline(always)]
pub fn consume(bytes: &mut [u8]) {
    black_box(bytes);
}

/// The little firmware over a heap: each block is freed after its use.
#[inline(always)]
pub fn run(heap: &impl GlobalAlloc) -> ! {
    loop {
        let Ok(layout) = Layout::from_size_align(request().max(1), 8) else { continue };
        // SAFETY: the size is not 0.
        let start = unsafe { heap.alloc_zeroed(layout) };
        if start.is_null() {
            continue;
        }
        // SAFETY: just allocated, and zeroed.
        consume(unsafe { slice::from_raw_parts_mut(start, layout.size()) });
        // SAFETY: allocated above with this layout, and not used any more.
        unsafe { heap.dealloc(start, layout) };
    }
}
