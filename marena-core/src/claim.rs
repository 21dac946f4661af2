//! The primitives of every way to allocate, and their implementation for a shared arena.

use core::num::NonZeroU64;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use crate::address::{ARENA_MAX_ALLOC_SIZE, Address};
use crate::arena::Arena;
use crate::asan;
use crate::error::AllocError;
use crate::header::Header;
use crate::memory::{Memory, max_align};
use crate::placement::{HEADER_SIZE, Span, place, round_up};
use crate::protocol::{self, BackOff, Unclaimed};
use crate::sync::Word;

/// A source of bytes. Every type that implements this trait has all methods of
/// [`Allocate`](crate::Allocate).
///
/// Users call [`Allocate`](crate::Allocate)'s methods or the inherent ones. This trait is for types
/// that choose between arenas, leases and scopes, and pass on what one of these claimed.
/// [`Claimed`] can be made in no other way.
///
/// The methods can change with every release. A crate that implements or calls them depends on the
/// exact version of this one, as `marena-std` does: `marena-core = "=0.1.0"`.
///
/// # Safety
///
/// - [`claim`](Self::claim) returns what `claim` of an arena, a lease or a scope returned for the
///   same size and alignment.
/// - Claimed bytes stay valid for `'a`: the arena, or the scope's borrow, cannot end before.
/// - [`give_back`](Self::give_back) and [`extend`](Self::extend) call the value that the bytes were
///   claimed from, or one that claims from the same arena. Or they do nothing.
/// - [`epoch`](Self::epoch) returns an epoch that this value's handles carry, or an odd number that
///   is no arena's epoch.
/// - Copies of a value are interchangeable.
///
/// # Examples
///
/// A type that allocates in the first of two arenas that has room:
///
/// ```
/// use core::num::NonZeroU64;
/// use core::ptr::NonNull;
/// use marena_core::{AllocError, Arena, Claim, Claimed, StaticMemory};
///
/// type Bank = Arena<&'static StaticMemory<1024>>;
///
/// struct Either<'a>(&'a Bank, &'a Bank);
///
/// impl<'a> Either<'a> {
///     // All allocating methods. Results live for 'a.
///     marena_core::forward_allocate!('s => 'a);
///
///     fn owner(&self, start: NonNull<u8>) -> &'a Bank {
///         if self.0.contains(start) { self.0 } else { self.1 }
///     }
/// }
///
/// marena_core::implement_allocator! { ['a] Either<'a>: "" }
///
/// // SAFETY: every claim is an arena's, borrowed for 'a. What follows goes to the arena that has
/// // the bytes.
/// unsafe impl<'a> Claim<'a> for &Either<'a> {
///     type Origin = &'a Bank;
///     const MAX_ALIGN: usize = <&Bank as Claim>::MAX_ALIGN;
///
///     unsafe fn claim(
///         self,
///         size: usize,
///         align: usize,
///         retries: Option<u32>,
///     ) -> Result<Claimed<&'a Bank>, AllocError> {
///         // SAFETY: the caller's promise.
///         let first = unsafe { self.0.claim(size, align, retries) };
///         // SAFETY: the caller's promise.
///         first.or_else(|_| unsafe { self.1.claim(size, align, retries) })
///     }
///     unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
///         // SAFETY: the caller's promise, for the arena that the bytes lie in.
///         unsafe { self.owner(start).give_back(start, size) }
///     }
///     unsafe fn extend(
///         self,
///         start: NonNull<u8>,
///         old_size: usize,
///         new_size: usize,
///     ) -> Option<Claimed<&'a Bank>> {
///         // SAFETY: as in `give_back`.
///         unsafe { self.owner(start).extend(start, old_size, new_size) }
///     }
///     unsafe fn epoch(self) -> NonZeroU64 {
///         // SAFETY: the caller's promise.
///         unsafe { Claim::epoch(self.0) }
///     }
///     fn remaining(self) -> usize {
///         self.0.remaining().max(self.1.remaining())
///     }
/// }
///
/// static FAST: StaticMemory<1024> = StaticMemory::new();
/// static LARGE: StaticMemory<1024> = StaticMemory::new();
/// let (fast, large) = (Arena::from_static(&FAST), Arena::from_static(&LARGE));
/// let either = Either(&fast, &large);
/// either.alloc([0_u8; 512]).unwrap();
/// either.alloc([0_u8; 512]).unwrap();
/// assert_eq!((fast.used(), large.used()), (512, 512));
/// ```
pub unsafe trait Claim<'a>: Copy {
    /// What the bytes come from in the end: a reference to an arena, a lease or a scope.
    type Origin: Origin;

    /// The largest alignment that a claim can have, in bytes.
    const MAX_ALIGN: usize;

    /// Claims `size` bytes at a multiple of `align`, with at most `retries` attempts after the
    /// first, or any number for `None`. The bytes are uninitialised, and for `'a` they belong to
    /// the caller alone.
    ///
    /// # Errors
    ///
    /// The same as for [`Arena::allocate_aligned`] and [`Arena::allocate_bounded`]. An error
    /// changes nothing.
    ///
    /// # Safety
    ///
    /// - `align` is a power of two.
    /// - `size` is not 0.
    unsafe fn claim(self, size: usize, align: usize, retries: Option<u32>)
    -> Result<Claimed<Self::Origin>, AllocError>;

    /// Takes back the whole steps of 8 bytes in `[start, start + size)` if they were claimed last.
    /// Otherwise it does nothing. If `size` is 0, `start` can be anything.
    ///
    /// # Safety
    ///
    /// - The bytes lie inside one claim of this value's, and end where it ended, rounded up to a
    ///   multiple of 8.
    /// - They belong to the caller alone, were never published, and are not used afterwards.
    unsafe fn give_back(self, start: NonNull<u8>, size: usize);

    /// Makes the block `[start, start + old_size)` one of `new_size` bytes without moving it.
    /// Returns `None` and changes nothing if the block is not the last or if there is no room. The
    /// bytes behind the old block's last step were claimed just now, and are uninitialised.
    ///
    /// # Safety
    ///
    /// - The same as for [`give_back`](Self::give_back), but the bytes may be used afterwards.
    /// - `old_size` is not 0, and `new_size` is no less than it.
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<Self::Origin>>;

    /// Returns the epoch for handles to no bytes, for which nothing is claimed.
    ///
    /// # Safety
    ///
    /// The caller uses the number only for blocks and handles of no bytes.
    unsafe fn epoch(self) -> NonZeroU64;

    /// Returns how many bytes are left for one request: a snapshot.
    fn remaining(self) -> usize;
}

/// What bytes were claimed from, and what it knows about them: an arena, a lease or a scope.
///
/// # Safety
///
/// The methods keep what their comments promise for all bytes that were claimed from this value.
pub unsafe trait Origin: Copy {
    /// Returns a pointer to position 0 of the region, the byte after the header.
    fn base(self) -> NonNull<u8>;

    /// Returns the position from which on bytes that were just claimed are zero, or `None` if
    /// nothing is known about them. The caller asks after the claim.
    fn dirty_end(self) -> Option<usize>;

    /// Returns the epoch that handles to the bytes carry.
    fn epoch(self) -> NonZeroU64;
}

/// Uninitialised bytes that were claimed just now, and what is known about them.
#[derive(Debug)]
pub struct Claimed<O> {
    /// INVARIANT: the start of bytes that were claimed from `origin`.
    start: NonNull<u8>,
    origin: O,
}

impl<O: Origin> Claimed<O> {
    /// Creates the record of a claim.
    ///
    /// # Safety
    ///
    /// - The bytes at `start` were claimed from `origin`.
    #[inline(always)]
    pub(crate) unsafe fn new(start: NonNull<u8>, origin: O) -> Self {
        Self { start, origin }
    }

    /// Returns where the bytes start.
    #[must_use]
    #[inline(always)]
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Returns the owner that the bytes were claimed from.
    #[inline(always)]
    pub(crate) fn origin(&self) -> O {
        self.origin
    }

    /// Returns the address of `size` of the bytes, from `position` on.
    #[inline(always)]
    pub(crate) fn address(&self, position: usize, size: usize) -> Address {
        let claimed = self.start.addr().get() - self.origin.base().addr().get();
        Address::of_block(HEADER_SIZE + claimed + position, size)
    }

    /// Returns what handles to the bytes carry.
    #[inline(always)]
    pub(crate) fn epoch(&self) -> NonZeroU64 {
        self.origin.epoch()
    }

    /// Makes the bytes `[from, to)` zero. Writes only bytes that may not be zero already.
    ///
    /// # Safety
    ///
    /// - `from <= to`, and at least `to` bytes were claimed.
    /// - The bytes from `from` on were claimed just now, and nobody has used them since.
    #[inline(always)]
    pub(crate) unsafe fn zero(&self, from: usize, to: usize) {
        let claimed = self.start.addr().get() - self.origin.base().addr().get();
        let dirty = match self.origin.dirty_end() {
            Some(end) => end.saturating_sub(claimed + from),
            None => to - from,
        };
        if dirty > 0 {
            // SAFETY: `from` is at most the number of bytes that were claimed.
            let start = unsafe { self.start.add(from) };
            // SAFETY: at most the bytes up to `to`, which were claimed.
            unsafe { start.write_bytes(0, dirty.min(to - from)) };
        }
    }
}

// SAFETY: `claim` succeeds only if it moved the cursor over the bytes. Nobody else gets them until
// their owner gives them back, or until a reset, for which the arena must not be borrowed. `place`
// keeps them in the region and aligned: see there and `Memory::REMAP_ALIGN`. The peak is raised
// before every give-back and in every reset.
unsafe impl<'a, M: Memory> Claim<'a> for &'a Arena<M> {
    type Origin = Self;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline(always)]
    unsafe fn claim(self, size: usize, align: usize, retries: Option<u32>) -> Result<Claimed<Self>, AllocError> {
        if M::BACKS_OFF && retries.is_none() {
            return match self.claim_at_once(self.header(), Arena::base(self), size, align) {
                Some(claimed) => Ok(claimed),
                None => self.claim_slowly(size, align),
            };
        }
        require_stable_alignment::<M>(align)?;
        let (base, limit) = (Arena::base(self).addr().get(), self.ready_limit());
        let cursor = &self.header().cursor;
        let place = |seen| place(base, seen, limit, size, align);
        // ORDERING: Relaxed: a guess, which the compare-and-swap verifies.
        match protocol::claim(cursor, cursor.load(Relaxed), place, retries, None) {
            // SAFETY: claimed just now.
            Ok(span) => Ok(unsafe { Claimed::new(self.hand_out(span, size), self) }),
            Err(Unclaimed::NoPlace(cursor)) if limit < self.limit() => {
                let span = self.claim_beyond(size, align, retries, cursor, None)?;
                // SAFETY: claimed just now.
                Ok(unsafe { Claimed::new(self.hand_out(span, size), self) })
            }
            Err(Unclaimed::NoPlace(cursor)) => Err(self.no_room(size, cursor, limit)),
            Err(Unclaimed::Contended) => Err(AllocError::Contended { retries: retries.unwrap_or(0) }),
        }
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        if size == 0 {
            return;
        }
        asan::poison(start, size);
        let start = start.addr().get() - Arena::base(self).addr().get();
        let end = round_up(start + size) as u32;
        let start = round_up(start) as u32;
        let header = self.header();
        // ORDERING: Relaxed: a guess, which leaves the peak alone where the compare-and-swap would
        // fail.
        if start < end && header.cursor.load(Relaxed) == end {
            header.raise_peaks(end);
            // Whether the cursor moved or not, the owner does not use the bytes again.
            let _ = protocol::give_back(&header.cursor, start, end);
        }
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<Self>> {
        let position = start.addr().get() - Arena::base(self).addr().get();
        // The block lies in the region, so its rounded end is a position. What its steps do not
        // hold goes behind that end.
        let end = round_up(position + old_size);
        let cursor = &self.header().cursor;
        // ORDERING: Relaxed: a guess, which the compare-and-swap verifies. A block that grows is
        // seldom the last one, and a look costs less than a compare-and-swap that fails.
        if cursor.load(Relaxed) != end as u32 {
            return None;
        }
        let more = new_size.saturating_sub(end - position);
        if more > self.limit() as usize - end {
            return None;
        }
        let new_end = (end + round_up(more)) as u32;
        if !self.provide(new_end) {
            return None;
        }
        protocol::extend(cursor, end as u32, new_end).ok()?;
        asan::unpoison(start, new_size);
        // SAFETY: claimed from this arena before, and just now what lies behind.
        Some(unsafe { Claimed::new(start, self) })
    }

    #[inline(always)]
    unsafe fn epoch(self) -> NonZeroU64 {
        Arena::epoch(self)
    }

    #[inline]
    fn remaining(self) -> usize {
        Arena::remaining(self)
    }
}

// SAFETY: no byte past max(peak, cursor) was ever handed out, and the claim acquired every raise of
// the peak: see `dirty_end`.
unsafe impl<M: Memory> Origin for &Arena<M> {
    #[inline(always)]
    fn base(self) -> NonNull<u8> {
        Arena::base(self)
    }

    #[inline(always)]
    fn dirty_end(self) -> Option<usize> {
        Arena::dirty_end(self)
    }

    #[inline(always)]
    fn epoch(self) -> NonZeroU64 {
        Arena::epoch(self)
    }
}

impl<M: Memory> Arena<M> {
    /// Claims bytes that are ready, in one attempt. Otherwise the answer is for
    /// [`claim_slowly`](Self::claim_slowly). The caller passes the arena's header and base, a power
    /// of two as `align`, and a `size` that is not 0.
    #[inline(always)]
    pub(crate) fn claim_at_once(
        &self,
        header: &Header<M::Word>,
        base: NonNull<u8>,
        size: usize,
        align: usize,
    ) -> Option<Claimed<&Self>> {
        require_stable_alignment::<M>(align).ok()?;
        // ORDERING: Relaxed: a guess, which the compare-and-swap verifies.
        let seen = header.cursor.load(Relaxed);
        let span = place(base.addr().get(), seen, self.ready_limit(), size, align)?;
        // The cursor that it found is the one that was seen. Going on with the former, the compiler
        // loads the latter to the register where the compare-and-swap wants it, without a copy.
        let found = protocol::attempt(&header.cursor, seen, span).ok()?;
        let start = found + (span.start - seen);
        // SAFETY: `span.start`, a position of the region.
        let start = unsafe { base.add(start as usize) };
        asan::unpoison(start, size);
        // SAFETY: claimed just now.
        Some(unsafe { Claimed::new(start, self) })
    }

    /// Claims bytes where [`claim_at_once`](Self::claim_at_once) did not, in any number of
    /// attempts.
    #[cold]
    #[inline(never)]
    pub(crate) fn claim_slowly(&self, size: usize, align: usize) -> Result<Claimed<&Self>, AllocError> {
        require_stable_alignment::<M>(align)?;
        // ORDERING: Relaxed: a guess, which the compare-and-swap verifies.
        let seen = self.header().cursor.load(Relaxed);
        let mut back_off = M::BACKS_OFF.then(BackOff::new);
        // If there is a place, the attempt was lost.
        if let Some(back_off) = &mut back_off
            && place(Arena::base(self).addr().get(), seen, self.ready_limit(), size, align).is_some()
        {
            back_off.lost();
        }
        let span = self.claim_beyond(size, align, None, seen, back_off)?;
        // SAFETY: claimed just now.
        Ok(unsafe { Claimed::new(self.hand_out(span, size), self) })
    }

    /// Claims bytes that the memory has to provide first. The caller found no place in the bytes
    /// that were ready.
    #[cold]
    #[inline(never)]
    fn claim_beyond(
        &self,
        size: usize,
        align: usize,
        retries: Option<u32>,
        mut cursor: u32,
        mut back_off: Option<BackOff>,
    ) -> Result<Span, AllocError> {
        let base = Arena::base(self).addr().get();
        // The loop ends: each round provides more bytes until all are ready. In a round that
        // repeats, other threads claimed what the one before provided.
        while let Some(needed) = place(base, cursor, self.limit(), size, align) {
            let provided = self.provide(needed.end);
            let ready = self.ready_limit();
            if !provided {
                return Err(self.no_room(size, cursor, ready));
            }
            let place = |seen| place(base, seen, ready, size, align);
            match protocol::claim(&self.header().cursor, cursor, place, retries, back_off.as_mut()) {
                Ok(span) => return Ok(span),
                Err(Unclaimed::NoPlace(seen)) => cursor = seen,
                Err(Unclaimed::Contended) => return Err(AllocError::Contended { retries: retries.unwrap_or(0) }),
            }
        }
        Err(self.no_room(size, cursor, self.limit()))
    }

    /// Counts a request that found no place at this cursor, and returns its error. Cold, so that
    /// its code lies behind that of the claim. Inlined, so that the claim needs no stack frame for
    /// it, and so that nothing but the count is left where the caller ignores the error.
    #[cold]
    #[inline]
    pub(crate) fn no_room(&self, size: usize, cursor: u32, limit: u32) -> AllocError {
        self.header().count_failure();
        if size > ARENA_MAX_ALLOC_SIZE {
            AllocError::TooLarge { requested: size }
        } else {
            AllocError::Full { requested: size, remaining: limit.saturating_sub(cursor) as usize }
        }
    }
}

/// Returns an error if another mapping of the same memory would not keep the alignment.
#[inline(always)]
pub(crate) fn require_stable_alignment<M: Memory>(align: usize) -> Result<(), AllocError> {
    match M::REMAP_ALIGN {
        Some(_) if align > const { max_align::<M>() } => {
            Err(AllocError::Alignment { requested: align, supported: max_align::<M>() })
        }
        _ => Ok(()),
    }
}
