//! The primitives that every way to allocate is built on, and those of the shared arena.

use core::num::NonZeroU64;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use crate::address::{ARENA_MAX_ALLOC_SIZE, Address};
use crate::arena::Arena;
use crate::asan;
use crate::error::AllocError;
use crate::memory::{Memory, max_align};
use crate::placement::{HEADER_SIZE, Span, place, round_up};
use crate::protocol::{self, Unclaimed};
use crate::sync::Word;

/// What bytes can be claimed from. Whatever implements this has all of
/// [`Allocate`](crate::Allocate).
///
/// Users call [`Allocate`](crate::Allocate)'s methods or the inherent ones. This trait is for types
/// that choose between arenas, leases and scopes: they pass on what one of those claimed.
/// [`Claimed`] can be made in no other way.
///
/// The methods can change with every release. A crate that implements or calls them depends on the
/// exact version of this one, as `marena-std` does: `marena-core = "=0.1.0"`.
///
/// # Safety
///
/// - [`claim`](Self::claim) passes on what `claim` of an arena, a lease or a scope gave it for the
///   same size and alignment.
/// - What was claimed lives for `'a`: the arena, or the scope's borrow, cannot end before.
/// - [`give_back`](Self::give_back) and [`extend`](Self::extend) go to the value that the bytes
///   were claimed from, or to one that claims from the same arena; or they do nothing.
/// - [`epoch`](Self::epoch) is one that this value's handles carry, or an odd number that no arena
///   has.
/// - Copies of a value are interchangeable.
///
/// # Examples
///
/// The first of two arenas that has room:
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
    /// Who claims in the end: a reference to an arena, a lease or a scope.
    type Origin: Origin;

    /// The largest alignment that a claim can have, in bytes.
    const MAX_ALIGN: usize;

    /// Claims `size` bytes at a multiple of `align`, with at most `retries` attempts after the
    /// first, or any number. The bytes are uninitialised, and the caller's alone for `'a`.
    ///
    /// # Errors
    ///
    /// As for [`Arena::allocate_aligned`] and [`Arena::allocate_bounded`]. Nothing changes then.
    ///
    /// # Safety
    ///
    /// - `align` is a power of two.
    /// - `size` is not 0.
    unsafe fn claim(self, size: usize, align: usize, retries: Option<u32>)
    -> Result<Claimed<Self::Origin>, AllocError>;

    /// Takes back the whole steps of 8 bytes in `[start, start + size)` if they are the last that
    /// were claimed. Else it does nothing. No bytes may lie anywhere.
    ///
    /// # Safety
    ///
    /// - The bytes lie inside one claim of this value's, and end where it ended, rounded up to a
    ///   multiple of 8.
    /// - They are the caller's alone, were never published, and are not used afterwards.
    unsafe fn give_back(self, start: NonNull<u8>, size: usize);

    /// Makes the block `[start, start + old_size)` one of `new_size` bytes without moving it.
    /// `None`, and nothing changes, where it is not the last or where there is no room. What lies
    /// behind the old block's last step was claimed just now, and is uninitialised.
    ///
    /// # Safety
    ///
    /// - As for [`give_back`](Self::give_back), but that the bytes may be used afterwards.
    /// - `old_size` is not 0, and `new_size` is no less than it.
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<Self::Origin>>;

    /// The epoch for handles to no bytes, which are claimed from nowhere.
    ///
    /// # Safety
    ///
    /// The number goes into blocks and handles of no bytes only.
    unsafe fn epoch(self) -> NonZeroU64;

    /// Bytes left for one request: a snapshot.
    fn remaining(self) -> usize;
}

/// Who claimed bytes, and what is known about them. Sealed: arenas, leases and scopes.
///
/// # Safety
///
/// The methods keep what their comments promise for all bytes that were claimed from this value.
pub unsafe trait Origin: Copy {
    /// Position 0 of the region: the byte after the header.
    fn base(self) -> NonNull<u8>;

    /// The position from which on bytes that were just claimed are zero; `None` where nothing is
    /// known. The caller asks after the claim.
    fn dirty_end(self) -> Option<usize>;

    /// What handles to the bytes carry.
    fn epoch(self) -> NonZeroU64;
}

/// Bytes that were claimed just now, uninitialised, and what is known about them.
#[derive(Debug)]
pub struct Claimed<O> {
    /// INVARIANT: the start of bytes that were claimed from `origin`.
    start: NonNull<u8>,
    origin: O,
}

impl<O: Origin> Claimed<O> {
    /// # Safety
    ///
    /// The bytes at `start` were claimed from `origin`.
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

    #[inline(always)]
    pub(crate) fn origin(&self) -> O {
        self.origin
    }

    /// The address of `size` of the bytes, from `position` on.
    #[inline(always)]
    pub(crate) fn address(&self, position: usize, size: usize) -> Address {
        let claimed = self.start.addr().get() - self.origin.base().addr().get();
        Address::of_block(HEADER_SIZE + claimed + position, size)
    }

    #[inline(always)]
    pub(crate) fn epoch(&self) -> NonZeroU64 {
        self.origin.epoch()
    }

    /// Makes `[from, to)` of the bytes zero. Writes only those that may be something else.
    ///
    /// # Safety
    ///
    /// - `from <= to`, and so many bytes were claimed.
    /// - Those from `from` on were claimed just now, and nobody has used them since.
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
            // SAFETY: at most the bytes up to `to`, which the caller claimed.
            unsafe { start.write_bytes(0, dirty.min(to - from)) };
        }
    }
}

// SAFETY: `claim` succeeds only when the cursor moved over the bytes, which makes them nobody
// else's until a give-back by their owner or a reset, for which the arena must not be borrowed.
// `place` keeps them in the region, and aligned: see there and `Memory::REMAP_ALIGN`. The peak is
// raised before every give-back and in every reset.
unsafe impl<'a, M: Memory> Claim<'a> for &'a Arena<M> {
    type Origin = Self;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline(always)]
    unsafe fn claim(self, size: usize, align: usize, retries: Option<u32>) -> Result<Claimed<Self>, AllocError> {
        require_stable_alignment::<M>(align)?;
        let (base, limit) = (Arena::base(self).addr().get(), self.ready_limit());
        let cursor = &self.header().cursor;
        let place = |seen| place(base, seen, limit, size, align);
        // ORDERING: Relaxed, only a guess that the compare-and-swap verifies.
        match protocol::claim(cursor, cursor.load(Relaxed), place, retries) {
            // SAFETY: claimed just now.
            Ok(span) => Ok(unsafe { Claimed::new(self.hand_out(span, size), self) }),
            Err(Unclaimed::NoPlace(cursor)) if limit < self.limit() => {
                let span = self.claim_beyond(size, align, retries, cursor)?;
                // SAFETY: claimed just now.
                Ok(unsafe { Claimed::new(self.hand_out(span, size), self) })
            }
            Err(Unclaimed::NoPlace(cursor)) => {
                self.header().count_failure();
                Err(no_room(size, cursor, limit))
            }
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
        // ORDERING: Relaxed, only to leave the peak alone if the compare-and-swap would fail
        // anyway.
        if start < end && header.cursor.load(Relaxed) == end {
            header.raise_peaks(end);
            // Whether it moved or not, the bytes are not used again by their owner.
            let _ = protocol::give_back(&header.cursor, start, end);
        }
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<Self>> {
        let limit = self.limit();
        let position = start.addr().get() - Arena::base(self).addr().get();
        // The block lies in the region, so its end is a position; behind it goes what the steps
        // that it has do not hold.
        let end = round_up(position + old_size);
        let more = new_size.saturating_sub(end - position);
        if more > limit as usize - end {
            return None;
        }
        let cursor = &self.header().cursor;
        // ORDERING: Relaxed: a guess, which the compare-and-swap verifies. A block that grows is
        // seldom the last one, and a look costs less than a compare-and-swap that fails.
        if cursor.load(Relaxed) != end as u32 {
            return None;
        }
        let new_end = (end + round_up(more)) as u32;
        if !self.provide(new_end) {
            return None;
        }
        protocol::extend(cursor, end as u32, new_end).ok()?;
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
    /// Claims bytes that the memory has to provide first. The caller found no place in those that
    /// were ready.
    #[cold]
    #[inline(never)]
    fn claim_beyond(
        &self,
        size: usize,
        align: usize,
        retries: Option<u32>,
        mut cursor: u32,
    ) -> Result<Span, AllocError> {
        let base = Arena::base(self).addr().get();
        // Comes to an end: each round provides more, until all is ready, or others claimed what was
        // provided.
        while let Some(needed) = place(base, cursor, self.limit(), size, align) {
            let provided = self.provide(needed.end);
            let ready = self.ready_limit();
            if !provided {
                self.header().count_failure();
                return Err(no_room(size, cursor, ready));
            }
            let place = |seen| place(base, seen, ready, size, align);
            match protocol::claim(&self.header().cursor, cursor, place, retries) {
                Ok(span) => return Ok(span),
                Err(Unclaimed::NoPlace(seen)) => cursor = seen,
                Err(Unclaimed::Contended) => return Err(AllocError::Contended { retries: retries.unwrap_or(0) }),
            }
        }
        self.header().count_failure();
        Err(no_room(size, cursor, self.limit()))
    }
}

/// Returns an error for an alignment that another mapping of the same memory would not keep.
#[inline(always)]
pub(crate) fn require_stable_alignment<M: Memory>(align: usize) -> Result<(), AllocError> {
    match M::REMAP_ALIGN {
        Some(_) if align > const { max_align::<M>() } => {
            Err(AllocError::Alignment { requested: align, supported: max_align::<M>() })
        }
        _ => Ok(()),
    }
}

/// The error of a claim that found no place at this cursor. Cold, so that it lies behind the claim;
/// inlined, so that it costs the claim no stack frame, and nothing at all where the caller does not
/// look at the error.
#[cold]
#[inline]
pub(crate) fn no_room(size: usize, cursor: u32, limit: u32) -> AllocError {
    if size > ARENA_MAX_ALLOC_SIZE {
        AllocError::TooLarge { requested: size }
    } else {
        AllocError::Full { requested: size, remaining: limit.saturating_sub(cursor) as usize }
    }
}
