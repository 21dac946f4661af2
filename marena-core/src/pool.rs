//! A fixed set of arenas that guards share, and that the last guard of each recycles.

use core::cell::UnsafeCell;
use core::fmt;
use core::num::NonZeroU64;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use stable_deref_trait::{CloneStableDeref, StableDeref};

use crate::arena::Arena;
use crate::claim::{Claim, Claimed};
use crate::error::{AllocError, MemoryError};
use crate::header::Header;
use crate::memory::{ExclusiveMemory, Reserve, max_align};
use crate::sync::Word;

/// Three values of a slot's count are states; any other is the number of guards. `FREE`: no guard
/// has the arena. `RECYCLING`: its last guard is resetting it. `PINNED`: more guards were made than
/// can be counted, so the arena is never recycled.
const FREE: u32 = 0;
const RECYCLING: u32 = u32::MAX - 1;
const PINNED: u32 = u32::MAX;

/// `N` arenas that are handed out and recycled.
///
/// Each arena is free or shared by the clones of one guard. When the last clone is dropped, the
/// arena is reset and free again. A storage engine's memtable is the pattern: one arena fills;
/// readers and a flush keep using it behind their guards; the last of them recycles it.
///
/// A forgotten guard keeps its arena in use for good, and affects no other.
///
/// Lock-free: every step is one compare-and-swap on a count, and fails only because another step
/// succeeded. The count lies in the arena's header, outside the cursor's cache line.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{BorrowedMemory, Pool};
///
/// let (mut a, mut b) = ([MaybeUninit::uninit(); 1024], [MaybeUninit::uninit(); 1024]);
/// let pool = Pool::new([BorrowedMemory::new(&mut a)?, BorrowedMemory::new(&mut b)?])?;
///
/// let table = pool.acquire().unwrap();
/// let reader = table.clone();
/// let handle = table.insert(42).unwrap();
/// drop(table);
/// assert_eq!(reader.get(handle), Some(&42));
/// assert_eq!(pool.available(), 1);
/// drop(reader);
/// assert_eq!(pool.available(), 2);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
pub struct Pool<M: ExclusiveMemory, const N: usize> {
    slots: heapless::Vec<PoolSlot<M>, N>,
}

impl<M: ExclusiveMemory, const N: usize> Pool<M, N> {
    /// Creates a pool of empty arenas, one in each memory.
    ///
    /// # Errors
    ///
    /// Those of [`Arena::new`].
    pub fn new(memories: [M; N]) -> Result<Self, MemoryError> {
        let mut slots = heapless::Vec::new();
        for memory in memories {
            // There is room for as many as there are memories.
            let _ = slots.push(PoolSlot::new(Arena::new(memory)?));
        }
        Ok(Self { slots })
    }

    /// Takes a free arena, or returns `None` if every arena was in use. Takes time in proportion to
    /// `N`.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::{BorrowedMemory, Pool};
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let pool = Pool::new([BorrowedMemory::new(&mut bytes)?])?;
    /// let guard = pool.acquire().unwrap();
    /// assert!(pool.acquire().is_none());
    /// drop(guard);
    /// assert_eq!(pool.acquire().unwrap().used(), 0);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use = "dropping the guard recycles the arena"]
    pub fn acquire(&self) -> Option<PoolGuard<'_, M>> {
        self.slots.iter().find_map(PoolSlot::acquire)
    }

    /// Returns how many arenas are free: 0 to `N`. A snapshot, which other threads may outdate at
    /// once.
    #[must_use]
    pub fn available(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_free()).count()
    }
}

impl<M: ExclusiveMemory, const N: usize> fmt::Debug for Pool<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("arenas", &N).field("available", &self.available()).finish()
    }
}

/// One arena of a pool: free, or shared by guards.
///
/// For pools whose number of arenas is not known at build time: a slice of slots, searched with
/// [`acquire`](Self::acquire), is a pool.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{Arena, PoolSlot};
///
/// let mut buffers = [[MaybeUninit::uninit(); 1024]; 3];
/// let arenas = buffers.iter_mut().map(|bytes| Arena::borrowed(bytes));
/// let pool: Vec<_> = arenas.map(|arena| arena.map(PoolSlot::new)).collect::<Result<_, _>>()?;
///
/// let guards: Vec<_> = std::iter::from_fn(|| pool.iter().find_map(PoolSlot::acquire)).collect();
/// assert_eq!(guards.len(), 3);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
pub struct PoolSlot<M: ExclusiveMemory> {
    /// INVARIANT: shared by the guards that its count counts. With the count at `RECYCLING`, it is
    /// the last guard's alone.
    arena: UnsafeCell<Arena<M>>,
    /// The arena's header, kept beside it: the count is read while the last guard has exclusive
    /// access to the arena.
    header: NonNull<Header<M::Word>>,
}

// SAFETY: the pointer is to the arena's own header, which the arena keeps valid on whatever thread
// it is.
unsafe impl<M: ExclusiveMemory> Send for PoolSlot<M> where Arena<M>: Send {}
// SAFETY: guards on several threads share the arena, for which it must be `Sync`. The last one, on
// any thread, gets exclusive access to it, for which it must be `Send`.
unsafe impl<M: ExclusiveMemory> Sync for PoolSlot<M> where Arena<M>: Send + Sync {}

impl<M: ExclusiveMemory> PoolSlot<M> {
    /// Resets the arena and creates a free slot of it.
    #[must_use]
    pub fn new(mut arena: Arena<M>) -> Self {
        arena.reset();
        let header = arena.memory().header();
        let slot = Self { arena: UnsafeCell::new(arena), header };
        // ORDERING: Relaxed: no other thread knows the slot. An arena that was attached to may have
        // been a pool's.
        slot.guards().store(FREE, Relaxed);
        slot
    }

    /// Returns the arena. No guard borrows the slot any more; values of a forgotten guard do not
    /// either.
    #[must_use]
    pub fn into_inner(self) -> Arena<M> {
        self.arena.into_inner()
    }

    /// Takes the arena if it is free: at most one compare-and-swap.
    #[must_use = "dropping the guard recycles the arena"]
    pub fn acquire(&self) -> Option<PoolGuard<'_, M>> {
        // ORDERING: Acquire pairs with the last guard's store of `FREE`: its reset happens before
        // what follows. The load only saves a compare-and-swap that would fail.
        let free = self.is_free() && self.guards().compare_exchange(FREE, 1, Acquire, Relaxed).is_ok();
        free.then(|| PoolGuard { slot: self })
    }

    /// Returns whether no guard has the arena: a snapshot, which other threads may outdate at once.
    #[must_use]
    pub fn is_free(&self) -> bool {
        // ORDERING: Relaxed: a snapshot.
        self.guards().load(Relaxed) == FREE
    }

    /// Trims the arena if it is free: see [`Arena::trim`]. `None` if it is not. Meanwhile nobody
    /// can take it.
    ///
    /// # Errors
    ///
    /// As for [`Arena::trim`].
    pub fn trim(&self) -> Option<Result<usize, M::Error>>
    where
        M: Reserve,
    {
        /// Frees the slot, also when trimming panics.
        struct Trimming<'s, M: ExclusiveMemory>(&'s PoolSlot<M>);
        impl<M: ExclusiveMemory> Drop for Trimming<'_, M> {
            fn drop(&mut self) {
                // ORDERING: Release pairs with `acquire`.
                self.0.guards().store(FREE, Release);
            }
        }

        // ORDERING: Acquire, as in `acquire`.
        let free = self.is_free() && self.guards().compare_exchange(FREE, RECYCLING, Acquire, Relaxed).is_ok();
        free.then(|| {
            let trimming = Trimming(self);
            // SAFETY: the count is at `RECYCLING`: no guard is left, and none is made before
            // `FREE`.
            unsafe { &mut *trimming.0.arena.get() }.trim()
        })
    }

    /// The count of guards, or one of the three states.
    fn guards(&self) -> &M::Word {
        // SAFETY: the header is initialised and valid while the arena lives, and its words are
        // atomics. A reference is made to this word alone, which a reset does not touch.
        unsafe { &(*self.header.as_ptr()).guards }
    }

    fn retain(&self) {
        // ORDERING: Relaxed throughout: the new guard is made from one that keeps the arena, as
        // with `Arc`.
        let mut seen = self.guards().load(Relaxed);
        while seen != PINNED {
            let more = if seen + 1 == RECYCLING { PINNED } else { seen + 1 };
            match self.guards().compare_exchange_weak(seen, more, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(found) => seen = found,
            }
        }
    }

    fn release(&self) {
        // ORDERING: Relaxed, a guess that the compare-and-swap verifies.
        let mut seen = self.guards().load(Relaxed);
        while seen != PINNED {
            // ORDERING: Release pairs with the last guard's Acquire: what this guard's owner did
            // happens before the reset. The counts form one release sequence, so the last guard
            // acquires from all of them.
            let exchanged = match seen {
                1 => self.guards().compare_exchange_weak(1, RECYCLING, Acquire, Relaxed),
                more => self.guards().compare_exchange_weak(more, more - 1, Release, Relaxed),
            };
            match exchanged {
                Ok(1) => return self.recycle(),
                Ok(_) => return,
                Err(found) => seen = found,
            }
        }
    }

    /// Resets the arena and frees it. The caller's guard was the last, and moved the count to
    /// `RECYCLING`.
    fn recycle(&self) {
        // SAFETY: the count is at `RECYCLING`: no guard is left, and none is made before `FREE`.
        unsafe { &mut *self.arena.get() }.reset();
        // ORDERING: Release pairs with `acquire`.
        self.guards().store(FREE, Release);
    }
}

/// Shared access to one of a [`Pool`]'s arenas.
///
/// Clones share the arena. When the last is dropped, the arena is reset and free again. Whatever
/// the arena hands out borrows the guard that it was called through. What must outlive that borrow
/// goes into an [`Owned`](crate::Owned) together with the guard.
///
/// # Examples
///
/// ```
/// # use core::mem::MaybeUninit;
/// # use marena_core::{BorrowedMemory, Pool};
/// # let mut bytes = [MaybeUninit::uninit(); 1024];
/// let pool = Pool::new([BorrowedMemory::new(&mut bytes)?])?;
/// let guard = pool.acquire().unwrap();
/// let text = guard.alloc_str("as in any arena").unwrap();
/// assert_eq!(text, "as in any arena");
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
///
/// ```compile_fail,E0505
/// # use core::mem::MaybeUninit;
/// # use marena_core::{BorrowedMemory, Pool};
/// # let mut bytes = [MaybeUninit::uninit(); 1024];
/// # let pool = Pool::new([BorrowedMemory::new(&mut bytes).unwrap()]).unwrap();
/// let guard = pool.acquire().unwrap();
/// let text = guard.alloc_str("gone with the guard").unwrap();
/// drop(guard);
/// text.make_ascii_uppercase();
/// ```
pub struct PoolGuard<'p, M: ExclusiveMemory> {
    /// INVARIANT: its count counts this guard, or is pinned.
    slot: &'p PoolSlot<M>,
}

impl<M: ExclusiveMemory> Deref for PoolGuard<'_, M> {
    type Target = Arena<M>;

    #[inline]
    fn deref(&self) -> &Arena<M> {
        // SAFETY: while this guard lives, the arena is only shared: see the slot's invariant.
        unsafe { &*self.slot.arena.get() }
    }
}

// SAFETY: the arena lies in the slot, which is borrowed for longer than the guard lives, wherever
// that is moved. It is only shared until the guard is dropped, whatever is done through
// `&PoolGuard`. There is no `DerefMut`.
unsafe impl<M: ExclusiveMemory> StableDeref for PoolGuard<'_, M> {}
// SAFETY: a clone has the same slot.
unsafe impl<M: ExclusiveMemory> CloneStableDeref for PoolGuard<'_, M> {}

impl<M: ExclusiveMemory> AsRef<Arena<M>> for PoolGuard<'_, M> {
    #[inline]
    fn as_ref(&self) -> &Arena<M> {
        self
    }
}

// SAFETY: everything is done by the arena, which cannot be reset while the guard is borrowed.
unsafe impl<'a, M: ExclusiveMemory> Claim<'a> for &'a PoolGuard<'_, M> {
    type Origin = &'a Arena<M>;
    const MAX_ALIGN: usize = max_align::<M>();

    #[inline(always)]
    unsafe fn claim(
        self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<Claimed<&'a Arena<M>>, AllocError> {
        // SAFETY: the caller's promises.
        unsafe { (**self).claim(size, align, retries) }
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises.
        unsafe { (**self).give_back(start, size) };
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<&'a Arena<M>>> {
        // SAFETY: the caller's promises.
        unsafe { (**self).extend(start, old_size, new_size) }
    }

    #[inline]
    unsafe fn epoch(self) -> NonZeroU64 {
        Arena::epoch(self)
    }

    #[inline]
    fn remaining(self) -> usize {
        Arena::remaining(self)
    }
}

impl<M: ExclusiveMemory> Clone for PoolGuard<'_, M> {
    /// Returns another guard of the same arena. After four billion forgotten clones the arena is
    /// never recycled.
    fn clone(&self) -> Self {
        self.slot.retain();
        Self { slot: self.slot }
    }
}

impl<M: ExclusiveMemory> Drop for PoolGuard<'_, M> {
    fn drop(&mut self) {
        self.slot.release();
    }
}

impl<M: ExclusiveMemory> fmt::Debug for PoolGuard<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PoolGuard").field(&**self).finish()
    }
}

impl<M: ExclusiveMemory> fmt::Debug for PoolSlot<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolSlot").field("free", &self.is_free()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use core::mem::{self, MaybeUninit};

    use super::*;
    use crate::memory::BorrowedMemory;

    #[test]
    fn a_count_that_cannot_count_further_keeps_its_arena_out_for_good() {
        let mut bytes = [MaybeUninit::uninit(); 1024];
        let pool: Pool<_, 1> = Pool::new([BorrowedMemory::new(&mut bytes).unwrap()]).unwrap();
        let guard = pool.acquire().unwrap();
        // As if this many clones had been forgotten.
        guard.slot.guards().store(RECYCLING - 2, Relaxed);
        mem::forget(guard.clone());
        assert_eq!(guard.slot.guards().load(Relaxed), RECYCLING - 1);
        let last = guard.clone();
        assert_eq!(guard.slot.guards().load(Relaxed), PINNED);
        let handle = guard.insert(7).unwrap();
        drop(last);
        assert_eq!(guard.get(handle), Some(&7));
        drop(guard);
        assert_eq!(pool.slots[0].guards().load(Relaxed), PINNED, "no guard that goes is counted any more");
        assert_eq!(pool.available(), 0);
        assert!(pool.acquire().is_none());
    }
}
