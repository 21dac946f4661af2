//! Values in an arena whose destructors run.

use core::any::Any;
use core::borrow::{Borrow, BorrowMut};
use core::cmp::Ordering;
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::hash::{Hash, Hasher};
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::mem;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll};

use static_assertions::assert_eq_size;

/// A value in an arena that is dropped when the box is.
///
/// Made by [`Arena::alloc_box`](crate::Arena::alloc_box) and its namesakes, at the cost of
/// [`alloc`](crate::Arena::alloc). It is a pointer, 8 bytes on machines of 64 bits for a sized `T`.
/// Its drop runs the value's destructor and gives no memory back: that comes with the arena's
/// reset. Values that are not in a box are not dropped at all.
///
/// [`finish`](crate::ArenaVec::finish)ed vectors and strings can be boxed, too: see
/// [`ArenaVec::into_box`](crate::ArenaVec::into_box).
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let mut arena = Arena::borrowed(&mut bytes)?;
/// let mut names = arena.alloc_box(vec![String::from("a")]).unwrap();
/// names.push(String::from("b"));
/// // Drops the vector, which frees its memory.
/// drop(names);
/// arena.reset();
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
///
/// A box of a trait object:
///
/// ```
/// # use core::mem::MaybeUninit;
/// # use marena_core::{Arena, ArenaBox};
/// # let mut bytes = [MaybeUninit::uninit(); 1024];
/// # let arena = Arena::borrowed(&mut bytes)?;
/// let double = |number: u32| 2 * number;
/// let square = |number: u32| number * number;
/// let steps: [ArenaBox<'_, dyn Fn(u32) -> u32>; 2] = [
///     arena.alloc_box(double).unwrap().unsize::<dyn Fn(u32) -> u32>(|value| value),
///     arena.alloc_box(square).unwrap().unsize::<dyn Fn(u32) -> u32>(|value| value),
/// ];
/// assert_eq!(steps.iter().fold(3, |number, step| step(number)), 36);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
pub struct ArenaBox<'a, T: ?Sized> {
    /// INVARIANT: valid during `'a` as a `&mut T`, exclusively this box's, and dropped by nobody
    /// else. If `T` has lifetimes, nobody uses it after `'a`.
    value: NonNull<T>,
    lives: PhantomData<&'a ()>,
    owns: PhantomData<T>,
}

assert_eq_size!(ArenaBox<'_, u64>, Option<ArenaBox<'_, u64>>, usize);

impl<'a, T: ?Sized> ArenaBox<'a, T> {
    /// Makes a box of a value in an arena, or of anything else that is not freed.
    ///
    /// # Safety
    ///
    /// - The pointer is valid during `'a` as a `&mut T`, and nobody else uses the value. If `T` has
    ///   lifetimes, nobody does after `'a` either: a box is covariant, so what it leaves there may
    ///   live shorter.
    /// - Nobody else drops the value.
    #[must_use]
    #[inline]
    pub unsafe fn from_raw(value: NonNull<T>) -> Self {
        Self { value, lives: PhantomData, owns: PhantomData }
    }

    /// Gives up the box. The value is not dropped, unless [`from_raw`](Self::from_raw) makes a box
    /// of it again.
    ///
    /// An associated function, as all here, so that it hides no method of the value.
    #[must_use = "the value is not dropped otherwise"]
    #[inline]
    pub fn into_raw(this: Self) -> NonNull<T> {
        let value = this.value;
        mem::forget(this);
        value
    }

    /// Returns a plain reference for as long as the arena is borrowed. The value is not dropped any
    /// more.
    #[must_use = "the value cannot be reached otherwise"]
    #[inline]
    pub fn leak(this: Self) -> &'a mut T {
        let mut value = Self::into_raw(this);
        // SAFETY: the box's exclusive access passes to the result, for `'a`.
        unsafe { value.as_mut() }
    }

    /// Pins the value.
    ///
    /// For arenas that live for ever, as those in statics do. A pinned value must be dropped before
    /// its memory is used for something else, and a shorter-lived arena can be reset although the
    /// box was forgotten.
    #[must_use]
    pub fn into_pin(this: Self) -> Pin<Self>
    where
        'a: 'static,
    {
        // SAFETY: the value does not move when the box does, and no safe method moves it out of a
        // pinned box. Its memory stays claimed until it is dropped: the arena is borrowed for
        // `'static`, so no safe call resets or drops it, and a boxed value's bytes are never given
        // back. Callers of `reset_shared` and `format` promise that pinned values were dropped.
        unsafe { Pin::new_unchecked(this) }
    }
}

impl<'a, T> ArenaBox<'a, T> {
    /// Moves the value out of the arena.
    #[must_use]
    #[inline]
    pub fn into_inner(this: Self) -> T {
        let value = Self::into_raw(this);
        // SAFETY: valid and exclusively the box's, which is gone and did not drop it.
        unsafe { value.read() }
    }

    /// Turns the box into one of a trait object or a slice: `boxed.unsize::<dyn Trait>(|value|
    /// value)`.
    ///
    /// The closure's body is the coercion, which safe code cannot write for types that are not the
    /// standard library's. It captures nothing, and a [`Coerce`] can be coerced and not looked
    /// into, so the closure can return nothing but the value that it got.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::{Arena, ArenaBox};
    ///
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let arena = Arena::borrowed(&mut bytes)?;
    /// let text = arena.alloc_box("text").unwrap().unsize::<dyn core::fmt::Display>(|value| value);
    /// let numbers = arena.alloc_box([1, 2, 3]).unwrap().unsize::<[u8]>(|value| value);
    /// assert_eq!((text.to_string(), numbers.len()), (String::from("text"), 3));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    pub fn unsize<U: ?Sized>(self, coerce: for<'x> fn(&'x mut Coerce<T>) -> &'x mut Coerce<U>) -> ArenaBox<'a, U> {
        // SAFETY: valid and exclusively the box's; a `Coerce<T>` has the layout of its only field.
        let value = unsafe { self.value.cast::<Coerce<T>>().as_mut() };
        // If it panics, `self` is dropped, and with it the value.
        let value = NonNull::from(&mut coerce(value).0);
        debug_assert!(value.cast::<T>() == self.value, "a coercion stays where it is");
        mem::forget(self);
        // SAFETY: the same value: out of a `&'x mut Coerce<T>`, for a lifetime that the function
        // does not choose, safe code can make a `&'x mut Coerce<U>` only by coercing it. Such a
        // coercion adds the metadata of the same `T`. No other `Coerce` is at hand, as one of an
        // enclosing coercion would be for a closure with captures: none exists outside of these
        // calls, and what a function reaches besides its argument lives for `'static`.
        unsafe { ArenaBox::from_raw(value) }
    }
}

impl<'a, U: ?Sized> ArenaBox<'a, U> {
    /// Forgets what the value's type is known as.
    ///
    /// # Safety
    ///
    /// - The value is a `T`.
    unsafe fn cast<T>(self) -> ArenaBox<'a, T> {
        let value = Self::into_raw(self).cast();
        // SAFETY: the box's own value, a `T` by the caller's promise. The box is gone and did not
        // drop it.
        unsafe { ArenaBox::from_raw(value) }
    }
}

impl<'a> ArenaBox<'a, dyn Any> {
    /// Turns the box into one of a `T` if its value is one, or returns it in `Err`.
    ///
    /// ```
    /// # use core::any::Any;
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let any = arena.alloc_box(String::from("text")).unwrap().unsize::<dyn Any>(|value| value);
    /// let any = any.downcast::<u32>().unwrap_err();
    /// assert_eq!(*any.downcast::<String>().unwrap(), "text");
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The box, if its value is of another type.
    pub fn downcast<T: Any>(self) -> Result<ArenaBox<'a, T>, Self> {
        if !self.is::<T>() {
            return Err(self);
        }
        // SAFETY: just checked.
        Ok(unsafe { self.cast() })
    }
}

impl<'a> ArenaBox<'a, dyn Any + Send> {
    /// Turns the box into one of a `T` if its value is one, or returns it in `Err`.
    ///
    /// # Errors
    ///
    /// The box, if its value is of another type.
    pub fn downcast<T: Any>(self) -> Result<ArenaBox<'a, T>, Self> {
        if !self.is::<T>() {
            return Err(self);
        }
        // SAFETY: just checked.
        Ok(unsafe { self.cast() })
    }
}

/// A value on its way from one box into another: it can be coerced, and nothing else. See
/// [`ArenaBox::unsize`].
#[repr(transparent)]
pub struct Coerce<T: ?Sized>(T);

/// Shows nothing of the value, whose own code would get to see it.
impl<T: ?Sized> fmt::Debug for Coerce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coerce").finish_non_exhaustive()
    }
}

impl<T: ?Sized> Drop for ArenaBox<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: valid, exclusively the box's, and dropped only here.
        unsafe { ptr::drop_in_place(self.value.as_ptr()) };
    }
}

impl<T: ?Sized> Deref for ArenaBox<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: valid, and only borrowed through the box.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for ArenaBox<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: valid, and only borrowed through the box.
        unsafe { self.value.as_mut() }
    }
}

// SAFETY: a box is an owned value.
unsafe impl<T: ?Sized + Send> Send for ArenaBox<'_, T> {}
// SAFETY: a shared box gives a `&T`.
unsafe impl<T: ?Sized + Sync> Sync for ArenaBox<'_, T> {}

/// The value does not move when the box does.
impl<T: ?Sized> Unpin for ArenaBox<'_, T> {}

/// A text has no destructor, so that any may be boxed.
impl<'a> From<&'a mut str> for ArenaBox<'a, str> {
    fn from(text: &'a mut str) -> Self {
        // SAFETY: a mutable reference is exclusive for `'a`, and a `str` has neither destructor nor
        // lifetimes.
        unsafe { Self::from_raw(NonNull::from(text)) }
    }
}

/// Bytes have no destructor, so that any may be boxed. Other values may have lifetimes. A box is
/// covariant, so it could leave values that live shorter in a slice that outlives it.
impl<'a> From<&'a mut [u8]> for ArenaBox<'a, [u8]> {
    fn from(bytes: &'a mut [u8]) -> Self {
        // SAFETY: a mutable reference is exclusive for `'a`, and a byte has neither destructor nor
        // lifetimes.
        unsafe { Self::from_raw(NonNull::from(bytes)) }
    }
}

impl<T> Default for ArenaBox<'_, [T]> {
    fn default() -> Self {
        // SAFETY: an empty slice is valid anywhere, and nothing of it is dropped.
        unsafe { Self::from_raw(NonNull::from(&mut [])) }
    }
}

impl Default for ArenaBox<'_, str> {
    fn default() -> Self {
        Self::from(<&mut str>::default())
    }
}

impl<T: ?Sized> AsRef<T> for ArenaBox<'_, T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: ?Sized> AsMut<T> for ArenaBox<'_, T> {
    fn as_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: ?Sized> Borrow<T> for ArenaBox<'_, T> {
    fn borrow(&self) -> &T {
        self
    }
}

impl<T: ?Sized> BorrowMut<T> for ArenaBox<'_, T> {
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: ?Sized + PartialEq> PartialEq for ArenaBox<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: ?Sized + Eq> Eq for ArenaBox<'_, T> {}

impl<T: ?Sized + PartialOrd> PartialOrd for ArenaBox<'_, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<T: ?Sized + Ord> Ord for ArenaBox<'_, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<T: ?Sized + Hash> Hash for ArenaBox<'_, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ArenaBox<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for ArenaBox<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + Error> Error for ArenaBox<'_, T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        (**self).source()
    }
}

impl<I: ?Sized + Iterator> Iterator for ArenaBox<'_, I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        (**self).next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (**self).size_hint()
    }

    fn nth(&mut self, n: usize) -> Option<I::Item> {
        (**self).nth(n)
    }
}

impl<I: ?Sized + DoubleEndedIterator> DoubleEndedIterator for ArenaBox<'_, I> {
    fn next_back(&mut self) -> Option<I::Item> {
        (**self).next_back()
    }
}

impl<I: ?Sized + ExactSizeIterator> ExactSizeIterator for ArenaBox<'_, I> {
    fn len(&self) -> usize {
        (**self).len()
    }
}

impl<I: ?Sized + FusedIterator> FusedIterator for ArenaBox<'_, I> {}

impl<F: ?Sized + Future + Unpin> Future for ArenaBox<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        Pin::new(&mut **self).poll(context)
    }
}
