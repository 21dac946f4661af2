//! Scopes that own their end: what was allocated in them goes back when they are dropped.

use core::cell::Cell;
use core::fmt;
use core::num::NonZeroU64;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use crate::arena::Arena;
use crate::asan;
use crate::bump::Bump;
use crate::claim::{Claim, Claimed, Origin, no_room, require_stable_alignment};
use crate::epoch;
use crate::error::AllocError;
use crate::handle::{Handle, Nameable};
use crate::lease::Lease;
use crate::leased_runs::{LeasedRuns, Request};
use crate::memory::{Memory, max_align};
use crate::placement::{STEP, Span, place};
use crate::protocol;
use crate::runs::Marks;
use crate::sync::Word;
use crate::view::View;

/// How many bytes a scope of an arena marks as dirty ahead of handing them out.
const DIRTY_AHEAD: u32 = 4096;

/// A scope: allocating in it costs no atomic operation, and all its bytes go back when it ends.
///
/// [`Arena::scratch`] and [`Lease::scratch`] begin one, and [`Scratch::scratch`] begins one within
/// another. What a scope hands out cannot outlive it. While a scope within it is open, its own
/// values cannot be used. With [`scoped`](Self::scoped) they can.
///
/// A scope cannot be shared between threads. It has its own handles, which its own
/// [`view`](Self::view) and [`get`](Self::get) read, and which are stale after its end. Values in
/// it are not dropped.
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
    /// INVARIANT: the bytes belong to the scope alone: they were free in `source` when it began, or
    /// were claimed for it since. The source counts all of them as dirty already, so it knows about
    /// them even if the scope is leaked.
    bump: Bump,
    arena: &'s Arena<M>,
    source: Source<'s, M>,
    /// The epoch, which is drawn for the first block or handle. Most scopes make none.
    epoch: Cell<Option<NonZeroU64>>,
}

/// What a scope's bytes come from.
enum Source<'s, M: Memory> {
    /// All that the arena had left, up to position `end`. The outermost scope gives the bytes from
    /// `start` back at its end.
    Arena { start: Option<u32>, end: u32 },
    /// The runs of a lease. The lease itself hands out nothing meanwhile.
    Lease {
        lease: &'s LeasedRuns<'s, M>,
        /// Where the scope is, and how far it and its outer scopes have used the other runs.
        marks: Marks,
        /// How far the outer scopes have used the runs. The rest is poisoned at the end of this
        /// one.
        outer_marks: asan::Kept<Marks>,
    },
}

impl<M: Memory> Arena<M> {
    /// Begins a scope over all that the arena has left. It costs one compare-and-swap, and one more
    /// at its end.
    ///
    /// Meanwhile, other arenas over the same static find it full.
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
        Scratch::of_arena(self)
    }
}

impl<M: Memory> Lease<'_, M> {
    /// Begins a scope, whose bytes all go back to the lease at its end.
    ///
    /// They also go back when the scope is leaked: nothing of it can be used afterwards.
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
        self.runs().mark_dirty();
        Scratch::of_lease(self)
    }
}

/// Allocating: as [`Arena`]'s methods of the same names. What they return lives as long as the
/// borrow of the scope.
impl<M: Memory> Scratch<'_, M> {
    crate::forward_allocate!('s => 's);
}

impl<'s, M: Memory> Scratch<'s, M> {
    /// Creates a scope over what an arena has left. Others who share it find it full meanwhile.
    #[inline]
    pub(crate) fn of_arena(arena: &'s Arena<M>) -> Self {
        let (limit, ready) = (arena.limit(), arena.ready_limit());
        let base = arena.base().addr().get();
        // The request is for no bytes, at the cursor, and claims all that lies behind. A damaged
        // cursor leaves nothing.
        let rest = |seen| place(base, seen, limit, 0, 1).map(|Span { start, .. }| Span { start, end: limit });
        let cursor = &arena.header().cursor;
        // ORDERING: Relaxed: a guess, which the compare-and-swap verifies.
        let start = protocol::claim(cursor, cursor.load(Relaxed), rest, None).map_or(limit, |span| span.start);
        // Bytes below the recent peak, and so below the peak, are dirty already: a scope that takes
        // no more than those before it never leaves the fast path.
        // ORDERING: Relaxed: the claim before this acquired every raise of the peaks that a
        // give-back released.
        let dirty = arena.header().recent_peak.load(Relaxed).min(ready) & !(STEP as u32 - 1);
        Self {
            // SAFETY: the bytes from `start` up to the limit were claimed just now, or `start` is
            // the limit. Both positions are multiples of the step. Bytes behind the dirty ones are
            // added by the slow path.
            bump: unsafe { Bump::new(arena.at(start as usize), dirty.saturating_sub(start) as usize) },
            arena,
            source: Source::Arena { start: Some(start), end: limit },
            epoch: Cell::new(None),
        }
    }

    /// Claims bytes of the bump, or returns `None` if they do not fit. The caller passes a power of
    /// two as `align`, and a `size` that is not 0.
    #[inline(always)]
    pub(crate) fn claim_ahead(&self, size: usize, align: usize) -> Option<NonNull<u8>> {
        require_stable_alignment::<M>(align).ok()?;
        self.bump.claim(size, align)
    }

    /// Creates a scope over what a lease has left. The caller marked the lease's current run as
    /// dirty.
    #[inline]
    pub(crate) fn of_lease(lease: &'s mut Lease<'_, M>) -> Self {
        let lease: &'s LeasedRuns<'s, M> = lease.runs();
        let bump = lease.bump();
        let marks = Marks::new();
        Self {
            // SAFETY: the lease's free bytes, which it does not hand out while it is mutably
            // borrowed by this scope.
            bump: unsafe { Bump::new(bump.next(), bump.room()) },
            arena: lease.arena(),
            source: Source::Lease { lease, outer_marks: asan::Kept::copy_of(&marks), marks },
            epoch: Cell::new(None),
        }
    }

    /// Begins a scope within this one. This one cannot be used until it ends.
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
            // SAFETY: this scope's free bytes, which it does not hand out while it is mutably
            // borrowed by the inner one.
            bump: unsafe { Bump::new(self.bump.next(), self.bump.room()) },
            arena: self.arena,
            source: match &self.source {
                &Source::Arena { end, .. } => Source::Arena { start: None, end },
                Source::Lease { lease, marks, .. } => {
                    self.note_use(marks);
                    Source::Lease { lease, marks: marks.clone(), outer_marks: asan::Kept::copy_of(marks) }
                }
            },
            epoch: Cell::new(None),
        }
    }

    /// Returns the bytes of a block published in this scope, or `None` for any other handle.
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
        self.get(handle)
    }

    /// Returns what a handle of this scope names, or `None` for any other handle.
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
        // SAFETY: the borrow of the scope keeps its end away.
        unsafe { self.published(handle) }
    }

    /// Returns what a handle of this scope names, for longer than the borrow of the scope.
    ///
    /// # Safety
    ///
    /// - The reference is not used after the scope's end.
    #[inline]
    pub(crate) unsafe fn published<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&'s T> {
        let current = self.epoch.get() == Some(handle.epoch());
        // SAFETY: the handle was made in this scope, which owns the bytes and hands them out to
        // nobody else until its end.
        current.then(|| unsafe { self.arena.published(handle) })
    }

    /// Returns how many bytes can still be allocated. On a lease, not all of them are in one piece,
    /// and others who share the arena change the number.
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
        match &self.source {
            Source::Arena { end, .. } => (end - self.position(self.bump.next())) as usize,
            Source::Lease { lease, marks, .. } => {
                self.note_use(marks);
                self.outside(lease, marks) + lease.total(marks)
            }
        }
    }

    /// Returns the position of a pointer into the region.
    #[inline]
    fn position(&self, pointer: NonNull<u8>) -> u32 {
        (pointer.addr().get() - self.arena.base().addr().get()) as u32
    }

    /// Serves a request that the bump has no room for.
    #[cold]
    #[inline(never)]
    fn claim_slowly(&self, size: usize, align: usize, retries: Option<u32>) -> Result<NonNull<u8>, AllocError> {
        match &self.source {
            Source::Arena { end, .. } => self.dirty_more(size, align, *end)?,
            Source::Lease { lease, marks, .. } => {
                self.note_use(marks);
                let outside = self.outside(lease, marks);
                // A new run is as long as all that the lease has, so that few suffice for a large
                // scope.
                let ahead = lease.chunk().max(lease.owned());
                let request = Request { size, align, retries, ahead };
                let slot = lease.find_room(marks, request).map_err(|error| error.with_at_least(outside))?;
                marks.enter(slot);
                self.go_on(lease, marks);
            }
        }
        self.bump.claim(size, align).ok_or(AllocError::Full { requested: size, remaining: 0 })
    }

    /// Notes how far the scope has used the run that it is in.
    fn note_use(&self, marks: &Marks) {
        marks.set(marks.slot(), self.position(self.bump.next()));
    }

    /// Returns whether the lease still has the run that the scope is in. An inner scope may have
    /// replaced it by another.
    fn is_in_run(&self, lease: &LeasedRuns<'_, M>, marks: &Marks) -> bool {
        let run = lease.run(marks.slot());
        (run.start..=run.end).contains(&self.position(self.bump.next()))
    }

    /// Returns how many free bytes of the scope lie in no run of the lease.
    fn outside(&self, lease: &LeasedRuns<'_, M>, marks: &Marks) -> usize {
        if self.is_in_run(lease, marks) { 0 } else { self.bump.room() }
    }

    /// Goes on in the run that `marks` is in, with its current length.
    fn go_on(&self, lease: &LeasedRuns<'_, M>, marks: &Marks) {
        let slot = marks.slot();
        let free = marks.free(slot, lease.run(slot));
        lease.raise_dirty_end(self.arena.base().addr().get() + free.end as usize);
        // SAFETY: the marks say where this scope and its outer ones stopped in the run, and inner
        // scopes have ended. The lease hands out nothing meanwhile.
        unsafe { self.bump.set(self.arena.at(free.start as usize), free.len() as usize) };
    }

    /// Makes room for `missing` bytes behind the last block, in the run that the scope is in.
    /// Returns whether there is room.
    fn extend_run(&self, lease: &LeasedRuns<'_, M>, marks: &Marks, missing: usize) -> bool {
        if !self.is_in_run(lease, marks) {
            return false;
        }
        self.note_use(marks);
        // An inner scope may have extended the run already.
        let free = marks.free(marks.slot(), lease.run(marks.slot())).len();
        let has_room = missing <= free as usize || lease.extend_run(marks, missing, STEP).is_ok();
        if has_room {
            self.go_on(lease, marks);
        }
        has_room
    }

    /// Marks more of the claimed bytes as dirty, and adds them to the bump.
    fn dirty_more(&self, size: usize, align: usize, end: u32) -> Result<(), AllocError> {
        let next = self.position(self.bump.next());
        let base = self.arena.base().addr().get();
        let needed = place(base, next, end, size, align);
        let full = |limit| {
            self.arena.header().count_failure();
            no_room(size, next, limit)
        };
        let needed = needed.ok_or_else(|| full(end))?;
        // Marking costs an atomic operation, and dirty bytes must be zeroed when they are used
        // again. Marking some way ahead is a compromise.
        let dirty = next + self.bump.room() as u32;
        let ahead = dirty.saturating_add(DIRTY_AHEAD.max(needed.end - next)).min(end);
        let dirty = needed.end.max(ahead & !(STEP as u32 - 1));
        let provided = [dirty, needed.end].into_iter().find(|&end| self.arena.provide(end));
        let dirty = provided.ok_or_else(|| full(self.arena.ready_limit()))?;
        self.arena.header().raise_peaks(dirty);
        // SAFETY: the bytes up to `end` were claimed for the outermost scope, and outer scopes
        // stand still while this one is open.
        unsafe { self.bump.set(self.bump.next(), (dirty - next) as usize) };
        Ok(())
    }
}

// SAFETY: `claim` hands out bytes of the bump, each once. They belong to the scope while it is
// borrowed: its end and scopes within it need it mutably.
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
            let has_room = match &self.source {
                Source::Arena { end, .. } => self.dirty_more(missing, STEP, *end).is_ok(),
                Source::Lease { lease, marks, .. } => self.extend_run(lease, marks, missing),
            };
            if !has_room || !self.bump.extend(start, old_size, new_size) {
                return None;
            }
        }
        // SAFETY: the block was claimed from this scope before, and what lies behind it just now.
        Some(unsafe { Claimed::new(start, self) })
    }

    #[inline]
    unsafe fn epoch(self) -> NonZeroU64 {
        Origin::epoch(self)
    }

    #[inline]
    fn remaining(self) -> usize {
        match &self.source {
            Source::Arena { .. } => Scratch::remaining(self),
            Source::Lease { lease, marks, .. } => {
                self.note_use(marks);
                self.outside(lease, marks).max(lease.longest(marks))
            }
        }
    }
}

// SAFETY: the base is the arena's, and no bytes are said to be zero.
unsafe impl<M: Memory> Origin for &Scratch<'_, M> {
    #[inline(always)]
    fn base(self) -> NonNull<u8> {
        self.arena.base()
    }

    #[inline(always)]
    fn dirty_end(self) -> Option<usize> {
        // Scopes use the same bytes repeatedly, so nothing is known about them.
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
        self.bump.poison();
        if let Source::Lease { lease, marks, outer_marks } = &self.source {
            outer_marks.with(|outer_marks| {
                self.note_use(marks);
                for (slot, run) in lease.runs() {
                    let (start, end) = (outer_marks.free(slot, run).start, marks.free(slot, run).start);
                    asan::poison(self.arena.at(start as usize), end.saturating_sub(start) as usize);
                }
            });
        }
        // The runs of a lease and the marks of an outer scope did not move. They go on where they
        // were.
        if let Source::Arena { start: Some(start), end } = self.source {
            // The arena counts all that was handed out as dirty already. Nobody can have claimed
            // behind the end of the region.
            let _ = protocol::give_back(&self.arena.header().cursor, start, end);
        }
    }
}

// SAFETY: the pointers lead into the region, to bytes that are the scope's own. The lease is
// mutably borrowed for the scope, and `Send` under the same bound.
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
