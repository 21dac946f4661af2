//! What an arena reports, logged over defmt: the target sends a few bytes, the host has the texts.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use cortex_m_semihosting::debug;
use defmt_semihosting as _;
use marena_core::{Arena, StaticMemory};
use panic_semihosting as _;

static MEMORY: StaticMemory<1024> = StaticMemory::new();
static ARENA: Arena<&'static StaticMemory<1024>> = Arena::from_static(&MEMORY);

#[entry]
fn main() -> ! {
    if let Ok(block) = ARENA.allocate(201) {
        defmt::info!("a block at {}", block.address());
    }
    if let Err(error) = ARENA.allocate(2_000) {
        defmt::warn!("failed: {}", error);
    }
    if let Err(error) = ARENA.allocate_aligned(8, 3) {
        defmt::warn!("failed: {}", error);
    }
    defmt::info!("{}", ARENA.stats());
    debug::exit(debug::EXIT_SUCCESS);
    unreachable!("the emulator has ended");
}
