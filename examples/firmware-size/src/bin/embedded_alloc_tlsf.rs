//! embedded-alloc's TlsfHeap, behind a critical section.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;

use cortex_m_rt::entry;
use embedded_alloc::TlsfHeap;
use firmware_size::{BYTES, run};

static HEAP: TlsfHeap = TlsfHeap::empty();

#[entry]
fn main() -> ! {
    static mut MEMORY: [MaybeUninit<u8>; BYTES] = [MaybeUninit::uninit(); BYTES];
    // SAFETY: called once, with memory that nobody else uses.
    unsafe { HEAP.init(MEMORY.as_mut_ptr().addr(), BYTES) };
    run(&HEAP)
}
