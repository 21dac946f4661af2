//! A fixed set of arenas that are handed out, shared, and recycled by whoever lets go last.

use core::cell::UnsafeCell;
use core::fmt;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::arena::Arena;
use crate::error::MemoryError;
use crate::header::Header;
use crate::memory::ExclusiveMemory;
use crate::sync::Word;

/// The counts that are none: nobody has the arena; its last guard is resetting it; too many guards were made to count, and it
/// stays out for good. Any other is the number of guards.
const FREE: u32 = 0;
const RECYCLING: u32 = u32::MAX - 1;
const PINNED: u32 = u32::MAX;

/// `N` arenas, each free or shared by the clones of one guard; when the last clone is dropped, the arena is reset and free again.
///
/// The memtable of a storage engine is the pattern: one arena fills, readers and a flush go on using it behind their
/// guards, and whoever is last recycles it. A guard that is forgotten keeps its arena out for good, and harms nothing else.
///
/// Lock-free: every step is one compare-and-swap on a count that fails only because another step succeeded. The count lies in
/// the arena's header, away from the cursor's cache line.
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
    /// A pool of empty arenas, one in each memory.
    ///
    /// # Errors
    ///
    /// Those of [`Arena::new`].
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::{BorrowedMemory, Pool};
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let pool = Pool::new([BorrowedMemory::new(&mut bytes)?])?;
    /// assert_eq!(pool.available(), 1);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn new(memories: [M; N]) -> Result<Self, MemoryError> {
        let mut slots = heapless::Vec::new();
        for memory in memories {
            // There is room for as many as there are memories.
            let _ = slots.push(PoolSlot::new(Arena::new(memory)?));
        }
        Ok(Self { slots })
    }

    /// A free arena, or `None` if at a look at each none was.
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

    /// Arenas that are free at a look at each: 0 to `N`.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::{BorrowedMemory, Pool};
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let pool = Pool::new([BorrowedMemory::new(&mut bytes)?])?;
    /// assert_eq!(pool.available(), 1);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
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

/// One arena of a pool. Hidden: public for pools whose number of arenas is not fixed at build time.
#[doc(hidden)]
pub struct PoolSlot<M: ExclusiveMemory> {
    /// INVARIANT: shared by the guards that its count counts. With the count at `RECYCLING`, it is the last guard's alone.
    arena: UnsafeCell<Arena<M>>,
    /// The arena's, kept apart: the count is looked at while the last guard has the arena to itself.
    header: NonNull<Header<M::Word>>,
}

// SAFETY: the header is the arena's, and goes where it goes.
unsafe impl<M: ExclusiveMemory> Send for PoolSlot<M> where Arena<M>: Send {}
// SAFETY: guards on several threads share the arena, and the last one, on any thread, changes it.
unsafe impl<M: ExclusiveMemory> Sync for PoolSlot<M> where Arena<M>: Send + Sync {}

impl<M: ExclusiveMemory> PoolSlot<M> {
    /// A free slot.
    #[must_use]
    pub fn new(arena: Arena<M>) -> Self {
        let header = arena.memory().header();
        Self { arena: UnsafeCell::new(arena), header }
    }

    /// A guard, if nobody has the arena.
    pub fn acquire(&self) -> Option<PoolGuard<'_, M>> {
        // ORDERING: Acquire pairs with the last guard's store of `FREE`: its reset happens before what follows. The load
        // only saves an exchange that would fail.
        let free = self.is_free() && self.guards().compare_exchange(FREE, 1, Acquire, Relaxed).is_ok();
        free.then(|| PoolGuard { slot: self })
    }

    /// Whether nobody has the arena: a snapshot.
    pub fn is_free(&self) -> bool {
        // ORDERING: Relaxed: a snapshot.
        self.guards().load(Relaxed) == FREE
    }

    /// The count, which a new arena's header has at `FREE`.
    fn guards(&self) -> &M::Word {
        // SAFETY: the header is initialised and valid while the arena lives, and its words are atomics. A reference is made to
        // this word alone, which a reset does not touch.
        unsafe { &(*self.header.as_ptr()).guards }
    }

    fn retain(&self) {
        // ORDERING: Relaxed throughout: the new guard is made from one that keeps the arena, as with `Arc`.
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
        // ORDERING: Relaxed, a guess that the exchanges verify.
        let mut seen = self.guards().load(Relaxed);
        while seen != PINNED {
            // ORDERING: Release pairs with the last guard's Acquire: what this guard's owner did happens before the reset.
            // The counts form one release sequence, so the last guard acquires from all of them.
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

    /// Resets the arena and frees it. The caller's guard was the last.
    fn recycle(&self) {
        // SAFETY: the count is at `RECYCLING`: no guard is left, and none is made before `FREE`.
        unsafe { &mut *self.arena.get() }.reset();
        // ORDERING: Release pairs with `acquire`.
        self.guards().store(FREE, Release);
    }
}

/// A share of one of a [`Pool`]'s arenas. Clones share it; when the last is dropped, the arena is reset and free again.
///
/// What the arena hands out borrows the guard, so nothing of it outlives its life.
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

impl<M: ExclusiveMemory> Clone for PoolGuard<'_, M> {
    /// Another guard of the same arena. After some four billion clones that were forgotten, the arena is never recycled.
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
