//! Published values together with the guard that keeps them readable.

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::Deref;
use core::ptr::NonNull;

use stable_deref_trait::{CloneStableDeref, StableDeref};

use crate::handle::{Handle, Nameable};
use crate::view::View;

/// A published value and the guard of its arena, in one value without a lifetime of its own.
///
/// Derefs to the value. [`Owned::new`] checks a handle once, and [`Owned::build`] needs none. From
/// then on the guard keeps the arena from being reset, so reading costs what a reference costs.
/// Dropping it drops the guard; the value's destructor does not run, like that of every value in an
/// arena.
///
/// `G` is anything that keeps an arena alive and in place:
///
/// - a [`PoolGuard`](crate::PoolGuard), or the `OwnedPoolGuard` of `marena-std`, which is
///   `'static`;
/// - an `Arc<Arena>` (needs the feature `alloc` of the crate `stable_deref_trait`, which
///   `marena-std` enables);
/// - an `&Arena`, and so an `&'static Arena` for an arena in a static;
/// - a guard of your own, with an `unsafe impl` of [`StableDeref`].
///
/// It replaces a structure that holds an arena and references into it.
///
/// # Examples
///
/// A packet that goes to another thread, or into a queue, with its arena:
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{BorrowedMemory, Owned, Pool, PoolGuard};
///
/// struct Packet<'p, 'm> {
///     bytes: Owned<PoolGuard<'p, BorrowedMemory<'m>>>,
/// }
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let pool = Pool::new([BorrowedMemory::new(&mut bytes)?])?;
/// let guard = pool.acquire().unwrap();
/// let mut block = guard.allocate(5).unwrap();
/// block.copy_from_slice(b"hello");
/// let handle = block.publish();
/// let packet = Packet { bytes: Owned::new(guard, handle).unwrap() };
///
/// std::thread::scope(|scope| {
///     scope.spawn(move || assert_eq!(*packet.bytes, *b"hello"));
/// });
/// // The packet was the last user of its arena.
/// assert_eq!(pool.available(), 1);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
pub struct Owned<G, T: ?Sized = [u8]> {
    /// INVARIANT: made from a `&T` that borrows from the guard's target, or from what lives as long
    /// as a lifetime in `G` or `T`. It is valid as a `&T` while the guard lives and these lifetimes
    /// last.
    value: NonNull<T>,
    guard: Guard<G>,
    /// Makes the lifetimes in both types stay what they are. In a function's parameter, they could
    /// become longer otherwise, and the value be used after what it borrows from.
    keeps_lifetimes: PhantomData<fn(*mut G, *mut T)>,
}

impl<G, T: ?Sized + Nameable> Owned<G, T>
where
    G: StableDeref,
    G::Target: View,
{
    /// Joins a handle and the guard of its arena. Returns `None`, and drops the guard, if the
    /// handle is stale or of another arena.
    #[must_use]
    #[inline]
    pub fn new(guard: G, handle: Handle<T>) -> Option<Self> {
        let guard = Guard::new(guard);
        // INVARIANT: the value borrows from `*guard`. `StableDeref` promises that the result of
        // `deref` stays valid for as long as the guard lives, also after it was moved and whatever
        // is done through `&G`. Nothing else is done with the guard before it is dropped or taken
        // out: no `&mut G` is made.
        let value = NonNull::from(guard.get().get(handle)?);
        Some(Self { value, guard, keeps_lifetimes: PhantomData })
    }
}

impl<G: StableDeref, T: ?Sized> Owned<G, T> {
    /// Joins a guard and what `build` makes in its arena: any shared reference, without a handle.
    ///
    /// # Errors
    ///
    /// The error of `build`. The guard is dropped then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::{AllocError, BorrowedMemory, Owned, Pool, PoolGuard};
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let pool = Pool::new([BorrowedMemory::new(&mut bytes)?])?;
    /// let guard = pool.acquire().unwrap();
    /// let page = Owned::build(guard, |arena| {
    ///     // Nothing is allocated behind it, so it grows where it is.
    ///     let mut page = arena.alloc_string(0)?;
    ///     for number in 1..=3 {
    ///         write!(page, "<li>{number}</li>")?;
    ///     }
    ///     Ok::<&str, AllocError>(page.finish())
    /// });
    /// let page: Owned<PoolGuard<'_, _>, str> = page.unwrap();
    /// assert_eq!(&*page, "<li>1</li><li>2</li><li>3</li>");
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[inline]
    pub fn build<E>(guard: G, build: impl for<'x> FnOnce(&'x G::Target) -> Result<&'x T, E>) -> Result<Self, E> {
        let guard = Guard::new(guard);
        // INVARIANT: `build` works for any `'x`, of which it knows only that `G::Target` and `T`
        // outlive it. So what it returns borrows from `*guard`, or lives as long as a lifetime in
        // these types. The rest is as in `new`.
        let value = NonNull::from(build(guard.get())?);
        Ok(Self { value, guard, keeps_lifetimes: PhantomData })
    }
}

impl<G, T: ?Sized> Owned<G, T> {
    /// Returns the guard, to allocate more in the arena or to clone it. An associated function, so
    /// that it hides no method of the value.
    #[must_use]
    #[inline]
    pub fn guard(this: &Self) -> &G {
        this.guard.get()
    }

    /// Returns the guard and ends the access to the value.
    #[must_use = "dropping the guard may recycle its arena"]
    #[inline]
    pub fn into_guard(this: Self) -> G {
        this.guard.into_inner()
    }
}

impl<G, T: ?Sized> Deref for Owned<G, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the invariant of `value`: the guard and all lifetimes in the type of `self` last
        // at least as long as this borrow.
        unsafe { self.value.as_ref() }
    }
}

impl<G: CloneStableDeref, T: ?Sized> Clone for Owned<G, T> {
    /// Clones the guard. The clone reads the same value.
    #[inline]
    fn clone(&self) -> Self {
        // INVARIANT: `CloneStableDeref` promises that both guards deref to the same address, so
        // that the value borrows from either.
        let guard = Guard::new(self.guard.get().clone());
        Self { value: self.value, guard, keeps_lifetimes: PhantomData }
    }
}

// SAFETY: an `Owned` gives `&T` and `G`: the one may go to another thread if `T: Sync`, the other
// if `G: Send`.
unsafe impl<G: Send, T: ?Sized + Sync> Send for Owned<G, T> {}
// SAFETY: a shared `Owned` gives `&T` and `&G`, for which `T` and `G` are `Sync`.
unsafe impl<G: Sync, T: ?Sized + Sync> Sync for Owned<G, T> {}

// SAFETY: `deref` returns the pointer `value`, which is valid as long as the `Owned` is, also after
// it was moved. It never changes, and there is no `DerefMut`.
unsafe impl<G, T: ?Sized> StableDeref for Owned<G, T> {}
// SAFETY: a clone has the same pointer.
unsafe impl<G: CloneStableDeref, T: ?Sized> CloneStableDeref for Owned<G, T> {}

impl<G, T: ?Sized> AsRef<T> for Owned<G, T> {
    #[inline]
    fn as_ref(&self) -> &T {
        self
    }
}

impl<G, T: ?Sized> Borrow<T> for Owned<G, T> {
    fn borrow(&self) -> &T {
        self
    }
}

impl<G, H, T: ?Sized + PartialEq> PartialEq<Owned<H, T>> for Owned<G, T> {
    fn eq(&self, other: &Owned<H, T>) -> bool {
        **self == **other
    }
}

impl<G, T: ?Sized + Eq> Eq for Owned<G, T> {}

impl<G, T: ?Sized + PartialOrd> PartialOrd for Owned<G, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<G, T: ?Sized + Ord> Ord for Owned<G, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<G, T: ?Sized + Hash> Hash for Owned<G, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<G, T: ?Sized + fmt::Debug> fmt::Debug for Owned<G, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<G, T: ?Sized + fmt::Display> fmt::Display for Owned<G, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A guard that can be moved while references into what it keeps exist.
///
/// Moving a `Box` or a `&mut` claims exclusive access to what it points to. Inside a `MaybeUninit`
/// it is moved as plain bytes, which claims nothing.
struct Guard<G>(
    /// INVARIANT: initialised until the drop.
    MaybeUninit<G>,
);

impl<G> Guard<G> {
    #[inline]
    fn new(guard: G) -> Self {
        Self(MaybeUninit::new(guard))
    }

    #[inline]
    fn get(&self) -> &G {
        // SAFETY: initialised by `new`.
        unsafe { self.0.assume_init_ref() }
    }

    #[inline]
    fn into_inner(self) -> G {
        let this = core::mem::ManuallyDrop::new(self);
        // SAFETY: initialised by `new`. The original is neither used nor dropped after this.
        unsafe { this.0.assume_init_read() }
    }
}

impl<G> Drop for Guard<G> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: initialised by `new`, and not used after this.
        unsafe { self.0.assume_init_drop() };
    }
}
