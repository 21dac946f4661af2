//! A scope: everything allocated in it goes back at its end.

use core::cell::Cell;
use core::fmt;
use core::num::NonZeroU64;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use crate::arena::Arena;
use crate::bump::Bump;
use crate::claim::{Claim, Claimed, Origin, refusal, require_stable_alignment};
use crate::epoch;
use crate::error::AllocError;
use crate::handle::{Handle, Nameable};
use crate::lease::Lease;
use crate::memory::{Memory, max_align};
use crate::placement::{STEP, Span, place};
use crate::protocol::{self, Unclaimed};
use crate::sync::Word;
use crate::view::View;

/// Bytes that an arena's scratch marks as soiled ahead of handing them out.
const SOILED_AHEAD: u32 = 4096;

/// A scope in which allocating costs no atomic operation, and whose bytes all go back at once when it ends.
///
/// Made by [`Arena::scratch`] and [`Lease::scratch`], and by [`Scratch::scratch`] for a scope within a scope. What it
/// hands out cannot outlive it, and it cannot be shared between threads. Handles made in it are its own: it has its own
/// [`view`](Self::view) and [`get`](Self::get), and nothing recognises them after its end. Values in it are not dropped.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
///
/// let mut bytes = [MaybeUninit::uninit(); 4096];
/// let mut arena = Arena::borrowed(&mut bytes)?;
/// let kept = arena.insert(1_u64).unwrap();
/// for request in 0..1000_u64 {
///     let scratch = arena.scratch();
///     let buffer = scratch.alloc_slice_fill_with(100, |i| i as u64 + request).unwrap();
///     assert_eq!(buffer[99], 99 + request);
/// }
/// assert_eq!(arena.used(), 8);
/// assert_eq!(arena.get(kept), Some(&1));
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
///
/// Nothing leaves the scope:
///
/// ```compile_fail,E0505
/// # use core::mem::MaybeUninit;
/// # use marena_core::Arena;
/// # let mut bytes = [MaybeUninit::uninit(); 1024];
/// # let mut arena = Arena::borrowed(&mut bytes).unwrap();
/// let scratch = arena.scratch();
/// let number = scratch.alloc(1).unwrap();
/// drop(scratch);
/// *number = 2;
/// ```
pub struct Scratch<'s, M: Memory> {
    /// INVARIANT: its bytes are the scope's alone: those of `source` that were free when it began, or claimed for it since.
    /// All of them count as soiled at the source already, so that forgetting the scope leaves nothing unknown behind.
    bump: Bump,
    arena: &'s Arena<M>,
    source: Source<'s, M>,
    /// Drawn for the first block or handle: most scopes make none.
    epoch: Cell<Option<NonZeroU64>>,
}

/// Where a scope's bytes come from.
enum Source<'s, M: Memory> {
    /// All that the arena had left, up to position `end`; those from `start` go back at the scope's end, if it is the outermost.
    Arena { start: Option<u32>, end: u32 },
    /// A lease's chunk, and the chunks that it gets next. The lease's own bump stands still meanwhile.
    Lease(&'s Lease<'s, M>),
}

impl<M: Memory> Arena<M> {
    /// A scope over all that the arena has left: one compare-and-swap, and one more at the scope's end.
    ///
    /// Where others share the arena (a static's), it is full for them meanwhile.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let mut arena = Arena::borrowed(&mut bytes)?;
    /// let scratch = arena.scratch();
    /// scratch.alloc_str("gone at the end").unwrap();
    /// drop(scratch);
    /// assert_eq!(arena.used(), 0);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn scratch(&mut self) -> Scratch<'_, M> {
        let arena = &*self;
        let limit = arena.limit();
        let base = arena.base().addr().get();
        // What is placed is nothing, at the cursor; what is claimed is all behind it. A damaged cursor leaves nothing.
        let rest = |seen| place(base, seen, limit, 0, 1).map(|Span { start, .. }| Span { start, end: limit });
        let cursor = &arena.header().cursor;
        // ORDERING: Relaxed, only a guess that the exchange verifies.
        let start = protocol::claim(cursor, cursor.load(Relaxed), rest, None).map_or(limit, |span| span.start);
        // What lies below the peak counts as soiled already, so a scope that takes no more than those before it never leaves
        // the fast path. ORDERING: Relaxed: the claim before this acquired every raise that a give-back below released.
        let soiled = arena.header().peak.load(Relaxed).min(limit) & !(STEP as u32 - 1);
        Scratch {
            // SAFETY: the bytes from `start` up to the limit were claimed just now, or `start` is the limit. Both positions
            // are multiples of the step. The slow path soils and adds what lies behind.
            bump: unsafe { Bump::new(arena.at(start as usize), soiled.saturating_sub(start) as usize) },
            arena,
            source: Source::Arena { start: Some(start), end: limit },
            epoch: Cell::new(None),
        }
    }
}

impl<M: Memory> Lease<'_, M> {
    /// A scope whose bytes all go back to the lease at its end.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 4096];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let mut lease = arena.lease(1024);
    /// let kept = lease.alloc(1_u64).unwrap();
    /// for round in 0..1000_u64 {
    ///     let scratch = lease.scratch();
    ///     scratch.alloc([round; 16]).unwrap();
    /// }
    /// assert_eq!(*kept, 1);
    /// assert!(arena.used() < 1024);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn scratch(&mut self) -> Scratch<'_, M> {
        self.soil();
        Scratch::of_lease(self)
    }
}

/// Allocating: as [`Arena`]'s methods of the same names. What they return lives as long as the scratch's borrow.
impl<M: Memory> Scratch<'_, M> {
    crate::forward_allocate!('s => 's);
}

impl<'s, M: Memory> Scratch<'s, M> {
    /// A scope over what a lease has left. The caller soiled the lease's chunk.
    #[inline]
    pub(crate) fn of_lease(lease: &'s mut Lease<'_, M>) -> Self {
        let lease: &'s Lease<'s, M> = lease;
        let bump = lease.bump();
        Self {
            // SAFETY: the lease's free bytes, which it does not hand out while it is mutably borrowed by this scope.
            bump: unsafe { Bump::new(bump.next(), bump.room()) },
            arena: lease.arena(),
            source: Source::Lease(lease),
            epoch: Cell::new(None),
        }
    }

    /// A scope within this one.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// let mut outer = arena.scratch();
    /// for _ in 0..1000 {
    ///     let inner = outer.scratch();
    ///     inner.alloc([0_u64; 32]).unwrap();
    /// }
    /// assert!(outer.alloc([0_u64; 32]).is_ok());
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn scratch(&mut self) -> Scratch<'_, M> {
        Scratch {
            // SAFETY: this scope's free bytes, which it does not hand out while it is mutably borrowed by the inner one.
            bump: unsafe { Bump::new(self.bump.next(), self.bump.room()) },
            arena: self.arena,
            source: match self.source {
                Source::Arena { end, .. } => Source::Arena { start: None, end },
                Source::Lease(lease) => Source::Lease(lease),
            },
            epoch: Cell::new(None),
        }
    }

    /// The bytes of a block published in this scratch, or `None` for any other handle.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// let scratch = arena.scratch();
    /// let handle = scratch.allocate(4).unwrap().publish();
    /// assert_eq!(scratch.view(handle), Some(&[0; 4][..]));
    /// drop(scratch);
    /// assert_eq!(arena.view(handle), None);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn view(&self, handle: Handle) -> Option<&[u8]> {
        let current = self.epoch.get() == Some(handle.epoch());
        // SAFETY: the handle was made in this scope, which still owns the bytes and hands them out to nobody else.
        current.then(|| unsafe { self.arena.published(handle) })
    }

    /// A value inserted in this scratch, or `None` for any other handle.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// let scratch = arena.scratch();
    /// let handle = scratch.insert([1, 2, 3]).unwrap();
    /// assert_eq!(scratch.get(handle), Some(&[1, 2, 3]));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        let current = self.epoch.get() == Some(handle.epoch());
        // SAFETY: as in `view`.
        current.then(|| unsafe { self.arena.published(handle) })
    }

    /// Bytes that can still be allocated, not all of them in one piece on a lease; a snapshot where others share the arena.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// let free = arena.remaining();
    /// assert_eq!(arena.scratch().remaining(), free);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> usize {
        match self.source {
            Source::Arena { end, .. } => end as usize - self.position(self.bump.next()),
            Source::Lease(lease) => self.arena.remaining() + (lease.bump().end() - self.next_in(lease).addr().get()),
        }
    }

    #[inline]
    fn position(&self, pointer: NonNull<u8>) -> usize {
        pointer.addr().get() - self.arena.base().addr().get()
    }

    /// A request that the bump has no room for.
    #[cold]
    #[inline(never)]
    fn claim_slowly(&self, size: usize, align: usize, retries: Option<u32>) -> Result<NonNull<u8>, AllocError> {
        match self.source {
            Source::Arena { end, .. } => self.soil_more(size, align, end)?,
            Source::Lease(lease) => {
                if let Err(seen) = self.follow(lease, size, align) {
                    let replaced = lease.replace_chunk(seen, size, align, retries);
                    replaced.map_err(|error| error.with_remaining(self.longest_run(lease)))?;
                    // It has room now; if not, the claim below says so.
                    let _ = self.follow(lease, size, align);
                }
            }
        }
        self.bump.claim(size, align).ok_or_else(|| AllocError::Full { requested: size, remaining: self.remaining() })
    }

    /// Goes on in what is the lease's chunk by now, extended if need be; if that has no room for the request, nothing is
    /// changed, and `Err` carries the cursor.
    fn follow(&self, lease: &Lease<'_, M>, size: usize, align: usize) -> Result<(), u32> {
        let next = self.next_in(lease);
        if !lease.has_room(next, size, align) {
            lease.extend_chunk(next, size, align)?;
        }
        lease.soil();
        // SAFETY: bytes of the lease's chunk behind what this scope and its outer ones handed out; inner scopes have ended.
        unsafe { self.bump.set(next, lease.bump().end() - next.addr().get()) };
        Ok(())
    }

    /// Where this scope would go on in what is the lease's chunk by now: an inner one may have had it replaced.
    fn next_in(&self, lease: &Lease<'_, M>) -> NonNull<u8> {
        let (next, chunk_start) = (self.bump.next(), lease.chunk_start());
        let chunk = chunk_start.addr().get()..=lease.bump().end();
        if chunk.contains(&next.addr().get()) { next } else { chunk_start }
    }

    /// The most bytes that one request could get, the lease's and the arena's together.
    fn longest_run(&self, lease: &Lease<'_, M>) -> usize {
        lease.longest_run(self.next_in(lease)).max(self.bump.room())
    }

    /// Adds some of the claimed bytes to the bump, and marks them as soiled first.
    fn soil_more(&self, size: usize, align: usize, end: u32) -> Result<(), AllocError> {
        let next = self.position(self.bump.next()) as u32;
        let base = self.arena.base().addr().get();
        let needed = place(base, next, end, size, align);
        let needed = needed.ok_or_else(|| refusal(size, end, None, Unclaimed::NoPlace(next)))?;
        // Some way ahead: marking costs an atomic operation, and soiled bytes must be zeroed when they are reused.
        let soiled = self.position(self.bump.next()) as u32 + self.bump.room() as u32;
        let ahead = soiled.saturating_add(SOILED_AHEAD.max(needed.end - next)).min(end);
        let soiled = needed.end.max(ahead & !(STEP as u32 - 1));
        protocol::raise_peak(&self.arena.header().peak, soiled);
        // SAFETY: the bytes up to `end` were claimed for the outermost scope, and outer scopes stand still meanwhile.
        unsafe { self.bump.set(self.bump.next(), (soiled - next) as usize) };
        Ok(())
    }
}

// SAFETY: `claim` hands out bytes of the bump, each once, and they are the scope's until it is dropped; the borrow of the
// scratch keeps its drop, and inner scopes, away meanwhile.
unsafe impl<'s, M: Memory> Claim<'s> for &'s Scratch<'_, M> {
    type Origin = Self;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline(always)]
    unsafe fn claim(self, size: usize, align: usize, retries: Option<u32>) -> Result<Claimed<Self>, AllocError> {
        require_stable_alignment::<M>(align)?;
        let start = match self.bump.claim(size, align) {
            Some(start) => start,
            None => self.claim_slowly(size, align, retries)?,
        };
        // SAFETY: claimed just now.
        Ok(unsafe { Claimed::new(start, self) })
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        if size > 0 {
            self.bump.give_back(start, size);
        }
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<Self>> {
        if !self.bump.extend(start, old_size, new_size) {
            if !self.bump.is_last(start, old_size) {
                return None;
            }
            let missing = self.bump.missing(start, new_size);
            let has_room = match self.source {
                Source::Arena { end, .. } => self.soil_more(missing, STEP, end).is_ok(),
                // In a chunk that was replaced, the block's end is not where the scope would go on.
                Source::Lease(lease) => {
                    self.next_in(lease) == self.bump.next() && self.follow(lease, missing, STEP).is_ok()
                }
            };
            if !has_room || !self.bump.extend(start, old_size, new_size) {
                return None;
            }
        }
        // SAFETY: claimed from this scope before, and just now what lies behind.
        Some(unsafe { Claimed::new(start, self) })
    }

    #[inline]
    unsafe fn epoch(self) -> NonZeroU64 {
        Origin::epoch(self)
    }

    #[inline]
    fn remaining(self) -> usize {
        Scratch::remaining(self)
    }
}

// SAFETY: the base is the arena's, and nothing is said about zeros.
unsafe impl<M: Memory> Origin for &Scratch<'_, M> {
    #[inline(always)]
    fn base(self) -> NonNull<u8> {
        self.arena.base()
    }

    #[inline(always)]
    fn dirty_end(self) -> Option<usize> {
        // Scopes use the same bytes over and over: nothing is known about them.
        None
    }

    #[inline]
    fn epoch(self) -> NonZeroU64 {
        self.epoch.get().unwrap_or_else(|| {
            let epoch = epoch::draw();
            self.epoch.set(Some(epoch));
            epoch
        })
    }
}

impl<M: Memory> Drop for Scratch<'_, M> {
    #[inline]
    fn drop(&mut self) {
        self.bump.hide();
        // A lease's bump stood still, and an outer scope's: they go on where they were.
        if let Source::Arena { start: Some(start), end } = self.source {
            // All that was handed out counts as soiled already. Nobody can have claimed behind the region's end.
            let _ = protocol::give_back(&self.arena.header().cursor, start, end);
        }
    }
}

// SAFETY: what is not `Send` by itself are pointers into the region, whose bytes are the scope's own, and the lease, which is
// mutably borrowed for the scope and itself `Send` under the same bound.
unsafe impl<M: Memory> Send for Scratch<'_, M> where Arena<M>: Sync {}

impl<M: Memory> View for Scratch<'_, M> {
    #[inline]
    fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        Scratch::get(self, handle)
    }
}

impl<M: Memory> fmt::Debug for Scratch<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("arena", self.arena).field("room", &self.bump.room()).finish_non_exhaustive()
    }
}
