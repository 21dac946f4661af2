//! An arena that grows, and how threads that share it allocate.

use core::fmt;
use core::mem::MaybeUninit;
use core::num::NonZeroU64;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use super::builder::GrowingBuilder;
use super::current::Current;
use super::segments::{List, Segment};
use super::sizes::Sizes;
use crate::address::ARENA_PAGESIZE;
use crate::arena::Arena;
use crate::claim::{Claim, Claimed};
use crate::error::AllocError;
use crate::handle::{Handle, Nameable};
use crate::memory::{Reserve, max_align};
use crate::placement::STEP;
use crate::stats::Stats;
use crate::sync::{AtomicBool, AtomicUsize};
use crate::view::View;

/// An arena that grows: when it is full, it reserves another segment.
///
/// A segment is an [`Arena`]. The first has 64 KiB, and each one has twice the size of the one
/// before, up to 1 GiB. [`builder`](Self::builder) sets other sizes and a limit. A request larger
/// than the next segment gets a segment of its own size. Nothing ever moves, so blocks, values and
/// handles stay valid while the arena grows. There is no memory before the first allocation.
///
/// It has every allocation method of [`Arena`], for any number of threads. An allocation is one
/// compare-and-swap on the newest segment, as on an arena that does not grow. One thread at a time
/// reserves a segment, and threads that need it wait for that thread. So do not allocate in signal
/// or interrupt handlers.
///
/// An [`Address`](crate::Address) does not say which segment it lies in, so read it through the
/// arena that it came from, one of [`segments`](Self::segments). A [`Handle`] finds its own
/// segment.
///
/// **Values are not dropped**, neither by a reset nor at its end.
///
/// # Examples
///
/// ```
/// use marena_core::{AllocError, GrowingArena, Reserve};
///
/// fn squares<M: Reserve>(arena: &GrowingArena<M>, count: u64) -> Result<Vec<&u64>, AllocError> {
///     (0..count).map(|number| arena.alloc(number * number).map(|square| &*square)).collect()
/// }
/// ```
pub struct GrowingArena<M: Reserve> {
    /// The segment that is tried first: none, or one of `segments`. The segments before it count as
    /// full.
    pub(super) current: Current<M>,
    pub(super) segments: List<M>,
    /// The sizes that it was made with.
    made_with: Sizes,
    /// The largest size of all segments together, in bytes.
    limit: AtomicUsize,
    /// Whether a thread adds a segment. Only the thread that set it writes the next two fields.
    pub(super) growing: AtomicBool,
    /// The size of all segments together, in bytes.
    pub(super) reserved: AtomicUsize,
    /// The index of the next segment of the series.
    pub(super) next_index: AtomicUsize,
}

impl<M: Reserve> GrowingArena<M> {
    const DEFAULT: Sizes = Sizes {
        first: ARENA_PAGESIZE,
        max: if M::MAX_CAPACITY < 1 << 30 { M::MAX_CAPACITY } else { 1 << 30 },
        limit: usize::MAX,
    };

    /// Creates a growing arena with segments of 64 KiB to 1 GiB and no limit.
    ///
    /// ```
    /// # use marena_core::{GrowingArena, Reserve};
    /// fn empty<M: Reserve>() {
    ///     let arena = GrowingArena::<M>::new();
    ///     assert_eq!(arena.segments().count(), 0);
    /// }
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self::with_sizes(Self::DEFAULT)
    }

    /// Returns a builder for other sizes and a limit.
    pub const fn builder() -> GrowingBuilder<M> {
        GrowingBuilder::new(Self::DEFAULT)
    }

    pub(super) const fn with_sizes(sizes: Sizes) -> Self {
        Self {
            current: Current::none(),
            segments: List::new(),
            made_with: sizes,
            limit: AtomicUsize::new(sizes.limit),
            growing: AtomicBool::new(false),
            reserved: AtomicUsize::new(0),
            next_index: AtomicUsize::new(0),
        }
    }

    /// Returns the largest size of all segments together, in bytes: `usize::MAX` if there is no
    /// limit.
    #[must_use]
    pub fn limit(&self) -> usize {
        // ORDERING: Relaxed: a snapshot.
        self.limit.load(Relaxed)
    }

    /// Sets the largest size of all segments together, in bytes. The segments that are there stay,
    /// even if they are larger.
    ///
    /// ```
    /// # use marena_core::{GrowingArena, Reserve};
    /// fn no_more_than_now<M: Reserve>(arena: &GrowingArena<M>) {
    ///     arena.set_limit(arena.stats().capacity);
    /// }
    /// ```
    pub fn set_limit(&self, bytes: usize) {
        // ORDERING: Relaxed: nothing else depends on when others see it.
        self.limit.store(bytes, Relaxed);
    }

    /// Returns the sizes of the next segments, with the limit of now.
    pub(super) fn sizes(&self) -> Sizes {
        Sizes { limit: self.limit(), ..self.made_with }
    }

    /// Returns the segments.
    ///
    /// ```
    /// # use marena_core::{GrowingArena, Reserve};
    /// fn read_an_address<M: Reserve>(arena: &GrowingArena<M>) {
    ///     let block = arena.allocate(8).unwrap();
    ///     let address = block.address();
    ///     let start = std::ptr::NonNull::from(&block[0]);
    ///     let segment = arena.segments().find(|segment| segment.contains(start)).unwrap();
    ///     assert!(segment.view_ptr(address).is_some());
    /// }
    /// ```
    pub fn segments(&self) -> impl Iterator<Item = &Arena<M>> + Clone {
        self.segments.iter().map(Segment::arena)
    }

    /// Returns the statistics of all segments, added up: a snapshot.
    ///
    /// `remaining` is what the segments have left. Some of it lies in segments that count as full,
    /// and is not handed out before the next reset.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.segments.iter().fold(Stats::default(), |sum, segment| {
            let one = segment.arena().stats();
            let start = segment.start() as usize;
            Stats {
                capacity: sum.capacity.saturating_add(one.capacity),
                used: sum.used.saturating_add(segment.used()),
                remaining: sum.remaining.saturating_add(one.remaining),
                high_water: sum.high_water.saturating_add(one.high_water.saturating_sub(start)),
                high_water_since_reset: (sum.high_water_since_reset)
                    .saturating_add(one.high_water_since_reset.saturating_sub(start)),
                stranded: sum.stranded.saturating_add(one.stranded),
                leased: sum.leased.saturating_add(one.leased),
                failed: sum.failed.saturating_add(one.failed),
            }
        })
    }

    /// Returns the bytes of a published block, or `None` for a handle from before a reset or from
    /// another arena. Makes one comparison for each segment.
    #[must_use]
    pub fn view(&self, handle: Handle) -> Option<&[u8]> {
        self.segments().find_map(|arena| arena.view(handle))
    }

    /// Returns an inserted value, or `None` for a handle from before a reset or from another arena.
    /// Makes one comparison for each segment.
    #[must_use]
    pub fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        self.segments().find_map(|arena| arena.get(handle))
    }

    /// Returns all bytes that are handed out, in one piece for each segment, as
    /// [`Arena::allocated`] does.
    pub fn allocated(&mut self) -> impl Iterator<Item = &[MaybeUninit<u8>]> + Clone {
        // SAFETY: whatever was handed out was borrowed from the arena, which is mutably borrowed
        // now, and nobody else reaches its memory.
        self.segments.iter().map(|segment| unsafe { segment.allocated() })
    }

    /// Takes everything back: the arena is empty, and handles from before are stale. The segments
    /// stay, and are used again from the first on. The time is proportional to their number.
    ///
    /// Values are not dropped. [`trim`](Self::trim) gives memory back to the system.
    pub fn reset(&mut self) {
        self.segments.for_each_mut(Segment::reset);
        self.current.set(None);
    }

    /// Gives memory back to the system: all of each empty segment, and of the others what lies past
    /// the last block, as [`Arena::trim`] does. Returns the number of bytes that were given back or
    /// offered.
    ///
    /// A segment counts as empty if nothing is allocated in it and no handle to a value of no bytes
    /// is read in it. After a [`reset`](Self::reset) no segment is left. The sizes of the next
    /// segments follow those of the segments that stay.
    ///
    /// # Errors
    ///
    /// The errors of the memory, as for [`Arena::trim`]. What was given back before the error stays
    /// given back.
    pub fn trim(&mut self) -> Result<usize, M::Error> {
        // Segments that counted as full may have room for small requests, so they are tried again.
        // This comes first, because the memory may panic when it is dropped. The current segment
        // may be gone then.
        self.current.set(None);
        let Self { segments, reserved, next_index, .. } = self;
        let (reserved, next_index) = (reserved.get_mut(), next_index.get_mut());
        *next_index = 0;
        let mut returned = 0_usize;
        segments.retain(|segment| {
            let capacity = segment.arena().capacity();
            if segment.is_unused() {
                returned += capacity;
                *reserved = reserved.saturating_sub(capacity);
                return false;
            }
            if let Some(index) = segment.index() {
                *next_index = (*next_index).max(index as usize + 1);
            }
            true
        });
        let mut outcome = Ok(());
        self.segments.for_each_mut(|segment| {
            if outcome.is_ok() {
                match segment.arena_mut().trim() {
                    // Whatever a memory says, the sum does not wrap.
                    Ok(offered) => returned = returned.saturating_add(offered),
                    Err(error) => outcome = Err(error),
                }
            }
        });
        outcome.map(|()| returned)
    }

    /// Returns the segment that is tried first.
    pub(super) fn current(&self) -> Option<&Segment<M>> {
        // SAFETY: a segment of the list, and its segments stay while `self` is borrowed.
        self.current.get().map(|current| unsafe { current.as_ref() })
    }

    /// Returns the segment that these bytes were claimed from. If the memory of one segment lies in
    /// a block of another, the bytes belong to the inner one, whose base is larger.
    pub(super) fn owner(&self, start: NonNull<u8>) -> Option<&Segment<M>> {
        let holding = self.segments.iter().filter(|segment| segment.arena().contains(start));
        holding.max_by_key(|segment| segment.arena().base())
    }

    /// Returns the list of segments.
    pub(super) fn list(&self) -> &List<M> {
        &self.segments
    }

    /// Makes later requests start at `segment` again, after a scope. The caller has the arena to
    /// itself.
    pub(super) fn go_back_to(&self, segment: Option<&Segment<M>>) {
        self.current.set(segment);
    }
}

/// Allocating: as [`Arena`]'s methods of the same names.
impl<M: Reserve> GrowingArena<M> {
    crate::forward_allocate!('s => 's);
}

// SAFETY: every claim is a segment's, and segments stay while the growing arena is borrowed.
// Claimed bytes lie in one segment, which their address tells. That segment gives them back and
// extends them.
unsafe impl<'a, M: Reserve> Claim<'a> for &'a GrowingArena<M> {
    type Origin = &'a Arena<M>;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline(always)]
    unsafe fn claim(
        self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<Claimed<&'a Arena<M>>, AllocError> {
        if retries.is_none()
            && let Some(segment) = self.current.quick()
            // SAFETY: a segment of the list, which stays while `self` is borrowed.
            && let Some(claimed) = unsafe { Segment::claim_at_once(segment, size, align) }
        {
            return Ok(claimed);
        }
        self.claim_slowly(size, align, retries)
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        if let Some(segment) = self.owner(start) {
            // SAFETY: the caller's promise, for the arena that the bytes were claimed from.
            unsafe { segment.arena().give_back(start, size) };
        }
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<&'a Arena<M>>> {
        // SAFETY: the caller's promise, for the arena that the bytes were claimed from.
        unsafe { self.owner(start)?.arena().extend(start, old_size, new_size) }
    }

    unsafe fn epoch(self) -> NonZeroU64 {
        let any = self.segments.after(None).or_else(|| {
            // The first allocation has no bytes. It makes the first segment, which reads the
            // handle.
            // SAFETY: a power of two, and not 0. The bytes stay the segment's.
            let claimed = unsafe { self.claim(STEP, STEP, None) }.ok()?;
            // SAFETY: claimed just now, never published, not used.
            unsafe { self.give_back(claimed.start(), STEP) };
            self.segments.after(None)
        });
        // Without memory, nothing reads the handle: this odd number is no arena's epoch, because no
        // region starts there.
        any.map_or(NonZeroU64::MAX, Segment::epoch_of_nothing)
    }

    fn remaining(self) -> usize {
        self.most(self.current())
    }
}

/// Lets an [`Owned`](crate::Owned) keep the arena.
impl<M: Reserve> View for GrowingArena<M> {
    fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        Self::get(self, handle)
    }
}

impl<M: Reserve> Default for GrowingArena<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Reserve> fmt::Debug for GrowingArena<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrowingArena")
            .field("segments", &self.segments().count())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
