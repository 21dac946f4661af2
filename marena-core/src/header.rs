//! The first 128 bytes of a region: the arena's control block.

use core::array;
use core::fmt;
use core::mem::offset_of;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::fence;

use static_assertions::const_assert;

use crate::address::{ARENA_MIN_ADDRESS, Address};
use crate::error::{AttachError, MemoryError};
use crate::placement::{HEADER_SIZE, REGION_LIMIT, REGION_MIN, STEP};
use crate::protocol;
use crate::root::Root;
use crate::stats::Stats;
use crate::sync::{AtomicU32, Word};

/// The number at offset 0 of every formatted region. In little-endian memory it reads `marena`,
/// 0x1A, newline.
const MAGIC: u64 = u64::from_le_bytes(*b"marena\x1a\n");

/// The version of the layout that this code writes and reads.
const LAYOUT_VERSION: u32 = 1;

/// The number of root slots in a header.
pub(crate) const ROOTS: usize = 4;

/// The control block of an arena: 128 bytes at the region's start, in the machine's byte order.
///
/// | offset | field |
/// | --- | --- |
/// | 0 | magic, `u64` |
/// | 8 | layout version, `u32` (1) |
/// | 12 | flags, `u32` (0) |
/// | 16 | capacity of the region in bytes, `u64` |
/// | 24 | root slots, `[u64; 4]` |
/// | 56 | guards, `u32`: how many share the arena, in a pool |
/// | 64 | cursor, `u32`: bytes used after the header |
/// | 68 | peak, `u32`: no byte past max(peak, cursor) was ever handed out |
/// | 72 | stranded, `u32`: bytes of leases that nobody can use until the next reset |
/// | 76 | recent peak, `u32`: as peak, since the last reset |
/// | 80 | leased, `u32`: bytes that live leases hold unused, at most |
/// | 84 | failed, `u32`: requests that found no room, at least |
///
/// The bytes between and behind these fields are reserved and zero. The words from 64 on have a
/// cache line to themselves. A header of zero bytes is an empty arena that was never formatted: the
/// state of a static arena before its first use.
///
/// `W` is the atomic word, which has 4 bytes in every shipped memory. With another word, such as a
/// model checker's, the offsets differ, and the header lies beside the region and not in it.
///
/// # Examples
///
/// ```
/// use marena_core::Header;
/// assert_eq!(size_of::<Header<portable_atomic::AtomicU32>>(), 128);
/// assert_eq!(align_of::<Header<portable_atomic::AtomicU32>>(), 128);
/// ```
#[repr(C, align(128))]
pub struct Header<W> {
    /// Two halves in memory order, because 64-bit atomics are a lock on small targets.
    magic: [W; 2],
    version: W,
    flags: W,
    capacity: [W; 2],
    /// Addresses that outlive the process, for memory that does.
    pub(crate) roots: [Root<W>; ROOTS],
    pub(crate) guards: W,
    reserved: W,
    pub(crate) cursor: W,
    pub(crate) peak: W,
    pub(crate) stranded: W,
    pub(crate) recent_peak: W,
    pub(crate) leased: W,
    pub(crate) failed: W,
}

type Shipped = Header<AtomicU32>;
const_assert!(size_of::<Shipped>() == HEADER_SIZE);
const_assert!(align_of::<Shipped>() == HEADER_SIZE);
const_assert!(HEADER_SIZE == ARENA_MIN_ADDRESS as usize);
const_assert!(offset_of!(Shipped, magic) == 0);
const_assert!(offset_of!(Shipped, version) == 8);
const_assert!(offset_of!(Shipped, flags) == 12);
const_assert!(offset_of!(Shipped, capacity) == 16);
const_assert!(offset_of!(Shipped, roots) == 24);
// Words of two bytes, in a header beside its region, end at an odd multiple of four.
const_assert!(offset_of!(Header<u16>, roots) == 16);
const_assert!(offset_of!(Shipped, guards) == 56);
const_assert!(offset_of!(Shipped, cursor) == 64);
const_assert!(offset_of!(Shipped, peak) == 68);
const_assert!(offset_of!(Shipped, stranded) == 72);
const_assert!(offset_of!(Shipped, recent_peak) == 76);
const_assert!(offset_of!(Shipped, leased) == 80);
const_assert!(offset_of!(Shipped, failed) == 84);

/// Offsets of fields, for code that reads a header with its own loads, such as from memory without
/// write permission.
impl<W> Header<W> {
    /// The offset of the root slots, in bytes.
    ///
    /// ```
    /// use marena_core::{AtomicU32, Header};
    /// assert_eq!(Header::<AtomicU32>::ROOTS_OFFSET, 24);
    /// ```
    pub const ROOTS_OFFSET: usize = offset_of!(Self, roots);

    /// The offset of the cursor, in bytes.
    ///
    /// ```
    /// use marena_core::{AtomicU32, Header};
    /// assert_eq!(Header::<AtomicU32>::CURSOR_OFFSET, 64);
    /// ```
    pub const CURSOR_OFFSET: usize = offset_of!(Self, cursor);
}

impl<W: Word> Header<W> {
    /// Creates a header of zero words, which `zero` makes.
    ///
    /// This is for memories that keep their header beside the region because their word does not
    /// fit into it.
    pub fn from_words(mut zero: impl FnMut() -> W) -> Self {
        Self {
            magic: [zero(), zero()],
            version: zero(),
            flags: zero(),
            capacity: [zero(), zero()],
            roots: array::from_fn(|_| Root::from_words(&mut zero)),
            guards: zero(),
            reserved: zero(),
            cursor: zero(),
            peak: zero(),
            stranded: zero(),
            recent_peak: zero(),
            leased: zero(),
            failed: zero(),
        }
    }

    /// Makes this the header of an empty arena of `capacity` bytes of which those past position
    /// `dirty_end` are zero.
    ///
    /// Nobody else uses the header meanwhile, not even to look for the magic number. That number is
    /// cleared first and written last. So a header is not valid if the process was killed, or the
    /// power failed, before it was complete.
    pub(crate) fn format(&self, capacity: usize, dirty_end: u32) {
        // ORDERING: Relaxed: see the fence.
        self.magic[1].store(0, Relaxed);
        // ORDERING: Release, before the stores that follow. The memory may outlive this process. A
        // process that then finds one of these stores finds no magic number, unless it finds the
        // last store too.
        fence(Release);
        // ORDERING: Relaxed up to the last store, whose Release covers them; it pairs with
        // `validate`.
        self.cursor.store(0, Relaxed);
        self.peak.store(dirty_end, Relaxed);
        for word in [&self.stranded, &self.recent_peak, &self.leased, &self.failed, &self.guards] {
            word.store(0, Relaxed);
        }
        self.clear_roots();
        self.version.store(LAYOUT_VERSION, Relaxed);
        self.flags.store(0, Relaxed);
        let capacity = halves(capacity as u64);
        self.capacity[0].store(capacity[0], Relaxed);
        self.capacity[1].store(capacity[1], Relaxed);
        let magic = halves(MAGIC);
        self.magic[0].store(magic[0], Relaxed);
        self.magic[1].store(magic[1], Release);
    }

    /// Notes that bytes up to `position` were handed out, before they are given back.
    pub(crate) fn raise_peaks(&self, position: u32) {
        protocol::raise_peak(&self.peak, position);
        protocol::raise_peak(&self.recent_peak, position);
    }

    /// Counts a request that found no room. Two that fail at the same time may count as one.
    /// Nothing depends on the number, so a failure costs no compare-and-swap.
    #[cold]
    #[inline]
    pub(crate) fn count_failure(&self) {
        // ORDERING: Relaxed for both: a number for people.
        let failed = self.failed.load(Relaxed);
        // Wrapping: a count that starts anew is still a lower bound, and costs one instruction.
        self.failed.store(failed.wrapping_add(1), Relaxed);
    }

    /// Makes every root slot name nothing. Nobody else uses the header meanwhile.
    pub(crate) fn clear_roots(&self) {
        self.roots.iter().for_each(Root::clear);
    }

    /// Checks whether this is the header of an arena in a region of `len` bytes. The header can
    /// consist of any bytes.
    ///
    /// [`Arena::attach`](crate::Arena::attach) calls this. Call it directly for a header without an
    /// arena, such as the copy of a header in memory that cannot be written.
    ///
    /// # Errors
    ///
    /// The same as for [`Arena::attach`](crate::Arena::attach).
    ///
    /// ```
    /// use marena_core::{AtomicU32, AttachError, Header};
    /// let header = Header::from_words(|| AtomicU32::new(0));
    /// assert_eq!(header.validate(4096), Err(AttachError::NotAnArena));
    /// ```
    pub fn validate(&self, len: usize) -> Result<(), AttachError> {
        if len < REGION_MIN {
            return Err(MemoryError::TooSmall { required: REGION_MIN, len }.into());
        }
        let capacity = len & !(STEP - 1);
        if capacity > REGION_LIMIT {
            return Err(MemoryError::TooLarge { limit: REGION_LIMIT, len }.into());
        }
        // ORDERING: Acquire pairs with the last store of `format`. The loads that follow then read
        // at least what `format` stored.
        let magic_end = self.magic[1].load(Acquire);
        let magic = whole([self.magic[0].load(Relaxed), magic_end]);
        if magic == MAGIC.swap_bytes() {
            return Err(AttachError::Endianness);
        }
        if magic != MAGIC {
            return Err(AttachError::NotAnArena);
        }
        let version = self.version.load(Relaxed);
        if version != LAYOUT_VERSION {
            return Err(AttachError::Version { found: version });
        }
        let found = whole([self.capacity[0].load(Relaxed), self.capacity[1].load(Relaxed)]);
        if found != capacity as u64 {
            return Err(AttachError::Capacity { header: found, region: capacity as u64 });
        }
        // The capacity is that of a region, so the difference is at least one step and below 2^31.
        let limit = (capacity - HEADER_SIZE) as u32;
        // The roots are read before the cursor. Peers may allocate and publish meanwhile, and an
        // earlier cursor would not cover what a root names by now.
        let roots: [u64; ROOTS] = self.roots.each_ref().map(Root::load);
        let cursor = self.cursor.load(Relaxed);
        for position in [cursor, self.peak.load(Relaxed)] {
            if position > limit || !(position as usize).is_multiple_of(STEP) {
                return Err(AttachError::Cursor { found: position });
            }
        }
        for (slot, found) in roots.into_iter().enumerate() {
            let names_used_bytes = |address: Address| {
                let end = u64::from(address.offset()) + u64::from(address.size());
                end <= HEADER_SIZE as u64 + u64::from(cursor)
            };
            if found != 0 && !Address::from_raw(found).is_some_and(names_used_bytes) {
                return Err(AttachError::Root { slot, found });
            }
        }
        Ok(())
    }

    /// Returns the statistics of an arena in a region of `len` bytes that has this header. A number
    /// that is too large to be right is reduced to the largest that is possible.
    ///
    /// [`Arena::stats`](crate::Arena::stats) calls this. Call it directly for a header without an
    /// arena.
    #[must_use]
    pub fn stats(&self, len: usize) -> Stats {
        let capacity = len & !(STEP - 1);
        let limit = capacity.saturating_sub(HEADER_SIZE);
        // ORDERING: Relaxed: snapshots.
        let statistic = |word: &W| (word.load(Relaxed) as usize).min(limit);
        let used = statistic(&self.cursor);
        Stats {
            capacity,
            used,
            remaining: limit - used,
            high_water: statistic(&self.peak).max(used),
            high_water_since_reset: statistic(&self.recent_peak).max(used),
            stranded: statistic(&self.stranded),
            leased: statistic(&self.leased).min(used),
            failed: self.failed.load(Relaxed) as usize,
        }
    }

    /// Returns a root slot, or `None` if there is no slot of this number. Memory that outlives the
    /// process names its contents in these slots.
    ///
    /// This method exists where 64-bit atomics are native, and is the only way to a slot there. A
    /// slot holds an address that nobody has checked, or 0. Formatting and every reset clear the
    /// slots.
    ///
    /// ```
    /// use core::sync::atomic::Ordering::Relaxed;
    /// use marena_core::Header;
    /// use portable_atomic::AtomicU32;
    /// let header = Header::from_words(|| AtomicU32::new(0));
    /// assert_eq!(header.root_slot(3).unwrap().load(Relaxed), 0);
    /// assert!(header.root_slot(4).is_none());
    /// ```
    #[cfg(target_has_atomic = "64")]
    #[must_use]
    pub fn root_slot(&self, slot: usize) -> Option<&core::sync::atomic::AtomicU64> {
        self.roots.get(slot).map(Root::atomic)
    }
}

/// Returns the two words that lie in memory as `value` does, in either byte order.
const fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_ne_bytes();
    [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
}

/// Returns the number that lies in memory as these two words do: the inverse of [`halves`].
const fn whole(halves: [u32; 2]) -> u64 {
    let [a, b, c, d] = halves[0].to_ne_bytes();
    let [e, f, g, h] = halves[1].to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

impl<W: Word> fmt::Debug for Header<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ORDERING: Relaxed: a snapshot for people.
        f.debug_struct("Header")
            .field("cursor", &self.cursor.load(Relaxed))
            .field("peak", &self.peak.load(Relaxed))
            .field("stranded", &self.stranded.load(Relaxed))
            .finish_non_exhaustive()
    }
}
