//! The arena: memory, an epoch, and the figures and lives of both.

use core::fmt;
use core::mem::MaybeUninit;
use core::num::NonZeroU64;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{Ordering, compiler_fence};

use crate::asan;
use crate::epoch;
use crate::error::{AttachError, MemoryError};
use crate::header::{Header, ROOTS};
use crate::memory::{BorrowedMemory, ExclusiveMemory, Memory, Reserve, StaticMemory, checked_capacity, max_align};
use crate::placement::{HEADER_SIZE, STEP, Span};
use crate::protocol;
use crate::root::Root;
use crate::stats::Stats;
use crate::sync::Word;

/// A lock-free bump allocator over one region of memory.
///
/// Any number of threads and interrupt handlers allocate from a shared reference; each claim is one
/// compare-and-swap. All memory comes back at once, by [`reset`](Self::reset). **Values placed in
/// an arena are not dropped**, neither by a reset nor at its end: their memory comes back, their
/// destructors do not run.
///
/// The arena is its memory and a number: it holds no other state, so several may share one header
/// where the memory allows it (statics, other processes).
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
    /// INVARIANT: a ticket drawn for this life of the region, or `None` where the epoch is the
    /// region's base with bit 0 set (an address cannot be computed at build time, and a static
    /// arena is built there).
    ticket: Option<NonZeroU64>,
    /// Nothing but where the address sanitizer is told what is handed out.
    _asan: asan::Region,
}

impl<'m> Arena<BorrowedMemory<'m>> {
    /// An empty arena in `bytes`: [`BorrowedMemory::new`] and [`Arena::new`].
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

/// Arenas that come with memory of their own. The examples' `Arena` is `marena_std::Arena`, an
/// alias.
impl<M: Reserve> Arena<M> {
    /// The largest capacity, in bytes.
    ///
    /// With `marena_std`, 2^31; on 32-bit targets 2^31 - 65,536.
    pub const MAX_CAPACITY: usize = M::MAX_CAPACITY;

    /// Creates an arena of at least `capacity` bytes, of which 128 are its header.
    ///
    /// With `marena_std`, the capacity is rounded up to a multiple of 65,536. Address space is
    /// reserved; memory is used from the first touch of each page on.
    ///
    /// # Errors
    ///
    /// Those of the memory. With `marena_std`: `Error::ZeroCapacity`, `Error::CapacityTooLarge` and
    /// `Error::OutOfAddressSpace`.
    ///
    /// ```
    /// # use marena_core::{Arena, Reserve};
    /// fn arena<M: Reserve>() -> Result<Arena<M>, M::Error> {
    ///     let arena = Arena::<M>::with_capacity(1 << 20)?;
    ///     assert!(arena.remaining() >= (1 << 20) - 128);
    ///     Ok(arena)
    /// }
    /// ```
    pub fn with_capacity(capacity: usize) -> Result<Self, M::Error> {
        Ok(Self::new(M::reserve(capacity)?)?)
    }

    /// Returns a builder for settings beyond the capacity.
    ///
    /// ```
    /// # use marena_core::{Arena, Reserve};
    /// fn builder<'b, M: Reserve>() -> M::Builder<'b> {
    ///     Arena::<M>::builder()
    /// }
    /// ```
    #[must_use]
    pub fn builder<'b>() -> M::Builder<'b> {
        M::Builder::default()
    }

    /// Gives memory that lies wholly past the cursor back to where it came from, which provides it
    /// anew when it is touched again. Returns the number of bytes that were offered.
    ///
    /// What is allocated stays as it is, under its handles and addresses. After a
    /// [`reset`](Self::reset) nearly everything goes back. With `marena_std`, Linux takes the pages
    /// at once and other Unix systems when they need them; Windows takes none, and the answer is 0.
    ///
    /// No substitute for [`wipe`](Self::wipe): where the memory is not taken, its bytes stay.
    ///
    /// # Errors
    ///
    /// Those of the memory; with `marena_std`, `Error::Trim` for locked memory. The arena is
    /// unchanged then.
    ///
    /// ```
    /// # use marena_core::{Arena, Reserve};
    /// fn after_a_burst<M: Reserve>(arena: &mut Arena<M>) -> Result<(), M::Error> {
    ///     arena.reset();
    ///     arena.trim()?;
    ///     Ok(())
    /// }
    /// ```
    pub fn trim(&mut self) -> Result<usize, M::Error> {
        let kept = HEADER_SIZE + self.used();
        // SAFETY: behind the header and the used bytes nothing is handed out, and `&mut self` of
        // exclusive memory keeps others from claiming meanwhile. The arena counts on zeros only
        // past its peak, and those stay zero; below, it zeroes what it hands out.
        let given = unsafe { self.memory.give_back_past(kept) }?;
        if self.memory.is_zeroed() {
            let zero_from = given.zero_from.max(kept).next_multiple_of(STEP) - HEADER_SIZE;
            let peak = self.counters_mut().peak;
            let dirty_end = peak.read().min(u32::try_from(zero_from).unwrap_or(u32::MAX));
            peak.write(dirty_end);
        }
        Ok(given.bytes)
    }
}

impl<const N: usize> Arena<&'static StaticMemory<N>> {
    /// The arena of a static. Every arena over the same static is the same arena.
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
    /// An empty arena in `memory`, whatever it held before.
    ///
    /// # Errors
    ///
    /// [`MemoryError`] where the region is misaligned, too small or too large. The memories of this
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

    /// As [`new`](Self::new), for memory that others can reach.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    ///
    /// # Safety
    ///
    /// - Nothing from an arena that was in the region before (block, reference, handle, lease) is
    ///   used or dropped after this.
    /// - No other call on this header runs meanwhile.
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
            // ORDERING: Relaxed: the caller lets no other call run meanwhile. What was handed out
            // in an earlier life is dirty.
            let dirty_end = header.peak.load(Relaxed).max(header.cursor.load(Relaxed));
            // That life's region may have been longer.
            round_up_position(dirty_end, ((memory.ready().min(capacity) & !(STEP - 1)) - HEADER_SIZE) as u32)
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

    /// An arena that is already in `memory`: formatted by another process, an earlier run or
    /// another core.
    ///
    /// Everything handed out before stays handed out. Handles from other arenas over this header
    /// are foreign to this one.
    ///
    /// # Errors
    ///
    /// [`AttachError`] where the header is not that of an arena of this length, byte order and
    /// version, or is damaged.
    ///
    /// # Safety
    ///
    /// - The header's bytes are initialised.
    /// - Everyone who writes the region meanwhile does so through an arena over this header.
    /// - If the memory is [`ExclusiveMemory`], nothing from before is used or dropped after a reset
    ///   of this arena.
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
    /// // SAFETY: `ram` outlives both arenas and is not used otherwise; the first is gone when the second attaches.
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

    /// Gives the memory back. What was handed out is borrowed from the arena, so nothing of it is
    /// left.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let arena = Arena::borrowed(&mut bytes)?;
    /// let again = Arena::new(arena.into_memory())?;
    /// # let _ = again;
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn into_memory(self) -> M
    where
        M: ExclusiveMemory,
    {
        self.memory
    }

    /// The memory the arena lives in, for what a kind of memory can do besides: flush a file,
    /// advise the system.
    ///
    /// ```
    /// use marena_core::{Arena, Memory, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// assert!(Arena::from_static(&MEMORY).memory().is_zeroed());
    /// ```
    #[must_use]
    #[inline(always)]
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Bytes of the whole region, its 128-byte header included: 136 to 2^31.
    ///
    /// ```
    /// use marena_core::{Arena, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// assert_eq!(Arena::from_static(&MEMORY).capacity(), 1024);
    /// ```
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

    /// Bytes handed out or claimed by leases, rounding and alignment included: 0 to
    /// `capacity - 128`.
    ///
    /// A snapshot: it may lag behind other threads, and be out of date when it returns.
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

    /// Bytes left: `capacity - 128 - used`, a snapshot as [`used`](Self::used) is.
    ///
    /// ```
    /// use marena_core::{Arena, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// assert_eq!(Arena::from_static(&MEMORY).remaining(), 896);
    /// ```
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> usize {
        self.limit() as usize - self.used()
    }

    /// All figures at once.
    ///
    /// ```
    /// use marena_core::{Arena, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// let arena = Arena::from_static(&MEMORY);
    /// arena.alloc(1_u64).unwrap();
    /// assert_eq!(arena.stats().high_water, 8);
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.header().stats(self.memory.region().len())
    }

    /// Takes everything back, in constant time: the arena is empty, and handles from before are
    /// stale.
    ///
    /// Values are not dropped. Bytes handed out again are zeroed then, not now; see
    /// [`wipe`](Self::wipe).
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let mut arena = Arena::borrowed(&mut bytes)?;
    /// let handle = arena.insert([1_u8; 64]).unwrap();
    /// arena.reset();
    /// assert_eq!(arena.get(handle), None);
    /// assert_eq!(arena.used(), 0);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[inline]
    pub fn reset(&mut self)
    where
        M: ExclusiveMemory,
    {
        self.reset_to(0);
    }

    /// Takes back all but the first `position` bytes, which stay as they are: a multiple of the
    /// step, at most the limit.
    #[inline(always)]
    pub(crate) fn reset_to(&mut self, position: u32)
    where
        M: ExclusiveMemory,
    {
        // What is not ready was never handed out, although a leaked scope over the whole arena claimed it.
        let limit = self.ready_limit();
        self.ticket = Some(epoch::draw());
        let Counters { cursor, peak, stranded, roots } = self.counters_mut();
        roots.iter_mut().for_each(Root::clear_mut);
        let dirty_end = cursor.read().max(peak.read()).min(limit);
        peak.write(dirty_end);
        cursor.write(position);
        stranded.write(0);
        asan::poison(self.at(position as usize), dirty_end.saturating_sub(position) as usize);
    }

    /// [`reset`](Self::reset), and overwrites every byte that this arena ever handed out with
    /// zeros: nothing of its earlier lives can be read from the memory afterwards. Takes time in
    /// proportion to [`Stats::high_water`].
    ///
    /// The writes are volatile, so no optimiser drops them because the memory is given up right
    /// after.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let mut arena = Arena::borrowed(&mut bytes)?;
    /// arena.alloc_str("secret").unwrap();
    /// arena.wipe();
    /// assert_eq!(arena.stats().high_water, 0);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn wipe(&mut self)
    where
        M: ExclusiveMemory,
    {
        self.reset();
        let dirty_end = self.counters_mut().peak.read() as usize;
        asan::unpoison(self.base(), dirty_end.next_multiple_of(STEP));
        let mut position = 0;
        // Reset bounded the peak by the limit, a multiple of the step; a step is eight bytes.
        while position < dirty_end {
            let word = self.at(position).cast::<u64>();
            // SAFETY: `position` is a multiple of 8 below the limit, so the word lies in the
            // region, aligned. `&mut self` of exclusive memory leaves nobody else who could use
            // these bytes.
            unsafe { word.write_volatile(0) };
            position += STEP;
        }
        // Nothing that the caller does next may be moved up between the writes.
        compiler_fence(Ordering::Release);
        asan::poison(self.base(), dirty_end);
        self.counters_mut().peak.write(0);
    }

    /// [`reset`](Self::reset) without exclusive access, for statics and memory shared between
    /// processes.
    ///
    /// # Safety
    ///
    /// - Nothing from before it (block, reference, handle, lease, scratch, guard, collection) is
    ///   used or dropped after it. Handles from before are *not* detected: the epoch stays.
    /// - No other call on this header runs meanwhile, and all earlier ones happen before it.
    ///
    /// ```
    /// use marena_core::{Arena, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// let arena = Arena::from_static(&MEMORY);
    /// arena.alloc(1_u32).unwrap();
    /// // SAFETY: nobody else knows the static, and the reference above is gone.
    /// unsafe { arena.reset_shared() };
    /// assert_eq!(arena.used(), 0);
    /// ```
    pub unsafe fn reset_shared(&self) {
        let header = self.header();
        // ORDERING: Relaxed: a figure for people; the caller lets nothing race with this call.
        header.stranded.store(0, Relaxed);
        header.clear_roots();
        asan::poison(self.base(), self.used());
        let ready = self.ready_limit();
        if ready < self.limit() {
            // As in `reset_to`. ORDERING: Relaxed: nothing races with this call.
            header.cursor.store(header.cursor.load(Relaxed).min(ready), Relaxed);
        }
        protocol::reset_shared(&header.cursor, &header.peak);
    }
}

/// What the other files build on.
impl<M: Memory> Arena<M> {
    /// The largest position: bytes after the header, a multiple of the step.
    #[inline(always)]
    pub(crate) fn limit(&self) -> u32 {
        // Construction checked the region's length to be 136 to 2^31, so this neither wraps nor
        // truncates.
        (self.capacity() - HEADER_SIZE) as u32
    }

    /// The largest position that can be handed out before the memory provides more: at most the limit, and a multiple of the
    /// step.
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

    /// The words that a reset writes, each on its own: others may look at the rest of the header
    /// meanwhile.
    #[inline(always)]
    fn counters_mut(&mut self) -> Counters<'_, M::Word>
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
            roots: unsafe { &mut (*header).roots },
        }
    }

    /// The pointer to position 0, the byte after the header.
    #[inline(always)]
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.at(0)
    }

    /// The pointer to a position. The caller passes at most the limit.
    #[inline(always)]
    pub(crate) fn at(&self, position: usize) -> NonNull<u8> {
        debug_assert!(position <= self.limit() as usize, "{position} of {}", self.limit());
        let region = self.memory.region().cast::<u8>();
        // SAFETY: the limit plus the header is at most the region's length, so the result lies in
        // the region or at its end.
        unsafe { region.add(HEADER_SIZE + position) }
    }

    /// The pointer to `size` bytes that were claimed just now.
    #[inline(always)]
    pub(crate) fn hand_out(&self, claim: Span, size: usize) -> NonNull<u8> {
        let start = self.at(claim.start as usize);
        asan::unpoison(start, size);
        start
    }

    /// Bytes just claimed at this position or behind it are zero; `None` where nothing is known.
    /// Asked after the claim.
    #[inline(always)]
    pub(crate) fn dirty_end(&self) -> Option<usize> {
        // ORDERING: Relaxed: the claim before this acquired every raise that a give-back below its
        // bytes released.
        self.memory.is_zeroed().then(|| self.header().peak.load(Relaxed) as usize)
    }

    /// Whether `epoch` is the one that handles of this life carry. A drawn ticket decides by one
    /// comparison.
    #[inline(always)]
    pub(crate) fn is_current(&self, epoch: NonZeroU64) -> bool {
        self.ticket == Some(epoch) || (self.ticket.is_none() && self.epoch() == epoch)
    }

    /// The number that handles of this life carry.
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
struct Counters<'h, W> {
    cursor: &'h mut W,
    peak: &'h mut W,
    stranded: &'h mut W,
    roots: &'h mut [Root<W>; ROOTS],
}

/// A position that a header names, as one of a region: a multiple of the step, at most the limit.
fn round_up_position(position: u32, limit: u32) -> u32 {
    position.min(limit).next_multiple_of(STEP as u32)
}

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
