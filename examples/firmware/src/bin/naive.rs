//! The same check on an allocator that loads the cursor and then stores it: it hands out bytes
//! twice, and the check says so.
//!
//! Ends with success only if overlaps were found: a check that cannot fail would prove nothing.
#![no_std]
#![no_main]

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;

use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use firmware::overlap::{self, Allocator, REGION};
use panic_semihosting as _;

static ALLOCATOR: Naive = Naive { cursor: AtomicUsize::new(0), region: UnsafeCell::new([0; REGION / 4]) };

struct Naive {
    cursor: AtomicUsize,
    region: UnsafeCell<[u32; REGION / 4]>,
}

// SAFETY: the region is reached through raw pointers and volatile accesses alone, on one core.
unsafe impl Sync for Naive {}

impl Allocator for Naive {
    fn allocate(&self, size: usize) -> Option<NonNull<[u8]>> {
        // ORDERING: Relaxed: one core. What is wrong here is not the order but the gap between the
        // two.
        let start = self.cursor.load(Relaxed);
        if size > REGION - start {
            return None;
        }
        // ORDERING: as above.
        self.cursor.store(start + size, Relaxed);
        let base = NonNull::new(self.region.get())?.cast::<u8>();
        // SAFETY: `start + size` is at most the region's size.
        Some(NonNull::slice_from_raw_parts(unsafe { base.add(start) }, size))
    }

    fn allocate_bounded(&self, size: usize) -> Option<NonNull<[u8]>> {
        self.allocate(size)
    }

    fn restart(&self) {
        // ORDERING: Relaxed: interrupts are off.
        self.cursor.store(0, Relaxed);
    }
}

#[exception]
fn SysTick() {
    overlap::interrupt(&ALLOCATOR);
}

#[entry]
fn main() -> ! {
    let Some(report) = overlap::run(&ALLOCATOR) else { panic!("the peripherals are taken") };
    hprintln!("{:?}", report);
    assert!(report.interrupts >= overlap::INTERRUPTS && report.allocations > report.interrupts, "too few blocks");
    assert!(report.overlaps > 0, "the check missed what a naive allocator does");
    debug::exit(debug::EXIT_SUCCESS);
    unreachable!("the emulator has ended");
}
