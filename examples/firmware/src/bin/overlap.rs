//! Interrupts allocate from the arena that main allocates from, 10,000 times: no byte is handed out
//! twice.
#![no_std]
#![no_main]

use core::ptr::NonNull;

use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use firmware::overlap::{self, Allocator, REGION};
use marena_core::{Arena, StaticMemory};
use panic_semihosting as _;

static MEMORY: StaticMemory<REGION> = StaticMemory::new();
static ARENA: Shared = Shared(Arena::from_static(&MEMORY));

struct Shared(Arena<&'static StaticMemory<REGION>>);

impl Allocator for Shared {
    fn allocate(&self, size: usize) -> Option<NonNull<[u8]>> {
        self.0.allocate(size).ok().map(|block| NonNull::from(block.into_mut()))
    }

    fn allocate_bounded(&self, size: usize) -> Option<NonNull<[u8]>> {
        self.0.allocate_bounded(size, 4).ok().map(|block| NonNull::from(block.into_mut()))
    }

    fn restart(&self) {
        // SAFETY: the check uses no block from before, and interrupts are off on the one core there
        // is.
        unsafe { self.0.reset_shared() };
    }
}

#[exception]
fn SysTick() {
    overlap::interrupt(&ARENA);
}

#[entry]
fn main() -> ! {
    let Some(report) = overlap::run(&ARENA) else { panic!("the peripherals are taken") };
    hprintln!("{:?}", report);
    assert!(report.interrupts >= overlap::INTERRUPTS && report.allocations > report.interrupts, "too few blocks");
    assert_eq!(report.overlaps, 0, "bytes were handed out twice");
    debug::exit(debug::EXIT_SUCCESS);
    unreachable!("the emulator has ended");
}
