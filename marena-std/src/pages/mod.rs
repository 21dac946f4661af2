//! Anonymous memory from the system: the functions in which systems differ.
//!
//! Each file has the same functions. `map` returns bytes that are zero, readable and writable.
//! `reserve` returns addresses that cost no memory, and `commit` makes some of them such bytes.
//! `unmap` frees either.

#[cfg(not(any(all(unix, not(miri)), windows)))]
mod heap;
#[cfg(all(unix, not(miri)))]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(all(unix, not(miri)), windows)))]
pub(crate) use heap::{commit, fetch, give_back, map, mapping_commits, prefer_huge, reserve, unmap};
#[cfg(all(unix, not(miri)))]
pub(crate) use unix::{commit, fetch, give_back, map, mapping_commits, prefer_huge, reserve, unmap};
#[cfg(windows)]
pub(crate) use windows::{commit, fetch, give_back, map, mapping_commits, prefer_huge, reserve, unmap};

/// The alignment and size of huge pages, or `None` if the system is never asked for them.
pub(crate) const HUGE_PAGE: Option<usize> = if cfg!(target_os = "linux") { Some(2 << 20) } else { None };

/// Pages that were offered to the system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered {
    /// The start of the pages, in bytes from the start of the bytes that could be offered.
    pub(crate) start: usize,
    pub(crate) len: usize,
    /// Whether all their bytes are zero now. Otherwise each byte is what it was, or zero.
    pub(crate) are_zero: bool,
    /// Whether the pages have to be committed again before they are used.
    pub(crate) are_uncommitted: bool,
}
