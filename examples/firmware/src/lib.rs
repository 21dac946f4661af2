//! What the programs of this example share.
#![no_std]

pub mod overlap;
pub mod random;
pub mod timer;
