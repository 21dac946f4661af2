//! An arena of its own memory, whose reset is safe and makes handles stale.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use firmware_size::{BYTES, consume, request};
use marena_core::{Arena, StaticMemory};

#[entry]
fn main() -> ! {
    static mut MEMORY: StaticMemory<{ BYTES + 128 }> = StaticMemory::new();
    let Ok(mut arena) = Arena::borrowed(MEMORY.as_uninit_mut()) else { panic!("the memory is large enough") };
    loop {
        let Ok(mut block) = arena.allocate(request()) else {
            arena.reset();
            continue;
        };
        consume(&mut block);
        // As if it came from elsewhere: the check is not optimised away.
        let handle = black_box(block.publish());
        if let Some(bytes) = arena.view(handle) {
            black_box(bytes);
        }
    }
}
