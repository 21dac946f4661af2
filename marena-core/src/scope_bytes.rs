//! The bytes that a scope hands out, and where it gets more of them.

use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use crate::arena::Arena;
use crate::asan;
use crate::bump::Bump;
use crate::error::AllocError;
use crate::lease::Lease;
use crate::leased_runs::{LeasedRuns, Request};
use crate::memory::{ExclusiveMemory, Memory};
use crate::placement::{STEP, Span, place};
use crate::protocol;
use crate::runs::Marks;
use crate::sync::Word;

/// How many bytes a scope of an arena marks as dirty ahead of handing them out.
const DIRTY_AHEAD: u32 = 4096;

/// The bytes of a scope.
///
/// Whatever takes long is done on a copy, which the scope takes over afterwards. So no code that is
/// not inlined gets the address of the scope itself, and a compiler that inlined the rest keeps the
/// position in a register.
pub(crate) struct ScopeBytes<'s, M: Memory> {
    /// INVARIANT: the bytes belong to the scope alone: they were free in `source` when it began, or
    /// were claimed for it since. The source counts all of them as dirty already, so it knows about
    /// them even if the scope is leaked.
    bump: Bump,
    arena: &'s Arena<M>,
    source: Source<'s, M>,
    /// In a scope of a lease: where the scope is, and how far it and its outer scopes have used the
    /// other runs.
    marks: Marks,
}

/// What a scope's bytes come from.
enum Source<'s, M: Memory> {
    /// All that the arena had left, up to position `end`. The scope gives the bytes from `start`
    /// back at its end: none, if it is an inner one.
    Arena { start: u32, end: u32 },
    /// The runs of a lease. The lease itself hands out nothing meanwhile.
    Lease(&'s LeasedRuns<'s, M>),
}

impl<M: Memory> Clone for Source<'_, M> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Memory> Copy for Source<'_, M> {}

impl<'s, M: Memory> ScopeBytes<'s, M> {
    /// Returns what an arena has left. Others who share it find it full until the scope ends.
    #[inline]
    pub(crate) fn of_arena(arena: &'s mut Arena<M>) -> Self {
        let (arena, limit) = (&*arena, arena.limit());
        let cursor = &arena.header().cursor;
        // ORDERING: Relaxed: the only user of exclusive memory has seen all that others wrote. In
        // other memory it is a guess, which the compare-and-swap verifies.
        let seen = cursor.load(Relaxed);
        let rest = |seen| rest(arena.base().addr().get(), seen, limit);
        if M::IS_EXCLUSIVE {
            // Nobody else can claim while the arena is mutably borrowed. So the cursor need not
            // move, and a leaked scope keeps nothing.
            let start = rest(seen).map_or(limit, |rest| rest.start);
            // SAFETY: the bytes behind the cursor are free, and stay so while the scope lives.
            return unsafe { Self::behind(arena, start, limit..limit) };
        }
        let start = protocol::claim(cursor, seen, rest, None, None).map_or(limit, |rest| rest.start);
        // SAFETY: the bytes up to the limit were claimed just now, or there are none.
        unsafe { Self::behind(arena, start, start..limit) }
    }

    /// Returns what a segment of a growing arena has left, and lets others find it full until the
    /// scope ends.
    ///
    /// # Safety
    ///
    /// - Until the scope ends, the growing arena is used by the scope alone.
    #[inline]
    pub(crate) unsafe fn of_segment(arena: &'s Arena<M>) -> Self
    where
        M: ExclusiveMemory,
    {
        let limit = arena.limit();
        let rest = |seen| rest(arena.base().addr().get(), seen, limit);
        let start = protocol::claim_alone(&arena.header().cursor, rest).map_or(limit, |rest| rest.start);
        // SAFETY: the bytes up to the limit were claimed just now, or there are none.
        unsafe { Self::behind(arena, start, start..limit) }
    }

    /// Returns the bytes of an arena from `start` on. Those in `claimed`, which ends at the limit,
    /// go back at the end.
    ///
    /// # Safety
    ///
    /// - The bytes from `start` up to the limit belong to the scope. `start` is a position, or the
    ///   limit.
    #[inline(always)]
    unsafe fn behind(arena: &'s Arena<M>, start: u32, claimed: Range<u32>) -> Self {
        // Bytes below the recent peak, and so below the peak, are dirty already: a scope that takes
        // no more than those before it never leaves the fast path.
        // ORDERING: Relaxed: what made the bytes the scope's acquired every raise of the peaks that
        // a give-back released.
        let dirty = arena.header().recent_peak.load(Relaxed).min(arena.ready_limit()) & !(STEP as u32 - 1);
        Self {
            // SAFETY: the caller's promise. Both positions are multiples of the step. Bytes behind
            // the dirty ones are added by the slow path.
            bump: unsafe { Bump::new(arena.at(start as usize), dirty.saturating_sub(start) as usize) },
            arena,
            source: Source::Arena { start: claimed.start, end: claimed.end },
            marks: Marks::new(),
        }
    }

    /// Returns what a lease has left. The caller marked the lease's current run as dirty.
    #[inline]
    pub(crate) fn of_lease(lease: &'s mut Lease<'_, M>) -> Self {
        let lease: &'s LeasedRuns<'s, M> = lease.runs();
        Self {
            // SAFETY: the lease's free bytes, which it does not hand out while it is mutably
            // borrowed by this scope. It does not go on as the copy.
            bump: unsafe { lease.bump().rest() },
            arena: lease.arena(),
            source: Source::Lease(lease),
            marks: Marks::new(),
        }
    }

    /// Returns what this scope has left, for one within it.
    ///
    /// # Safety
    ///
    /// - This scope hands out nothing before the inner one has ended.
    #[inline]
    pub(crate) unsafe fn within(&self) -> ScopeBytes<'_, M> {
        ScopeBytes {
            // SAFETY: this scope hands out nothing meanwhile: the caller's promise.
            bump: unsafe { self.bump.rest() },
            arena: self.arena,
            source: match self.source {
                Source::Arena { end, .. } => Source::Arena { start: end, end },
                Source::Lease(lease) => Source::Lease(lease),
            },
            // How far this scope is in its run need not be noted: the inner one starts there, and
            // notes how far it is itself before it asks.
            marks: self.marks.clone(),
        }
    }

    /// Returns the arena that the bytes lie in.
    #[inline(always)]
    pub(crate) fn arena(&self) -> &'s Arena<M> {
        self.arena
    }

    /// Returns the run that the scope is in.
    #[inline(always)]
    pub(crate) fn bump(&self) -> &Bump {
        &self.bump
    }

    /// Serves a request that the run has no room for.
    #[inline(always)]
    pub(crate) fn claim_slowly(
        &self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<NonNull<u8>, AllocError> {
        self.apart(|bytes| bytes.claim_elsewhere(size, align, retries))
    }

    /// Makes the block `[start, start + old_size)` one of `new_size` bytes, which is not less.
    /// Returns whether the block was claimed last and there was room for it. The caller owns the
    /// block, and its size is not 0.
    #[inline]
    pub(crate) fn extend(&self, start: NonNull<u8>, old_size: usize, new_size: usize) -> bool {
        self.bump.extend(start, old_size, new_size)
            || (self.bump.is_last(start, old_size) && self.apart(|bytes| bytes.extend_run(start, old_size, new_size)))
    }

    /// Returns how many bytes can still be allocated, not all of them in one piece.
    #[inline]
    pub(crate) fn total(&self) -> usize {
        match self.source {
            Source::Arena { end, .. } => (end - self.position(self.bump.next())) as usize,
            Source::Lease(_) => self.apart(Self::total_in_runs),
        }
    }

    /// Returns how many bytes one request can have.
    #[inline]
    pub(crate) fn longest(&self) -> usize {
        match self.source {
            Source::Arena { .. } => self.total(),
            Source::Lease(_) => self.apart(Self::longest_in_runs),
        }
    }

    /// Ends the scope. Nothing is handed out afterwards.
    #[inline]
    pub(crate) fn end(&self) {
        // The runs of a lease and the marks of an outer scope did not move. They go on where they
        // were.
        if let Source::Arena { start, end } = self.source
            && start < end
        {
            let cursor = &self.arena.header().cursor;
            // The arena counts all that was handed out as dirty already.
            if M::IS_EXCLUSIVE {
                protocol::give_back_alone(cursor, start);
            } else {
                // Nobody can have claimed behind the end of the region.
                let _ = protocol::give_back(cursor, start, end);
            }
        }
    }

    /// Calls `f` with a copy, which becomes this value afterwards. `f` does not use this value.
    #[inline(always)]
    fn apart<R>(&self, f: impl FnOnce(&Self) -> R) -> R {
        let Self { bump, arena, source, marks } = self;
        // SAFETY: only the copy hands out bytes, until this value goes on as the copy does.
        let bump = unsafe { bump.copy() };
        let copy = Self { bump, arena, source: *source, marks: marks.clone() };
        let result = f(&copy);
        // SAFETY: the copy hands out nothing any more.
        unsafe { self.bump.go_on_as(&copy.bump) };
        self.marks.go_on_as(&copy.marks);
        result
    }

    /// Returns the position of a pointer into the region.
    #[inline]
    fn position(&self, pointer: NonNull<u8>) -> u32 {
        (pointer.addr().get() - self.arena.base().addr().get()) as u32
    }

    /// Serves a request that the run has no room for.
    #[cold]
    #[inline(never)]
    fn claim_elsewhere(&self, size: usize, align: usize, retries: Option<u32>) -> Result<NonNull<u8>, AllocError> {
        if let Some(start) = self.bump.claim_exactly(size, align) {
            return Ok(start);
        }
        match self.source {
            Source::Arena { end, .. } => self.dirty_more(size, align, end)?,
            Source::Lease(lease) => {
                self.note_use(lease);
                let outside = self.outside(lease);
                // A new run is as long as all that the lease has, so that few suffice for a large
                // scope.
                let ahead = lease.chunk().max(lease.owned());
                let request = Request { size, align, retries, ahead };
                let slot = lease.find_room(&self.marks, request).map_err(|error| error.with_at_least(outside))?;
                self.marks.enter(slot);
                self.go_on(lease);
            }
        }
        self.bump.claim_exactly(size, align).ok_or(AllocError::Full { requested: size, remaining: 0 })
    }

    /// Extends the last block, for which the run has no room.
    #[cold]
    #[inline(never)]
    fn extend_run(&self, start: NonNull<u8>, old_size: usize, new_size: usize) -> bool {
        let missing = self.bump.missing(start, new_size);
        let has_room = match self.source {
            Source::Arena { end, .. } => self.dirty_more(missing, STEP, end).is_ok(),
            Source::Lease(lease) => self.reach(lease, missing),
        };
        has_room && self.bump.extend(start, old_size, new_size)
    }

    /// Returns how many bytes the scope and its lease have.
    #[inline(never)]
    fn total_in_runs(&self) -> usize {
        let Source::Lease(lease) = self.source else { return 0 };
        self.note_use(lease);
        self.outside(lease) + lease.total(&self.marks)
    }

    /// Returns the size of the largest request that the scope and its lease can serve.
    #[inline(never)]
    fn longest_in_runs(&self) -> usize {
        let Source::Lease(lease) = self.source else { return 0 };
        self.note_use(lease);
        self.outside(lease).max(lease.longest(&self.marks))
    }

    /// Poisons what the scope handed out, at its end. Its outer scopes had used the runs of the
    /// lease up to `outer_marks`.
    #[inline]
    pub(crate) fn poison(&self, outer_marks: &asan::Kept<Marks>) {
        self.bump.poison();
        if let Source::Lease(lease) = self.source {
            outer_marks.with(|outer_marks| {
                self.note_use(lease);
                for (slot, run) in lease.runs() {
                    let (start, end) = (outer_marks.free(slot, run).start, self.marks.free(slot, run).start);
                    asan::poison(self.arena.at(start as usize), end.saturating_sub(start) as usize);
                }
            });
        }
    }

    /// Returns how far the scope has used the runs, if the sanitizer is told.
    #[inline]
    pub(crate) fn used_marks(&self) -> asan::Kept<Marks> {
        asan::Kept::made_by(|| {
            let marks = self.marks.clone();
            marks.set(marks.slot(), self.position(self.bump.next()));
            marks
        })
    }

    /// Notes how far the scope has used the run that it is in.
    fn note_use(&self, lease: &LeasedRuns<'_, M>) {
        // Of another run in that slot it has used nothing. Its position would count as used there
        // once that run reaches it.
        let used = if self.is_in_run(lease) { self.position(self.bump.next()) } else { 0 };
        self.marks.set(self.marks.slot(), used);
    }

    /// Returns whether the lease still has the run that the scope is in. An inner scope may have
    /// replaced it by another.
    fn is_in_run(&self, lease: &LeasedRuns<'_, M>) -> bool {
        let run = lease.run(self.marks.slot());
        (run.start..=run.end).contains(&self.position(self.bump.next()))
    }

    /// Returns how many free bytes of the scope lie in no run of the lease.
    fn outside(&self, lease: &LeasedRuns<'_, M>) -> usize {
        if self.is_in_run(lease) { 0 } else { self.bump.room() }
    }

    /// Goes on in the run that `marks` is in, with its current length.
    fn go_on(&self, lease: &LeasedRuns<'_, M>) {
        let slot = self.marks.slot();
        let free = self.marks.free(slot, lease.run(slot));
        lease.raise_dirty_end(self.arena.base().addr().get() + free.end as usize);
        // SAFETY: the marks say where this scope and its outer ones stopped in the run, and inner
        // scopes have ended. The lease hands out nothing meanwhile.
        unsafe { self.bump.set(self.arena.at(free.start as usize), free.len() as usize) };
    }

    /// Makes room for `missing` bytes behind the last block, in the run that the scope is in.
    /// Returns whether there is room.
    fn reach(&self, lease: &LeasedRuns<'_, M>, missing: usize) -> bool {
        if !self.is_in_run(lease) {
            return false;
        }
        self.note_use(lease);
        // An inner scope may have extended the run already.
        let free = self.marks.free(self.marks.slot(), lease.run(self.marks.slot())).len();
        let has_room = missing <= free as usize || lease.extend_run(&self.marks, missing, STEP).is_ok();
        if has_room {
            self.go_on(lease);
        }
        has_room
    }

    /// Marks more of the claimed bytes as dirty, and adds them to the bump.
    fn dirty_more(&self, size: usize, align: usize, end: u32) -> Result<(), AllocError> {
        let next = self.position(self.bump.next());
        let base = self.arena.base().addr().get();
        let needed = place(base, next, end, size, align);
        let full = |limit| self.arena.no_room(size, next, limit);
        let needed = needed.ok_or_else(|| full(end))?;
        // Marking costs an atomic operation, and dirty bytes must be zeroed when they are used
        // again. Marking some way ahead is a compromise.
        let dirty = next + self.bump.room() as u32;
        // No less than is needed, and a multiple of the step, since all of these are.
        let dirty = dirty.saturating_add(DIRTY_AHEAD.max(needed.end - next)).min(end);
        let provided = [dirty, needed.end].into_iter().find(|&end| self.arena.provide(end));
        let dirty = provided.ok_or_else(|| full(self.arena.ready_limit()))?;
        self.arena.header().raise_peaks(dirty);
        // SAFETY: the bytes up to `end` were claimed for the outermost scope, and outer scopes
        // stand still while this one is open.
        unsafe { self.bump.set(self.bump.next(), (dirty - next) as usize) };
        Ok(())
    }
}

/// Returns the bytes behind a cursor. A damaged cursor leaves nothing.
#[inline(always)]
fn rest(base: usize, seen: u32, limit: u32) -> Option<Span> {
    place(base, seen, limit, 0, 1).map(|Span { start, .. }| Span { start, end: limit })
}
