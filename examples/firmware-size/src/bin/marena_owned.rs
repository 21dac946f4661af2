#![no_std]
#![no_main]
use cortex_m_rt::entry;
use firmware_size::{REGION, consume, request};
use marena_core::{Arena, StaticMemory};
use static_cell::StaticCell;
static MEMORY: StaticCell<StaticMemory<REGION>> = StaticCell::new();
#[entry]
fn main() -> ! {
    let Ok(mut arena) = Arena::borrowed(MEMORY.init_with(StaticMemory::new).as_uninit_mut()) else { loop {} };
    loop {
        let Ok(block) = arena.allocate(request()) else {
            arena.reset();
            continue;
        };
        if let Some(bytes) = arena.view(block.publish()) { consume(bytes); }
    }
}
