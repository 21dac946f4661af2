//! A lease of a growing arena, which goes on in the next segment.

use core::cell::UnsafeCell;
use core::fmt;
use core::num::NonZeroU64;
use core::ptr::{self, NonNull};

use super::arena::GrowingArena;
use super::grow::Request;
use crate::arena::Arena;
use crate::bump::Bump;
use crate::claim::{Claim, Claimed, require_stable_alignment};
use crate::claimed_from::ClaimedFrom;
use crate::error::AllocError;
use crate::handle::{Handle, Nameable};
use crate::lease::Lease;
use crate::leased_runs::FIRST_CHUNK;
use crate::memory::{Reserve, max_align};
use crate::placement::round_up;

/// A shorter block that is not the last of the lease's chunk moves when it grows, and is not given
/// back: to search for its segment would cost more than it is worth. It is hardly ever the last
/// block there, because a lease with chunks of 4,096 bytes claims nothing so short on its own.
const SEARCHED: usize = 1024;

/// A part of a growing arena for one thread: a [`Lease`] that goes on in the next segment.
///
/// As in a lease, allocating costs no atomic operation and touches no cache line of another thread.
/// What it hands out stays valid for as long as the arena is borrowed, and outlives the lease. When
/// the lease is dropped, its unused bytes go back to the arena if nobody allocated behind them.
/// Otherwise they are [stranded](crate::Stats::stranded) until the next reset.
///
/// It may be sent to another thread, but not shared. [`GrowingArena::lease`] makes one. It has no
/// scopes: those of a growing arena ([`scratch`](GrowingArena::scratch),
/// [`scoped`](GrowingArena::scoped)) have the arena to themselves.
///
/// # Examples
///
/// ```
/// use marena_core::{GrowingArena, Reserve};
///
/// fn on_two_threads<M: Reserve + Send + Sync>(arena: &GrowingArena<M>) {
///     std::thread::scope(|scope| {
///         for thread in 0..2_u8 {
///             let lease = arena.lease(4096);
///             scope.spawn(move || {
///                 for _ in 0..10_000 {
///                     lease.alloc([thread; 16]).unwrap();
///                 }
///             });
///         }
///     });
/// }
/// ```
pub struct GrowingLease<'a, M: Reserve> {
    growing: &'a GrowingArena<M>,
    /// The free bytes of the chunk of `lease`. The lease's own bump stands still until
    /// [`synced`](Self::synced), so that the fast path does not depend on whether there is a lease.
    ///
    /// INVARIANT: empty where there is no lease.
    bump: Bump,
    /// The lease of a segment. It goes on in another one when that is full, while nobody borrows
    /// it.
    lease: UnsafeCell<Option<Lease<'a, M>>>,
    /// The largest number of bytes to claim at once.
    max_chunk: usize,
}

impl<M: Reserve> GrowingArena<M> {
    /// Returns a lease that claims up to `chunk` bytes at once: 4,096 to 65,536 suit most threads.
    /// It claims nothing yet.
    ///
    /// Chunks start small, and never extend past their segment, whatever `chunk` is.
    #[must_use]
    #[inline]
    pub fn lease(&self, chunk: usize) -> GrowingLease<'_, M> {
        GrowingLease {
            growing: self,
            // SAFETY: no bytes, at a multiple of the step.
            bump: unsafe { Bump::new(NonNull::<u64>::dangling().cast(), 0) },
            lease: UnsafeCell::new(None),
            max_chunk: chunk,
        }
    }
}

/// Allocating: as [`Arena`]'s methods of the same names. What they return outlives the lease.
impl<'a, M: Reserve> GrowingLease<'a, M> {
    crate::forward_allocate!('s => 'a);
}

impl<'a, M: Reserve> GrowingLease<'a, M> {
    /// Returns the arena that this is a lease of.
    #[must_use]
    #[inline]
    pub fn arena(&self) -> &'a GrowingArena<M> {
        self.growing
    }

    /// Returns the bytes of a published block, as [`GrowingArena::view`] does.
    #[must_use]
    pub fn view(&self, handle: Handle) -> Option<&'a [u8]> {
        self.growing.view(handle)
    }

    /// Returns what a handle names, as [`GrowingArena::get`] does.
    #[must_use]
    pub fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&'a T> {
        self.growing.get(handle)
    }

    /// Calls `f` with the lease of the current segment, if there is one. `f` calls no code of
    /// users but the memory's, which uses no arena over its bytes.
    fn synced<R>(&self, f: impl FnOnce(&Lease<'a, M>) -> R) -> Option<R> {
        let lease = self.lease()?;
        // SAFETY: these are free bytes of the lease: its bump did not move meanwhile, and its free
        // bytes are those of this bump.
        unsafe { lease.runs().bump().set(self.bump.next(), self.bump.room()) };
        let result = f(lease);
        // SAFETY: the lease's free bytes, which it does not hand out before the next call of this
        // function.
        unsafe { self.bump.set(lease.runs().bump().next(), lease.runs().bump().room()) };
        Some(result)
    }

    /// Serves a request that the lease's chunk has no room for.
    #[cold]
    #[inline(never)]
    fn claim_slowly(
        &self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<Claimed<ClaimedFrom<'a, M>>, AllocError> {
        // The last bytes of the chunk.
        if let Some(start) = self.bump.claim_exactly(size, align) {
            // SAFETY: claimed just now, from bytes of the lease.
            return Ok(unsafe { Claimed::new(start, self.origin()) });
        }
        let in_segment = self.synced(|lease| lease.runs().claim_slowly(size, align, retries));
        let longest = match in_segment {
            None => 0,
            Some(Err(AllocError::Full { remaining, .. })) => remaining,
            // SAFETY: claimed just now, from bytes of the lease.
            Some(outcome) => return outcome.map(|start| unsafe { Claimed::new(start, self.origin()) }),
        };
        let lease = self.lease();
        // The first chunk of the next segment is claimed together with the request.
        let first = (FIRST_CHUNK.min(self.max_chunk), 0);
        let (most, left) = lease.map_or(first, |lease| (lease.runs().chunk(), lease.remaining()));
        let request = Request { size, align, retries, most, left };
        let claimed = self.growing.claim_for_lease(lease.map(Lease::arena), request);
        let (claimed, len) = claimed.map_err(|error| error.with_at_least(longest))?;
        let arena = claimed.origin();
        if len > size || left < arena.remaining() {
            // SAFETY: the claimed bytes end no earlier, in a whole step.
            let rest = unsafe { claimed.start().add(round_up(size)) };
            // SAFETY: claimed just now, behind what the caller gets, and `lease` is not used any
            // more.
            unsafe { self.go_on_in(arena, rest, round_up(len) - round_up(size)) };
        }
        Ok(claimed.into())
    }

    /// Makes the lease go on in this segment, with `len` free bytes at `start`.
    ///
    /// # Safety
    ///
    /// - The bytes were claimed from the arena and belong to nobody else, or there are none, at the
    ///   end of bytes that were claimed.
    /// - No caller has the lease.
    unsafe fn go_on_in(&self, arena: &'a Arena<M>, start: NonNull<u8>, len: usize) {
        // Whoever reserved the segment, or waited for it, may have allocated from this lease.
        self.synced(|_| ());
        // SAFETY: one thread at a time has this value, and nobody borrows the lease: the caller's
        // promise.
        let lease = unsafe { &mut *self.lease.get() }.get_or_insert_with(|| arena.lease(self.max_chunk));
        // This comes first, because the memory may panic when it learns of the bytes. The old ones
        // are no longer the lease's then.
        // SAFETY: the lease's free bytes from here on, which it does not hand out before the next
        // call of `synced`.
        unsafe { self.bump.set(start, len) };
        // SAFETY: the caller's promise.
        unsafe { lease.go_on_in(arena, start, len) };
    }

    /// Claims bytes of the lease's chunk, if they fit. The caller passes a power of two as `align`,
    /// and a `size` that is not 0.
    #[inline(always)]
    pub(crate) fn claim_ahead(&self, size: usize, align: usize) -> Option<Claimed<ClaimedFrom<'a, M>>> {
        let start = self.bump.claim(size, align)?;
        // SAFETY: claimed just now, from bytes of the lease.
        Some(unsafe { Claimed::new(start, self.origin()) })
    }

    /// Returns the lease of the current segment.
    #[inline(always)]
    fn lease(&self) -> Option<&Lease<'a, M>> {
        // SAFETY: only `go_on_in` replaces it, which does not run while the caller has it: one
        // thread at a time has this value, and the callers call only the lease's own code.
        unsafe { &*self.lease.get() }.as_ref()
    }

    /// Calls `f` with the lease if these bytes lie in its segment, or returns `None`.
    fn of_current<R>(&self, start: NonNull<u8>, f: impl FnOnce(&Lease<'a, M>) -> R) -> Option<R> {
        let owner = self.growing.owner(start)?.arena();
        self.synced(|lease| ptr::eq(lease.arena(), owner).then(|| f(lease)))?
    }

    /// Extends a block that is the last of a segment, or of the lease's chunk, which has no room
    /// for it.
    ///
    /// # Safety
    ///
    /// - The same as for [`Claim::extend`].
    #[cold]
    #[inline(never)]
    unsafe fn extend_slowly(
        &self,
        start: NonNull<u8>,
        old_size: usize,
        new_size: usize,
    ) -> Option<Claimed<ClaimedFrom<'a, M>>> {
        // SAFETY: the caller's promise; bytes of the lease's arena.
        let extend = |lease: &Lease<'a, M>| unsafe { lease.extend(start, old_size, new_size) }.map(Claimed::from);
        self.of_current(start, extend).unwrap_or_else(|| {
            // SAFETY: the caller's promise.
            unsafe { self.growing.extend(start, old_size, new_size) }.map(Claimed::from)
        })
    }

    /// Gives back bytes that are not the last of the lease's chunk, if they are the last of a
    /// segment.
    ///
    /// # Safety
    ///
    /// - The same as for [`Claim::give_back`].
    #[cold]
    #[inline(never)]
    unsafe fn give_back_slowly(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promise; bytes of the lease's arena.
        let given = self.of_current(start, |lease| unsafe { lease.give_back(start, size) });
        if given.is_none() {
            // SAFETY: the caller's promise.
            unsafe { self.growing.give_back(start, size) };
        }
    }

    /// Returns what is known about bytes that were claimed from the bump just now.
    #[inline(always)]
    fn origin(&self) -> ClaimedFrom<'a, M> {
        // SAFETY: the bump had bytes, so there is a lease.
        ClaimedFrom::now(unsafe { self.lease().unwrap_unchecked() })
    }
}

// SAFETY: claimed bytes come from a lease of a segment, or from a segment itself. They stay claimed
// when the lease ends, and segments stay while the growing arena is borrowed. The lease of their
// segment, or the segment, gives the bytes back and extends them.
unsafe impl<'a, M: Reserve> Claim<'a> for &GrowingLease<'a, M> {
    type Origin = ClaimedFrom<'a, M>;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline(always)]
    unsafe fn claim(
        self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<Claimed<ClaimedFrom<'a, M>>, AllocError> {
        require_stable_alignment::<M>(align)?;
        match self.claim_ahead(size, align) {
            Some(claimed) => Ok(claimed),
            None => self.claim_slowly(size, align, retries),
        }
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        if size == 0 {
            return;
        }
        let next = self.bump.next().addr().get();
        if self.bump.give_back(start, size) {
            if let Some(lease) = self.lease() {
                lease.runs().raise_dirty_end(next);
            }
        } else if size >= SEARCHED {
            // SAFETY: the caller's promises.
            unsafe { self.give_back_slowly(start, size) };
        }
    }

    #[inline]
    unsafe fn extend(
        self,
        start: NonNull<u8>,
        old_size: usize,
        new_size: usize,
    ) -> Option<Claimed<ClaimedFrom<'a, M>>> {
        if self.bump.extend(start, old_size, new_size) {
            // SAFETY: claimed from this lease before, and just now what lies behind.
            return Some(unsafe { Claimed::new(start, self.origin()) });
        }
        if old_size < SEARCHED && !self.bump.is_last(start, old_size) {
            return None;
        }
        // SAFETY: the caller's promises.
        unsafe { self.extend_slowly(start, old_size, new_size) }
    }

    unsafe fn epoch(self) -> NonZeroU64 {
        // SAFETY: the caller's promise.
        unsafe { self.growing.epoch() }
    }

    fn remaining(self) -> usize {
        let in_segment = self.synced(|lease| Claim::remaining(lease)).unwrap_or(0);
        in_segment.max(Claim::remaining(self.growing))
    }
}

impl<M: Reserve> Drop for GrowingLease<'_, M> {
    fn drop(&mut self) {
        // The free bytes go back to the lease, which is dropped after this.
        self.synced(|_| ());
    }
}

// SAFETY: only the bump's pointer is not `Send` by itself. It leads into a segment, to bytes that
// are the lease's own. The arena is used through a shared reference from the thread that has the
// lease.
unsafe impl<M: Reserve> Send for GrowingLease<'_, M> where GrowingArena<M>: Sync {}

impl<M: Reserve> fmt::Debug for GrowingLease<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrowingLease")
            .field("arena", self.growing)
            .field("room", &self.bump.room())
            .finish_non_exhaustive()
    }
}
