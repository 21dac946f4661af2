//! The runs that a lease has claimed, and how it finds room in them or in the arena.

use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use crate::arena::Arena;
use crate::bump::Bump;
use crate::error::AllocError;
use crate::memory::Memory;
use crate::placement::{HEADER_SIZE, STEP, Span, place};
use crate::protocol::{self, BackOff, Unclaimed};
use crate::runs::{self, CURRENT, Marks, Spares};
use crate::sync::Word;

/// The size of a lease's first chunk, in bytes. It is small, so that a lease that is hardly used
/// takes few bytes of the arena.
pub(crate) const FIRST_CHUNK: usize = 256;

/// Up to so many bytes of a lease are not counted in [`Stats::leased`](crate::Stats::leased), so
/// that a short-lived lease costs no more than its claims.
const UNCOUNTED: u32 = 1024;

/// A chunk takes at most what the arena has left, shifted right by this: an eighth, because leases
/// share the rest. A shift cannot panic, and small processors have no division.
const SHARE_SHIFT: u32 = 3;

/// The runs that a lease has of its arena: the current one, which it allocates in, and spare ones.
pub(crate) struct LeasedRuns<'a, M: Memory> {
    arena: &'a Arena<M>,
    /// The current run. INVARIANT: this lease claimed its bytes from the arena and has not given
    /// them back, and no spare run has them.
    bump: Bump,
    /// The base of the arena, which is cached here.
    base: NonNull<u8>,
    /// Other runs that are free. INVARIANT: this lease claimed their bytes and has not given them
    /// back.
    spares: Spares,
    /// How many bytes to claim next time.
    chunk: Cell<usize>,
    /// The largest number of bytes to claim at once, except for a request that needs more.
    max_chunk: usize,
    /// A chunk takes at most what the arena has left, shifted right by this.
    share_shift: u32,
    /// The address at and behind which free bytes of the runs are zero, if the arena's memory was.
    dirty_end: Cell<usize>,
    /// Bytes of runs that the lease lost and that are not counted as stranded yet.
    lost: Cell<u32>,
    /// How many bytes of this lease the header counts as leased: at least what its runs have, or 0
    /// if they have few.
    counted: Cell<u32>,
}

impl<'a, M: Memory> LeasedRuns<'a, M> {
    /// Creates the runs of a lease that claims up to `chunk` bytes at once. Claims nothing yet.
    #[inline]
    pub(crate) fn new(arena: &'a Arena<M>, chunk: usize) -> Self {
        let max_chunk = chunk & !(STEP - 1);
        let base = arena.base();
        Self {
            arena,
            // SAFETY: no bytes at the start of the region.
            bump: unsafe { Bump::new(base, 0) },
            base,
            spares: Spares::new(),
            chunk: Cell::new(FIRST_CHUNK.min(max_chunk)),
            max_chunk,
            share_shift: SHARE_SHIFT,
            dirty_end: Cell::new(base.addr().get()),
            lost: Cell::new(0),
            counted: Cell::new(0),
        }
    }

    /// Gives all runs back, and goes on in another arena, whose chunks take all that it has left.
    /// The first run has `len` bytes at `start`.
    ///
    /// # Safety
    ///
    /// - The bytes were claimed from the arena and belong to nobody else, or there are none, at the
    ///   end of bytes that were claimed.
    pub(crate) unsafe fn go_on_in(&mut self, arena: &'a Arena<M>, start: NonNull<u8>, len: usize) {
        self.end();
        self.arena = arena;
        self.base = arena.base();
        // Other leases find more in the next segment, so nothing has to be left for them here.
        self.share_shift = 0;
        self.dirty_end.set(self.base.addr().get());
        // SAFETY: the caller's promise. Bytes at the end of a claim are where the first chunk most
        // likely starts: then it is claimed at the first attempt.
        unsafe { self.bump.set(start, len) };
        if len > 0 {
            self.note_claim(self.run(CURRENT), self.chunk.get());
            self.count_leased();
        }
    }

    /// Returns the arena that the runs were claimed from.
    #[inline(always)]
    pub(crate) fn arena(&self) -> &'a Arena<M> {
        self.arena
    }

    /// Returns the base of the arena.
    #[inline(always)]
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Returns how many bytes to claim next time.
    pub(crate) fn chunk(&self) -> usize {
        self.chunk.get()
    }

    /// Returns the current run.
    #[inline(always)]
    pub(crate) fn bump(&self) -> &Bump {
        &self.bump
    }

    /// Returns the run in a slot.
    pub(crate) fn run(&self, slot: usize) -> Span {
        if slot == CURRENT {
            let end = self.bump.end() - self.base.addr().get();
            return Span { start: self.position(self.bump.next()), end: end as u32 };
        }
        self.spares.get(slot)
    }

    /// Returns what a scope with these marks has free of each run.
    pub(crate) fn free_runs(&self, marks: &Marks) -> impl Iterator<Item = (usize, Span)> {
        self.runs().map(|(slot, run)| (slot, marks.free(slot, run)))
    }

    /// Puts another run in a slot.
    ///
    /// # Safety
    ///
    /// The bytes of `run` are the lease's, and in no other slot.
    unsafe fn set_run(&self, slot: usize, run: Span) {
        if slot == CURRENT {
            let start = self.arena.at(run.start as usize);
            // SAFETY: the caller's promise. Bytes that were handed out are in no run.
            unsafe { self.bump.set(start, run.len() as usize) };
        } else {
            self.spares.set(slot, run);
        }
    }

    /// Makes all of the current run count as dirty. A scope will hand it out, and may be leaked.
    #[inline]
    pub(crate) fn mark_dirty(&self) {
        // Nearly always an earlier scope has marked it.
        if self.dirty_end.get() < self.bump.end() {
            self.dirty_end.set(self.bump.end());
        }
    }

    /// Raises the dirty end to at least an address.
    #[inline]
    pub(crate) fn raise_dirty_end(&self, address: usize) {
        self.dirty_end.set(self.dirty_end.get().max(address));
    }

    /// Returns the position at and behind which free bytes of the runs are zero, if the arena's
    /// memory was.
    #[inline]
    pub(crate) fn dirty_position(&self) -> usize {
        self.dirty_end.get() - self.base.addr().get()
    }

    /// Raises the dirty end, after a claim from the arena, to what others dirtied and gave back.
    pub(crate) fn learn_dirty_end(&self) {
        if let Some(position) = self.arena.dirty_end() {
            self.raise_dirty_end(self.base.addr().get() + position);
        }
    }

    /// Returns the position of a pointer into the region.
    #[inline]
    fn position(&self, pointer: NonNull<u8>) -> u32 {
        (pointer.addr().get() - self.base.addr().get()) as u32
    }

    /// Returns the size of the largest request that succeeds if the runs are used as `marks` says.
    pub(crate) fn longest(&self, marks: &Marks) -> usize {
        let runs = self.free_runs(marks).map(|(_, run)| run);
        runs::longest(runs, self.arena.used() as u32, self.arena.limit())
    }

    /// Returns the same as [`longest`](Self::longest), but only for bytes that are ready.
    #[cold]
    fn longest_ready(&self, marks: &Marks) -> usize {
        let (used, ready) = (self.arena.used() as u32, self.arena.ready_limit());
        runs::longest(self.free_runs(marks).map(|(_, run)| run), used.min(ready), ready)
    }

    /// Returns how many bytes are left in the arena and in the runs, if these are used as `marks`
    /// says.
    pub(crate) fn total(&self, marks: &Marks) -> usize {
        self.free_runs(marks).map(|(_, run)| run.len() as usize).sum::<usize>() + self.arena.remaining()
    }

    /// Serves a request that the current run has no room for.
    #[cold]
    #[inline(never)]
    pub(crate) fn claim_slowly(
        &self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<NonNull<u8>, AllocError> {
        if let Some(start) = self.bump.claim_exactly(size, align) {
            return Ok(start);
        }
        // For a large piece, the lease does not leave the rest of its current run, so nothing is
        // claimed ahead.
        let is_large = size > self.chunk.get() / 4 && self.bump.room() > 0;
        let ahead = if is_large { 0 } else { self.chunk.get() };
        let slot = self.find_room(&Marks::new(), Request { size, align, retries, ahead })?;
        if slot != CURRENT {
            let (left, found) = (self.run(CURRENT), self.run(slot));
            // SAFETY: both runs belonged to the lease before, and change places.
            unsafe { self.set_run(slot, left) };
            // SAFETY: as above.
            unsafe { self.set_run(CURRENT, found) };
        }
        self.count_lost();
        self.bump.claim_exactly(size, align).ok_or(AllocError::Full { requested: size, remaining: 0 })
    }

    /// Returns the slot of a run with room for the request. That is the shortest that has room, or
    /// else one that gets more bytes of the arena: the one that `marks` is in, the one that ends at
    /// the cursor, or a new one.
    pub(crate) fn find_room(&self, marks: &Marks, request: Request) -> Result<usize, AllocError> {
        let Request { size, align, .. } = request;
        if let Some(slot) = self.best_fit(marks, size, align) {
            return Ok(slot);
        }
        let claimed = match self.extend_run(marks, size, align) {
            Ok(()) => return Ok(marks.slot()),
            Err(seen) => self.claim_behind(seen, marks, request),
        };
        claimed.map(|run| self.keep(run, marks)).map_err(|error| {
            let longest = self.longest(marks);
            // If it fits and was not claimed, the memory did not provide it.
            error.with_remaining(if size > longest { longest } else { self.longest_ready(marks) })
        })
    }

    /// Returns the slot of the shortest run with room for the request behind what `marks` says is
    /// used.
    fn best_fit(&self, marks: &Marks, size: usize, align: usize) -> Option<usize> {
        // Usually no spare run is long enough. A scope may still find room in the current one.
        let slots = if self.spares.may_fit(size) { self.spares.slots() } else { CURRENT..CURRENT + 1 };
        let free = |slot| marks.free(slot, self.run(slot));
        let fits = |run: Span| place(self.base.addr().get(), run.start, run.end, size, align).is_some();
        let best = slots.clone().filter(|&slot| fits(free(slot))).min_by_key(|&slot| free(slot).len());
        if best.is_none() && slots.len() > 1 {
            self.spares.measure();
        }
        best
    }

    /// Extends the run that `marks` is in, so that the request has room, if nobody claimed behind
    /// it. Otherwise returns the cursor in `Err`, for the claim that follows.
    ///
    /// It does not read the cursor first. That would fetch the cursor's cache line from another
    /// core to read it, and again to write it. After an attempt that failed the line is here, and
    /// the claim that follows succeeds at once.
    pub(crate) fn extend_run(&self, marks: &Marks, size: usize, align: usize) -> Result<(), u32> {
        let (cursor, limit) = (&self.arena.header().cursor, self.arena.limit());
        let slot = marks.slot();
        let run = self.run(slot);
        let free = marks.free(slot, run);
        // ORDERING: Relaxed: a guess, which the compare-and-swap of the claim that follows
        // verifies.
        let needed =
            place(self.base.addr().get(), free.start, limit, size, align).ok_or_else(|| cursor.load(Relaxed))?;
        let end = needed.end.max(run.end + self.ahead(self.chunk.get(), limit - run.end));
        // ORDERING: Relaxed: as above.
        let Some(end) = self.provided(needed.end, end) else { return Err(cursor.load(Relaxed)) };
        protocol::extend(cursor, run.end, end)?;
        // SAFETY: the bytes behind the old end were claimed just now, by this lease.
        unsafe { self.set_run(slot, Span { end, ..run }) };
        self.note_claim(Span { start: run.end, end }, self.chunk.get());
        self.count_leased();
        Ok(())
    }

    /// Returns where to end the claim: at `end` if the memory provides so much, or else at
    /// `needed`. Returns `None` if the memory provides neither.
    fn provided(&self, needed: u32, end: u32) -> Option<u32> {
        [end, needed].into_iter().find(|&end| self.arena.provide(end))
    }

    /// Claims the bytes that the request lacks, and some ahead of it, wherever the cursor stands.
    fn claim_behind(&self, seen: u32, marks: &Marks, request: Request) -> Result<Span, AllocError> {
        let Request { size, align, retries, .. } = request;
        let limit = self.arena.limit();
        let cursor = &self.arena.header().cursor;
        let place = |seen| {
            // The request may begin in a run that ends at the cursor.
            let from = self.run_ending_at(seen).map_or(seen, |(slot, run)| marks.free(slot, run).start);
            let needed = place(self.base.addr().get(), from, limit, size, align)?;
            let end = needed.end.max(seen + self.ahead(request.ahead, limit - seen));
            Some(Span { start: seen, end: self.provided(needed.end, end)? })
        };
        let mut back_off = M::BACKS_OFF.then(BackOff::new);
        let claimed = protocol::claim(cursor, seen, place, retries, back_off.as_mut());
        let claimed = claimed.map_err(|reason| match reason {
            Unclaimed::NoPlace(cursor) => self.arena.no_room(size, cursor, limit),
            Unclaimed::Contended => AllocError::Contended { retries: retries.unwrap_or(0) },
        })?;
        self.note_claim(claimed, request.ahead);
        Ok(claimed)
    }

    /// Keeps a run that was claimed just now, and returns its slot. It extends the run that ends
    /// where it starts, or else takes an unused slot. If there is none, it replaces the shortest
    /// spare run, which is lost to the lease.
    ///
    /// Few bytes are lost. A scope claims at least as much as the lease has already, so the
    /// shortest of six runs is a small part of them.
    fn keep(&self, claimed: Span, marks: &Marks) -> usize {
        let (slot, start) = if let Some((slot, run)) = self.run_ending_at(claimed.start) {
            (slot, run.start)
        } else {
            let slot = if self.bump.room() == 0 { CURRENT } else { self.spares.slot_for_another() };
            // A scope may still have values in the run, so it counts as stranded only later.
            self.lost.set(self.lost.get().saturating_add(self.run(slot).len()));
            marks.set(slot, claimed.start);
            (slot, claimed.start)
        };
        // SAFETY: claimed just now, by this lease, or the lease's before.
        unsafe { self.set_run(slot, Span { start, end: claimed.end }) };
        self.count_leased();
        slot
    }

    /// Returns the run that ends at a position. An empty run is returned only if no other one ends
    /// there.
    fn run_ending_at(&self, position: u32) -> Option<(usize, Span)> {
        let current = || (self.run(CURRENT).end == position).then_some(CURRENT);
        let slot = self.spares.ending_at(position).or_else(current)?;
        Some((slot, self.run(slot)))
    }

    /// Returns all runs with their slots. For the lease itself, all their bytes are free.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, Span)> {
        self.spares.slots().map(|slot| (slot, self.run(slot)))
    }

    /// Returns how many bytes all runs have together.
    pub(crate) fn owned(&self) -> usize {
        self.bump.room().saturating_add(self.spares.bytes() as usize)
    }

    /// Returns how many bytes to claim at once if `rest` are left: `chunk` or a share of the rest,
    /// as a multiple of the step.
    fn ahead(&self, chunk: usize, rest: u32) -> u32 {
        let share = (rest as usize).wrapping_shr(self.share_shift) & !(STEP - 1);
        chunk.min(share) as u32
    }

    /// Notes a claim from the arena: the next one takes more bytes. A chunk, which has at most
    /// `ahead` bytes, will be used soon. A larger claim is for a block of which that is not known.
    fn note_claim(&self, claimed: Span, ahead: usize) {
        self.chunk.set(self.chunk.get().saturating_mul(2).min(self.max_chunk));
        self.learn_dirty_end();
        let unused = self.dirty_position().max(claimed.start as usize);
        let len = (claimed.end as usize).saturating_sub(unused);
        if len > 0 && claimed.len() as usize <= ahead {
            self.arena.memory().announce(HEADER_SIZE + unused, len);
        }
    }

    /// Counts the bytes of the runs, if they have more than is counted. The count goes up in powers
    /// of two, so that a lease that has claimed a few chunks finds nothing to count.
    fn count_leased(&self) {
        let (owned, counted) = (self.owned() as u32, self.counted.get());
        if owned > counted.max(UNCOUNTED) {
            let more = owned.checked_next_power_of_two().unwrap_or(owned);
            self.counted.set(more);
            protocol::count(&self.arena.header().leased, more - counted);
        }
    }

    /// Counts the lost runs as stranded. The caller makes sure that the lease has no scope.
    fn count_lost(&self) {
        self.strand(self.lost.replace(0));
    }

    /// Counts bytes as stranded.
    fn strand(&self, bytes: u32) {
        if bytes > 0 {
            protocol::count(&self.arena.header().stranded, bytes);
        }
    }

    /// Gives a run back to the arena if nobody claimed behind it. Returns whether nobody did.
    fn give_back_run(&self, run: Span) -> bool {
        let header = self.arena.header();
        // Up to here, bytes were handed out and came back to the lease, or belonged to a scope.
        let dirty_end = self.dirty_position().min(run.end as usize) as u32;
        // ORDERING: Relaxed: a guess, which spares the peak a raise where the give-back would fail.
        if header.cursor.load(Relaxed) != run.end {
            return false;
        }
        if dirty_end > run.start {
            header.raise_peaks(dirty_end);
        }
        protocol::give_back(&header.cursor, run.start, run.end)
    }

    /// Gives all runs back to the arena, or counts them as stranded.
    fn end(&mut self) {
        // The last run goes first. Once it is given back, the one before may be the last.
        while let Some((slot, run)) = self.runs().max_by_key(|(_, run)| if run.len() > 0 { run.end } else { 0 })
            && run.len() > 0
        {
            if !self.give_back_run(run) {
                self.lost.set(self.lost.get().saturating_add(run.len()));
            }
            // SAFETY: no bytes.
            unsafe { self.set_run(slot, Span { start: run.start, end: run.start }) };
        }
        self.count_lost();
        let counted = self.counted.replace(0);
        if counted > 0 {
            protocol::uncount(&self.arena.header().leased, counted);
        }
    }
}

/// A request that a lease, or a scope of it, cannot serve from its current run.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) size: usize,
    pub(crate) align: usize,
    /// How many attempts to claim bytes of the arena may follow the first one.
    pub(crate) retries: Option<u32>,
    /// How many bytes to claim at once, if the arena has room.
    pub(crate) ahead: usize,
}

impl<M: Memory> Drop for LeasedRuns<'_, M> {
    fn drop(&mut self) {
        self.end();
    }
}
