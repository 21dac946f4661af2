//! The C interface of `marena-core`.
//!
//! Names are C's. Each function checks what it is passed and forwards to the arena; none panics,
//! and none faults on arguments that can be told from good ones.
#![no_std]
#![allow(non_camel_case_types, reason = "the names are those of the header")]

mod arena;
mod arguments;
mod region;
mod status;

pub use arena::*;
pub use status::*;

/// Never called: nothing in the library panics, and linkers leave this out. The language asks for
/// one all the same.
#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
