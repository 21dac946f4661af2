//! A static arena that is only allocated from.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use firmware_size::{BYTES, consume, request};
use marena_core::{Arena, StaticMemory};

static MEMORY: StaticMemory<{ BYTES + 128 }> = StaticMemory::new();
static ARENA: Arena<&'static StaticMemory<{ BYTES + 128 }>> = Arena::from_static(&MEMORY);

#[entry]
fn main() -> ! {
    loop {
        if let Ok(mut block) = ARENA.allocate(request()) {
            consume(&mut block);
        }
    }
}
