//! A log in one file: several processes append, others follow, and killing any of them loses nothing that was committed.

#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod commands;
#[cfg(all(unix, target_has_atomic = "64"))]
mod crash;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod log;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod reader;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod record;
#[cfg(all(unix, target_has_atomic = "64"))]
mod speed;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod verify;

#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
fn main() -> std::process::ExitCode {
    commands::main()
}

#[cfg(not(all(any(unix, windows), target_has_atomic = "64")))]
fn main() {
    eprintln!("shared-log needs mappings of files and native 64-bit atomics, and this system lacks one of them");
}
