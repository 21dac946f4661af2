//! A scope of a growing arena: it goes on in the next segment, and everything in it goes back at
//! its end.

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::num::NonZeroU64;
use core::ptr::{self, NonNull};

use super::arena::GrowingArena;
use super::segments::Segment;
use crate::claim::{Claim, Claimed, Origin};
use crate::error::AllocError;
use crate::handle::{Handle, Nameable};
use crate::memory::{Reserve, max_align};
use crate::placement::STEP;
use crate::scratch::Scratch;
use crate::view::View;

/// A scope of a growing arena, in which allocating costs no atomic operation, and whose bytes all
/// go back at once when it ends.
///
/// Made by [`GrowingArena::scratch`], and by [`GrowingScratch::scratch`] for a scope within a
/// scope. The arena grows for it as it does otherwise, and keeps the segments for what comes next.
/// What it hands out cannot outlive it, and it cannot be shared between threads. Handles made in it
/// are its own, as in a [`Scratch`].
///
/// # Examples
///
/// ```
/// use marena_core::{GrowingArena, Reserve};
///
/// fn sums<M: Reserve>(arena: &mut GrowingArena<M>, requests: &[usize]) -> Vec<usize> {
///     let sum = |&request: &usize| {
///         // All of it goes back when the scope ends.
///         let scratch = arena.scratch();
///         scratch.alloc_slice_fill_with(request, |number| number).unwrap().iter().sum()
///     };
///     requests.iter().map(sum).collect()
/// }
/// ```
pub struct GrowingScratch<'s, M: Reserve> {
    growing: &'s GrowingArena<M>,
    /// The scope's part in the segment that it is in; `None` while the arena has no segment.
    ///
    /// It is replaced in `go_on` only, while nobody borrows it.
    part: UnsafeCell<Option<Part<'s, M>>>,
    /// Where the arena was when the scope began, and is again when it ends.
    began: Option<&'s Segment<M>>,
}

/// A scope of a segment, and those before it.
struct Part<'s, M: Reserve> {
    scratch: Scratch<'s, M>,
    segment: &'s Segment<M>,
    /// The part before. INVARIANT: initialised, in memory of `scratch`, and read once, before
    /// `scratch` ends.
    before: Cell<Option<NonNull<Part<'s, M>>>>,
}

impl<M: Reserve> GrowingArena<M> {
    /// Creates a scope, whose bytes all go back at its end.
    #[must_use]
    pub fn scratch(&mut self) -> GrowingScratch<'_, M> {
        let growing = &*self;
        let segment = growing.current().or_else(|| growing.list().after(None));
        let part = segment.map(|segment| Part::new(segment, Scratch::of_arena(segment.arena())));
        GrowingScratch { growing, part: UnsafeCell::new(part), began: growing.current() }
    }
}

/// Allocating: as [`Arena`](crate::Arena)'s methods of the same names. What they return lives as
/// long as the scratch's borrow.
impl<M: Reserve> GrowingScratch<'_, M> {
    crate::forward_allocate!('s => 's);
}

impl<M: Reserve> GrowingScratch<'_, M> {
    /// Creates a scope within this one.
    #[must_use]
    pub fn scratch(&mut self) -> GrowingScratch<'_, M> {
        let part = self.part.get_mut().as_mut().map(|part| Part::new(part.segment, part.scratch.scratch()));
        GrowingScratch { growing: self.growing, part: UnsafeCell::new(part), began: self.growing.current() }
    }

    /// Returns the bytes of a block published in this scratch, or `None` for any other handle. One
    /// comparison for each segment that the scratch has used.
    #[must_use]
    pub fn view(&self, handle: Handle) -> Option<&[u8]> {
        self.get(handle)
    }

    /// Returns a value inserted in this scratch, or `None` for any other handle. One comparison for
    /// each segment that the scratch has used.
    #[must_use]
    pub fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        self.parts().find_map(|part| part.scratch.get(handle))
    }
}

impl<'s, M: Reserve> GrowingScratch<'s, M> {
    #[inline(always)]
    fn part(&self) -> Option<&Part<'s, M>> {
        // SAFETY: it is replaced in `go_on` only. This type stays on its thread, and nothing that
        // borrows the part calls that.
        unsafe { &*self.part.get() }.as_ref()
    }

    /// The newest part, if these bytes lie in its segment.
    fn part_with(&self, start: NonNull<u8>) -> Option<&Part<'s, M>> {
        let owner = self.growing.owner(start)?;
        self.part().filter(|part| ptr::eq(part.segment, owner))
    }

    /// The scope's parts, the newest first.
    fn parts(&self) -> impl Iterator<Item = &Part<'s, M>> {
        // SAFETY: the invariant of `before`; it stays there while the scope does, since parts are
        // added only.
        core::iter::successors(self.part(), |part| part.before.get().map(|before| unsafe { before.as_ref() }))
    }

    /// What a handle that was made in this scope names.
    ///
    /// # Safety
    ///
    /// The scope ends after `'s`.
    pub(super) unsafe fn published<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&'s T> {
        // SAFETY: the parts end with the scope: the caller's promise.
        self.parts().find_map(|part| unsafe { part.scratch.published(handle) })
    }

    /// A request that the current part has no room for.
    #[cold]
    #[inline(never)]
    fn claim_slowly(&self, size: usize, align: usize, retries: Option<u32>) -> Result<NonNull<u8>, AllocError> {
        if let Some(part) = self.part() {
            // SAFETY: the callers' promises are those of `Claim::claim`.
            match unsafe { part.scratch.claim(size, align, retries) } {
                Ok(claimed) => return Ok(claimed.start()),
                Err(AllocError::Full { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.go_on(size, align, retries)?;
        let part = self.part().ok_or(AllocError::Full { requested: size, remaining: 0 })?;
        // SAFETY: as above.
        unsafe { part.scratch.claim(size, align, retries) }.map(|claimed| claimed.start())
    }

    /// The error of a request for `size` bytes, where another segment has room for `elsewhere`
    /// bytes.
    fn full(&self, size: usize, elsewhere: usize) -> AllocError {
        let here = self.part().map_or(0, |part| Claim::remaining(&part.scratch));
        AllocError::Full { requested: size, remaining: here.max(elsewhere & !(STEP - 1)) }
    }

    /// Adds a part, in a segment that has room for the request.
    fn go_on(&self, size: usize, align: usize, retries: Option<u32>) -> Result<(), AllocError> {
        let segment = self.part().map(|part| part.segment);
        // Room for the part before this one too, however both are aligned: a claim at the segment's
        // cursor, without padding.
        let room = size_of::<Part<'s, M>>() + align_of::<Part<'s, M>>() + align;
        let needed = size.saturating_add(room).saturating_add(STEP);
        let found = self.growing.claim_slowly(segment, needed, STEP, retries);
        let claimed = found.map_err(|error| match error {
            AllocError::Contended { .. } => error,
            // What is left there has to hold the part before as well.
            other => self.full(size, other.remaining().saturating_sub(room + STEP)),
        })?;
        let arena = claimed.origin();
        // SAFETY: just claimed, never published, not used. Nobody else claims meanwhile, so it goes
        // back.
        unsafe { arena.give_back(claimed.start(), needed) };
        let segment = self.growing.owner(claimed.start()).ok_or(AllocError::Full { requested: size, remaining: 0 })?;
        let new = Part::new(segment, Scratch::of_arena(arena));
        // SAFETY: nobody borrows the part.
        let before = unsafe { self.part.get().replace(None) };
        if let Some(before) = before {
            let (size, align) = (size_of::<Part<'s, M>>(), align_of::<Part<'s, M>>());
            // SAFETY: a size that is not 0, and an alignment.
            match unsafe { new.scratch.claim(size, align, None) } {
                Ok(claimed) => {
                    let place = claimed.start().cast::<Part<'s, M>>();
                    // SAFETY: just claimed, with this size and alignment.
                    unsafe { place.write(before) };
                    new.before.set(Some(place));
                }
                Err(error) => {
                    // It had room just now. If it had not, the scope would stay where it is.
                    // SAFETY: nobody borrows the part.
                    unsafe { self.part.get().write(Some(before)) };
                    return Err(error);
                }
            }
        }
        // SAFETY: nobody borrows the part, which is `None`.
        unsafe { self.part.get().write(Some(new)) };
        Ok(())
    }
}

impl<'s, M: Reserve> Part<'s, M> {
    fn new(segment: &'s Segment<M>, scratch: Scratch<'s, M>) -> Self {
        // From here on the epoch does not change: what was claimed says it at any time.
        let _ = Origin::epoch(&scratch);
        Self { scratch, segment, before: Cell::new(None) }
    }
}

/// Where a scope claimed bytes.
#[derive(Clone, Copy, Debug)]
pub struct InScope {
    base: NonNull<u8>,
    epoch: NonZeroU64,
}

// SAFETY: the segment's base, and the epoch of the scope's part in it. Nothing is said about zeros.
unsafe impl Origin for InScope {
    #[inline(always)]
    fn base(self) -> NonNull<u8> {
        self.base
    }

    #[inline(always)]
    fn dirty_end(self) -> Option<usize> {
        None
    }

    #[inline(always)]
    fn epoch(self) -> NonZeroU64 {
        self.epoch
    }
}

impl<M: Reserve> Part<'_, M> {
    /// The bytes were claimed from this part.
    #[inline(always)]
    fn claimed(&self, start: NonNull<u8>) -> Claimed<InScope> {
        let scratch = &self.scratch;
        // SAFETY: the caller claimed them here.
        unsafe { Claimed::new(start, InScope { base: Origin::base(scratch), epoch: Origin::epoch(scratch) }) }
    }
}

// SAFETY: `claim` hands out bytes of the newest part's scope, each once. They are the scope's until
// it is dropped, and the borrow of the scratch keeps its drop, and inner scopes, away meanwhile.
// What is done with them afterwards is done by the part whose segment has them.
unsafe impl<'s, M: Reserve> Claim<'s> for &'s GrowingScratch<'_, M> {
    type Origin = InScope;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline(always)]
    unsafe fn claim(self, size: usize, align: usize, retries: Option<u32>) -> Result<Claimed<InScope>, AllocError> {
        if let Some(part) = self.part()
            && let Some(start) = part.scratch.claim_ahead(size, align)
        {
            return Ok(part.claimed(start));
        }
        let start = self.claim_slowly(size, align, retries)?;
        let part = self.part().ok_or(AllocError::Full { requested: size, remaining: 0 })?;
        Ok(part.claimed(start))
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        if let Some(part) = self.part_with(start) {
            // SAFETY: the caller's promise; bytes of this part, which is the only one of the scope
            // in its segment.
            unsafe { part.scratch.give_back(start, size) };
        }
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<InScope>> {
        let part = self.part_with(start)?;
        // SAFETY: the caller's promise; bytes of this part.
        let extended = unsafe { part.scratch.extend(start, old_size, new_size) }?;
        Some(part.claimed(extended.start()))
    }

    unsafe fn epoch(self) -> NonZeroU64 {
        if self.part().is_none() {
            // The first allocation, of no bytes: it makes the first segment, so that there is
            // somebody to read them.
            let _ = self.go_on(STEP, STEP, None);
        }
        self.part().map_or(NonZeroU64::MAX, |part| Origin::epoch(&part.scratch))
    }

    fn remaining(self) -> usize {
        let in_part = self.part().map_or(0, |part| Claim::remaining(&part.scratch));
        in_part.max(Claim::remaining(self.growing))
    }
}

impl<M: Reserve> View for GrowingScratch<'_, M> {
    fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        Self::get(self, handle)
    }
}

impl<M: Reserve> Drop for GrowingScratch<'_, M> {
    fn drop(&mut self) {
        let mut newest = self.part.get_mut().take();
        while let Some(part) = newest {
            // SAFETY: the invariant of `before`: it is read here once, while `part` still has its
            // memory.
            newest = part.before.get().map(|before| unsafe { before.read() });
            drop(part);
        }
        self.growing.go_back_to(self.began);
    }
}

// SAFETY: what is not `Send` by itself are the parts, whose scopes are, under the same bound, and
// which nobody else uses.
unsafe impl<M: Reserve> Send for GrowingScratch<'_, M> where GrowingArena<M>: Sync {}

impl<M: Reserve> fmt::Debug for GrowingScratch<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrowingScratch").field("arena", self.growing).finish_non_exhaustive()
    }
}
