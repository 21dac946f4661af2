use std::io;
use std::ptr::{self, NonNull};

use super::Offered;

/// Tells the system to set no memory aside for untouched pages, if it can be told.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
const NO_RESERVE: libc::c_int = libc::MAP_NORESERVE;
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
const NO_RESERVE: libc::c_int = 0;

/// The access that usable bytes allow.
const USABLE: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;

/// Maps `len` bytes so that the byte at `skew` lies at a multiple of `align`. Both `len` and `skew`
/// are multiples of the page size, and `align` is a power of two.
pub(crate) fn map(len: usize, align: usize, skew: usize) -> io::Result<NonNull<u8>> {
    map_with(USABLE, len, align, skew)
}

/// Maps as [`map`] does, but the bytes are not usable yet.
pub(crate) fn reserve(len: usize, align: usize, skew: usize) -> io::Result<NonNull<u8>> {
    map_with(libc::PROT_NONE, len, align, skew)
}

/// Makes bytes usable, some of which may be usable already. Their content does not change, and new
/// bytes are zero.
///
/// # Safety
///
/// - The bytes are whole pages that `reserve` or `map` returned.
pub(crate) unsafe fn commit(base: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: the caller's promise; no byte changes.
    match unsafe { libc::mprotect(base.as_ptr().cast(), len, USABLE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns whether the system sets memory aside for all mapped pages, used or not.
pub(crate) fn mapping_commits() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use std::sync::OnceLock;

        // The mode of `vm.overcommit_memory`.
        const NEVER_MORE_THAN_THERE_IS: &str = "2";
        static FOUND: OnceLock<bool> = OnceLock::new();
        *FOUND.get_or_init(|| {
            std::fs::read_to_string("/proc/sys/vm/overcommit_memory")
                .is_ok_and(|mode| mode.trim() == NEVER_MORE_THAN_THERE_IS)
        })
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    false
}

fn map_with(access: libc::c_int, len: usize, align: usize, skew: usize) -> io::Result<NonNull<u8>> {
    // The system aligns to its pages only. So enough is mapped for any start, and the rest is
    // unmapped again.
    let slack = align.saturating_sub(page_size());
    let total =
        len.checked_add(slack).filter(|&total| total <= isize::MAX as usize).ok_or(io::ErrorKind::OutOfMemory)?;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | NO_RESERVE;
    // SAFETY: a new mapping, where nothing else is mapped.
    let start = unsafe { libc::mmap(ptr::null_mut(), total, access, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::AddrNotAvailable)?;
    // The last place in the mapping, because systems map downwards and the next mapping then joins
    // this one.
    let last_aligned = (start.addr().get() + slack + skew) & !(align - 1);
    let before = last_aligned - skew - start.addr().get();
    // SAFETY: at most `slack`: the mapping starts at a page, and the slack is the alignment less a
    // page.
    let base = unsafe { start.add(before) };
    // SAFETY: mapped above.
    let end = unsafe { base.add(len) };
    // SAFETY: mapped above, and not used yet.
    unsafe { unmap(start, before) };
    // SAFETY: as above.
    unsafe { unmap(end, slack - before) };
    Ok(base)
}

/// Frees pages.
///
/// # Safety
///
/// - The bytes are whole pages that `map` or `reserve` returned, and nobody uses them any more.
pub(crate) unsafe fn unmap(base: NonNull<u8>, len: usize) {
    if len > 0 {
        // SAFETY: the caller's promise. The call fails only if a mapping cannot be split, and then
        // the bytes stay.
        let _ = unsafe { libc::munmap(base.as_ptr().cast(), len) };
    }
}

/// Asks for huge pages.
pub(crate) fn prefer_huge(base: NonNull<u8>, len: usize) {
    // This is a wish: a kernel without huge pages does not grant it, and small pages serve as well.
    #[cfg(target_os = "linux")]
    // SAFETY: this advice changes no byte.
    let _ = unsafe { libc::madvise(base.as_ptr().cast(), len, libc::MADV_HUGEPAGE) };
    #[cfg(not(target_os = "linux"))]
    let _ = (base, len);
}

/// Makes the system provide pages now which it would provide one by one when they are touched: from
/// the page of the first byte to the last one that ends in the bytes. No byte changes.
pub(crate) fn fetch(start: NonNull<u8>, len: usize) {
    // This is a wish: a kernel before 5.14 does not know the call, and there may be no memory.
    #[cfg(target_os = "linux")]
    {
        let inside = start.addr().get() & (page_size() - 1);
        let len = (inside + len) & !(page_size() - 1);
        let page = start.as_ptr().wrapping_sub(inside);
        // SAFETY: this advice changes no byte.
        let _ = unsafe { libc::madvise(page.cast(), len, libc::MADV_POPULATE_WRITE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, len);
}

/// Offers the system the pages that lie wholly in the bytes. An error carries the number of bytes
/// offered.
///
/// # Safety
///
/// - `map` or `reserve` returned the bytes.
/// - Nobody else uses them meanwhile, or relies on their values afterwards.
pub(crate) unsafe fn give_back(base: NonNull<u8>, len: usize) -> Result<Offered, (usize, io::Error)> {
    let page_size = page_size();
    let skipped = base.addr().get().wrapping_neg() & (page_size - 1);
    let offered = len.saturating_sub(skipped) & !(page_size - 1);
    if offered == 0 {
        return Ok(Offered { start: len, len: 0, are_zero: false, are_uncommitted: false });
    }
    // SAFETY: fewer than `len`.
    let pages = unsafe { base.add(skipped) };
    // SAFETY: the pages lie in the bytes, which the caller gives up.
    match unsafe { libc::madvise(pages.as_ptr().cast(), offered, libc::MADV_DONTNEED) } {
        // Linux replaces the pages of a private mapping by zeros at once. Other systems do that
        // later, or never.
        0 => Ok(Offered {
            start: skipped,
            len: offered,
            are_zero: cfg!(any(target_os = "linux", target_os = "android")),
            are_uncommitted: false,
        }),
        _ => Err((offered, io::Error::last_os_error())),
    }
}

fn page_size() -> usize {
    // SAFETY: the call has no precondition.
    let answer = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // No system has smaller pages, and the size of a page is a power of two.
    usize::try_from(answer).ok().filter(|size| size.is_power_of_two()).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pages_are_given_back() {
        let page = page_size();
        let base = map(4 * page, page, 0).unwrap();
        // For each part of the bytes: its start and length, and the pages in it.
        for (at, len, start, pages) in [
            (0, 4 * page, 0, 4),
            (1, 2 * page, page - 1, 1),
            (99, 2 * page, page - 99, 1),
            (99, 3 * page - 99, page - 99, 2),
            (page - 1, 3 * page, 1, 2),
            (page, page + 1, 0, 1),
            // None.
            (1, 100, 100, 0),
            (1, page, page, 0),
            (page - 1, page, page, 0),
            (page, 0, 0, 0),
            (page, page - 1, page - 1, 0),
        ] {
            let what = format!("{len} bytes from {at}");
            let bytes = NonNull::slice_from_raw_parts(base, 4 * page);
            // SAFETY: the mapping is this test's, and its bytes are initialised; here and below.
            unsafe { &mut *bytes.as_ptr() }.fill(1);
            // SAFETY: within the mapping.
            let part = unsafe { base.add(at) };
            // SAFETY: nobody else uses the bytes.
            let offered = unsafe { give_back(part, len) }.unwrap();
            assert_eq!((offered.start, offered.len, offered.are_uncommitted), (start, pages * page, false), "{what}");
            assert_eq!(offered.are_zero, pages > 0 && cfg!(any(target_os = "linux", target_os = "android")), "{what}");
            // SAFETY: as above.
            let found = unsafe { bytes.as_ref() };
            let given = at + start..at + start + pages * page;
            assert!(found[..given.start].iter().chain(&found[given.end..]).all(|&byte| byte == 1), "{what}");
            assert!(!offered.are_zero || found[given].iter().all(|&byte| byte == 0), "{what}");
        }
        // SAFETY: mapped above, and not used any more.
        unsafe { unmap(base, 4 * page) };
    }
}
