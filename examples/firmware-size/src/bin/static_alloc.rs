//! static-alloc's bump allocator, which has no reset that other threads may be there for, and so is
//! only allocated from.
#![no_std]
#![no_main]

use core::slice;

use core::alloc::Layout;

use cortex_m_rt::entry;
use firmware_size::{BYTES, consume, request};
use static_alloc::Bump;

static BUMP: Bump<[u8; BYTES]> = Bump::new([0; BYTES]);

#[entry]
fn main() -> ! {
    loop {
        let Ok(layout) = Layout::from_size_align(request().max(1), 8) else { continue };
        let Some(start) = BUMP.alloc(layout) else { continue };
        // SAFETY: just allocated, this many bytes.
        unsafe { start.write_bytes(0, layout.size()) };
        // SAFETY: as above, initialised now.
        consume(unsafe { slice::from_raw_parts_mut(start.as_ptr(), layout.size()) });
    }
}
