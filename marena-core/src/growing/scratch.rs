//! A scope of a growing arena, which goes on in the next segment. Everything in it goes back at its
//! end.

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::num::NonZeroU64;
use core::ptr::{self, NonNull};

use super::arena::GrowingArena;
use super::grow::Request;
use super::segments::Segment;
use crate::address::ARENA_MAX_ALLOC_SIZE;
use crate::claim::{Claim, Claimed, Origin, require_stable_alignment};
use crate::error::AllocError;
use crate::handle::{Handle, Nameable};
use crate::memory::{Reserve, max_align};
use crate::placement::STEP;
use crate::scope_bytes::ScopeBytes;
use crate::scratch::Scratch;
use crate::view::View;

/// A scope of a growing arena, in which allocating costs no atomic operation, and whose bytes all
/// go back at once when it ends.
///
/// [`GrowingArena::scratch`] begins one, and [`GrowingScratch::scratch`] begins one within another.
/// If the arena grows for a scope, it keeps the new segments. What a scope hands out cannot outlive
/// it, and a scope cannot be shared between threads. It has handles of its own, as a [`Scratch`]
/// has.
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
    /// The scope's part in the current segment, or `None` while the arena has no segment.
    ///
    /// Only `go_on` replaces it, while nobody borrows it.
    part: UnsafeCell<Option<Part<'s, M>>>,
    /// The segment that the arena was in when the scope began. It goes back there when the scope
    /// ends.
    began: Option<&'s Segment<M>>,
}

/// A scope of one segment, with a link to the part before.
struct Part<'s, M: Reserve> {
    scratch: Scratch<'s, M>,
    segment: &'s Segment<M>,
    /// The part before. INVARIANT: it is initialised, lies in memory of `scratch`, and is read
    /// once, before `scratch` ends.
    before: Cell<Option<NonNull<Part<'s, M>>>>,
}

impl<M: Reserve> GrowingArena<M> {
    /// Creates a scope, whose bytes all go back at its end.
    #[must_use]
    pub fn scratch(&mut self) -> GrowingScratch<'_, M> {
        let growing = &*self;
        let segment = growing.current().or_else(|| growing.list().after(None));
        // SAFETY: the scope borrows the growing arena mutably.
        let part = segment.map(|segment| unsafe { Part::all_of(segment) });
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

    /// Returns the bytes of a block published in this scratch, or `None` for any other handle.
    /// Makes one comparison for each segment that the scratch has used.
    #[must_use]
    pub fn view(&self, handle: Handle) -> Option<&[u8]> {
        self.get(handle)
    }

    /// Returns a value inserted in this scratch, or `None` for any other handle. Makes one
    /// comparison for each segment that the scratch has used.
    #[must_use]
    pub fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        self.parts().find_map(|part| part.scratch.get(handle))
    }
}

impl<'s, M: Reserve> GrowingScratch<'s, M> {
    #[inline(always)]
    fn part(&self) -> Option<&Part<'s, M>> {
        // SAFETY: only `go_on` replaces it. One thread at a time has this value, and nothing that
        // borrows the part calls `go_on`.
        unsafe { &*self.part.get() }.as_ref()
    }

    /// Returns the newest part, if these bytes lie in its segment.
    fn part_with(&self, start: NonNull<u8>) -> Option<&Part<'s, M>> {
        let owner = self.growing.owner(start)?;
        self.part().filter(|part| ptr::eq(part.segment, owner))
    }

    /// Returns the scope's parts, the newest first.
    fn parts(&self) -> impl Iterator<Item = &Part<'s, M>> {
        // SAFETY: the invariant of `before`. The part stays there as long as the scope, because
        // parts are only added.
        core::iter::successors(self.part(), |part| part.before.get().map(|before| unsafe { before.as_ref() }))
    }

    /// Returns what a handle of this scope names, or `None` for any other handle.
    ///
    /// # Safety
    ///
    /// - The scope ends after `'s`.
    pub(super) unsafe fn published<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&'s T> {
        // SAFETY: the parts end with the scope: the caller's promise.
        self.parts().find_map(|part| unsafe { part.scratch.published(handle) })
    }

    /// Serves a request that the current part has no room for.
    #[cold]
    #[inline(never)]
    fn claim_slowly(&self, size: usize, align: usize, retries: Option<u32>) -> Result<NonNull<u8>, AllocError> {
        require_stable_alignment::<M>(align)?;
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

    /// Returns how many bytes a part in another segment takes besides a request: the part before
    /// it, and what aligns the request.
    fn room(align: usize) -> usize {
        let part = const {
            assert!(align_of::<Part<'s, M>>() <= STEP, "a part lies where a claim starts");
            size_of::<Part<'s, M>>().next_multiple_of(STEP)
        };
        part.saturating_add(align.saturating_sub(STEP))
    }

    /// Returns how many bytes are left for one request, if all that a new part would have is
    /// `elsewhere` bytes.
    fn left(&self, elsewhere: usize, align: usize) -> usize {
        let here = self.part().map_or(0, |part| Claim::remaining(&part.scratch));
        here.max(elsewhere.saturating_sub(Self::room(align)) & !(STEP - 1))
    }

    /// Adds a part, in a segment that has room for the request.
    fn go_on(&self, size: usize, align: usize, retries: Option<u32>) -> Result<(), AllocError> {
        let segment = self.part().map(|part| part.segment);
        // No segment has so many bytes. A claim of more would not say what is left.
        let needed = size.saturating_add(Self::room(align)).min(ARENA_MAX_ALLOC_SIZE);
        let request = Request { size: needed, align: STEP, retries, most: 0, left: 0 };
        let (claimed, _) = self.growing.claim_behind(segment, request).map_err(|error| match error {
            AllocError::Contended { .. } => error,
            _ if size > ARENA_MAX_ALLOC_SIZE => AllocError::TooLarge { requested: size },
            other => AllocError::Full { requested: size, remaining: self.left(other.remaining(), align) },
        })?;
        let arena = claimed.origin();
        // SAFETY: claimed just now, never published, and not used. Nobody else claims meanwhile, so
        // the bytes go back.
        unsafe { arena.give_back(claimed.start(), needed) };
        let segment = self.growing.owner(claimed.start()).ok_or(AllocError::Full { requested: size, remaining: 0 })?;
        // SAFETY: the outermost scope borrows the growing arena mutably, and the outer ones stand
        // still while this one is open.
        let new = unsafe { Part::all_of(segment) };
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
                    // This does not happen, because the segment had room just now. If it did, the
                    // scope would stay where it is.
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
    /// Creates a part over all that a segment has left.
    ///
    /// # Safety
    ///
    /// - Until the part ends, the growing arena is used by its scope alone.
    unsafe fn all_of(segment: &'s Segment<M>) -> Self {
        // SAFETY: the caller's promise.
        Self::new(segment, Scratch::new(unsafe { ScopeBytes::of_segment(segment.arena()) }))
    }

    fn new(segment: &'s Segment<M>, scratch: Scratch<'s, M>) -> Self {
        // This draws the epoch, which does not change from here on.
        let _ = Origin::epoch(&scratch);
        Self { scratch, segment, before: Cell::new(None) }
    }
}

/// The segment and the scope that bytes were claimed from.
#[derive(Clone, Copy, Debug)]
pub struct InScope {
    base: NonNull<u8>,
    epoch: NonZeroU64,
}

// SAFETY: the base is the segment's, and the epoch is that of the scope's part in it. No bytes are
// said to be zero.
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
    /// Returns the record of bytes that were claimed from this part.
    #[inline(always)]
    fn claimed(&self, start: NonNull<u8>) -> Claimed<InScope> {
        let scratch = &self.scratch;
        // SAFETY: the caller claimed them here.
        unsafe { Claimed::new(start, InScope { base: Origin::base(scratch), epoch: Origin::epoch(scratch) }) }
    }
}

// SAFETY: `claim` hands out bytes of the newest part's scope, each once. They belong to the scope
// until it is dropped. While the scratch is borrowed, it is not dropped and has no inner scope.
// Only the part whose segment has the bytes gives them back or extends them.
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
            // The first allocation has no bytes. It makes the first segment, which reads the
            // handle.
            let _ = self.go_on(STEP, STEP, None);
        }
        self.part().map_or(NonZeroU64::MAX, |part| Origin::epoch(&part.scratch))
    }

    fn remaining(self) -> usize {
        self.left(Claim::remaining(self.growing), STEP)
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
            // SAFETY: the invariant of `before`: the part is read once, here, while `part` still
            // has its memory.
            newest = part.before.get().map(|before| unsafe { before.read() });
            drop(part);
        }
        self.growing.go_back_to(self.began);
    }
}

// SAFETY: only the parts are not `Send` by themselves. Their scopes are `Send` under the same
// bound, and nobody else uses the parts.
unsafe impl<M: Reserve> Send for GrowingScratch<'_, M> where GrowingArena<M>: Sync {}

impl<M: Reserve> fmt::Debug for GrowingScratch<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrowingScratch").field("arena", self.growing).finish_non_exhaustive()
    }
}
