//! The arena: memory and an epoch. How to make one, how full it is, and what other files build on.

use core::fmt;
use core::mem::MaybeUninit;
use core::num::NonZeroU64;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use crate::asan;
use crate::epoch;
use crate::error::{AttachError, MemoryError};
use crate::header::{Header, ROOTS};
use crate::memory::{BorrowedMemory, ExclusiveMemory, Memory, Reserve, StaticMemory, checked_capacity, max_align};
use crate::placement::{HEADER_SIZE, STEP, Span};
use crate::root::Root;
use crate::stats::Stats;
use crate::sync::Word;

/// A lock-free bump allocator over one region of memory.
///
/// Any number of threads and interrupt handlers allocate from a shared reference. Each allocation
/// is one compare-and-swap. [`reset`](Self::reset) takes all memory back at once. **Values placed
/// in an arena are not dropped**, neither by a reset nor at its end: their memory comes back, but
/// their destructors do not run.
///
/// An arena is its memory and a number, and holds no other state. So several can share one header
/// where the memory allows it: statics, and other processes.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
///
/// let mut bytes = [MaybeUninit::uninit(); 4096];
/// let mut arena = Arena::borrowed(&mut bytes)?;
///
/// let number = arena.alloc(42_u64).unwrap();
/// let text = arena.alloc_str("in the arena").unwrap();
/// let mut block = arena.allocate(16).unwrap();
/// block[0] = 1;
/// assert_eq!((*number, &*text), (42, "in the arena"));
///
/// arena.reset();
/// assert_eq!(arena.used(), 0);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
pub struct Arena<M: Memory> {
    memory: M,
    /// INVARIANT: a ticket drawn since the last reset, or `None` where the epoch is the region's
    /// base with bit 0 set. A static arena is built at build time, when no address can be computed.
    ticket: Option<NonZeroU64>,
    /// Empty, unless the address sanitizer is told what is handed out.
    _asan: asan::Region,
}

impl<'m> Arena<BorrowedMemory<'m>> {
    /// Creates an empty arena in `bytes`: [`BorrowedMemory::new`] and [`Arena::new`].
    ///
    /// # Errors
    ///
    /// Those of [`BorrowedMemory::new`].
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let arena = Arena::borrowed(&mut bytes)?;
    /// assert!(arena.remaining() >= 1024 - 127 - 7 - 128);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn borrowed(bytes: &'m mut [MaybeUninit<u8>]) -> Result<Self, MemoryError> {
        Self::new(BorrowedMemory::new(bytes)?)
    }
}

/// Arenas that come with memory of their own, as `marena_std::Arena` does, which is an alias.
impl<M: Reserve> Arena<M> {
    /// The largest capacity, in bytes. With `marena_std`, 2^31; on 32-bit targets 2^31 - 65,536.
    pub const MAX_CAPACITY: usize = M::MAX_CAPACITY;

    /// Creates an arena of at least `capacity` bytes, of which 128 are its header.
    ///
    /// With `marena_std`, the capacity is rounded up to a multiple of 65,536. It reserves address
    /// space, and uses memory from the first touch of each page on.
    ///
    /// # Errors
    ///
    /// Those of the memory. With `marena_std`: `Error::ZeroCapacity`, `Error::CapacityTooLarge` and
    /// `Error::OutOfAddressSpace`.
    pub fn with_capacity(capacity: usize) -> Result<Self, M::Error> {
        Ok(Self::new(M::reserve(capacity)?)?)
    }

    /// Returns a builder for settings beyond the capacity.
    #[must_use]
    pub fn builder<'b>() -> M::Builder<'b> {
        M::Builder::default()
    }
}

impl<const N: usize> Arena<&'static StaticMemory<N>> {
    /// Returns the arena of a static. Every arena over the same static is the same arena.
    ///
    /// ```
    /// use marena_core::{Arena, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// static ARENA: Arena<&'static StaticMemory<1024>> = Arena::from_static(&MEMORY);
    /// assert_eq!(ARENA.remaining(), 1024 - 128);
    /// ```
    #[must_use]
    pub const fn from_static(memory: &'static StaticMemory<N>) -> Self {
        Self { memory, ticket: None, _asan: asan::Region::UNKNOWN }
    }
}

impl<M: Memory> Arena<M> {
    /// Creates an empty arena in `memory`, whatever it held before.
    ///
    /// # Errors
    ///
    /// [`MemoryError`] if the region is misaligned, too small or too large. The memories of this
    /// crate have been checked before.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::{Arena, BorrowedMemory};
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let arena = Arena::new(BorrowedMemory::new(&mut bytes)?)?;
    /// assert_eq!(arena.used(), 0);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn new(memory: M) -> Result<Self, MemoryError>
    where
        M: ExclusiveMemory,
    {
        // SAFETY: exclusive memory can be reached by nobody else.
        unsafe { Self::format(memory) }
    }

    /// Creates an empty arena as [`new`](Self::new) does, in memory that others can reach.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    ///
    /// # Safety
    ///
    /// - Nothing from an arena that was in the region before (block, reference, handle, lease) is
    ///   used or dropped after this, and values that were [pinned](crate::ArenaBox::into_pin) have
    ///   been dropped.
    /// - No other call on this header runs meanwhile, [`attach`](Self::attach) included.
    ///
    /// ```
    /// use marena_core::{Arena, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// // SAFETY: this is the first use of the static.
    /// let arena = unsafe { Arena::format(&MEMORY) }?;
    /// assert_eq!(arena.used(), 0);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub unsafe fn format(memory: M) -> Result<Self, MemoryError> {
        let capacity = capacity_of(&memory)?;
        let header = memory.header();
        let dirty_end = if memory.is_zeroed() {
            // SAFETY: zeroed memory has an initialised header, valid while the memory lives.
            let header = unsafe { header.as_ref() };
            // ORDERING: Relaxed: the caller lets no other call run meanwhile. What was ever handed
            // out is dirty.
            let dirty_end = header.peak.load(Relaxed).max(header.cursor.load(Relaxed));
            // The arena before may have had a longer region.
            round_up_position(dirty_end, ((memory.ready() & !(STEP - 1)) - HEADER_SIZE) as u32)
        } else {
            // A header beside the region is a valid one already, and of words for which zero may be
            // no value.
            if header.cast() == memory.region().cast::<u8>() {
                // SAFETY: the header is valid for writes of its size, and nobody else uses it
                // meanwhile. Words inside a region have zero as a value. Only after this is it
                // initialised.
                unsafe { header.write_bytes(0, 1) };
            }
            0
        };
        // SAFETY: initialised above, or before by memory that keeps it beside the region; valid
        // while the memory lives.
        unsafe { header.as_ref() }.format(capacity, dirty_end);
        // Memory that is also mapped elsewhere is claimed from there too, which nobody would notice
        // here.
        let asan = match M::REMAP_ALIGN {
            None => asan::Region::poisoned(memory.region()),
            Some(_) => asan::Region::found(memory.region()),
        };
        Ok(Self { memory, ticket: Some(epoch::draw()), _asan: asan })
    }

    /// Returns the arena that is in `memory` already: formatted by another process, an earlier run
    /// or another core.
    ///
    /// Everything handed out before stays handed out. Handles from other arenas over this header
    /// are foreign to this one.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if the header is not that of an arena of this length, byte order and
    /// version, or is damaged.
    ///
    /// # Safety
    ///
    /// - The header's bytes are initialised.
    /// - Every write to the region meanwhile is made through an arena over this header.
    /// - If the memory is [`ExclusiveMemory`], nothing from before is used or dropped after a reset
    ///   of this arena, and values that were [pinned](crate::ArenaBox::into_pin) are dropped
    ///   before.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use core::ptr::NonNull;
    /// use marena_core::{Arena, RawMemory};
    ///
    /// #[repr(align(128))]
    /// struct Ram([u8; 1024]);
    /// let mut ram = Ram([0; 1024]);
    /// let start = NonNull::from(&mut ram).cast();
    /// // SAFETY: `ram` outlives both arenas and is not used otherwise. The first is gone when the
    /// // second attaches.
    /// let memory = || unsafe { RawMemory::from_raw_parts(start, 1024) };
    /// let address = Arena::new(memory()?)?.allocate_address(100).unwrap();
    ///
    /// // SAFETY: as above.
    /// let again = unsafe { Arena::attach(memory()?) }?;
    /// assert_eq!(again.used(), 104);
    /// assert!(again.view_ptr(address).is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn attach(memory: M) -> Result<Self, AttachError> {
        let capacity = capacity_of(&memory)?;
        // SAFETY: the caller promises initialised bytes, and any are valid words; valid while the
        // memory lives.
        unsafe { memory.header().as_ref() }.validate(capacity)?;
        let asan = asan::Region::found(memory.region());
        Ok(Self { memory, ticket: Some(epoch::draw()), _asan: asan })
    }

    /// Returns the memory. What was handed out is borrowed from the arena, so nothing of it is
    /// left.
    pub fn into_memory(self) -> M
    where
        M: ExclusiveMemory,
    {
        self.memory
    }

    /// Returns the memory that the arena is in, for what that can do besides: flush a file, advise
    /// the system.
    #[must_use]
    #[inline(always)]
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Returns the size of the whole region in bytes, its 128-byte header included: 136 to 2^31.
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> usize {
        self.memory.region().len() & !(STEP - 1)
    }

    /// Returns whether a pointer points into the region, behind its header.
    ///
    /// ```
    /// use marena_core::{Arena, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// let arena = Arena::from_static(&MEMORY);
    /// let number = arena.alloc(7).unwrap();
    /// assert!(arena.contains(number.into()));
    /// ```
    #[must_use]
    #[inline]
    pub fn contains<T>(&self, pointer: NonNull<T>) -> bool {
        pointer.addr().get().wrapping_sub(self.base().addr().get()) < self.limit() as usize
    }

    /// Returns how many bytes are handed out or held by leases and scopes, rounding and alignment
    /// included: 0 to `capacity - 128`.
    ///
    /// This is a snapshot. It may lag behind other threads, and be out of date when it is returned.
    ///
    /// ```
    /// use marena_core::{Arena, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// let arena = Arena::from_static(&MEMORY);
    /// arena.allocate(201).unwrap();
    /// assert_eq!(arena.used(), 208);
    /// ```
    #[must_use]
    #[inline]
    pub fn used(&self) -> usize {
        // ORDERING: Relaxed: a snapshot. A damaged cursor reads as full.
        self.header().cursor.load(Relaxed).min(self.limit()) as usize
    }

    /// Returns how many bytes are left: `capacity - 128 - used`. A snapshot, as
    /// [`used`](Self::used) is.
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> usize {
        self.limit() as usize - self.used()
    }

    /// Returns all statistics at once.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.header().stats(self.memory.region().len())
    }
}

/// What the other files build on.
impl<M: Memory> Arena<M> {
    /// Returns the largest position: bytes after the header, a multiple of the step.
    #[inline(always)]
    pub(crate) fn limit(&self) -> u32 {
        // Construction checked the region's length to be 136 to 2^31, so this neither wraps nor
        // truncates.
        (self.capacity() - HEADER_SIZE) as u32
    }

    /// The largest position that can be handed out before the memory provides more: at most the
    /// limit, and a multiple of the step.
    #[inline(always)]
    pub(crate) fn ready_limit(&self) -> u32 {
        // The header and a step are always ready, and no more than the region is.
        ((self.memory.ready() & !(STEP - 1)) - HEADER_SIZE) as u32
    }

    /// Makes the bytes up to a position ready, at most the limit. Returns whether they are.
    #[inline]
    pub(crate) fn provide(&self, position: u32) -> bool {
        position <= self.ready_limit() || self.memory.provide(HEADER_SIZE + position as usize)
    }

    #[inline(always)]
    pub(crate) fn header(&self) -> &Header<M::Word> {
        // SAFETY: every constructor initialised the header or found it initialised, and it is valid
        // while the memory lives. All its words are atomics, so writes by others are no conflict.
        unsafe { self.memory.header().as_ref() }
    }

    /// Returns the words that a reset writes, each by its own reference. Others may look at the
    /// rest of the header meanwhile.
    #[inline(always)]
    pub(crate) fn counters_mut(&mut self) -> Counters<'_, M::Word>
    where
        M: ExclusiveMemory,
    {
        let header = self.memory.header().as_ptr();
        Counters {
            // SAFETY: initialised as in `header`; exclusive memory can be reached only through this
            // arena, and `&mut self` is alone.
            cursor: unsafe { &mut (*header).cursor },
            // SAFETY: as above.
            peak: unsafe { &mut (*header).peak },
            // SAFETY: as above.
            stranded: unsafe { &mut (*header).stranded },
            // SAFETY: as above.
            recent_peak: unsafe { &mut (*header).recent_peak },
            // SAFETY: as above.
            roots: unsafe { &mut (*header).roots },
        }
    }

    /// Returns the pointer to position 0, the byte after the header.
    #[inline(always)]
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.at(0)
    }

    /// Returns the pointer to a position, which the caller keeps at or below the limit.
    #[inline(always)]
    pub(crate) fn at(&self, position: usize) -> NonNull<u8> {
        debug_assert!(position <= self.limit() as usize, "{position} of {}", self.limit());
        let region = self.memory.region().cast::<u8>();
        // SAFETY: the limit plus the header is at most the region's length, so the result lies in
        // the region or at its end.
        unsafe { region.add(HEADER_SIZE + position) }
    }

    /// Returns the pointer to `size` bytes that were claimed just now.
    #[inline(always)]
    pub(crate) fn hand_out(&self, claim: Span, size: usize) -> NonNull<u8> {
        let start = self.at(claim.start as usize);
        asan::unpoison(start, size);
        start
    }

    /// Returns the position from which on bytes that were just claimed are zero, or `None` if
    /// nothing is known. The caller asks after the claim.
    #[inline(always)]
    pub(crate) fn dirty_end(&self) -> Option<usize> {
        // ORDERING: Relaxed: the claim before this acquired every raise that a give-back below its
        // bytes released.
        self.memory.is_zeroed().then(|| self.header().peak.load(Relaxed) as usize)
    }

    /// Returns whether handles made since the last reset carry `epoch`. One comparison, if there is
    /// a ticket.
    #[inline(always)]
    pub(crate) fn is_current(&self, epoch: NonZeroU64) -> bool {
        self.ticket == Some(epoch) || (self.ticket.is_none() && self.epoch() == epoch)
    }

    /// Makes handles that were made before now foreign to this arena.
    #[inline(always)]
    pub(crate) fn renew_epoch(&mut self) {
        self.ticket = Some(epoch::draw());
    }

    /// Returns the number that handles made since the last reset carry.
    #[inline(always)]
    pub(crate) fn epoch(&self) -> NonZeroU64 {
        match self.ticket {
            Some(ticket) => ticket,
            // Odd, where tickets are even; the base is aligned to 128.
            None => NonZeroU64::MIN | self.memory.region().addr().get() as u64,
        }
    }
}

/// The words of a header that change while an arena is used.
pub(crate) struct Counters<'h, W> {
    pub(crate) cursor: &'h mut W,
    pub(crate) peak: &'h mut W,
    pub(crate) stranded: &'h mut W,
    pub(crate) recent_peak: &'h mut W,
    pub(crate) roots: &'h mut [Root<W>; ROOTS],
}

/// Returns a position that some header names, as one of this region: a multiple of the step, at
/// most the limit.
fn round_up_position(position: u32, limit: u32) -> u32 {
    position.min(limit).next_multiple_of(STEP as u32)
}

/// Returns the length of the memory's region, rounded down to a step.
fn capacity_of<M: Memory>(memory: &M) -> Result<usize, MemoryError> {
    const { _ = max_align::<M>() };
    let region = memory.region();
    checked_capacity(region.addr().get(), region.len(), M::REMAP_ALIGN.unwrap_or(1))
}

/// For code that is generic over what keeps an arena: the arena itself, or a
/// [`PoolGuard`](crate::PoolGuard).
impl<M: Memory> AsRef<Self> for Arena<M> {
    #[inline]
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<M: Memory> fmt::Debug for Arena<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena")
            .field("capacity", &self.capacity())
            .field("used", &self.used())
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}
