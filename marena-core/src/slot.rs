//! Bytes claimed for values that are not there yet: given back if their initialiser fails or panics.

use core::marker::PhantomData;
use core::mem::{self, MaybeUninit, size_of};
use core::ptr::{self, NonNull};
use core::slice;

use crate::claim::Claim;
use crate::error::AllocError;

/// Room for `len` values of `T`, of which the first `filled` are there.
pub(crate) struct Slot<'a, A: Claim<'a>, T> {
    arena: A,
    /// INVARIANT: aligned, and valid during `'a` for writes of `len` values by this slot alone.
    start: NonNull<T>,
    len: usize,
    /// INVARIANT: at most `len`; that many values at `start` are initialised.
    filled: usize,
    lives: PhantomData<&'a mut [T]>,
}

impl<'a, A: Claim<'a>, T> Slot<'a, A, T> {
    /// Claims room for `len` values. No bytes are claimed for values of no bytes.
    #[inline]
    pub(crate) fn claim(arena: A, len: usize) -> Result<Self, AllocError> {
        let start = match size_of::<T>().checked_mul(len) {
            Some(0) => NonNull::dangling(),
            // SAFETY: an alignment is a power of two, and the size is not 0.
            Some(size) => unsafe { arena.claim(size, align_of::<T>(), None) }?.start().cast(),
            None => return Err(AllocError::TooLarge { requested: usize::MAX }),
        };
        Ok(Self { arena, start, len, filled: 0, lives: PhantomData })
    }

    /// Puts the next value into place, or gives it back where there is no room.
    #[inline]
    pub(crate) fn push(&mut self, value: T) -> Result<(), T> {
        if self.filled == self.len {
            return Err(value);
        }
        // SAFETY: `filled < len`, so the place lies in the slot.
        let place = unsafe { self.start.add(self.filled) };
        // SAFETY: the place is aligned, valid for writes, and holds no value yet.
        unsafe { place.write(value) };
        self.filled += 1;
        Ok(())
    }

    /// Puts copies of `values` into place, or does nothing where there is no room for all.
    #[inline]
    pub(crate) fn extend_from_slice(&mut self, values: &[T]) -> Result<(), ()>
    where
        T: Copy,
    {
        if values.len() > self.len - self.filled {
            return Err(());
        }
        // SAFETY: `filled <= len`, so the place lies in the slot or at its end.
        let place = unsafe { self.start.add(self.filled) };
        // SAFETY: there is room for all of them, which nobody else can have borrowed.
        unsafe { ptr::copy_nonoverlapping(values.as_ptr(), place.as_ptr(), values.len()) };
        self.filled += values.len();
        Ok(())
    }

    /// The one value of a slot for one.
    #[inline]
    pub(crate) fn fill(self, value: T) -> &'a mut T {
        let mut start = self.start;
        debug_assert!(self.len == 1 && self.filled == 0);
        mem::forget(self);
        // SAFETY: the place is aligned and valid for writes.
        unsafe { start.write(value) };
        // SAFETY: initialised just now, and the slot's exclusive claim on it passes to the result.
        unsafe { start.as_mut() }
    }

    /// How many values there is room for.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The room itself.
    #[inline]
    pub(crate) fn into_uninit(self) -> &'a mut [MaybeUninit<T>] {
        let (start, len) = (self.start, self.len);
        debug_assert!(self.filled == 0);
        mem::forget(self);
        // SAFETY: room for `len` values, whose exclusive claim passes to the result.
        unsafe { slice::from_raw_parts_mut(start.cast().as_ptr(), len) }
    }

    /// The values that are there; room behind them goes back if it is still the arena's last.
    #[inline]
    pub(crate) fn finish(self) -> &'a mut [T] {
        let (start, filled, len) = (self.start, self.filled, self.len);
        let arena = self.arena;
        mem::forget(self);
        if filled < len {
            // SAFETY: `filled < len`, so the place lies in the slot.
            let behind = unsafe { start.add(filled) };
            // SAFETY: the slot owned this room and hands out nothing of it.
            unsafe { arena.give_back(behind.cast(), (len - filled) * size_of::<T>()) };
        }
        // SAFETY: `filled` values are initialised, and the slot's exclusive claim on them passes to the result.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), filled) }
    }
}

impl<'a, A: Claim<'a>, T> Drop for Slot<'a, A, T> {
    /// An initialiser failed or panicked: the values that are there go, then their room.
    fn drop(&mut self) {
        let values = ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.filled);
        // SAFETY: `filled` values are initialised, owned by the slot, and reached by nobody afterwards.
        unsafe { ptr::drop_in_place(values) };
        // SAFETY: the slot owned this room and hands out nothing of it.
        unsafe { self.arena.give_back(self.start.cast(), self.len * size_of::<T>()) };
    }
}
