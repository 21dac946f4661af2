//! Memory of its own for an arena: an anonymous mapping.

use std::fmt;
use std::io;
use std::ptr::NonNull;

use marena_core::{ARENA_PAGESIZE, ExclusiveMemory, Memory};
use memmap2::{MmapOptions, MmapRaw};
use portable_atomic::AtomicU32;

use crate::advice;
use crate::error::Error;
use crate::limit::Limit;

/// The longest region: 2^31 bytes, or `isize::MAX` rounded down to a page where that is smaller.
pub(crate) const CAPACITY_LIMIT: usize = {
    let addressable = isize::MAX as usize & !(ARENA_PAGESIZE - 1);
    if addressable as u64 > 1 << 31 { 1 << 31 } else { addressable }
};

/// How far apart bytes are touched: no system has smaller pages.
const SMALLEST_PAGE: usize = 4096;

/// How many bytes are touched between two reports of progress.
const PREFAULT_CHUNK: usize = 4 << 20;

/// Memory that the system provides, zeroed and page by page as it is first touched, and that goes back on drop.
///
/// An [`Arena`](crate::Arena) makes its own; by itself it is for code that is generic over
/// [`Memory`](marena_core::Memory).
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
    /// INVARIANT: lies in `mapping`, starts at a multiple of `ARENA_PAGESIZE`, is at most `CAPACITY_LIMIT` bytes long, and is
    /// reached only through this value.
    region: NonNull<[u8]>,
    mapping: MmapRaw,
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
        let len = rounded(capacity)?;
        map(len, ARENA_PAGESIZE).map_err(|source| {
            let limit = Limit::met_by_private_mapping(&source, len);
            Error::OutOfAddressSpace { requested: len, limit, source }
        })
    }

    /// As [`reserve`](Self::reserve), in huge pages as far as the system has any.
    pub(crate) fn reserve_huge(capacity: usize) -> Result<Self, Error> {
        let len = rounded(capacity)?;
        let Some(Ok(memory)) = advice::HUGE_PAGE.map(|align| map(len, align)) else {
            return Self::reserve(capacity);
        };
        let start = memory.offset_in_mapping(0);
        advice::prefer_huge_pages(&memory.mapping, start..start + len);
        Ok(memory)
    }

    /// Touches every page, so that using it later needs no help from the system. `progress` is told the bytes done and
    /// their total, now and then and at the end.
    ///
    /// For fresh memory: what was in it is overwritten in places.
    pub(crate) fn prefault(&mut self, mut progress: impl FnMut(usize, usize)) {
        let total = self.region.len();
        for chunk_start in (0..total).step_by(PREFAULT_CHUNK) {
            let chunk_end = total.min(chunk_start + PREFAULT_CHUNK);
            for offset in (chunk_start..chunk_end).step_by(SMALLEST_PAGE) {
                // SAFETY: `offset` is below the region's length.
                let byte = unsafe { self.region.cast::<u8>().add(offset) };
                // SAFETY: in the region, which nobody else reaches, and `&mut self` is alone. Zero over zero leaves fresh
                // memory as it is; volatile, because the effect wanted is not on the bytes.
                unsafe { byte.write_volatile(0) };
            }
            progress(chunk_end, total);
        }
    }

    /// Offers the system the pages past the region's first `kept` bytes; the number of bytes offered.
    ///
    /// # Safety
    ///
    /// Nobody else uses those bytes meanwhile, or relies on their values afterwards: each is what it was, or zero.
    pub(crate) unsafe fn give_back_past(&self, kept: usize) -> Result<usize, Error> {
        let len = self.region.len();
        let range = self.offset_in_mapping(kept.min(len))..self.offset_in_mapping(len);
        // SAFETY: the region lies in the mapping; the rest is the caller's promise.
        let given = unsafe { advice::give_back(&self.mapping, range) };
        given.map_err(|(offered, source)| Error::Trim { offered, source })
    }

    /// How far into the mapping a position of the region is.
    fn offset_in_mapping(&self, position: usize) -> usize {
        self.region.addr().get() - self.mapping.as_ptr().addr() + position
    }
}

/// `capacity` as an arena can have it.
fn rounded(capacity: usize) -> Result<usize, Error> {
    if capacity == 0 {
        return Err(Error::ZeroCapacity);
    }
    let len = capacity.checked_next_multiple_of(ARENA_PAGESIZE).filter(|&len| len <= CAPACITY_LIMIT);
    len.ok_or(Error::CapacityTooLarge { requested: capacity, limit: CAPACITY_LIMIT })
}

/// Maps `len` bytes, at most `CAPACITY_LIMIT`, at a multiple of `align`, a power of two of at least `ARENA_PAGESIZE`.
fn map(len: usize, align: usize) -> io::Result<OwnedMemory> {
    let mut options = MmapOptions::new();
    // The system aligns to its own pages only. Address space is plentiful, so enough is reserved for any outcome, and what lies
    // before and behind the region is never touched. With the page's alignment the sum is at most `isize::MAX`.
    options.len(len + (align - 1));
    if !cfg!(miri) {
        // Nothing is set aside for what is never touched. Miri knows no such flag.
        options.no_reserve_swap();
    }
    // Raw from here on: no reference to the bytes is ever made, for it would claim them all.
    let mapping = MmapRaw::from(options.map_anon()?);
    let start = mapping.as_mut_ptr();
    let skipped = start.addr().wrapping_neg() & (align - 1);
    // SAFETY: `skipped` is less than `align`, so `len` bytes of the mapping lie behind the result.
    let base = unsafe { start.add(skipped) };
    let base = NonNull::new(base).ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok(OwnedMemory { region: NonNull::slice_from_raw_parts(base, len), mapping })
}

// SAFETY: the value owns the mapping, whose bytes are valid from any thread.
unsafe impl Send for OwnedMemory {}
// SAFETY: a shared reference gives only the raw pointer; giving pages back is for a caller who vouches for them.
unsafe impl Sync for OwnedMemory {}

// SAFETY: the pointer never changes, and spans bytes that stay mapped, readable and writable, until the value is dropped, at
// most `isize::MAX` of them. It is held raw, and nobody else knows it. The system provides anonymous memory zeroed;
// prefaulting writes zeros, and giving back leaves each byte as it was or zero, so bytes that were never handed out stay zero.
unsafe impl Memory for OwnedMemory {
    type Word = AtomicU32;

    #[inline]
    fn region(&self) -> NonNull<[u8]> {
        self.region
    }

    #[inline]
    fn is_zeroed(&self) -> bool {
        true
    }
}

// SAFETY: the mapping is private to the value, which is not `Clone`.
unsafe impl ExclusiveMemory for OwnedMemory {}

impl fmt::Debug for OwnedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedMemory").field("region", &self.region).field("reserved", &self.mapping.len()).finish()
    }
}
