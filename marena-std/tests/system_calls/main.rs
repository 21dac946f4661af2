//! What arenas ask of the system, call by call, and what they make of its answers: rare errors,
//! other file systems, full limits, and processes that replace a file between two calls.
//!
//! The tests do not run on s390x, where the kernel takes the arguments of `mmap` by a pointer.
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    not(any(miri, target_arch = "s390x"))
))]

mod calls;
mod flushing;
mod limits;
mod opening;
mod own_memory;
mod owners;

mod space;
