//! A static arena: allocate, publish, view; reset when it is full.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use firmware_size::{BYTES, consume, request};
use marena_core::{Arena, StaticMemory};

static MEMORY: StaticMemory<{ BYTES + 128 }> = StaticMemory::new();
static ARENA: Arena<&'static StaticMemory<{ BYTES + 128 }>> = Arena::from_static(&MEMORY);

#[entry]
fn main() -> ! {
    loop {
        let Ok(mut block) = ARENA.allocate(request()) else {
            // SAFETY: nothing from before is used after this, and this is the only thread.
            unsafe { ARENA.reset_shared() };
            continue;
        };
        consume(&mut block);
        // As if it came from elsewhere: the check is not optimised away.
        let handle = black_box(block.publish());
        if let Some(bytes) = ARENA.view(handle) {
            black_box(bytes);
        }
    }
}
