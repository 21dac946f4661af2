//! A part of the arena for one thread, which allocates in it without atomics.

use core::fmt;
use core::num::NonZeroU64;
use core::ptr::NonNull;

use crate::arena::Arena;
use crate::claim::{Claim, Claimed, Origin, require_stable_alignment};
use crate::error::AllocError;
use crate::handle::{Handle, Nameable};
use crate::leased_runs::LeasedRuns;
use crate::memory::{Memory, max_align};
use crate::placement::STEP;
use crate::runs::Marks;
use crate::stats::Stats;

/// A part of the arena for one thread: allocating in it costs no atomic operation, and no other
/// thread's cache line.
///
/// The lease claims runs of the arena, called chunks, and hands out pieces. The first chunk is 256
/// bytes. Each next one is twice that, up to the size passed to [`Arena::lease`], and never more
/// than an eighth of what the arena has left. While no other thread allocates behind it, the lease
/// extends its chunk in place. Otherwise it takes another chunk and keeps what is left of the last
/// six for requests that fit there. A request that fits the arena never fails because a chunk does
/// not.
///
/// [`scratch`](Self::scratch) begins a scope, whose bytes go back to the lease at its end. Its
/// chunks stay with the lease for the next scopes: whatever other threads do, leases whose scopes
/// come and go, and keep nothing, hold a small multiple of their largest scope.
///
/// What a lease hands out lives as long as the arena's borrow and outlives the lease. When the
/// lease is dropped, its unused bytes go back to the arena if nobody allocated behind them.
/// Otherwise they are [stranded](crate::Stats::stranded) until the next reset. A leaked lease
/// strands them too, but `Stats::stranded` does not count them.
///
/// A lease may be sent to another thread, but not shared.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
///
/// let mut bytes = [MaybeUninit::uninit(); 65_536];
/// let arena = Arena::borrowed(&mut bytes)?;
/// std::thread::scope(|scope| {
///     for thread in 0..2_u8 {
///         let lease = arena.lease(4096);
///         scope.spawn(move || {
///             for _ in 0..100 {
///                 let block = lease.allocate(16).unwrap().into_mut();
///                 block.fill(thread);
///             }
///         });
///     }
/// });
/// assert!(arena.used() >= 2 * 100 * 16);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
pub struct Lease<'a, M: Memory> {
    runs: LeasedRuns<'a, M>,
}

impl<M: Memory> Arena<M> {
    /// Creates a lease that claims up to `chunk` bytes at once, or more for a single request that
    /// needs it. 4,096 to 65,536 suit most threads. Claims nothing yet.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 4096];
    /// let arena = Arena::borrowed(&mut bytes)?;
    /// let lease = arena.lease(1024);
    /// let number = lease.alloc(7_u64).unwrap();
    /// drop(lease);
    /// assert_eq!(*number, 7);
    /// // The rest of the chunk went back.
    /// assert_eq!(arena.used(), 8);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn lease(&self, chunk: usize) -> Lease<'_, M> {
        Lease { runs: LeasedRuns::new(self, chunk) }
    }
}

/// Allocating: as [`Arena`]'s methods of the same names. What they return outlives the lease.
impl<'a, M: Memory> Lease<'a, M> {
    crate::forward_allocate!('s => 'a);
}

impl<'a, M: Memory> Lease<'a, M> {
    /// Returns the arena that this is a lease of.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 4096];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let lease = arena.lease(1024);
    /// let handle = lease.insert(7).unwrap();
    /// assert_eq!(lease.arena().get(handle), Some(&7));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn arena(&self) -> &'a Arena<M> {
        self.runs.arena()
    }

    /// Returns how many bytes can still be allocated, not all of them in one piece: a snapshot
    /// where others share the arena.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 4096];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let lease = arena.lease(1024);
    /// let before = lease.remaining();
    /// lease.alloc(7_u64).unwrap();
    /// assert_eq!(lease.remaining(), before - 8);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> usize {
        self.runs.total(&Marks::new())
    }

    /// Returns the arena's statistics, in which all of the lease's chunk counts as used.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 4096];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let lease = arena.lease(1024);
    /// lease.alloc(7_u64).unwrap();
    /// assert!(lease.stats().used >= 8);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.arena().stats()
    }

    /// Returns the bytes of a published block, as [`Arena::view`] does.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 4096];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let lease = arena.lease(1024);
    /// let handle = lease.allocate(4).unwrap().publish();
    /// assert_eq!(lease.view(handle), Some(&[0; 4][..]));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn view(&self, handle: Handle) -> Option<&'a [u8]> {
        self.arena().view(handle)
    }

    /// Returns what a handle names, as [`Arena::get`] does.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 4096];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let lease = arena.lease(1024);
    /// let handle = lease.insert("text").unwrap();
    /// assert_eq!(lease.get(handle), Some(&"text"));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&'a T> {
        self.arena().get(handle)
    }

    /// Ends this lease, and makes it one of another segment of a growing arena, with `len` free
    /// bytes at `start`. Its chunks are as large as before.
    ///
    /// # Safety
    ///
    /// - The bytes were claimed from the arena and belong to nobody else, or there are none, at the
    ///   end of bytes that were claimed.
    pub(crate) unsafe fn go_on_in(&mut self, arena: &'a Arena<M>, start: NonNull<u8>, len: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.runs.go_on_in(arena, start, len) };
    }

    /// Extends the last block of the current run, which has no room for it.
    #[cold]
    #[inline(never)]
    fn extend_run(&self, start: NonNull<u8>, old_size: usize, new_size: usize) -> bool {
        let missing = self.runs.bump().missing(start, new_size);
        self.runs.extend_run(&Marks::new(), missing, STEP).is_ok() && self.runs.bump().extend(start, old_size, new_size)
    }

    /// Returns the lease's runs.
    #[inline(always)]
    pub(crate) fn runs(&self) -> &LeasedRuns<'a, M> {
        &self.runs
    }
}

// SAFETY: `claim` hands out bytes that the lease claimed from the arena, each once: the invariant
// of the bump. They stay claimed when the lease ends, so they live as long as the borrow of the
// arena. What comes back may be a block of another lease of this arena. Its owner gives it back, so
// it is this lease's then.
unsafe impl<'a, M: Memory> Claim<'a> for &Lease<'a, M> {
    type Origin = Self;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline(always)]
    unsafe fn claim(self, size: usize, align: usize, retries: Option<u32>) -> Result<Claimed<Self>, AllocError> {
        require_stable_alignment::<M>(align)?;
        let start = match self.runs.bump().claim(size, align) {
            Some(start) => start,
            None => self.runs.claim_slowly(size, align, retries)?,
        };
        // SAFETY: claimed just now.
        Ok(unsafe { Claimed::new(start, self) })
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        if size == 0 {
            return;
        }
        let next = self.runs.bump().next().addr().get();
        if self.runs.bump().give_back(start, size) {
            self.runs.raise_dirty_end(next);
        } else {
            // SAFETY: the caller's promise. The bytes are at the cursor, or nothing happens.
            unsafe { self.arena().give_back(start, size) };
        }
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<Self>> {
        let bump = self.runs.bump();
        let extended = if bump.is_last(start, old_size) {
            bump.extend(start, old_size, new_size) || self.extend_run(start, old_size, new_size)
        } else {
            // SAFETY: the caller's promise. If the block ends at the cursor, no run lies behind it.
            let extended = unsafe { self.arena().extend(start, old_size, new_size) }.is_some();
            if extended {
                self.runs.learn_dirty_end();
            }
            extended
        };
        // SAFETY: claimed from this lease before, and just now what lies behind.
        extended.then(|| unsafe { Claimed::new(start, self) })
    }

    #[inline]
    unsafe fn epoch(self) -> NonZeroU64 {
        self.arena().epoch()
    }

    #[inline]
    fn remaining(self) -> usize {
        self.runs.longest(&Marks::new())
    }
}

// SAFETY: free bytes of the runs at and behind their dirty end are zero where the memory was. It is
// raised to the peak by every claim from the arena, and over bytes that were handed out and came
// back.
unsafe impl<M: Memory> Origin for &Lease<'_, M> {
    #[inline(always)]
    fn base(self) -> NonNull<u8> {
        self.runs.base()
    }

    #[inline]
    fn dirty_end(self) -> Option<usize> {
        self.arena().memory().is_zeroed().then(|| self.runs.dirty_position())
    }

    #[inline]
    fn epoch(self) -> NonZeroU64 {
        self.arena().epoch()
    }
}

// SAFETY: the pointers lead into the region, to bytes that are the lease's own. The arena is used
// through a shared reference, from the thread that has the lease.
unsafe impl<M: Memory> Send for Lease<'_, M> where Arena<M>: Sync {}

impl<M: Memory> fmt::Debug for Lease<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("arena", self.arena())
            .field("room", &self.runs.bump().room())
            .field("chunk", &self.runs.chunk())
            .finish_non_exhaustive()
    }
}
