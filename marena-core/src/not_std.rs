//! Tells the trait of allocator-api2 from that of the standard library, where both exist.

/// Every type except the standard library's `AllocError` and types that contain it.
///
/// allocator-api2 0.2 has its own trait and its own error. If any crate of the build enables its
/// feature `nightly`, both are the standard library's. No `cfg` tells which they are, and
/// implementing one trait twice is an error. This bound tells.
// Fundamental, so that other crates can also rely on a type not implementing it.
#[fundamental]
pub auto trait NotStd {}

impl !NotStd for core::alloc::AllocError {}
