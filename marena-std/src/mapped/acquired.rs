//! Loads of memory that may not be writable, which acquire all the same.
//!
//! A file of its own, so that the models of `loom-tests` include it as it is.

use std::sync::atomic::Ordering::Acquire;

use super::fence;

/// Calls `load`, and returns what it loaded. What was written before a Release store of that is
/// visible afterwards, and later loads are not older.
///
/// The loads can be relaxed. Memory that cannot be written guarantees no stronger ones.
#[inline(always)]
pub(super) fn acquired<T>(load: impl FnOnce() -> T) -> T {
    let loaded = load();
    // ORDERING: Acquire: with the loads before it, the fence pairs with the Release that stored
    // what they loaded. The callers name it.
    fence(Acquire);
    loaded
}
