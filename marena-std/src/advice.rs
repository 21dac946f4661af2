//! What the system is told about pages: the one place where systems differ.

use std::io;
use std::ops::Range;

use memmap2::MmapRaw;

/// The alignment at which the system backs memory with huge pages; `None` where it is never asked for them.
pub(crate) const HUGE_PAGE: Option<usize> = if cfg!(target_os = "linux") { Some(2 << 20) } else { None };

/// Asks for huge pages in a range of the mapping.
pub(crate) fn prefer_huge_pages(mapping: &MmapRaw, range: Range<usize>) {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        // A wish: a kernel built without huge pages refuses it, and small ones serve as well.
        let _ = mapping.advise_range(memmap2::Advice::HugePage, range.start, range.len());
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = (mapping, range);
}

/// Offers the system the pages that lie wholly in a range of the mapping; the number of bytes offered.
///
/// Afterwards each byte of them is what it was, or zero.
///
/// # Safety
///
/// - The range lies in the mapping.
/// - Nobody else uses its bytes meanwhile, or relies on their values afterwards.
pub(crate) unsafe fn give_back(mapping: &MmapRaw, range: Range<usize>) -> Result<usize, (usize, io::Error)> {
    #[cfg(all(unix, not(miri)))]
    {
        let Some(pages) = whole_pages(mapping.as_ptr().addr(), &range) else { return Ok(0) };
        let (start, len) = (pages.start, pages.len());
        // memmap2 rounds the start down to a page and the system rounds the length up; whole pages leave both nothing to
        // do. Linux replaces the pages of a private mapping by zeros; other systems do that or keep the bytes.
        //
        // SAFETY: the pages lie in the range, whose bytes the caller gives up.
        match unsafe { mapping.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, len) } {
            Ok(()) => Ok(len),
            Err(error) => Err((len, error)),
        }
    }
    #[cfg(not(all(unix, not(miri))))]
    {
        let _ = (mapping, range);
        Ok(0)
    }
}

/// The pages that lie wholly in a range of a mapping at address `base`; `None` where there are none.
#[cfg(all(unix, not(miri)))]
fn whole_pages(base: usize, range: &Range<usize>) -> Option<Range<usize>> {
    // SAFETY: asking for a figure has no precondition.
    let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page_size = usize::try_from(page_size).ok().filter(|size| size.is_power_of_two())?;
    let start = (base + range.start).checked_next_multiple_of(page_size)? - base;
    let end = ((base + range.end) & !(page_size - 1)).checked_sub(base)?;
    (start < end).then_some(start..end)
}
