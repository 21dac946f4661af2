//! No allocator: one buffer, cleared for each use. What the others are compared with.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use firmware_size::{BYTES, consume, request};

#[entry]
fn main() -> ! {
    static mut BUFFER: [u8; BYTES] = [0; BYTES];
    loop {
        if let Some(bytes) = BUFFER.get_mut(..request()) {
            bytes.fill(0);
            consume(bytes);
        }
    }
}
