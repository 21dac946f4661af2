//! A slice that grows, and gives back the room that it does not need.

use core::fmt;
use core::iter;
use core::marker::PhantomData;
use core::mem::{self, MaybeUninit, size_of};
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use core::slice;

use crate::asan;
use crate::boxed::ArenaBox;
use crate::claim::Claim;
use crate::error::AllocError;
use crate::placement::STEP;

/// A growing slice in an arena.
///
/// Made by [`Arena::alloc_vec`](crate::Arena::alloc_vec) and its namesakes. When it is complete,
/// [`finish`](Self::finish) returns the slice, which is not dropped, or
/// [`into_box`](Self::into_box) a box, which drops its values. Both give the unused room back to
/// the arena. Dropping the vector drops its values and gives all of its room back.
///
/// Unlike the standard library's `Vec`, it reports a full arena: every method that may allocate
/// returns a `Result`.
///
/// # Growth
///
/// A vector that is the last in its arena grows in place. If something was allocated behind it, its
/// values move to new room of twice the size, and the old room stays unused until the next reset:
/// two vectors that grow in turn take up to four times the bytes of their values.
/// [`reserve`](Self::reserve) what is needed first, build one after the other, or give each a lease
/// of its own.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let arena = Arena::borrowed(&mut bytes)?;
/// let mut squares = arena.alloc_vec(0).unwrap();
/// for number in 1..=5_u32 {
///     squares.push(number * number).unwrap();
/// }
/// let squares: &mut [u32] = squares.finish();
/// assert_eq!(squares, [1, 4, 9, 16, 25]);
/// // No more than they need: 20 bytes, rounded up to a multiple of 8.
/// assert_eq!(arena.used(), 24);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
pub struct ArenaVec<'a, A: Claim<'a>, T> {
    memory: A,
    /// INVARIANT: aligned, and valid during `'a` for writes of `capacity` values by this vector
    /// alone: one claim of `memory`'s, or no bytes.
    start: NonNull<T>,
    /// `usize::MAX` for values of no bytes, which need no room.
    capacity: usize,
    /// INVARIANT: at most `capacity`; that many values at `start` are initialised.
    len: usize,
    lives: PhantomData<&'a ()>,
    owns: PhantomData<T>,
}

impl<'a, A: Claim<'a>, T> ArenaVec<'a, A, T> {
    /// Claims room for `capacity` values. No bytes are claimed for no values, nor for values of no
    /// bytes.
    #[inline]
    pub(crate) fn with_capacity(memory: A, capacity: usize) -> Result<Self, AllocError> {
        let (start, capacity) = match size_of::<T>().checked_mul(capacity) {
            Some(0) if size_of::<T>() == 0 => (NonNull::dangling(), usize::MAX),
            Some(0) => (NonNull::dangling(), 0),
            // SAFETY: an alignment is a power of two, and the size is not 0.
            Some(size) => (unsafe { memory.claim(size, align_of::<T>(), None) }?.start().cast(), capacity),
            None => return Err(AllocError::TooLarge { requested: usize::MAX }),
        };
        Ok(Self { memory, start, capacity, len: 0, lives: PhantomData, owns: PhantomData })
    }

    /// Returns how many values there is room for before the vector grows; `usize::MAX` for values
    /// of no bytes.
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Makes room for `additional` more values at least.
    ///
    /// # Errors
    ///
    /// Those of [`Arena::alloc`](crate::Arena::alloc). Nothing changes then.
    #[inline]
    pub fn reserve(&mut self, additional: usize) -> Result<(), AllocError> {
        if additional <= self.capacity - self.len { Ok(()) } else { self.grow(additional) }
    }

    /// Appends a value: amortised constant time.
    ///
    /// # Errors
    ///
    /// Those of [`Arena::alloc`](crate::Arena::alloc); the value is dropped then.
    /// [`reserve`](Self::reserve) first to keep it.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), AllocError> {
        if self.len == self.capacity {
            self.grow(1)?;
        }
        // SAFETY: `len < capacity`, so the place lies in the vector's room.
        let place = unsafe { self.start.add(self.len) };
        // SAFETY: the place is aligned, valid for writes, and holds no value.
        unsafe { place.write(value) };
        self.len += 1;
        Ok(())
    }

    /// Appends all values of an iterator.
    ///
    /// # Errors
    ///
    /// Those of [`Arena::alloc`](crate::Arena::alloc). The values that were appended before stay.
    #[inline]
    pub fn extend(&mut self, values: impl IntoIterator<Item = T>) -> Result<(), AllocError> {
        let values = values.into_iter();
        self.reserve(values.size_hint().0)?;
        for value in values {
            self.push(value)?;
        }
        Ok(())
    }

    /// Appends copies of all values of a slice.
    ///
    /// # Errors
    ///
    /// Those of [`Arena::alloc`](crate::Arena::alloc). Nothing changes then.
    #[inline]
    pub fn extend_from_slice_copy(&mut self, values: &[T]) -> Result<(), AllocError>
    where
        T: Copy,
    {
        self.reserve(values.len())?;
        // SAFETY: `len <= capacity`, so the place lies in the vector's room or at its end.
        let place = unsafe { self.start.add(self.len) };
        // SAFETY: there is room for all of them, which nobody else can have borrowed.
        unsafe { ptr::copy_nonoverlapping(values.as_ptr(), place.as_ptr(), values.len()) };
        self.len += values.len();
        Ok(())
    }

    /// Makes the vector `len` values long: appends clones of `value`, or drops the last values. If
    /// `clone` panics, the clones that were made before stay.
    ///
    /// # Errors
    ///
    /// Those of [`Arena::alloc`](crate::Arena::alloc). Nothing changes then.
    pub fn resize(&mut self, len: usize, value: T) -> Result<(), AllocError>
    where
        T: Clone,
    {
        self.truncate(len);
        self.extend(iter::repeat_n(value, len - self.len))
    }

    /// Gives the unused room back to the arena. If something was allocated behind the vector, that
    /// room stays unused until the next reset.
    #[inline]
    pub fn shrink_to_fit(&mut self) {
        if size_of::<T>() > 0 && self.len < self.capacity {
            // SAFETY: `len < capacity`, so the place lies in the vector's room.
            let behind = unsafe { self.start.add(self.len) };
            // SAFETY: the vector owns this end of its claim, and has handed out nothing of it. It
            // ends before that from here on.
            unsafe { self.memory.give_back(behind.cast(), (self.capacity - self.len) * size_of::<T>()) };
            self.capacity = self.len;
        }
    }

    /// Takes the last value away and returns it, or `None` if there is none. Keeps the capacity.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: `len` was more than this, so the place lies in the vector's room.
        let place = unsafe { self.start.add(self.len) };
        // SAFETY: the value is initialised, and not the vector's any more.
        Some(unsafe { place.read() })
    }

    /// Takes the value at `index` away and returns it, or `None` if there is none. Those behind it
    /// move up, which takes time in proportion to their number.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        let behind = self.len.checked_sub(index)?.checked_sub(1)?;
        // SAFETY: `index < len`, so the place lies in the vector's room.
        let place = unsafe { self.start.add(index) };
        // SAFETY: the value is initialised, and its place gets another value, or none.
        let value = unsafe { place.read() };
        self.len -= 1;
        // SAFETY: one value lies in the place, so the next one begins in the room, or at its end.
        let next = unsafe { place.add(1) };
        // SAFETY: so many values lie behind. Each moves one place up, the first to the empty one.
        unsafe { ptr::copy(next.as_ptr(), place.as_ptr(), behind) };
        Some(value)
    }

    /// Drops all values behind the first `len`. Keeps the capacity.
    pub fn truncate(&mut self, len: usize) {
        let Some(more) = self.len.checked_sub(len) else { return };
        // First, so that values are not dropped again if one of their destructors panics.
        self.len = len;
        // SAFETY: `len` is no more than it was, so the place lies in the vector's room or at its
        // end.
        let behind = unsafe { self.start.add(len) };
        let values = ptr::slice_from_raw_parts_mut(behind.as_ptr(), more);
        // SAFETY: `more` values there are initialised, and not the vector's any more.
        unsafe { ptr::drop_in_place(values) };
    }

    /// Drops all values. Keeps the capacity.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Returns the slice, and gives the unused room back to the arena if nothing was allocated
    /// behind it. The values are not dropped.
    #[inline]
    pub fn finish(self) -> &'a mut [T] {
        let mut values = self.into_values();
        // SAFETY: the values are initialised, and exclusively the vector's, which is gone.
        unsafe { values.as_mut() }
    }

    /// The values, behind which the unused room was given back.
    #[inline]
    fn into_values(mut self) -> NonNull<[T]> {
        self.shrink_to_fit();
        let (start, len) = (self.start, self.len);
        mem::forget(self);
        NonNull::slice_from_raw_parts(start, len)
    }

    /// Takes all values away. They lie in the room until others do, and nobody drops them, unless
    /// the caller does.
    #[inline]
    pub(crate) fn take(&mut self) -> NonNull<[T]> {
        NonNull::slice_from_raw_parts(self.start, mem::take(&mut self.len))
    }

    /// Returns a box that drops the values, and gives the unused room back as
    /// [`finish`](Self::finish) does.
    #[inline]
    pub fn into_box(self) -> ArenaBox<'a, [T]> {
        // SAFETY: the values are initialised, exclusively the vector's, which is gone, and dropped
        // by nobody else.
        unsafe { ArenaBox::from_raw(self.into_values()) }
    }

    /// The room, for a vector without values.
    #[inline]
    pub(crate) fn into_uninit(self, len: usize) -> &'a mut [MaybeUninit<T>] {
        debug_assert!(self.len == 0 && len <= self.capacity, "{len} of {}", self.capacity);
        let start = self.start;
        mem::forget(self);
        // SAFETY: the caller passes at most the capacity; the room is exclusively the vector's,
        // which is gone.
        unsafe { slice::from_raw_parts_mut(start.cast().as_ptr(), len) }
    }

    /// Makes room for `additional` more values, which do not fit: twice as many as now if there is
    /// room for so many.
    // Out of the way: a vector grows some twenty times and pushes a million times.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, additional: usize) -> Result<(), AllocError> {
        let Some(needed) = self.len.checked_add(additional) else {
            return Err(AllocError::TooLarge { requested: usize::MAX });
        };
        // The first allocation fills a few steps.
        let least = const { (4 * STEP).div_ceil(if size_of::<T>() == 0 { 1 } else { size_of::<T>() }) };
        let ahead = self.capacity.saturating_mul(2).max(least);
        if ahead > needed && self.grow_to(ahead).is_ok() {
            return Ok(());
        }
        self.grow_to(needed)
    }

    /// Makes the capacity larger: in place if the vector is the last in its arena.
    fn grow_to(&mut self, capacity: usize) -> Result<(), AllocError> {
        let Some(size) = size_of::<T>().checked_mul(capacity) else {
            return Err(AllocError::TooLarge { requested: usize::MAX });
        };
        let old_size = self.capacity * size_of::<T>();
        // The rest of the last step is the vector's already. A vector without room has no step, and
        // the size is not 0.
        let fits = size <= old_size.next_multiple_of(STEP);
        // SAFETY: the vector's claim, which is some bytes and becomes more.
        if fits || (old_size > 0 && unsafe { self.memory.extend(self.start.cast(), old_size, size) }.is_some()) {
            // What the claim's last step holds, too.
            asan::unpoison(self.start.cast(), size);
            self.capacity = capacity;
            return Ok(());
        }
        // SAFETY: an alignment is a power of two. The caller's capacity is more than the old one,
        // so the size is not 0.
        let start = unsafe { self.memory.claim(size, align_of::<T>(), None) }?.start().cast::<T>();
        // SAFETY: `len` values lie in the old room, for all of which there is more than enough in
        // the new one.
        unsafe { ptr::copy_nonoverlapping(self.start.as_ptr(), start.as_ptr(), self.len) };
        // SAFETY: the vector's claim, whose values have moved.
        unsafe { self.memory.give_back(self.start.cast(), old_size) };
        // INVARIANT: just claimed for `'a`, with `len` values moved in.
        self.start = start;
        self.capacity = capacity;
        Ok(())
    }
}

impl<'a, A: Claim<'a>, T> Drop for ArenaVec<'a, A, T> {
    /// Drops the values and gives the room back.
    fn drop(&mut self) {
        let values = ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.len);
        // SAFETY: `len` values are initialised, owned by the vector, and reached by nobody
        // afterwards.
        unsafe { ptr::drop_in_place(values) };
        if size_of::<T>() > 0 {
            // SAFETY: the vector owned this room, all of its claim, and has handed out nothing of
            // it.
            unsafe { self.memory.give_back(self.start.cast(), self.capacity * size_of::<T>()) };
        }
    }
}

impl<'a, A: Claim<'a>, T> Deref for ArenaVec<'a, A, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `len` values are initialised, and only borrowed through the vector.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<'a, A: Claim<'a>, T> DerefMut for ArenaVec<'a, A, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: `len` values are initialised, and only borrowed through the vector.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

// SAFETY: the room is exclusively the vector's, and its values go where it goes.
unsafe impl<'a, A: Claim<'a> + Send, T: Send> Send for ArenaVec<'a, A, T> {}
// SAFETY: a shared vector gives a shared slice of its values.
unsafe impl<'a, A: Claim<'a> + Sync, T: Sync> Sync for ArenaVec<'a, A, T> {}

impl<'a, A: Claim<'a>, T> AsRef<[T]> for ArenaVec<'a, A, T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<'a, A: Claim<'a>, T> AsMut<[T]> for ArenaVec<'a, A, T> {
    fn as_mut(&mut self) -> &mut [T] {
        self
    }
}

/// Compares the values with those of a vector, a slice or an array.
impl<'a, A: Claim<'a>, T: PartialEq, U: AsRef<[T]> + ?Sized> PartialEq<U> for ArenaVec<'a, A, T> {
    fn eq(&self, other: &U) -> bool {
        **self == *other.as_ref()
    }
}

impl<'a, A: Claim<'a>, T: Eq> Eq for ArenaVec<'a, A, T> {}

impl<'a, A: Claim<'a>, T: fmt::Debug> fmt::Debug for ArenaVec<'a, A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
