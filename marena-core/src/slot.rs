//! Room for a value that is not there yet.

use core::fmt;
use core::marker::PhantomData;
use core::mem::{self, MaybeUninit, size_of};
use core::ptr::NonNull;

use crate::boxed::ArenaBox;
use crate::claim::Claim;
use crate::error::AllocError;

/// Room in an arena for one value, which is written later. A slot that is dropped without a value
/// gives its room back to the arena.
///
/// Made by [`Arena::alloc_slot`](crate::Arena::alloc_slot) and its namesakes. A slot is allocated
/// before the value is computed. So no value is lost if there is no room, a large value needs no
/// copy on the stack, and any control flow (`?`, `await`) can come in between.
///
/// The room goes back only if nothing was allocated behind it meanwhile. Otherwise it stays unused
/// until the next reset.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{AllocError, Arena, Slot};
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let arena = Arena::borrowed(&mut bytes)?;
/// let parse = |text: &str| -> Result<&mut u32, Box<dyn core::error::Error>> {
///     let slot = arena.alloc_slot()?;
///     Ok(slot.write(text.parse()?))
/// };
/// assert_eq!(*parse("42").unwrap(), 42);
/// let used = arena.used();
/// assert!(parse("no number").is_err());
/// assert_eq!(arena.used(), used);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
#[must_use = "dropping the slot gives its room back"]
pub struct Slot<'a, A: Claim<'a>, T> {
    memory: A,
    /// INVARIANT: aligned, and valid during `'a` for a write of one value by this slot alone.
    place: NonNull<T>,
    lives: PhantomData<&'a ()>,
    holds: PhantomData<T>,
}

impl<'a, A: Claim<'a>, T> Slot<'a, A, T> {
    /// Claims room for one value. A value of no bytes needs none.
    #[inline]
    pub(crate) fn claim(memory: A) -> Result<Self, AllocError> {
        let place = match size_of::<T>() {
            0 => NonNull::dangling(),
            // SAFETY: an alignment is a power of two, and the size is not 0.
            size => unsafe { memory.claim(size, align_of::<T>(), None) }?.start().cast(),
        };
        // INVARIANT: claimed just now for `'a`, with this size and alignment, or no bytes at all.
        Ok(Self { memory, place, lives: PhantomData, holds: PhantomData })
    }

    /// Moves a value into the slot. It is not dropped there.
    #[inline]
    pub fn write(self, value: T) -> &'a mut T {
        let mut place = self.into_place();
        // SAFETY: the place is aligned and valid for writes.
        unsafe { place.write(value) };
        // SAFETY: initialised just now. It belonged to the slot alone, which is gone.
        unsafe { place.as_mut() }
    }

    /// Moves a value into the slot, and returns a box that drops it.
    #[inline]
    pub fn write_box(self, value: T) -> ArenaBox<'a, T> {
        let place = self.into_place();
        // SAFETY: the place is aligned and valid for writes.
        unsafe { place.write(value) };
        // SAFETY: initialised just now. It belonged to the slot alone, which is gone, and nobody
        // else drops it.
        unsafe { ArenaBox::from_raw(place) }
    }

    /// Returns the room, for a value that is built in place.
    #[inline]
    pub fn as_uninit_mut(&mut self) -> &mut MaybeUninit<T> {
        // SAFETY: aligned, valid for writes, and the slot's alone. A `MaybeUninit` needs no
        // initialised bytes.
        unsafe { self.place.cast().as_mut() }
    }

    /// Returns the value that was built in place. It is not dropped there.
    ///
    /// # Safety
    ///
    /// - The slot holds a valid `T`.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let arena = Arena::borrowed(&mut bytes)?;
    /// let mut slot = arena.alloc_slot::<[u8; 256]>().unwrap();
    /// // SAFETY: the pointer is that of the slot, valid for writes of its size.
    /// unsafe { slot.as_uninit_mut().as_mut_ptr().write_bytes(7, 1) };
    /// // SAFETY: every byte was written just now.
    /// let value = unsafe { slot.assume_init() };
    /// assert_eq!(*value, [7; 256]);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[inline]
    pub unsafe fn assume_init(self) -> &'a mut T {
        let mut place = self.into_place();
        // SAFETY: initialised by the caller's promise. It belonged to the slot alone, which is
        // gone.
        unsafe { place.as_mut() }
    }

    /// Returns the place, which does not go back any more.
    #[inline]
    fn into_place(self) -> NonNull<T> {
        let place = self.place;
        mem::forget(self);
        place
    }
}

impl<'a, A: Claim<'a>, T> Drop for Slot<'a, A, T> {
    fn drop(&mut self) {
        // SAFETY: the slot owns this room, which is all of one claim, and nobody else has a
        // reference to it.
        unsafe { self.memory.give_back(self.place.cast(), size_of::<T>()) };
    }
}

// SAFETY: the place belongs to the slot alone. A value moves into it, for which `T` is `Send`.
unsafe impl<'a, A: Claim<'a> + Send, T: Send> Send for Slot<'a, A, T> {}
// SAFETY: nothing can be reached through a shared slot.
unsafe impl<'a, A: Claim<'a> + Sync, T> Sync for Slot<'a, A, T> {}

impl<'a, A: Claim<'a>, T> fmt::Debug for Slot<'a, A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("size", &size_of::<T>()).finish_non_exhaustive()
    }
}
