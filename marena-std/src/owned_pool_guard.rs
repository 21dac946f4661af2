//! Guards of a pool's arenas that also keep the pool.

use std::fmt;
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use marena_core::{AllocError, Arena, Claim, Claimed, CloneStableDeref, PoolGuard, PoolSlot, StableDeref};

use crate::memory::OwnedMemory;
use crate::pool::Pool;

/// A [`PoolGuard`] that also keeps its pool. It is `'static`, so it can move into threads, tasks
/// and structures without a lifetime.
///
/// [`Pool::acquire_owned`] makes one. Clones share the arena. When the last of them is dropped, the
/// arena is reset and free again. The pool is freed when the last `Arc` and the last guard are
/// gone.
///
/// A guard and a handle make an [`Owned`](crate::Owned), which
/// [`bytes::Bytes::from_owner`](https://docs.rs/bytes/1/bytes/struct.Bytes.html#method.from_owner)
/// accepts, for example.
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
    /// INVARIANT: initialised until the drop, and a guard of one of `pool`'s slots. The `'static`
    /// stands for "while `pool` is kept". It is in a `MaybeUninit`, because a reference that is
    /// passed by value must stay valid until the call returns, and `drop` may free the slots.
    guard: MaybeUninit<PoolGuard<'static, OwnedMemory>>,
    pool: Arc<Pool>,
}

impl Pool {
    /// Takes a free arena, with a guard that keeps the pool, or returns `None` if every arena was
    /// in use.
    ///
    /// It costs one more atomic addition than [`acquire`](Self::acquire), and no allocation.
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
        // gone: the clone of the `Arc` below moves with the guard and is dropped after it. Until
        // then nobody gets `&mut Pool` or the pool by value.
        let slots: &'static [PoolSlot<OwnedMemory>] = unsafe { slots.as_ref() };
        let guard = slots.iter().find_map(PoolSlot::acquire)?;
        // INVARIANT: the slots are those of this pool.
        Some(OwnedPoolGuard { guard: MaybeUninit::new(guard), pool: Arc::clone(self) })
    }
}

impl OwnedPoolGuard {
    /// Returns the pool that the arena belongs to.
    #[must_use]
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    #[inline]
    fn guard(&self) -> &PoolGuard<'static, OwnedMemory> {
        // SAFETY: initialised, and `pool` keeps the slot valid while `self` is borrowed. The
        // callers do not pass on the guard's lifetime.
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

// SAFETY: the arena lies in a slot of the pool. The slot stays in place until the guard is dropped,
// even if the guard is moved. Until then the arena is only shared: there is no `DerefMut`.
unsafe impl StableDeref for OwnedPoolGuard {}
// SAFETY: a clone has the same slot.
unsafe impl CloneStableDeref for OwnedPoolGuard {}

impl AsRef<Arena<OwnedMemory>> for OwnedPoolGuard {
    #[inline]
    fn as_ref(&self) -> &Arena<OwnedMemory> {
        self
    }
}

// SAFETY: the arena does everything, and it cannot be reset while the guard is borrowed.
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
