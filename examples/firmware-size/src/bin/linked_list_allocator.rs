//! linked_list_allocator without a lock, so neither for threads nor for interrupts.
#![no_std]
#![no_main]

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::slice;

use cortex_m_rt::entry;
use firmware_size::{BYTES, consume, request};
use linked_list_allocator::Heap;

#[entry]
fn main() -> ! {
    static mut HEAP: Heap = Heap::empty();
    static mut MEMORY: [MaybeUninit<u8>; BYTES] = [MaybeUninit::uninit(); BYTES];
    HEAP.init_from_slice(MEMORY);
    loop {
        let Ok(layout) = Layout::from_size_align(request().max(1), 8) else { continue };
        let Ok(start) = HEAP.allocate_first_fit(layout) else { continue };
        // SAFETY: just allocated, this many bytes.
        unsafe { start.write_bytes(0, layout.size()) };
        // SAFETY: as above, initialised now.
        consume(unsafe { slice::from_raw_parts_mut(start.as_ptr(), layout.size()) });
        // SAFETY: allocated above with this layout, and not used any more.
        unsafe { HEAP.deallocate(start, layout) };
    }
}
