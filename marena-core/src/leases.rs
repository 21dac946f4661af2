//! One value through which every thread allocates as from its own lease.

use core::fmt;
use core::num::NonZeroU64;
use core::ptr::NonNull;

use crate::arena::Arena;
use crate::claim::{Claim, Claimed};
use crate::claimed_from::ClaimedFrom;
use crate::error::AllocError;
use crate::growing::GrowingArena;
use crate::lend::Lend;
use crate::lend::private::Claims;
use crate::memory::Reserve;
use crate::per_thread::PerThread;

/// One value, shared by all threads, through which each thread allocates in its own lease.
///
/// A thread gets its lease at its first allocation. When a thread ends, the next new thread goes on
/// with its lease, so short-lived threads strand nothing. Dropping `Leases` ends all leases, as
/// dropping a [`Lease`](crate::Lease) ends one. What was allocated stays valid for as long as the
/// arena is borrowed.
///
/// Made by [`Arena::leases`] and [`GrowingArena::leases`]. `&Leases` is an allocator for
/// collections, which may go to another thread and grow there.
///
/// Do not use `Leases` in signal and interrupt handlers. A handler that interrupts its thread in
/// the middle of an allocation would find the lease half changed. Handlers can use the arena itself
/// at the same time.
///
/// # Details
///
/// - An initialiser may allocate from the same `Leases`.
/// - In the destructors of thread-local variables, another thread may have the thread's lease
///   already. Allocations there go to the arena itself.
/// - `chunk` is as for [`Arena::lease`]. With 0 every allocation goes to the arena.
/// - Leaked `Leases` strand what their leases have left.
///
/// # Examples
///
/// ```
/// use marena_core::{Arena, Reserve};
///
/// fn on_four_threads<M: Reserve + Send + Sync>(arena: &Arena<M>) {
///     let leases = arena.leases(65_536);
///     std::thread::scope(|scope| {
///         for thread in 0..4 {
///             let leases = &leases;
///             scope.spawn(move || leases.alloc_fmt(format_args!("thread {thread}")).map(drop));
///         }
///     });
/// }
/// ```
pub struct Leases<'a, A: Lend> {
    arena: &'a A,
    chunk: usize,
    leases: <A::Memory as Reserve>::PerThread<A::Lease<'a>>,
}

impl<M: Reserve + Send + Sync> Arena<M> {
    /// Returns leases for all threads: each claims up to `chunk` bytes at once. 4,096 to 65,536
    /// suit most threads.
    ///
    /// It claims nothing yet.
    #[must_use]
    pub fn leases(&self, chunk: usize) -> Leases<'_, Self> {
        Leases::new(self, chunk)
    }
}

impl<M: Reserve + Send + Sync> GrowingArena<M> {
    /// Returns leases for all threads: each claims up to `chunk` bytes at once, and goes on in the
    /// next segment.
    ///
    /// It claims nothing yet.
    #[must_use]
    pub fn leases(&self, chunk: usize) -> Leases<'_, Self> {
        Leases::new(self, chunk)
    }
}

/// Allocating: as [`Arena`]'s methods of the same names. What they return outlives the leases.
impl<'a, A: Lend> Leases<'a, A> {
    crate::forward_allocate!('s => 'a);
}

impl<'a, A: Lend> Leases<'a, A> {
    fn new(arena: &'a A, chunk: usize) -> Self {
        Self { arena, chunk, leases: Default::default() }
    }

    /// Returns the arena that these are leases of.
    #[must_use]
    #[inline]
    pub fn arena(&self) -> &'a A {
        self.arena
    }

    /// Serves a request that the thread's chunk has no room for, or one from a thread without a
    /// lease.
    #[cold]
    #[inline(never)]
    fn claim_slowly(
        &self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<Claimed<ClaimedFrom<'a, A::Memory>>, AllocError> {
        // SAFETY: the callers' promises are those of `Claim::claim`.
        let claimed = self.with(|lease| unsafe { lease.claim(size, align, retries) });
        // SAFETY: as above.
        claimed.unwrap_or_else(|| unsafe { self.arena.shared().claim(size, align, retries) })
    }

    /// Calls `f` with the calling thread's lease. Returns `None` if the thread has none.
    #[inline(always)]
    fn with<R>(&self, f: impl FnOnce(&A::Lease<'a>) -> R) -> Option<R> {
        self.leases.with(|| self.arena.lend(self.chunk), f)
    }
}

// SAFETY: claimed bytes come from a lease of the arena or from the arena itself, which is borrowed
// for `'a`. A lease of the same arena, or the arena, gives them back and extends them. One thread
// at a time uses a lease: see `PerThread`.
unsafe impl<'a, A: Lend> Claim<'a> for &Leases<'a, A> {
    type Origin = ClaimedFrom<'a, A::Memory>;
    const MAX_ALIGN: usize = A::MAX_ALIGN;

    #[inline(always)]
    unsafe fn claim(
        self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<Claimed<ClaimedFrom<'a, A::Memory>>, AllocError> {
        // SAFETY: the caller's promises.
        match self.with(|lease| unsafe { lease.claim_ahead(size, align) }) {
            Some(Some(claimed)) => Ok(claimed),
            _ => self.claim_slowly(size, align, retries),
        }
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises.
        let given = self.with(|lease| unsafe { lease.give_back(start, size) });
        if given.is_none() {
            // SAFETY: the caller's promises.
            unsafe { self.arena.shared().give_back(start, size) };
        }
    }

    #[inline]
    unsafe fn extend(
        self,
        start: NonNull<u8>,
        old_size: usize,
        new_size: usize,
    ) -> Option<Claimed<ClaimedFrom<'a, A::Memory>>> {
        // SAFETY: the caller's promises.
        let extended = self.with(|lease| unsafe { lease.extend(start, old_size, new_size) });
        // SAFETY: the caller's promises.
        extended.unwrap_or_else(|| unsafe { self.arena.shared().extend(start, old_size, new_size) })
    }

    unsafe fn epoch(self) -> NonZeroU64 {
        // SAFETY: the caller's promise.
        unsafe { self.arena.shared().epoch() }
    }

    fn remaining(self) -> usize {
        self.with(Claims::remaining).unwrap_or(0).max(self.arena.shared().remaining())
    }
}

impl<A: Lend> fmt::Debug for Leases<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("arena", self.arena).field("chunk", &self.chunk).finish_non_exhaustive()
    }
}
