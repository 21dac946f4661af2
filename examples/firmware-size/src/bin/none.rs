//! No allocator: what the others are compared with.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use firmware_size::{consume, request};

#[entry]
fn main() -> ! {
    loop {
        let size = request();
        core::hint::black_box(size);
        consume(&[]);
    }
}
