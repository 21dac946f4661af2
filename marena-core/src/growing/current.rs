//! Which segment a growing arena tries first.

use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::segments::Segment;
use crate::memory::Memory;
use crate::sync::AtomicPtr;

/// The bit of the word that is set where [`Current::quick`] has nothing to return. The addresses of
/// segments are multiples of the step.
const SLOW: usize = 1;

/// The segment that is tried first, or none.
pub(super) struct Current<M: Memory> {
    /// INVARIANT: without the bit [`SLOW`], the [`pointer`](Segment::pointer) to a segment that
    /// [follows its header](Segment::follows_header). With the bit, null or the pointer to any
    /// segment, each with the bit set.
    word: AtomicPtr<Segment<M>>,
}

impl<M: Memory> Current<M> {
    pub(super) const fn none() -> Self {
        Self { word: AtomicPtr::new(ptr::without_provenance_mut(SLOW)) }
    }

    /// Returns the segment, if it follows its header.
    #[inline(always)]
    pub(super) fn quick(&self) -> Option<NonNull<Segment<M>>> {
        // ORDERING: Acquire pairs with `set` and `advance`: the segment is there.
        let word = self.word.load(Acquire);
        // SAFETY: without the bit, it is the pointer to a segment: the invariant.
        (word.addr() & SLOW == 0).then(|| unsafe { NonNull::new_unchecked(word) })
    }

    /// Returns the segment.
    pub(super) fn get(&self) -> Option<NonNull<Segment<M>>> {
        // ORDERING: Acquire, as in `quick`.
        NonNull::new(self.word.load(Acquire).map_addr(|address| address & !SLOW))
    }

    /// Replaces the segment.
    pub(super) fn set(&self, segment: Option<&Segment<M>>) {
        // ORDERING: Release pairs with `quick` and `get`.
        self.word.store(Self::word(segment), Release);
    }

    /// Replaces the segment, unless another thread replaced the `seen` one meanwhile.
    pub(super) fn advance(&self, seen: Option<&Segment<M>>, segment: &Segment<M>) {
        let (seen, segment) = (Self::word(seen), Self::word(Some(segment)));
        // ORDERING: Release, as in `set`. After a failure, the segment of the other thread is as
        // good.
        let _ = self.word.compare_exchange(seen, segment, Release, Relaxed);
    }

    /// Returns the word for a segment.
    fn word(segment: Option<&Segment<M>>) -> *mut Segment<M> {
        let pointer = segment.map_or(ptr::null_mut(), |segment| segment.pointer().as_ptr());
        let is_quick = segment.is_some_and(Segment::follows_header);
        // INVARIANT: the bit is left out only where the segment follows its header.
        if is_quick { pointer } else { pointer.map_addr(|address| address | SLOW) }
    }
}
