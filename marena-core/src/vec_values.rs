//! Values that leave a vector, one by one or all in turn.

use core::fmt;
use core::iter::FusedIterator;
use core::mem;
use core::ptr::{self, NonNull};
use core::slice;

use crate::claim::Claim;
use crate::vec::ArenaVec;

impl<'a, A: Claim<'a>, T> ArenaVec<'a, A, T> {
    /// Takes the value at `index` away and returns it, or `None` if there is none. The last value
    /// takes its place.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let mut letters = arena.alloc_vec(4).unwrap();
    /// letters.extend("abcd".chars()).unwrap();
    /// assert_eq!((letters.swap_remove(0), letters.remove(1)), (Some('a'), Some('b')));
    /// assert_eq!((letters.remove(2), letters.finish()), (None, &mut ['d', 'c'][..]));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn swap_remove(&mut self, index: usize) -> Option<T> {
        if index >= self.len() {
            return None;
        }
        let last = self.pop()?;
        match self.get_mut(index) {
            Some(place) => Some(mem::replace(place, last)),
            None => Some(last),
        }
    }

    /// Keeps the values that `keep` returns `true` for, in their order, and drops the others.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.retain_mut(|value| keep(value));
    }

    /// Keeps the values that `keep` returns `true` for, in their order, and drops the others. They
    /// are dropped at the end, so if `keep` panics, all values are still there.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let mut left = arena.alloc_vec(0).unwrap();
    /// left.extend([3, 1, 2]).unwrap();
    /// left.retain_mut(|rounds| {
    ///     *rounds -= 1;
    ///     *rounds > 0
    /// });
    /// assert_eq!(left, [2, 1]);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn retain_mut(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        let mut kept = 0;
        for position in 0..self.len() {
            let Some((before, from_there)) = self.split_at_mut_checked(position) else { break };
            let Some(value) = from_there.first_mut() else { break };
            if keep(value) {
                // None if everything before was kept, too: then the value stays where it is.
                if let Some(dropped) = before.get_mut(kept) {
                    mem::swap(dropped, value);
                }
                kept += 1;
            }
        }
        self.truncate(kept);
    }
}

/// The values of an [`ArenaVec`], by value. Made by its `into_iter`. Those that are left are
/// dropped with it, and the room goes back to the arena if nothing was allocated behind it.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let arena = Arena::borrowed(&mut bytes)?;
/// let mut names = arena.alloc_vec(0).unwrap();
/// names.extend([String::from("a"), String::from("b")]).unwrap();
/// let names: Vec<String> = names.into_iter().rev().collect();
/// assert_eq!((names.concat().as_str(), arena.used()), ("ba", 0));
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
pub struct ArenaIntoIter<'a, A: Claim<'a>, T> {
    /// INVARIANT: initialised, in the room, and owned by the iterator.
    values: NonNull<[T]>,
    /// Without values: what gives the room back in the end.
    _room: ArenaVec<'a, A, T>,
}

impl<'a, A: Claim<'a>, T> ArenaIntoIter<'a, A, T> {
    /// Returns the values that are left.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: the invariant; they are only borrowed through the iterator.
        unsafe { self.values.as_ref() }
    }
}

impl<'a, A: Claim<'a>, T> Iterator for ArenaIntoIter<'a, A, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        let left = self.values.len().checked_sub(1)?;
        let first = self.values.cast::<T>();
        // SAFETY: one value lies there at least, so the place behind it lies in the room, or at its
        // end.
        let second = unsafe { first.add(1) };
        // INVARIANT: without the first one.
        self.values = NonNull::slice_from_raw_parts(second, left);
        // SAFETY: initialised, and not the iterator's any more.
        Some(unsafe { first.read() })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.values.len(), Some(self.values.len()))
    }
}

impl<'a, A: Claim<'a>, T> DoubleEndedIterator for ArenaIntoIter<'a, A, T> {
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        let left = self.values.len().checked_sub(1)?;
        let first = self.values.cast::<T>();
        // SAFETY: more values than `left` lie there.
        let last = unsafe { first.add(left) };
        // INVARIANT: without the last one.
        self.values = NonNull::slice_from_raw_parts(first, left);
        // SAFETY: initialised, and not the iterator's any more.
        Some(unsafe { last.read() })
    }
}

impl<'a, A: Claim<'a>, T> ExactSizeIterator for ArenaIntoIter<'a, A, T> {}

impl<'a, A: Claim<'a>, T> FusedIterator for ArenaIntoIter<'a, A, T> {}

impl<'a, A: Claim<'a>, T> Drop for ArenaIntoIter<'a, A, T> {
    fn drop(&mut self) {
        // SAFETY: initialised, owned by the iterator, and reached by nobody afterwards.
        unsafe { ptr::drop_in_place(self.values.as_ptr()) };
    }
}

// SAFETY: the values are exclusively the iterator's, as they were the vector's.
unsafe impl<'a, A: Claim<'a> + Send, T: Send> Send for ArenaIntoIter<'a, A, T> {}
// SAFETY: a shared iterator gives a shared slice of its values.
unsafe impl<'a, A: Claim<'a> + Sync, T: Sync> Sync for ArenaIntoIter<'a, A, T> {}

impl<'a, A: Claim<'a>, T: fmt::Debug> fmt::Debug for ArenaIntoIter<'a, A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ArenaIntoIter").field(&self.as_slice()).finish()
    }
}

impl<'a, A: Claim<'a>, T> IntoIterator for ArenaVec<'a, A, T> {
    type Item = T;
    type IntoIter = ArenaIntoIter<'a, A, T>;

    #[inline]
    fn into_iter(mut self) -> ArenaIntoIter<'a, A, T> {
        // INVARIANT: the vector's values, which it does not own any more.
        ArenaIntoIter { values: self.take(), _room: self }
    }
}

impl<'v, 'a, A: Claim<'a>, T> IntoIterator for &'v ArenaVec<'a, A, T> {
    type Item = &'v T;
    type IntoIter = slice::Iter<'v, T>;

    fn into_iter(self) -> slice::Iter<'v, T> {
        self.iter()
    }
}

impl<'v, 'a, A: Claim<'a>, T> IntoIterator for &'v mut ArenaVec<'a, A, T> {
    type Item = &'v mut T;
    type IntoIter = slice::IterMut<'v, T>;

    fn into_iter(self) -> slice::IterMut<'v, T> {
        self.iter_mut()
    }
}
