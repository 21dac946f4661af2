//! The list of a growing arena's segments, which lies in the segments themselves.

use core::marker::PhantomData;
use core::mem::{self, MaybeUninit, size_of};
use core::num::NonZeroU64;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::arena::Arena;
use crate::claim::{Claim, Claimed};
use crate::memory::{ExclusiveMemory, Memory, Reserve};
use crate::placement::{HEADER_SIZE, STEP, place};
use crate::sync::{AtomicBool, AtomicPtr};

/// The index of a segment that is not one of the series.
const NO_INDEX: u32 = u32::MAX;

/// An arena in a list. The value lies in the arena's own memory, so a list needs no other memory.
// Its size is a multiple of the step on every target: some align no integer to more than four.
#[repr(align(8))]
pub(super) struct Segment<M: Memory> {
    arena: Arena<M>,
    /// The position at which this value ends. INVARIANT: the arena's cursor never goes below it.
    start: u32,
    /// The index in the series, or [`NO_INDEX`].
    index: u32,
    /// Whether handles to no bytes carry its epoch.
    names_nothing: AtomicBool,
    /// The next segment. INVARIANT: null, or a segment of the same list.
    next: AtomicPtr<Self>,
}

impl<M: Reserve> Segment<M> {
    /// How many bytes of a segment no block can use, at most: the header, this value, and its
    /// alignment.
    pub(super) const OVERHEAD: usize = HEADER_SIZE + size_of::<Self>() + align_of::<Self>();

    /// Reserves memory, makes an arena of it, and places the segment in it. Returns `None` if there
    /// is no memory.
    pub(super) fn new(capacity: usize, index: Option<u32>) -> Option<NonNull<Self>> {
        let arena = Arena::new(M::reserve(capacity).ok()?).ok()?;
        // SAFETY: an alignment is a power of two, and the size is not 0.
        let place = unsafe { (&arena).claim(size_of::<Self>(), align_of::<Self>(), None) }.ok()?.start().cast();
        let start = arena.used() as u32;
        let (index, next) = (index.unwrap_or(NO_INDEX), AtomicPtr::new(ptr::null_mut()));
        let names_nothing = AtomicBool::new(false);
        // SAFETY: just claimed, with this size and alignment. Moving the arena leaves its memory
        // where it is.
        unsafe { place.write(Self { arena, start, index, names_nothing, next }) };
        Some(place)
    }
}

impl<M: Memory> Segment<M> {
    /// Returns the pointer to this segment, which may be used for all bytes of its region.
    pub(super) fn pointer(&self) -> NonNull<Self> {
        // Then the value ends where its claim does, and starts that many bytes before.
        const { assert!(size_of::<Self>().is_multiple_of(STEP)) }
        self.arena.at(self.start as usize - size_of::<Self>()).cast()
    }

    /// Returns whether the segment lies right behind its arena's header, at the region's start.
    pub(super) fn follows_header(&self) -> bool {
        let (header, region) = (self.arena.memory().header(), self.arena.memory().region());
        header.cast() == region.cast::<u8>() && self.pointer().cast() == self.arena.base()
    }

    /// Claims bytes that are ready, in one attempt. The caller passes a power of two as `align`,
    /// and a `size` that is not 0.
    ///
    /// # Safety
    ///
    /// - `segment` is the [`pointer`](Self::pointer) to a segment that [follows its
    ///   header](Self::follows_header) and stays for `'a`.
    #[inline(always)]
    pub(super) unsafe fn claim_at_once<'a>(
        segment: NonNull<Self>,
        size: usize,
        align: usize,
    ) -> Option<Claimed<&'a Arena<M>>> {
        // The addresses of the cursor and of the region follow from the segment's. They do not wait
        // for a load of the region's.
        let base = segment.cast::<u8>();
        // SAFETY: the header lies right before the segment, in the same region: the caller's
        // promise.
        let header = unsafe { base.sub(HEADER_SIZE) };
        // SAFETY: the arena's header, which the arena initialised, and which stays as long as it.
        // All its words are atomics.
        let header = unsafe { header.cast().as_ref() };
        // SAFETY: the caller's promise; while it is shared, only shared references to it are made.
        let arena = &unsafe { segment.as_ref() }.arena;
        arena.claim_at_once(header, base, size, align)
    }

    /// Frees the memory, with everything in it.
    ///
    /// # Safety
    ///
    /// - `segment` is from [`new`](Self::new), and in no list any more.
    /// - Nothing of the arena is used afterwards.
    pub(super) unsafe fn free(segment: NonNull<Self>) {
        // SAFETY: the caller's promise. The arena is moved out of its memory before the memory is
        // freed.
        drop(unsafe { segment.read() });
    }

    #[inline(always)]
    pub(super) fn arena(&self) -> &Arena<M> {
        &self.arena
    }

    pub(super) fn arena_mut(&mut self) -> &mut Arena<M> {
        &mut self.arena
    }

    /// Takes everything back.
    pub(super) fn reset(&mut self)
    where
        M: ExclusiveMemory,
    {
        self.arena.reset_to(self.start);
        *self.names_nothing.get_mut() = false;
    }

    /// Returns the epoch for handles to no bytes. The segment counts as used from then on, so that
    /// the handles can be read until a reset.
    pub(super) fn epoch_of_nothing(&self) -> NonZeroU64 {
        // ORDERING: Relaxed: `is_unused` and `reset` have the list to themselves.
        self.names_nothing.store(true, Relaxed);
        self.arena.epoch()
    }

    /// Returns whether nothing is handed out and no handle to no bytes carries its epoch.
    pub(super) fn is_unused(&mut self) -> bool {
        self.used() == 0 && !*self.names_nothing.get_mut()
    }

    /// Returns the position of its first block.
    pub(super) fn start(&self) -> u32 {
        self.start
    }

    /// Returns how many bytes were handed out.
    pub(super) fn used(&self) -> usize {
        self.arena.used().saturating_sub(self.start as usize)
    }

    /// Returns the bytes that were handed out.
    ///
    /// # Safety
    ///
    /// - Nobody writes the bytes while the result is used, and earlier writes happen before this
    ///   call.
    pub(super) unsafe fn allocated(&self) -> &[MaybeUninit<u8>] {
        // SAFETY: the caller's promise.
        unsafe { self.arena.allocated_from(self.start) }
    }

    /// Returns whether a request fits behind what is handed out: a snapshot. The caller passes a
    /// power of two as `align`.
    pub(super) fn has_room(&self, size: usize, align: usize) -> bool {
        let (used, limit) = (self.arena.used() as u32, self.arena.limit());
        place(self.arena.base().addr().get(), used, limit, size, align).is_some()
    }

    /// Returns the index in the series, if the segment belongs to it.
    pub(super) fn index(&self) -> Option<u32> {
        (self.index != NO_INDEX).then_some(self.index)
    }
}

/// A list of segments. While it is shared, it only grows.
pub(super) struct List<M: Memory> {
    /// INVARIANT: null, or a segment from [`Segment::new`]. So is the link of each segment that
    /// follows. The list owns the segments, and they stay until it is mutably borrowed.
    first: AtomicPtr<Segment<M>>,
    owns: PhantomData<Segment<M>>,
}

impl<M: Memory> List<M> {
    pub(super) const fn new() -> Self {
        Self { first: AtomicPtr::new(ptr::null_mut()), owns: PhantomData }
    }

    /// Returns the segment behind `at`, or the first one for `None`.
    pub(super) fn after(&self, at: Option<&Segment<M>>) -> Option<&Segment<M>> {
        let link = at.map_or(&self.first, |segment| &segment.next);
        // ORDERING: Acquire pairs with the stores in `append` and `prepend`: the segment is there.
        let next = NonNull::new(link.load(Acquire))?;
        // SAFETY: the invariant of `first`. While the list is shared, only shared references to a
        // segment are made.
        Some(unsafe { next.as_ref() })
    }

    /// Returns all segments, from the first on.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Segment<M>> + Clone {
        core::iter::successors(self.after(None), |&segment| self.after(Some(segment)))
    }

    /// Adds a segment behind `last`.
    ///
    /// # Safety
    ///
    /// - The segment is from [`Segment::new`], and in no list.
    /// - `last` is the list's last segment, or `None` if it has none, and nobody else adds one
    ///   meanwhile.
    pub(super) unsafe fn append(&self, last: Option<&Segment<M>>, segment: NonNull<Segment<M>>) {
        let link = last.map_or(&self.first, |segment| &segment.next);
        // ORDERING: Release pairs with `after`.
        link.store(segment.as_ptr(), Release);
    }

    /// Adds a segment before all others.
    ///
    /// # Safety
    ///
    /// - The segment is from [`Segment::new`], and in no list.
    /// - Nobody else adds one meanwhile.
    pub(super) unsafe fn prepend(&self, segment: NonNull<Segment<M>>) {
        // ORDERING: Relaxed: only threads that add segments write here, and the lock orders them.
        let first = self.first.load(Relaxed);
        // SAFETY: the caller's promise: the segment is there, and nobody else knows it.
        let next = unsafe { &segment.as_ref().next };
        // ORDERING: Relaxed: the store below releases it.
        next.store(first, Relaxed);
        // ORDERING: Release pairs with `after`.
        self.first.store(segment.as_ptr(), Release);
    }

    /// Calls `visit` with each segment.
    pub(super) fn for_each_mut(&mut self, mut visit: impl FnMut(&mut Segment<M>)) {
        let mut link = *self.first.get_mut();
        while let Some(mut segment) = NonNull::new(link) {
            // SAFETY: the invariant of `first`; `&mut self` is exclusive, and this is the only
            // reference to the segment.
            let segment = unsafe { segment.as_mut() };
            visit(segment);
            link = *segment.next.get_mut();
        }
    }
}

impl<M: Memory> List<M> {
    /// Frees all segments for which `keep` returns false.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut Segment<M>) -> bool) {
        let mut link = &mut self.first;
        while let Some(mut segment) = NonNull::new(*link.get_mut()) {
            // SAFETY: the invariant of `first`; `&mut self` is exclusive, and this is the only
            // reference to the segment. The link lies before it.
            let value = unsafe { segment.as_mut() };
            if keep(value) {
                link = &mut value.next;
            } else {
                // First the list is whole again, because the memory may panic when it is dropped.
                *link.get_mut() = mem::replace(value.next.get_mut(), ptr::null_mut());
                // SAFETY: it is in no list now, and because of `&mut self` nobody borrows from it.
                unsafe { Segment::free(segment) };
            }
        }
    }
}

impl<M: Memory> Drop for List<M> {
    fn drop(&mut self) {
        self.retain(|_| false);
    }
}

// SAFETY: the list owns its segments, and they move with it.
unsafe impl<M: Memory> Send for List<M> where Arena<M>: Send {}
// SAFETY: shared, it gives references to arenas. A segment that one thread adds can be dropped by
// another, hence `Send`.
unsafe impl<M: Memory> Sync for List<M> where Arena<M>: Send + Sync {}
