use std::io;
use std::ptr::{self, NonNull};

use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_DECOMMIT, MEM_RELEASE, MEM_RESERVE, MEMORY_BASIC_INFORMATION, PAGE_READWRITE, VirtualAlloc,
    VirtualFree, VirtualQuery,
};

use super::Offered;

/// The system aligns reservations to this.
const GRANULARITY: usize = 64 << 10;

/// No system of this kind has larger pages that are not asked for.
const PAGE: usize = 4096;

/// Maps `len` bytes, a multiple of the page size, so that the byte at `skew`, another one, lies at
/// a multiple of `align`, a power of two.
pub(crate) fn map(len: usize, align: usize, skew: usize) -> io::Result<NonNull<u8>> {
    let base = reserve(len, align, skew)?;
    // SAFETY: reserved just now.
    unsafe { commit(base, len) }.inspect_err(|_| {
        // SAFETY: reserved just now, and not used yet.
        unsafe { unmap(base, len) }
    })?;
    Ok(base)
}

/// As [`map`], of bytes that cannot be used yet.
pub(crate) fn reserve(len: usize, align: usize, skew: usize) -> io::Result<NonNull<u8>> {
    // A part of a reservation cannot be released, so what is reserved for the alignment stays
    // reserved. That costs nothing.
    let slack = align.saturating_sub(GRANULARITY);
    let total =
        len.checked_add(slack).filter(|&total| total <= isize::MAX as usize).ok_or(io::ErrorKind::OutOfMemory)?;
    // SAFETY: a new reservation, where nothing else is.
    let start = unsafe { VirtualAlloc(ptr::null(), total, MEM_RESERVE, PAGE_READWRITE) };
    let start = NonNull::new(start.cast::<u8>()).ok_or_else(io::Error::last_os_error)?;
    let last_aligned = (start.addr().get() + slack + skew) & !(align - 1);
    let before = last_aligned - skew - start.addr().get();
    // SAFETY: at most `slack`, since the reservation is aligned to all of the alignment but the
    // slack.
    Ok(unsafe { start.add(before) })
}

/// Makes bytes usable, which may be already. They are zero, or what they were.
///
/// # Safety
///
/// The bytes are whole pages that `reserve` or `map` gave.
pub(crate) unsafe fn commit(base: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: the caller's promise; no byte changes.
    match unsafe { VirtualAlloc(base.as_ptr().cast(), len, MEM_COMMIT, PAGE_READWRITE) }.is_null() {
        false => Ok(()),
        true => Err(io::Error::last_os_error()),
    }
}

/// Whether the system sets memory aside for all that is mapped, used or not.
pub(crate) fn mapping_commits() -> bool {
    true
}

/// # Safety
///
/// The bytes are all that a call of `map` or `reserve` gave, and nobody uses them any more.
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

/// Gives the system the pages that lie wholly in the bytes. An error comes with the number of bytes
/// offered.
///
/// # Safety
///
/// - `map` or `reserve` gave the bytes.
/// - Nobody else uses them meanwhile, or before they have been committed again.
pub(crate) unsafe fn give_back(base: NonNull<u8>, len: usize) -> Result<Offered, (usize, io::Error)> {
    let skipped = base.addr().get().wrapping_neg() & (PAGE - 1);
    let offered = len.saturating_sub(skipped) & !(PAGE - 1);
    if offered == 0 {
        return Ok(Offered { start: len, len: 0, are_zero: false, are_uncommitted: false });
    }
    // SAFETY: fewer than `len`.
    let pages = unsafe { base.add(skipped) };
    // SAFETY: the pages lie in the bytes, which the caller gives up. Committed again they are zero.
    match unsafe { VirtualFree(pages.as_ptr().cast(), offered, MEM_DECOMMIT) } {
        0 => Err((offered, io::Error::last_os_error())),
        _ => Ok(Offered { start: skipped, len: offered, are_zero: true, are_uncommitted: true }),
    }
}
