//! Guards of a pool's arenas that keep the pool itself.

use std::fmt;
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use marena_core::{AllocError, Arena, Claim, Claimed, CloneStableDeref, PoolGuard, PoolSlot, StableDeref};

use crate::memory::OwnedMemory;
use crate::pool::Pool;

/// A [`PoolGuard`] that keeps its pool alive, too: `'static`, so that it moves into other threads,
/// tasks and structures without a lifetime.
///
/// Made by [`Pool::acquire_owned`]. Clones share the arena. When the last guard is dropped, the
/// arena is reset and free again; the last guard of all outlives the pool's own `Arc`s and frees
/// it.
///
/// Together with a handle it makes an [`Owned`](crate::Owned), which can be given to
/// [`bytes::Bytes::from_owner`](https://docs.rs/bytes/1/bytes/struct.Bytes.html#method.from_owner),
/// for example.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::thread;
/// use marena_std::{Owned, OwnedPoolGuard, Pool};
///
/// struct Response {
///     body: Owned<OwnedPoolGuard>,
/// }
///
/// let pool = Arc::new(Pool::with_capacity(2, 1 << 20)?);
/// let guard = pool.acquire_owned().expect("an arena is free");
/// let mut block = guard.allocate(5)?;
/// block.copy_from_slice(b"hello");
/// let handle = block.publish();
/// let body = Owned::new(guard, handle).expect("the handle is of this arena");
/// let response = Response { body };
///
/// let sent = thread::spawn(move || response.body.to_vec()).join().unwrap();
/// assert_eq!(sent, b"hello");
/// assert_eq!(pool.available(), 2);
/// # Ok::<(), marena_std::Error>(())
/// ```
pub struct OwnedPoolGuard {
    /// INVARIANT: initialised until the drop, and of one of `pool`'s slots. The `'static` stands
    /// for "while `pool` is kept". In a `MaybeUninit`, because a reference that is passed by value
    /// must stay valid until the call returns, and `drop` may free the slots.
    guard: MaybeUninit<PoolGuard<'static, OwnedMemory>>,
    pool: Arc<Pool>,
}

impl Pool {
    /// Takes a free arena with a guard that keeps the pool, or returns `None` if every arena was in
    /// use.
    ///
    /// Costs one more atomic addition than [`acquire`](Self::acquire), and no allocation.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use marena_std::Pool;
    ///
    /// let pool = Arc::new(Pool::with_capacity(1, 1 << 16)?);
    /// let guard = pool.acquire_owned().unwrap();
    /// assert!(pool.acquire_owned().is_none());
    /// drop(pool);
    /// assert_eq!(guard.alloc_str("still here")?, "still here");
    /// # Ok::<(), marena_std::Error>(())
    /// ```
    #[must_use = "dropping the guard recycles the arena"]
    pub fn acquire_owned(self: &Arc<Self>) -> Option<OwnedPoolGuard> {
        let slots = NonNull::from(self.slots());
        // SAFETY: the slots are shared, and freed with the pool. That happens after the guard is
        // gone: the clone of the `Arc` below goes where the guard goes, is dropped after it, and
        // until then denies everybody `&mut Pool` and the pool by value.
        let slots: &'static [PoolSlot<OwnedMemory>] = unsafe { slots.as_ref() };
        let guard = slots.iter().find_map(PoolSlot::acquire)?;
        // INVARIANT: the slots are those of this pool.
        Some(OwnedPoolGuard { guard: MaybeUninit::new(guard), pool: Arc::clone(self) })
    }
}

impl OwnedPoolGuard {
    /// Returns the pool that the arena is of.
    #[must_use]
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    #[inline]
    fn guard(&self) -> &PoolGuard<'static, OwnedMemory> {
        // SAFETY: initialised, and `pool` keeps the slot valid while `self` is borrowed. The
        // callers let no copy of the guard's lifetime out.
        unsafe { self.guard.assume_init_ref() }
    }
}

impl Deref for OwnedPoolGuard {
    type Target = Arena<OwnedMemory>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        self.guard()
    }
}

// SAFETY: the arena lies in a slot of the pool, which stays in place until the guard is dropped,
// wherever that is moved. It is only shared until then, whatever is done through `&OwnedPoolGuard`.
// There is no `DerefMut`.
unsafe impl StableDeref for OwnedPoolGuard {}
// SAFETY: a clone has the same slot.
unsafe impl CloneStableDeref for OwnedPoolGuard {}

impl AsRef<Arena<OwnedMemory>> for OwnedPoolGuard {
    #[inline]
    fn as_ref(&self) -> &Arena<OwnedMemory> {
        self
    }
}

// SAFETY: all is done by the arena, which cannot be reset while the guard is borrowed.
unsafe impl<'a> Claim<'a> for &'a OwnedPoolGuard {
    type Origin = &'a Arena<OwnedMemory>;
    const MAX_ALIGN: usize = <&Arena<OwnedMemory> as Claim>::MAX_ALIGN;

    #[inline(always)]
    unsafe fn claim(
        self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<Claimed<Self::Origin>, AllocError> {
        // SAFETY: the caller's promises.
        unsafe { (**self).claim(size, align, retries) }
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises.
        unsafe { (**self).give_back(start, size) };
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<Self::Origin>> {
        // SAFETY: the caller's promises.
        unsafe { (**self).extend(start, old_size, new_size) }
    }

    #[inline]
    unsafe fn epoch(self) -> NonZeroU64 {
        // SAFETY: the caller's promise.
        unsafe { Claim::epoch(&**self) }
    }

    #[inline]
    fn remaining(self) -> usize {
        Claim::remaining(&**self)
    }
}

marena_core::implement_allocator! {
    [] OwnedPoolGuard: "```
use std::sync::Arc;
use allocator_api2::vec::Vec;
use marena_std::Pool;

let pool = Arc::new(Pool::with_capacity(1, 1 << 16)?);
let guard = pool.acquire_owned().unwrap();
let mut numbers = Vec::new_in(&guard);
numbers.extend(0..100_u32);
assert_eq!(guard.used(), 400);
# Ok::<(), marena_std::Error>(())
```"
}

impl Clone for OwnedPoolGuard {
    /// Returns another guard of the same arena.
    fn clone(&self) -> Self {
        // INVARIANT: the same slot of the same pool.
        Self { guard: MaybeUninit::new(self.guard().clone()), pool: Arc::clone(&self.pool) }
    }
}

impl Drop for OwnedPoolGuard {
    fn drop(&mut self) {
        // SAFETY: initialised, and not used after this. The pool, which is dropped next, is still
        // there.
        unsafe { self.guard.assume_init_drop() };
    }
}

impl fmt::Debug for OwnedPoolGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedPoolGuard").field(&**self).finish()
    }
}
