use std::io;
use std::ptr::{self, NonNull};

use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_DECOMMIT, MEM_RELEASE, MEM_RESERVE, MEMORY_BASIC_INFORMATION, PAGE_READWRITE, VirtualAlloc,
    VirtualFree, VirtualQuery,
};

use super::Offered;

/// The alignment of every reservation.
const GRANULARITY: usize = 64 << 10;

/// The size of a page. Larger pages have to be requested.
const PAGE: usize = 4096;

/// Maps `len` bytes so that the byte at `skew` lies at a multiple of `align`. Both `len` and `skew`
/// are multiples of the page size, and `align` is a power of two.
pub(crate) fn map(len: usize, align: usize, skew: usize) -> io::Result<NonNull<u8>> {
    let base = reserve(len, align, skew)?;
    // SAFETY: reserved just now.
    unsafe { commit(base, len) }.inspect_err(|_| {
        // SAFETY: reserved just now, and not used yet.
        unsafe { unmap(base, len) }
    })?;
    Ok(base)
}

/// Maps as [`map`] does, but the bytes are not usable yet.
pub(crate) fn reserve(len: usize, align: usize, skew: usize) -> io::Result<NonNull<u8>> {
    // A part of a reservation cannot be released, so the bytes for the alignment stay reserved.
    // That costs no memory.
    let slack = align.saturating_sub(GRANULARITY);
    let total =
        len.checked_add(slack).filter(|&total| total <= isize::MAX as usize).ok_or(io::ErrorKind::OutOfMemory)?;
    // SAFETY: a new reservation, where nothing else is.
    let start = unsafe { VirtualAlloc(ptr::null(), total, MEM_RESERVE, PAGE_READWRITE) };
    let start = NonNull::new(start.cast::<u8>()).ok_or_else(io::Error::last_os_error)?;
    let last_aligned = (start.addr().get() + slack + skew) & !(align - 1);
    let before = last_aligned - skew - start.addr().get();
    // SAFETY: at most `slack`: the reservation starts at a multiple of the granularity, and the
    // slack is the alignment less that.
    Ok(unsafe { start.add(before) })
}

/// Makes bytes usable, some of which may be usable already. Their content does not change, and new
/// bytes are zero.
///
/// # Safety
///
/// - The bytes are whole pages that `reserve` or `map` returned.
pub(crate) unsafe fn commit(base: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: the caller's promise; no byte changes.
    match unsafe { VirtualAlloc(base.as_ptr().cast(), len, MEM_COMMIT, PAGE_READWRITE) }.is_null() {
        false => Ok(()),
        true => Err(io::Error::last_os_error()),
    }
}

/// Returns whether the system sets memory aside for all mapped pages, used or not.
pub(crate) fn mapping_commits() -> bool {
    true
}

/// Frees a reservation.
///
/// # Safety
///
/// - The bytes are all that a call of `map` or `reserve` returned, and nobody uses them any more.
pub(crate) unsafe fn unmap(base: NonNull<u8>, _: usize) {
    let mut found = MEMORY_BASIC_INFORMATION::default();
    let size = size_of::<MEMORY_BASIC_INFORMATION>();
    // SAFETY: `found` is a place for the result.
    if unsafe { VirtualQuery(base.as_ptr().cast(), &raw mut found, size) } == size {
        // SAFETY: this is the reservation that the bytes lie in, and nobody uses any of it.
        let _ = unsafe { VirtualFree(found.AllocationBase, 0, MEM_RELEASE) };
    }
}

/// Does nothing: huge pages need a privilege here.
pub(crate) fn prefer_huge(_: NonNull<u8>, _: usize) {}

/// Does nothing: there is no such call here.
pub(crate) fn fetch(_: NonNull<u8>, _: usize) {}

/// Gives the system the pages that lie wholly in the bytes. An error carries the number of bytes
/// offered.
///
/// # Safety
///
/// - `map` or `reserve` returned the bytes.
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
