//! An arena's own memory: an anonymous mapping.

use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::ops::RangeInclusive;
use std::ptr::NonNull;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use marena_core::{ARENA_PAGESIZE, ExclusiveMemory, GivenBack, Memory};
use portable_atomic::AtomicU32;

use crate::error::Error;
use crate::limit::Limit;
use crate::pages;

/// The largest size of a region: 2^31 bytes, or `isize::MAX` rounded down to a page where that is
/// smaller.
pub(crate) const CAPACITY_LIMIT: usize = {
    let addressable = isize::MAX as usize & !(ARENA_PAGESIZE - 1);
    if addressable as u64 > 1 << 31 { 1 << 31 } else { addressable }
};

/// The distance between bytes that are touched. No system has smaller pages.
const SMALLEST_PAGE: usize = 4096;

/// How many bytes are committed at once, if committed bytes cost memory. A region that is not
/// larger is committed whole.
const STEP: usize = 1 << 20;

/// How many announced bytes are fetched at once. Fewer are not worth a system call, and of more
/// some may stay unused for long.
const FETCHED: RangeInclusive<usize> = 64 << 10..=1 << 20;

/// How many bytes are touched between two reports of progress.
const PREFAULT_CHUNK: usize = 4 << 20;

/// Memory of the system, which provides zeroed pages as they are first touched. Dropping it gives
/// it back.
///
/// An [`Arena`](crate::Arena) reserves its memory itself. Use this type for code that is generic
/// over [`Memory`].
///
/// # Examples
///
/// ```
/// use marena_std::{OwnedMemory, marena_core};
///
/// let arena = marena_core::Arena::new(OwnedMemory::reserve(1024)?)?;
/// assert_eq!(arena.capacity(), 65_536);
/// # Ok::<(), marena_std::Error>(())
/// ```
pub struct OwnedMemory {
    /// INVARIANT: all that one call of `pages::map` or `pages::reserve` returned, at a multiple of
    /// `ARENA_PAGESIZE`, at most `CAPACITY_LIMIT` bytes long, and accessed only through this value.
    region: NonNull<[u8]>,
    /// How many of the region's first bytes can be used.
    ///
    /// INVARIANT: these bytes are committed. The number is a multiple of the page size, and falls
    /// only when nobody else has the memory.
    ready: AtomicUsize,
}

impl OwnedMemory {
    /// Reserves `capacity` bytes, rounded up to a multiple of [`ARENA_PAGESIZE`] and aligned to it.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroCapacity`], [`Error::CapacityTooLarge`] and [`Error::OutOfAddressSpace`].
    ///
    /// ```
    /// use marena_std::marena_core::Memory;
    /// use marena_std::{ARENA_PAGESIZE, OwnedMemory};
    /// let memory = OwnedMemory::reserve(ARENA_PAGESIZE + 1)?;
    /// assert_eq!(memory.region().len(), 2 * ARENA_PAGESIZE);
    /// assert!(memory.region().cast::<u8>().addr().get().is_multiple_of(ARENA_PAGESIZE));
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    pub fn reserve(capacity: usize) -> Result<Self, Error> {
        Self::reserve_with(capacity, ARENA_PAGESIZE, false)
    }

    /// Reserves as [`reserve`](Self::reserve) does, at a multiple of `align`. With `huge_pages`,
    /// asks the system for huge pages.
    pub(crate) fn reserve_with(capacity: usize, align: usize, huge_pages: bool) -> Result<Self, Error> {
        if !align.is_power_of_two() {
            return Err(Error::Alignment { requested: align });
        }
        let (len, align) = (rounded(capacity)?, align.max(ARENA_PAGESIZE));
        match Huge::within(len, align).filter(|_| huge_pages) {
            Some(huge) => {
                let memory = Self::map(len, huge.align, huge.skew)?;
                // SAFETY: fewer bytes than the region has.
                let start = unsafe { memory.region.cast::<u8>().add(huge.start) };
                pages::prefer_huge(start, huge.len);
                Ok(memory)
            }
            None => Self::map(len, align, 0),
        }
    }

    fn map(len: usize, align: usize, skew: usize) -> Result<Self, Error> {
        let in_steps = || Self::reserve_in_steps(len, align, skew);
        if len > STEP
            && pages::mapping_commits()
            && let Ok(memory) = in_steps()
        {
            return Ok(memory);
        }
        match pages::map(len, align, skew) {
            Ok(base) => Ok(Self::of(base, len, len)),
            // A limit may count usable bytes only, and no reserved addresses.
            Err(source) => in_steps().map_err(|_| {
                let limit = Limit::met_by_private_mapping(&source, len);
                Error::OutOfAddressSpace { requested: len, limit, source }
            }),
        }
    }

    /// Reserves addresses and commits the first step.
    fn reserve_in_steps(len: usize, align: usize, skew: usize) -> io::Result<Self> {
        let memory = Self::of(pages::reserve(len, align, skew)?, len, 0);
        memory.commit_to(STEP.min(len))?;
        Ok(memory)
    }

    /// Returns the memory that one call of `pages::map` or `pages::reserve` returned, with the
    /// first `ready` bytes committed.
    fn of(base: NonNull<u8>, len: usize, ready: usize) -> Self {
        Self { region: NonNull::slice_from_raw_parts(base, len), ready: AtomicUsize::new(ready) }
    }

    /// Commits the region's first `end` bytes, a multiple of the page size.
    fn commit_to(&self, end: usize) -> io::Result<()> {
        // ORDERING: Acquire pairs with the Release below: what others committed is there.
        let ready = self.ready.load(Acquire);
        if end > ready {
            // SAFETY: fewer bytes than the region has.
            let start = unsafe { self.region.cast::<u8>().add(ready) };
            // SAFETY: whole pages of the region. Other threads may commit some of them as well.
            unsafe { pages::commit(start, end - ready) }?;
            // ORDERING: Release pairs with the Acquire of `ready`: a thread that sees the number
            // can use the pages.
            self.ready.fetch_max(end, Release);
        }
        Ok(())
    }

    /// Returns the region, which stays mapped until [`from_raw_parts`](Self::from_raw_parts) takes
    /// it back. The number says how many of its first bytes are usable. These are all bytes, except
    /// where the system sets memory aside for all usable bytes.
    ///
    /// ```
    /// use marena_std::{Arena, OwnedMemory};
    /// let arena = Arena::with_capacity(65_536)?;
    /// let (region, ready) = arena.into_memory().into_raw_parts();
    /// // For a while the region is a foreign library's, which fills it with zeros at the end.
    /// // SAFETY: it came from `into_raw_parts`, and is zero from its 128th byte on.
    /// let memory = unsafe { OwnedMemory::from_raw_parts(region, ready) };
    /// let arena = Arena::new(memory)?;
    /// # let _ = arena;
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    #[must_use = "the region stays mapped for ever if it is lost"]
    pub fn into_raw_parts(self) -> (NonNull<[u8]>, usize) {
        let memory = ManuallyDrop::new(self);
        (memory.region, memory.ready())
    }

    /// Takes a region back.
    ///
    /// # Safety
    ///
    /// - The region and the number came from one call of [`into_raw_parts`](Self::into_raw_parts),
    ///   unchanged, and are taken back once.
    /// - Nobody uses it any more, through pointers or arenas.
    /// - Only arenas wrote the region; or all its bytes are zero, including the first 128; or the
    ///   first 128 are as they were, and all bytes behind them are zero.
    #[must_use = "dropping it unmaps the region"]
    pub unsafe fn from_raw_parts(region: NonNull<[u8]>, ready: usize) -> Self {
        Self::of(region.cast(), region.len(), ready)
    }

    /// Touches every page, so that later uses do not wait for the system. `progress` is called with
    /// the number of bytes done and the total, now and then and at the end.
    ///
    /// The memory has to be fresh, because this overwrites some bytes.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfAddressSpace`] if the system has too little memory.
    pub(crate) fn prefault(&mut self, mut progress: impl FnMut(usize, usize)) -> Result<(), Error> {
        let total = self.region.len();
        self.commit_to(total).map_err(|source| {
            let limit = Limit::met_by_private_mapping(&source, total - self.ready());
            Error::OutOfAddressSpace { requested: total, limit, source }
        })?;
        for chunk_start in (0..total).step_by(PREFAULT_CHUNK) {
            let chunk_end = total.min(chunk_start + PREFAULT_CHUNK);
            for offset in (chunk_start..chunk_end).step_by(SMALLEST_PAGE) {
                // SAFETY: `offset` is below the region's length.
                let byte = unsafe { self.region.cast::<u8>().add(offset) };
                // SAFETY: the byte lies in the region, and `&mut self` is the only access to it.
                // Writing zero over zero leaves fresh memory as it is. The write is volatile,
                // because its purpose is the page and not the byte.
                unsafe { byte.write_volatile(0) };
            }
            progress(chunk_end, total);
        }
        Ok(())
    }

    /// Offers the system the pages past the region's first `kept` bytes.
    ///
    /// # Safety
    ///
    /// - Nobody else uses these bytes meanwhile, or relies on their values afterwards: each byte is
    ///   what it was, or zero.
    pub(crate) unsafe fn give_back_past(&self, kept: usize) -> Result<GivenBack, Error> {
        // What was never committed was never used.
        let len = self.ready();
        let kept = kept.min(len);
        // SAFETY: at most the region's length.
        let start = unsafe { self.region.cast::<u8>().add(kept) };
        // SAFETY: these are the last usable bytes. The rest is the caller's promise.
        match unsafe { pages::give_back(start, len - kept) } {
            // The bytes end at a page, so all that lies behind the start of the offered pages was
            // offered.
            Ok(offered) => {
                if offered.are_uncommitted {
                    // ORDERING: Relaxed: nobody else uses the memory meanwhile.
                    self.ready.store(kept + offered.start, Relaxed);
                }
                let zero_from = if offered.are_zero { kept + offered.start } else { len };
                Ok(GivenBack { bytes: offered.len, zero_from })
            }
            Err((offered, source)) => Err(Error::Trim { offered, source }),
        }
    }
}

/// Where a region lies so that huge pages fit in it.
///
/// A new arena writes its header. The header's page is a small one, and huge pages begin behind it,
/// so that an arena takes no huge page before it is used.
struct Huge {
    /// The byte at `skew` lies at a multiple of this.
    align: usize,
    skew: usize,
    /// The offset of the first huge page in the region.
    start: usize,
    /// The number of bytes in huge pages.
    len: usize,
}

impl Huge {
    /// Returns the place for a region of `len` bytes at a multiple of `align`, or `None` if no huge
    /// page fits in it.
    fn within(len: usize, align: usize) -> Option<Self> {
        let page = pages::HUGE_PAGE?;
        // The header's page comes right before the first huge one, if the alignment allows that.
        let (align, skew, start) = match align {
            ARENA_PAGESIZE => (page, ARENA_PAGESIZE, ARENA_PAGESIZE),
            _ => (align.max(page), 0, page),
        };
        let len = len.saturating_sub(start) & !(page - 1);
        (len > 0).then_some(Self { align, skew, start, len })
    }
}

/// Returns `capacity` rounded up to one that an arena can have.
fn rounded(capacity: usize) -> Result<usize, Error> {
    if capacity == 0 {
        return Err(Error::ZeroCapacity);
    }
    let len = capacity.checked_next_multiple_of(ARENA_PAGESIZE).filter(|&len| len <= CAPACITY_LIMIT);
    len.ok_or(Error::CapacityTooLarge { requested: capacity, limit: CAPACITY_LIMIT })
}

impl Drop for OwnedMemory {
    fn drop(&mut self) {
        // SAFETY: this is all that `pages::map` or `pages::reserve` returned, and nobody uses the
        // memory any more.
        unsafe { pages::unmap(self.region.cast(), self.region.len()) };
    }
}

// SAFETY: the value owns the mapping, whose bytes are valid from any thread.
unsafe impl Send for OwnedMemory {}
// SAFETY: a shared reference gives only the raw pointer. A caller that gives pages back vouches for
// them.
unsafe impl Sync for OwnedMemory {}

// SAFETY: the pointer never changes, and spans bytes that stay mapped until the value is dropped,
// at most `isize::MAX` of them. The first `ready` bytes, at least a step, are readable and
// writable. The number falls only in `give_back_past`, to no less than what that keeps. The pointer
// is raw, and nobody else knows it. The system provides zeroed memory, prefaulting writes zeros,
// and giving back leaves each byte as it was or zero. So bytes that were never handed out stay
// zero.
unsafe impl Memory for OwnedMemory {
    type Word = AtomicU32;
    const IS_EXCLUSIVE: bool = true;
    const BACKS_OFF: bool = true;

    #[inline]
    fn region(&self) -> NonNull<[u8]> {
        self.region
    }

    #[inline]
    fn is_zeroed(&self) -> bool {
        true
    }

    #[inline]
    fn ready(&self) -> usize {
        // ORDERING: Acquire pairs with the Release of `commit_to`.
        self.ready.load(Acquire)
    }

    #[cold]
    fn provide(&self, len: usize) -> bool {
        let total = self.region.len();
        if len > total {
            return false;
        }
        // More than is needed, because committing is a system call.
        let ahead = self.ready().saturating_add(STEP).max(len).next_multiple_of(ARENA_PAGESIZE);
        // Not more than the region, whose length is such a multiple.
        let needed = len.next_multiple_of(ARENA_PAGESIZE);
        self.commit_to(ahead.min(total)).is_ok() || self.commit_to(needed).is_ok()
    }

    #[cold]
    fn announce(&self, start: usize, len: usize) {
        let ready = self.ready();
        if FETCHED.contains(&len) && start <= ready && len <= ready - start {
            // SAFETY: at most the region's length.
            let start = unsafe { self.region.cast::<u8>().add(start) };
            pages::fetch(start, len);
        }
    }
}

// SAFETY: the mapping is private to the value, which is not `Clone`.
unsafe impl ExclusiveMemory for OwnedMemory {}

impl fmt::Debug for OwnedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedMemory").field("region", &self.region).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    #[cfg(target_os = "linux")]
    fn huge_pages_begin_behind_the_headers_page_or_at_the_second_of_their_kind() {
        let place = |len, align| Huge::within(len, align).map(|huge| [huge.align, huge.skew, huge.start, huge.len]);
        let page = ARENA_PAGESIZE;
        assert_eq!(place(8 * MIB, page), Some([2 * MIB, page, page, 6 * MIB]));
        assert_eq!(place(8 * MIB + page, page), Some([2 * MIB, page, page, 8 * MIB]));
        for align in [2 * page, MIB, 2 * MIB] {
            assert_eq!(place(8 * MIB, align), Some([2 * MIB, 0, 2 * MIB, 6 * MIB]), "{align}");
        }
        assert_eq!(place(8 * MIB, 4 * MIB), Some([4 * MIB, 0, 2 * MIB, 6 * MIB]));
        // None fits.
        for (len, align) in [(page, page), (2 * MIB, page), (2 * MIB, 2 * MIB), (4 * MIB - page, 2 * page)] {
            assert_eq!(place(len, align), None, "{len} at {align}");
        }
    }

    #[test]
    fn nothing_is_given_back_past_the_end() {
        let memory = OwnedMemory::reserve(ARENA_PAGESIZE).unwrap();
        for kept in [ARENA_PAGESIZE, ARENA_PAGESIZE + 8, usize::MAX] {
            // SAFETY: nobody uses the memory.
            let given = unsafe { memory.give_back_past(kept) }.unwrap();
            assert_eq!((given.bytes, given.zero_from), (0, ARENA_PAGESIZE), "{kept}");
        }
        assert_eq!(memory.ready(), ARENA_PAGESIZE);
    }

    #[test]
    fn the_usable_bytes_are_provided_at_once_and_end_with_the_region() {
        let memory = OwnedMemory::reserve_in_steps(4 * STEP, ARENA_PAGESIZE, 0).unwrap();
        assert_eq!(memory.ready(), STEP);
        let needed = 3 * STEP + ARENA_PAGESIZE;
        for (asked, ready) in [(STEP + 1, 2 * STEP), (needed - 1, needed), (needed + 1, 4 * STEP), (1, 4 * STEP)] {
            assert!(memory.provide(asked));
            assert_eq!(memory.ready(), ready, "{asked}");
        }
    }
}
