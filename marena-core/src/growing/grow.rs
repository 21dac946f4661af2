//! Grows an arena: one thread at a time adds a segment.

use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::arena::GrowingArena;
use super::segments::Segment;
use super::sizes::Plan;
use crate::address::{ARENA_MAX_ALLOC_SIZE, ARENA_PAGESIZE};
use crate::arena::Arena;
use crate::claim::{Claim, Claimed, require_stable_alignment};
use crate::error::AllocError;
use crate::memory::{Memory, Reserve};
use crate::placement::STEP;
use crate::sync::AtomicBool;

/// How many segments from the front of the list are tried again for a request that would get its
/// own segment, or that finds no room elsewhere. Segments that were made for one request come
/// first, the newest before the others.
const FIRST_SEGMENTS: usize = 64;

/// The right to add a segment, which ends when it is dropped.
struct Lock<'g>(&'g AtomicBool);

impl<'g> Lock<'g> {
    /// Takes the lock, or returns `None` if another thread has it.
    fn take(taken: &'g AtomicBool) -> Option<Self> {
        // Not `then_some`, which would make a lock in any case, and drop it.
        // ORDERING: Acquire pairs with the store in `drop`: what was written under the lock is
        // seen.
        taken.compare_exchange(false, true, Acquire, Relaxed).is_ok().then(|| Self(taken))
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // ORDERING: Release pairs with `take`.
        self.0.store(false, Release);
    }
}

/// A request that is not served by the fast path.
#[derive(Clone, Copy)]
pub(super) struct Request {
    /// The number of bytes, which is not 0.
    pub(super) size: usize,
    /// A power of two.
    pub(super) align: usize,
    pub(super) retries: Option<u32>,
    /// How many bytes to claim, if they are more, from a segment that has more than `left` bytes
    /// besides the request. Leases go on there.
    pub(super) most: usize,
    pub(super) left: usize,
}

impl Request {
    /// Claims the bytes from a segment, and returns how many.
    fn claim<M: Memory>(self, arena: &Arena<M>) -> Result<(Claimed<&Arena<M>>, usize), AllocError> {
        let Self { size, align, retries, most, left } = self;
        // SAFETY: a power of two, and not 0.
        let claim = |len| unsafe { arena.claim(len, align, retries) }.map(|claimed| (claimed, len));
        if most > size {
            let rest = arena.remaining();
            if rest > left.saturating_add(size) {
                match claim(most.min(rest)) {
                    // Other threads took some of the rest, or it is not ready.
                    Err(AllocError::Full { .. }) => {}
                    outcome => return outcome,
                }
            }
        }
        claim(size)
    }
}

impl<M: Reserve> GrowingArena<M> {
    /// Serves a request that the current segment did not serve at once, or that came before there
    /// was one.
    #[cold]
    #[inline(never)]
    pub(super) fn claim_slowly(
        &self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<Claimed<&Arena<M>>, AllocError> {
        let current = self.current();
        if let Some(segment) = current {
            let claimed = match retries {
                None => segment.arena().claim_slowly(size, align),
                // SAFETY: the callers' promises are those of `Claim::claim`.
                Some(_) => unsafe { segment.arena().claim(size, align, retries) },
            };
            match claimed {
                Err(AllocError::Full { .. }) => {}
                outcome => return outcome,
            }
        }
        let request = Request { size, align, retries, most: 0, left: 0 };
        self.claim_behind(current, request).map(|(claimed, _)| claimed)
    }

    /// Serves a request of a lease whose segment, `full`, has no room for it. Returns how many
    /// bytes were claimed, too.
    pub(super) fn claim_for_lease(
        &self,
        full: Option<&Arena<M>>,
        request: Request,
    ) -> Result<(Claimed<&Arena<M>>, usize), AllocError> {
        let current = self.current();
        if let Some(segment) = current
            && !full.is_some_and(|full| ptr::eq(full, segment.arena()))
        {
            match request.claim(segment.arena()) {
                Err(AllocError::Full { .. }) => {}
                outcome => return outcome,
            }
        }
        self.claim_behind(current, request)
    }

    /// Serves a request that `current` has no room for, or that came before there was a segment.
    /// Returns how many bytes were claimed, too.
    pub(super) fn claim_behind(
        &self,
        current: Option<&Segment<M>>,
        request: Request,
    ) -> Result<(Claimed<&Arena<M>>, usize), AllocError> {
        let Request { size, align, retries, .. } = request;
        require_stable_alignment::<M>(align)?;
        if size > ARENA_MAX_ALLOC_SIZE {
            return Err(AllocError::TooLarge { requested: size });
        }
        // The search starts at `current`, and not at the segment that is current by now, which this
        // request has not tried.
        let mut last = current;
        loop {
            while let Some(segment) = self.segments.after(last) {
                match request.claim(segment.arena()) {
                    Ok(claimed) => {
                        self.current.advance(current, segment);
                        return Ok(claimed);
                    }
                    Err(AllocError::Full { .. }) => last = Some(segment),
                    Err(error) => return Err(error),
                }
            }
            let Some(_lock) = Lock::take(&self.growing) else {
                if let Some(retries) = retries {
                    return Err(AllocError::Contended { retries });
                }
                M::wait();
                continue;
            };
            // Another thread may have added one before the lock was taken.
            if self.segments.after(last).is_none() {
                return self.grow(current, last, request);
            }
        }
    }

    /// Serves a request that no segment from `current` to `last`, the last one, has room for. The
    /// caller has the lock.
    fn grow(
        &self,
        current: Option<&Segment<M>>,
        last: Option<&Segment<M>>,
        request: Request,
    ) -> Result<(Claimed<&Arena<M>>, usize), AllocError> {
        let Request { size, align, .. } = request;
        // ORDERING: Relaxed for both: written under the lock only, which orders them.
        let (reserved, index) = (self.reserved.load(Relaxed), self.next_index.load(Relaxed) as u32);
        let needed = Segment::<M>::OVERHEAD.saturating_add(size).saturating_add(align);
        let plan = self.sizes().next(index, needed, reserved).filter(|plan| plan.capacity <= M::MAX_CAPACITY);
        let in_first = || self.claim_in_first(size, align).map(|claimed| (claimed, size));
        let claimed = match plan {
            Some(plan) if plan.in_series => self.add(plan, current, last, request).or_else(in_first),
            Some(plan) => in_first().or_else(|| self.add(plan, current, last, request)),
            None => in_first(),
        };
        claimed.ok_or_else(|| AllocError::Full {
            requested: size,
            // If there was a plan, there is no memory for it.
            remaining: if plan.is_none() { self.most(current) } else { self.longest(current) },
        })
    }

    /// Claims from a segment that counts as full, or that was made for one request. Such a segment
    /// is empty again after that request was given back, or after its scope ended.
    fn claim_in_first<'a>(&'a self, size: usize, align: usize) -> Option<Claimed<&'a Arena<M>>> {
        let fitting = || self.first_segments().filter(|segment| segment.has_room(size, align));
        // SAFETY: the callers' promises are those of `Claim::claim`.
        let claim = |segment: &'a Segment<M>| unsafe { segment.arena().claim(size, align, None) }.ok();
        let tightest = fitting().min_by_key(|segment| segment.arena().remaining())?;
        // If another thread takes that room, or the memory does not provide it, the others are
        // left.
        claim(tightest).or_else(|| fitting().find_map(claim))
    }

    /// Adds a segment behind `last`, the last one, or before all others, and claims from it. The
    /// caller has the lock.
    fn add(
        &self,
        plan: Plan,
        current: Option<&Segment<M>>,
        last: Option<&Segment<M>>,
        request: Request,
    ) -> Option<(Claimed<&Arena<M>>, usize)> {
        // ORDERING: Relaxed for both: written under the lock only, which orders them.
        let (reserved, index) = (self.reserved.load(Relaxed), self.next_index.load(Relaxed));
        let new = Segment::new(plan.capacity, plan.in_series.then_some(index as u32))?;
        // SAFETY: made just now. Nobody else knows it before it is in the list, and it does not
        // move.
        let segment: &Segment<M> = unsafe { &*new.as_ptr() };
        let total = reserved.saturating_add(segment.arena().capacity());
        // The claim comes before the segment is in the list. So its maker is served, however many
        // threads wait for it.
        let claimed = Request { retries: None, ..request }.claim(segment.arena());
        let (Ok(claimed), true) = (claimed, total <= self.limit()) else {
            // SAFETY: just made, in no list, and what was claimed from it is not used.
            unsafe { Segment::free(new) };
            return None;
        };
        // ORDERING: Relaxed, as for the loads.
        self.reserved.store(total, Relaxed);
        if plan.in_series {
            // ORDERING: Relaxed, as for the loads.
            self.next_index.store(index + 1, Relaxed);
            // SAFETY: just made; `last` is the last one, and the lock keeps others from adding one.
            unsafe { self.segments.append(last, new) };
            self.current.advance(current, segment);
        } else {
            // It has hardly any room left. At the front of the list, small requests do not try it.
            // SAFETY: just made; the lock keeps others from adding one.
            unsafe { self.segments.prepend(new) };
        }
        Some(claimed)
    }

    /// Returns the segments that are tried again for a request that would get its own.
    fn first_segments(&self) -> impl Iterator<Item = &Segment<M>> {
        self.segments.iter().take(FIRST_SEGMENTS)
    }

    /// Returns the largest number of bytes that one request could get from the existing segments.
    fn longest(&self, current: Option<&Segment<M>>) -> usize {
        let from_current = core::iter::successors(current.or_else(|| self.segments.after(None)), |&segment| {
            self.segments.after(Some(segment))
        });
        from_current.chain(self.first_segments()).map(|segment| segment.arena().remaining()).max().unwrap_or(0)
    }

    /// Returns the largest number of bytes that one request could get, from an existing segment or
    /// from the next one.
    pub(super) fn most(&self, current: Option<&Segment<M>>) -> usize {
        // ORDERING: Relaxed: a snapshot.
        let left = self.sizes().left(self.reserved.load(Relaxed)).min(M::MAX_CAPACITY);
        // The memory may not provide less than a page.
        let new = if left < ARENA_PAGESIZE { 0 } else { left.saturating_sub(Segment::<M>::OVERHEAD + STEP) };
        self.longest(current).max((new & !(STEP - 1)).min(ARENA_MAX_ALLOC_SIZE))
    }
}
