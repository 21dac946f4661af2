//! Asks the compiler whether it lets this crate implement the standard library's `Allocator`, which
//! is unstable.
//!
//! Nightly compilers do. Two things depend on the answer: the feature `nightly`, and builds in
//! which another crate enables allocator-api2's feature `nightly`, which makes that crate's trait
//! the standard library's.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

const PROBE: &str = "
    #![no_std]
    #![feature(allocator_api, allow_internal_unstable, auto_traits, fundamental, negative_impls)]
    pub use core::alloc::{AllocError, Allocator};
";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC_BOOTSTRAP");
    println!("cargo::rustc-check-cfg=cfg(marena_allocator_api)");
    let is_asked = |feature| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    if (is_asked("NIGHTLY") || is_asked("ALLOCATOR_API2")) && allocator_api_is_allowed() == Some(true) {
        println!("cargo::rustc-cfg=marena_allocator_api");
    }
}

/// Compiles the probe, for the host: the target's `core` may not be built yet. `None` where that
/// cannot even be tried.
fn allocator_api_is_allowed() -> Option<bool> {
    let folder = env::var_os("OUT_DIR")?;
    let source = Path::new(&folder).join("probe.rs");
    fs::write(&source, PROBE).ok()?;
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let output = Command::new(env::var_os("RUSTC")?)
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--out-dir"])
        .args([folder.as_os_str(), source.as_os_str()])
        .args(flags.split('\x1f').filter(|flag| flag.starts_with("-Zallow-features")))
        .output();
    Some(output.ok()?.status.success())
}
