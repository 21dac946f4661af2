//! The arena that bytes were claimed from, for types that claim in several ways.

use core::fmt;
use core::num::NonZeroU64;
use core::ptr::NonNull;

use crate::arena::Arena;
use crate::claim::{Claimed, Origin};
use crate::lease::Lease;
use crate::memory::Memory;

/// The origin of bytes that were claimed from an arena or from one of its leases, with what was
/// known about them then.
///
/// It is for implementors of [`Claim`](crate::Claim) that claim in more than one way.
pub struct ClaimedFrom<'a, M: Memory> {
    arena: &'a Arena<M>,
    /// INVARIANT: the bytes at and behind this position were zero when they were claimed, if it is
    /// known.
    dirty_end: Option<usize>,
}

impl<'a, M: Memory> ClaimedFrom<'a, M> {
    /// Returns what is known about bytes that were claimed from the lease just now.
    #[inline(always)]
    pub(crate) fn now(lease: &Lease<'a, M>) -> Self {
        Self { arena: lease.arena(), dirty_end: Origin::dirty_end(lease) }
    }
}

impl<'a, M: Memory> Lease<'a, M> {
    /// Claims bytes of the current chunk, if they fit. The caller passes a power of two as `align`,
    /// and a `size` that is not 0.
    #[inline(always)]
    pub(crate) fn claim_ahead(&self, size: usize, align: usize) -> Option<Claimed<ClaimedFrom<'a, M>>> {
        let start = self.runs().bump().claim(size, align)?;
        // SAFETY: claimed just now.
        Some(unsafe { Claimed::new(start, ClaimedFrom::now(self)) })
    }
}

impl<'a, M: Memory> From<Claimed<&'a Arena<M>>> for Claimed<ClaimedFrom<'a, M>> {
    #[inline(always)]
    fn from(claimed: Claimed<&'a Arena<M>>) -> Self {
        let arena = claimed.origin();
        let origin = ClaimedFrom { arena, dirty_end: Origin::dirty_end(arena) };
        // SAFETY: the bytes were claimed from this arena just now.
        unsafe { Self::new(claimed.start(), origin) }
    }
}

impl<'a, M: Memory> From<Claimed<&Lease<'a, M>>> for Claimed<ClaimedFrom<'a, M>> {
    #[inline(always)]
    fn from(claimed: Claimed<&Lease<'a, M>>) -> Self {
        // SAFETY: the bytes were claimed from this lease just now.
        unsafe { Self::new(claimed.start(), ClaimedFrom::now(claimed.origin())) }
    }
}

// SAFETY: this is what the arena or the lease said when the bytes were claimed. Since then only
// their owner has used the bytes.
unsafe impl<M: Memory> Origin for ClaimedFrom<'_, M> {
    #[inline(always)]
    fn base(self) -> NonNull<u8> {
        self.arena.base()
    }

    #[inline(always)]
    fn dirty_end(self) -> Option<usize> {
        self.dirty_end
    }

    #[inline(always)]
    fn epoch(self) -> NonZeroU64 {
        self.arena.epoch()
    }
}

impl<M: Memory> Clone for ClaimedFrom<'_, M> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Memory> Copy for ClaimedFrom<'_, M> {}

impl<M: Memory> fmt::Debug for ClaimedFrom<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimedFrom").field("arena", self.arena).field("dirty_end", &self.dirty_end).finish()
    }
}
