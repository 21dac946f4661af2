//! Scopes whose values stay usable while scopes within them come and go.

use core::fmt;
use core::num::NonZeroU64;
use core::ptr::NonNull;

use crate::arena::Arena;
use crate::claim::{Claim, Claimed};
use crate::error::AllocError;
use crate::handle::{Handle, Nameable};
use crate::lease::Lease;
use crate::memory::Memory;
use crate::scratch::Scratch;
use crate::view::View;

/// A scope that a closure gets, of [`Arena::scoped`], [`Lease::scoped`] or [`Scratch::scoped`].
///
/// Allocates as a [`Scratch`] does, at the same cost. What it hands out lives as long as the scope,
/// not as long as a borrow of it: [`scoped`](Self::scoped) begins a scope within this one, and the
/// values of this one can be used in it and after it. Nothing leaves the closure. Values are not
/// dropped.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{AllocError, Arena};
///
/// let mut bytes = [MaybeUninit::uninit(); 4096];
/// let mut arena = Arena::borrowed(&mut bytes)?;
/// arena.scoped(|outer| {
///     let hello = outer.alloc_str("hello")?;
///     outer.scoped(|inner| {
///         let world = inner.alloc_str("world")?;
///         assert_eq!(format!("{hello} {world}"), "hello world");
///         Ok::<_, AllocError>(())
///     })?;
///     // The inner scope took its bytes back. What the outer one handed out is still there.
///     let again = outer.alloc_str("again")?;
///     assert_eq!(format!("{hello} {again}"), "hello again");
///     Ok::<_, AllocError>(())
/// })
/// .unwrap();
/// assert_eq!(arena.used(), 0);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
///
/// A value of a scope does not leave it:
///
/// ```compile_fail
/// # use core::mem::MaybeUninit;
/// # use marena_core::Arena;
/// # let mut bytes = [MaybeUninit::uninit(); 4096];
/// # let mut arena = Arena::borrowed(&mut bytes).unwrap();
/// let kept = arena.scoped(|scope| scope.alloc(1).unwrap());
/// ```
pub struct Scope<'x, M: Memory> {
    /// INVARIANT: it ends after the closure that `'x` was made for. The closure works for any `'x`,
    /// so nothing with this lifetime leaves it, and no other scope has the same one: two scopes
    /// cannot change places.
    scratch: Scratch<'x, M>,
}

impl<M: Memory> Arena<M> {
    /// Calls `f` with a scope over all that the arena has left, and returns what it returns. Costs
    /// what [`scratch`](Self::scratch) does.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let mut arena = Arena::borrowed(&mut bytes)?;
    /// let sum: u64 = arena.scoped(|scope| {
    ///     let squares = scope.alloc_slice_fill_with(4, |i| i as u64 * i as u64).unwrap();
    ///     squares.iter().sum()
    /// });
    /// assert_eq!((sum, arena.used()), (14, 0));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[inline]
    pub fn scoped<R>(&mut self, f: impl for<'x> FnOnce(&mut Scope<'x, M>) -> R) -> R {
        self.scratch().scope(f)
    }
}

impl<M: Memory> Lease<'_, M> {
    /// Calls `f` with a scope of the lease, and returns what it returns. The scope's bytes go back
    /// to the lease.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 4096];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let mut lease = arena.lease(1024);
    /// let kept = lease.alloc(1_u64).unwrap();
    /// for round in 0..1000_u64 {
    ///     lease.scoped(|scope| *kept += scope.alloc([round; 16]).unwrap()[15] % 2);
    /// }
    /// assert_eq!(*kept, 501);
    /// assert!(arena.used() < 1024);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[inline]
    pub fn scoped<R>(&mut self, f: impl for<'x> FnOnce(&mut Scope<'x, M>) -> R) -> R {
        self.scratch().scope(f)
    }
}

impl<M: Memory> Scratch<'_, M> {
    /// Calls `f` with a scope within this one, and returns what it returns.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// let mut scratch = arena.scratch();
    /// let left = scratch.remaining();
    /// let length = scratch.scoped(|scope| scope.alloc_str("text").unwrap().len());
    /// assert_eq!((length, scratch.remaining()), (4, left));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[inline]
    pub fn scoped<R>(&mut self, f: impl for<'x> FnOnce(&mut Scope<'x, M>) -> R) -> R {
        self.scratch().scope(f)
    }

    /// Lends this scope to `f`, and ends it.
    #[inline]
    fn scope<R>(self, f: impl for<'x> FnOnce(&mut Scope<'x, M>) -> R) -> R {
        // INVARIANT: the scope ends here, after `f`, which took any lifetime for `'x`.
        f(&mut Scope { scratch: self })
    }
}

/// Allocating: as [`Arena`]'s methods of the same names. What they return lives as long as the
/// scope.
impl<'x, M: Memory> Scope<'x, M> {
    crate::forward_allocate!('s => 'x);
}

impl<'x, M: Memory> Scope<'x, M> {
    /// Calls `f` with a scope within this one, and returns what it returns. `f` can use the values
    /// of this one.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// arena.scoped(|outer| {
    ///     let total = outer.alloc(0_usize).unwrap();
    ///     for word in ["one", "three"] {
    ///         outer.scoped(|inner| *total += inner.alloc_str(word).unwrap().len());
    ///     }
    ///     assert_eq!(*total, 8);
    /// });
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[inline]
    pub fn scoped<R>(&mut self, f: impl for<'y> FnOnce(&mut Scope<'y, M>) -> R) -> R {
        self.scratch.scoped(f)
    }

    /// Returns the bytes of a block published in this scope, or `None` for any other handle.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// let handle = arena.scoped(|scope| {
    ///     let handle = scope.allocate(4).unwrap().publish();
    ///     assert_eq!(scope.view(handle), Some(&[0; 4][..]));
    ///     handle
    /// });
    /// assert_eq!(arena.view(handle), None);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn view(&self, handle: Handle) -> Option<&'x [u8]> {
        self.get(handle)
    }

    /// Returns what a handle of this scope names, or `None` for any other handle.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// arena.scoped(|scope| {
    ///     let handle = scope.insert([1, 2, 3]).unwrap();
    ///     assert_eq!(scope.get(handle), Some(&[1, 2, 3]));
    /// });
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&'x T> {
        // SAFETY: the scope ends after `'x`: the invariant of `scratch`.
        unsafe { self.scratch.published(handle) }
    }

    /// Returns how many bytes can still be allocated, on a lease not all of them in one piece.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let mut arena = Arena::borrowed(&mut bytes)?;
    /// let free = arena.remaining();
    /// assert_eq!(arena.scoped(|scope| scope.remaining()), free);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> usize {
        self.scratch.remaining()
    }
}

// SAFETY: every claim is the scratch's, which hands out each byte once and takes all back at its
// end. That is after `'x`: the invariant of `scratch`. A scope within this one borrows it mutably,
// so no claim through it runs meanwhile.
unsafe impl<'s, 'x, M: Memory> Claim<'x> for &'s Scope<'x, M> {
    type Origin = &'s Scratch<'x, M>;
    const MAX_ALIGN: usize = <&'s Scratch<'x, M> as Claim<'s>>::MAX_ALIGN;

    #[inline(always)]
    unsafe fn claim(
        self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<Claimed<Self::Origin>, AllocError> {
        // SAFETY: the caller's promise.
        unsafe { self.scratch.claim(size, align, retries) }
    }

    #[inline]
    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.scratch.give_back(start, size) }
    }

    #[inline]
    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<Self::Origin>> {
        // SAFETY: the caller's promise.
        unsafe { self.scratch.extend(start, old_size, new_size) }
    }

    #[inline]
    unsafe fn epoch(self) -> NonZeroU64 {
        // SAFETY: the caller's promise.
        unsafe { Claim::epoch(&self.scratch) }
    }

    #[inline]
    fn remaining(self) -> usize {
        Claim::remaining(&self.scratch)
    }
}

impl<M: Memory> View for Scope<'_, M> {
    #[inline]
    fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        Scope::get(self, handle)
    }
}

impl<M: Memory> fmt::Debug for Scope<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("scratch", &self.scratch).finish()
    }
}
