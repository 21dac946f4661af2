//! `marena`: shows what an arena's file holds. See the README beside `Cargo.toml`.

#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod cli;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod error;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod occupancy;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod picture;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod report;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod sample;
#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod text;

#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(all(any(unix, windows), target_has_atomic = "64")))]
fn main() {
    eprintln!("marena needs mappings of files and native 64-bit atomics, and this system lacks one of them");
}
