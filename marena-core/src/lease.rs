//! A run of the region that one thread claims ahead and bumps through without atomics.

use core::cell::Cell;
use core::fmt;
use core::num::NonZeroU64;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use crate::arena::Arena;
use crate::bump::Bump;
use crate::claim::{Claim, Claimed, Origin, refusal, require_stable_alignment};
use crate::error::AllocError;
use crate::handle::Handle;
use crate::memory::{Memory, max_align};
use crate::placement::{STEP, Span, place};
use crate::protocol;
use crate::stats::Stats;
use crate::sync::Word;

/// The first chunk of a lease, in bytes: small, so that a lease which is hardly used costs the arena hardly anything.
pub(crate) const FIRST_CHUNK: usize = 256;

/// No chunk takes more than this fraction of what the arena has left, so leases share its end instead of stranding it.
const SHARE_OF_REST: usize = 8;

/// A part of the arena for one thread: a claim in it costs no atomic operation, and no other thread's cache line.
///
/// The lease claims chunks of the arena and hands out pieces. The first chunk is 256 bytes, each next one twice
/// that, up to the size passed to [`Arena::lease`] and never more than an eighth of what the arena has left. While
/// nobody else claims behind it, it extends its chunk in place. A request that fits the arena never fails because a chunk does not.
///
/// What it hands out lives as long as the arena's borrow and outlives the lease. When it is dropped, its unused bytes
/// go back to the arena if nobody claimed behind them, else they are [stranded](crate::Stats::stranded) until the next reset.
/// So they are when it is forgotten, but then nobody counts them.
///
/// May be sent to another thread, but not shared.
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
    arena: &'a Arena<M>,
    /// INVARIANT: its bytes were claimed from the arena, by this lease, and not given back.
    bump: Bump,
    /// The arena's, cached.
    base: NonNull<u8>,
    /// Position where the current chunk starts. INVARIANT: the bytes from the larger of it and the bump's `next` on are free.
    chunk_start: Cell<usize>,
    /// Bytes to claim next time.
    chunk: Cell<usize>,
    /// The most bytes to claim at once.
    max_chunk: usize,
    /// Position at and behind which unclaimed bytes of the chunk are zero, if the arena's memory was.
    dirty_end: Cell<usize>,
}

impl<M: Memory> Arena<M> {
    /// A lease that claims up to `chunk` bytes at once (more for a single request that needs it): 4,096 to 65,536 suit most
    /// threads. Claims nothing yet.
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
        let max_chunk = chunk.min(self.limit() as usize) & !(STEP - 1);
        let base = self.base();
        Lease {
            arena: self,
            // SAFETY: no bytes at the start of the region.
            bump: unsafe { Bump::new(base, 0) },
            base,
            chunk_start: Cell::new(0),
            chunk: Cell::new(FIRST_CHUNK.min(max_chunk)),
            max_chunk,
            dirty_end: Cell::new(0),
        }
    }
}

/// Allocating: as [`Arena`]'s methods of the same names. What they return outlives the lease.
impl<'a, M: Memory> Lease<'a, M> {
    crate::forward_allocate!('s => 'a);
}

impl<'a, M: Memory> Lease<'a, M> {
    /// The arena that this is a lease of.
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
        self.arena
    }

    /// Bytes that can still be allocated, not all of them in one piece: a snapshot where others share the arena.
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
        self.arena.remaining() + self.bump.room()
    }

    /// The arena's statistics, in which all of the lease's chunk counts as used.
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
        self.arena.stats()
    }

    /// As [`Arena::view`].
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
        self.arena.view(handle)
    }

    /// As [`Arena::get`].
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
    pub fn get<T>(&self, handle: Handle<T>) -> Option<&'a T> {
        self.arena.get(handle)
    }

    /// A lease that goes on where another one, of a growing arena's segment before, ended: with chunks as large as `chunk`.
    pub(crate) fn of_segment(arena: &'a Arena<M>, max_chunk: usize, chunk: usize) -> Self {
        let lease = arena.lease(max_chunk);
        lease.chunk.set(chunk.min(lease.max_chunk));
        lease
    }

    /// The most bytes to claim at once, so far.
    pub(crate) fn chunk(&self) -> usize {
        self.chunk.get()
    }

    #[inline]
    pub(crate) fn bump(&self) -> &Bump {
        &self.bump
    }

    /// The first byte of the current chunk.
    #[inline]
    pub(crate) fn chunk_start(&self) -> NonNull<u8> {
        self.arena.at(self.chunk_start.get())
    }

    /// From here on nothing in the chunk counts as known to be zero: a scratch, which may be forgotten, will hand it out.
    #[inline]
    pub(crate) fn soil(&self) {
        self.raise_dirty_end(self.bump.end() - self.base.addr().get());
    }

    #[inline]
    fn raise_dirty_end(&self, position: usize) {
        self.dirty_end.set(self.dirty_end.get().max(position));
    }

    /// The position of a pointer into the region.
    #[inline]
    fn position(&self, pointer: NonNull<u8>) -> usize {
        pointer.addr().get() - self.base.addr().get()
    }

    /// Whether a run that goes on at `next`, in the current chunk, has room for a request.
    pub(crate) fn has_room(&self, next: NonNull<u8>, size: usize, align: usize) -> bool {
        let end = self.bump.end() - self.base.addr().get();
        place(self.base.addr().get(), self.position(next) as u32, end as u32, size, align).is_some()
    }

    /// The most bytes that one request could get, where the current chunk's are free from `next` on.
    pub(crate) fn longest_run(&self, next: NonNull<u8>) -> usize {
        let (used, limit) = (self.arena.used(), self.arena.limit() as usize);
        let end = self.bump.end() - self.base.addr().get();
        let room = end - self.position(next);
        let rest = limit - used;
        if used == end { room + rest } else { room.max(rest) }
    }

    /// A request that the chunk has no room for.
    #[cold]
    #[inline(never)]
    fn claim_slowly(&self, size: usize, align: usize, retries: Option<u32>) -> Result<NonNull<u8>, AllocError> {
        let full = |error: AllocError| error.with_remaining(self.longest_run(self.bump.next()));
        if let Err(seen) = self.extend_chunk(self.bump.next(), size, align) {
            // A large piece is not worth leaving the rest of the chunk.
            if size > self.chunk.get() / 4 && self.bump.room() > 0 {
                let claim = self.claim_behind(seen, size, align, retries, 0).map_err(full)?;
                return Ok(self.arena.hand_out(claim, size));
            }
            self.replace_chunk(seen, size, align, retries).map_err(full)?;
        }
        self.bump.claim(size, align).ok_or_else(|| full(AllocError::Full { requested: size, remaining: 0 }))
    }

    /// Moves the chunk's end up, if nobody claimed behind it; else `Err` carries the cursor, for a claim that follows.
    ///
    /// Tries without looking: a look fetches the cursor's cache line from another core to read it, and the attempt once more to
    /// write it. After an attempt that failed the line is here, and the claim that follows succeeds at once.
    pub(crate) fn extend_chunk(&self, next: NonNull<u8>, size: usize, align: usize) -> Result<(), u32> {
        let (cursor, limit) = (&self.arena.header().cursor, self.arena.limit());
        let bump = &self.bump;
        let end = (bump.end() - self.base.addr().get()) as u32;
        let next = self.position(next) as u32;
        // ORDERING: Relaxed, only a guess that the claim which follows verifies.
        let needed = place(self.base.addr().get(), next, limit, size, align).ok_or_else(|| cursor.load(Relaxed))?;
        let new_end = needed.end.max(end + ahead(self.chunk.get(), limit - end));
        protocol::extend(cursor, end, new_end)?;
        let len = bump.room() + (new_end - end) as usize;
        // SAFETY: the bytes behind the old end were claimed just now, by this lease.
        unsafe { bump.set(bump.next(), len) };
        self.note_claim();
        Ok(())
    }

    /// Starts another chunk, with room for the request, by one who has `seen` the cursor.
    pub(crate) fn replace_chunk(
        &self,
        seen: u32,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<(), AllocError> {
        let chunk = self.claim_behind(seen, size, align, retries, self.chunk.get())?;
        self.strand(self.bump.room());
        self.chunk_start.set(chunk.start as usize);
        let start = self.arena.at(chunk.start as usize);
        // SAFETY: claimed just now, by this lease.
        unsafe { self.bump.set(start, (chunk.end - chunk.start) as usize) };
        Ok(())
    }

    /// Claims room for the request, and ahead of it up to `chunk` bytes in all, wherever the cursor stands.
    fn claim_behind(
        &self,
        seen: u32,
        size: usize,
        align: usize,
        retries: Option<u32>,
        chunk: usize,
    ) -> Result<Span, AllocError> {
        let limit = self.arena.limit();
        let cursor = &self.arena.header().cursor;
        let place = |seen| {
            let Span { start, end } = place(self.base.addr().get(), seen, limit, size, align)?;
            Some(Span { start, end: end.max(start + ahead(chunk, limit - start)) })
        };
        let claimed = protocol::claim(cursor, seen, place, retries);
        let claimed = claimed.map_err(|reason| refusal(size, limit, retries, reason))?;
        self.note_claim();
        Ok(claimed)
    }

    /// After a claim from the arena: the next one takes more, and what give-backs did below its bytes is known.
    fn note_claim(&self) {
        self.chunk.set(self.chunk.get().saturating_mul(2).min(self.max_chunk));
        if let Some(dirty_end) = self.arena.dirty_end() {
            self.raise_dirty_end(dirty_end);
        }
    }

    /// Counts bytes that this lease leaves behind.
    fn strand(&self, bytes: usize) {
        if bytes > 0 {
            protocol::strand(&self.arena.header().stranded, bytes as u32);
        }
    }
}

/// Bytes to claim at once where `rest` are left: `chunk`, or a share of the rest; a multiple of the step.
fn ahead(chunk: usize, rest: u32) -> u32 {
    let share = (rest as usize / SHARE_OF_REST) & !(STEP - 1);
    chunk.min(share) as u32
}

// SAFETY: `claim` hands out bytes that the lease claimed from the arena, each once: the bump's invariant. They stay claimed
// when the lease ends, so they live as long as the arena's borrow. The chunk's bytes at and behind `dirty_end` are zero where the
// memory was: it is at least the peak after every claim from the arena, and is raised over what was handed out and came back.
unsafe impl<'a, M: Memory> Claim<'a> for &Lease<'a, M> {
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
        if size == 0 {
            return;
        }
        let next = self.position(self.bump.next());
        if self.bump.give_back(start, size) {
            self.raise_dirty_end(next);
        } else {
            // SAFETY: the caller's promise; what is no longer in the chunk is at the cursor or stays.
            unsafe { self.arena.give_back(start, size) };
        }
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<Self>> {
        let extended = self.bump.extend(start, old_size, new_size) || {
            if self.bump.is_last(start, old_size) {
                let missing = self.bump.missing(start, new_size);
                self.extend_chunk(self.bump.next(), missing, STEP).is_ok()
                    && self.bump.extend(start, old_size, new_size)
            } else {
                // SAFETY: the caller's promise. A block that ends at the cursor is none of the current chunk, or its last.
                let extended = unsafe { self.arena.extend(start, old_size, new_size) }.is_some();
                if extended && let Some(dirty_end) = self.arena.dirty_end() {
                    self.raise_dirty_end(dirty_end);
                }
                extended
            }
        };
        // SAFETY: claimed from this lease before, and just now what lies behind.
        extended.then(|| unsafe { Claimed::new(start, self) })
    }

    #[inline]
    unsafe fn epoch(self) -> NonZeroU64 {
        self.arena.epoch()
    }

    #[inline]
    fn remaining(self) -> usize {
        Lease::remaining(self)
    }
}

// SAFETY: the dirty end is raised over whatever was handed out, and by every claim of a chunk to what the arena knows.
unsafe impl<M: Memory> Origin for &Lease<'_, M> {
    #[inline(always)]
    fn base(self) -> NonNull<u8> {
        self.base
    }

    #[inline]
    fn dirty_end(self) -> Option<usize> {
        self.arena.memory().is_zeroed().then(|| self.dirty_end.get())
    }

    #[inline]
    fn epoch(self) -> NonZeroU64 {
        self.arena.epoch()
    }
}

impl<M: Memory> Drop for Lease<'_, M> {
    fn drop(&mut self) {
        let start = self.position(self.bump.next()) as u32;
        let end = start + self.bump.room() as u32;
        if start == end {
            return;
        }
        let header = self.arena.header();
        // What was handed out and came back to the lease, or was a scratch's.
        let dirty_end = self.dirty_end.get().min(end as usize) as u32;
        // ORDERING: Relaxed, only to leave the peak alone when the exchange would fail anyway.
        if header.cursor.load(Relaxed) == end {
            if dirty_end > start {
                protocol::raise_peak(&header.peak, dirty_end);
            }
            if protocol::give_back(&header.cursor, start, end) {
                return;
            }
        }
        self.strand((end - start) as usize);
    }
}

// SAFETY: all that is not `Send` by itself is the bump's pointer into the region, whose bytes are the lease's own; the
// arena is used through a shared reference from the thread that has the lease.
unsafe impl<M: Memory> Send for Lease<'_, M> where Arena<M>: Sync {}

impl<M: Memory> fmt::Debug for Lease<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("arena", self.arena)
            .field("room", &self.bump.room())
            .field("chunk", &self.chunk.get())
            .finish_non_exhaustive()
    }
}
