//! Tells allocator-api2's trait from the standard library's, on compilers that have the latter.

/// Every type but the standard library's `AllocError`, and what contains it.
///
/// allocator-api2 0.2 has a trait and an error of its own. Where any crate of the build enables its
/// feature `nightly`, both are the standard library's. No `cfg` tells which, and implementing one
/// trait twice is an error. This bound tells.
// Fundamental: other crates, too, may rely on what does not implement it.
#[fundamental]
pub auto trait NotStd {}

impl !NotStd for core::alloc::AllocError {}
