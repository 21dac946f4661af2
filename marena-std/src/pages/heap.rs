//! Memory from the global allocator, for systems without mappings and for interpreters.

use std::alloc::{self, Layout};
use std::io;
use std::ptr::NonNull;

use marena_core::ARENA_PAGESIZE;

use super::Offered;

/// Allocates `len` bytes at a multiple of `align`, which is at most that of a region, because
/// `unmap` has to know it.
pub(crate) fn map(len: usize, align: usize, _: usize) -> io::Result<NonNull<u8>> {
    if align > ARENA_PAGESIZE {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let layout = Layout::from_size_align(len, ARENA_PAGESIZE).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // SAFETY: the length of a region is not 0.
    let base = unsafe { alloc::alloc_zeroed(layout) };
    NonNull::new(base).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Allocates as [`map`] does. All bytes are usable.
pub(crate) fn reserve(len: usize, align: usize, skew: usize) -> io::Result<NonNull<u8>> {
    map(len, align, skew)
}

/// Does nothing: the bytes are usable already.
///
/// # Safety
///
/// - None.
pub(crate) unsafe fn commit(_: NonNull<u8>, _: usize) -> io::Result<()> {
    Ok(())
}

/// Returns `false`: this module cannot tell usable memory from reserved memory.
pub(crate) fn mapping_commits() -> bool {
    false
}

/// Frees memory.
///
/// # Safety
///
/// - The bytes are all that a call of `map` returned, and nobody uses them any more.
pub(crate) unsafe fn unmap(base: NonNull<u8>, len: usize) {
    if let Ok(layout) = Layout::from_size_align(len, ARENA_PAGESIZE) {
        // SAFETY: `map` allocated the bytes with this layout.
        unsafe { alloc::dealloc(base.as_ptr(), layout) };
    }
}

/// Does nothing: there are no huge pages here.
pub(crate) fn prefer_huge(_: NonNull<u8>, _: usize) {}

/// Does nothing: there is no such call here.
pub(crate) fn fetch(_: NonNull<u8>, _: usize) {}

/// Offers no pages to the system.
///
/// # Safety
///
/// - None.
pub(crate) unsafe fn give_back(_: NonNull<u8>, len: usize) -> Result<Offered, (usize, io::Error)> {
    Ok(Offered { start: len, len: 0, are_zero: false, are_uncommitted: false })
}
