//! Anonymous memory from the system: where systems differ.
//!
//! Each file has the same functions. `map` gives bytes that are zero, readable and writable.
//! `reserve` gives addresses that cost nothing, of which `commit` makes some such bytes. `unmap`
//! ends either.

#[cfg(not(any(all(unix, not(miri)), windows)))]
mod heap;
#[cfg(all(unix, not(miri)))]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(all(unix, not(miri)), windows)))]
pub(crate) use heap::{commit, give_back, map, mapping_commits, prefer_huge, reserve, unmap};
#[cfg(all(unix, not(miri)))]
pub(crate) use unix::{commit, give_back, map, mapping_commits, prefer_huge, reserve, unmap};
#[cfg(windows)]
pub(crate) use windows::{commit, give_back, map, mapping_commits, prefer_huge, reserve, unmap};

/// The alignment and size of huge pages; `None` where the system is never asked for them.
pub(crate) const HUGE_PAGE: Option<usize> = if cfg!(target_os = "linux") { Some(2 << 20) } else { None };

/// Pages that were offered to the system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered {
    /// Where they start, in bytes from the start of what could be offered.
    pub(crate) start: usize,
    pub(crate) len: usize,
    /// Whether every byte of them is zero now. Else each is what it was, or zero.
    pub(crate) are_zero: bool,
    /// Whether they can be used again only when they have been committed again.
    pub(crate) are_uncommitted: bool,
}
