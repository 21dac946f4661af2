//! What surrounds the allocator in every program: the same in all of them.
#![no_std]

use core::hint::black_box;

use cortex_m::peripheral::SYST;
use panic_halt as _;

/// Bytes that every program gives its allocator.
pub const REGION: usize = 4096;

/// A size that the compiler does not know.
#[inline(always)]
pub fn request() -> usize {
    SYST::get_current() as usize
}

/// A use of bytes that the compiler cannot leave out.
#[inline(always)]
pub fn consume(bytes: &[u8]) {
    black_box(bytes);
}
