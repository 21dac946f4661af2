#![no_std]
#![no_main]
use cortex_m_rt::entry;
use firmware_size::{REGION, consume, request};
use marena_core::{Arena, StaticMemory};
static MEMORY: StaticMemory<REGION> = StaticMemory::new();
static ARENA: Arena<&'static StaticMemory<REGION>> = Arena::from_static(&MEMORY);
#[entry]
fn main() -> ! {
    loop {
        let Ok(block) = ARENA.allocate_uninit(request(), 8) else {
            unsafe { ARENA.reset_shared() };
            continue;
        };
        core::hint::black_box(block);
    }
}
