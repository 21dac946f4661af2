use std::io;
use std::ptr::{self, NonNull};

use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, MEMORY_BASIC_INFORMATION, PAGE_READWRITE, VirtualAlloc, VirtualFree,
    VirtualQuery,
};

use super::Offered;

/// The system aligns reservations to this.
const GRANULARITY: usize = 64 << 10;

/// Maps `len` bytes, a multiple of the page size, so that the byte at `skew`, another one, lies at a multiple of `align`, a
/// power of two.
pub(crate) fn map(len: usize, align: usize, skew: usize) -> io::Result<NonNull<u8>> {
    // A part of a reservation cannot be released, so what is reserved for the alignment stays reserved. That costs nothing.
    let slack = align.saturating_sub(GRANULARITY);
    let total =
        len.checked_add(slack).filter(|&total| total <= isize::MAX as usize).ok_or(io::ErrorKind::OutOfMemory)?;
    // SAFETY: a new reservation, where nothing else is.
    let start = unsafe { VirtualAlloc(ptr::null(), total, MEM_RESERVE, PAGE_READWRITE) };
    let start = NonNull::new(start.cast::<u8>()).ok_or_else(io::Error::last_os_error)?;
    let last_aligned = (start.addr().get() + slack + skew) & !(align - 1);
    let before = last_aligned - skew - start.addr().get();
    // SAFETY: at most `slack`, since the reservation is aligned to all of the alignment but the slack.
    let base = unsafe { start.add(before) };
    // SAFETY: reserved above, and not used yet.
    if unsafe { VirtualAlloc(base.as_ptr().cast(), len, MEM_COMMIT, PAGE_READWRITE) }.is_null() {
        let error = io::Error::last_os_error();
        // SAFETY: as above.
        unsafe { unmap(base, len) };
        return Err(error);
    }
    Ok(base)
}

/// # Safety
///
/// The bytes are all that a call of `map` gave, and nobody uses them any more.
pub(crate) unsafe fn unmap(base: NonNull<u8>, _: usize) {
    let mut found = MEMORY_BASIC_INFORMATION::default();
    let size = size_of::<MEMORY_BASIC_INFORMATION>();
    // SAFETY: `found` is a place for the answer.
    if unsafe { VirtualQuery(base.as_ptr().cast(), &raw mut found, size) } == size {
        // SAFETY: the reservation that the bytes lie in, of which nobody uses any.
        let _ = unsafe { VirtualFree(found.AllocationBase, 0, MEM_RELEASE) };
    }
}

/// Asks for huge pages, which need a privilege here: never.
pub(crate) fn prefer_huge(_: NonNull<u8>, _: usize) {}

/// Offers the system the pages that lie wholly in the bytes: none.
///
/// # Safety
///
/// None.
pub(crate) unsafe fn give_back(_: NonNull<u8>, len: usize) -> Result<Offered, (usize, io::Error)> {
    Ok(Offered { start: len, len: 0, are_zero: false })
}
