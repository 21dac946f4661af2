//! Checked names of published values: stale after a reset, foreign to other arenas.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroU64;
use core::ptr::NonNull;

use static_assertions::assert_eq_size;

use crate::address::Address;
use crate::placement::HEADER_SIZE;

/// A checked name of a published block (`Handle`) or value (`Handle<T>`), which code with the arena
/// can read.
///
/// Only [`Block::publish`](crate::Block::publish) and [`Arena::insert`](crate::Arena::insert) make
/// a handle, so it always names initialised bytes that nobody writes. It carries its arena's epoch:
/// [`Arena::view`](crate::Arena::view) and [`Arena::get`](crate::Arena::get) return `None` for a
/// handle from before a reset or from another arena. `T` is a sized type, a slice or `str`: see
/// [`Nameable`].
///
/// A handle and its `Option` take 16 bytes and are `Copy`. A handle may go to another thread if `T`
/// is `Sync`.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let mut arena = Arena::borrowed(&mut bytes)?;
/// let mut block = arena.allocate(5).unwrap();
/// block.copy_from_slice(b"hello");
/// let handle = block.publish();
/// assert_eq!(arena.view(handle), Some(&b"hello"[..]));
///
/// arena.reset();
/// assert_eq!(arena.view(handle), None);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
///
/// A handle to a `Cell` stays on its thread:
///
/// ```compile_fail,E0277
/// use core::cell::Cell;
/// fn sendable<T: Send>() {}
/// sendable::<marena_core::Handle<Cell<u8>>>();
/// ```
pub struct Handle<T: ?Sized = [u8]> {
    address: Address,
    /// Never 0, so that the handle has a niche of its own beside the address.
    epoch: NonZeroU64,
    /// Covariant, as a shared reference is.
    names: PhantomData<*const T>,
}

assert_eq_size!(Handle, [u64; 2]);
assert_eq_size!(Option<Handle>, [u64; 2]);

impl<T: ?Sized> Handle<T> {
    /// Creates a handle. The caller promises that the address names a valid `T` of the generation
    /// `epoch`, which is only read from now on.
    #[inline]
    pub(crate) const fn new(address: Address, epoch: NonZeroU64) -> Self {
        Self { address, epoch, names: PhantomData }
    }

    /// Returns where the value lies. The address can be kept in a node or a file, but it is not
    /// checked: it does not tell whether the arena was reset.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let handle = arena.insert(7_u64).unwrap();
    /// assert_eq!((handle.address().offset(), handle.address().size()), (128, 8));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub const fn address(self) -> Address {
        self.address
    }

    /// Returns the epoch in which the handle was made.
    #[inline]
    pub(crate) const fn epoch(self) -> NonZeroU64 {
        self.epoch
    }
}

// SAFETY: with the arena, a handle gives a `&T` and nothing more. A `&T` may go to another thread
// if `T: Sync`.
unsafe impl<T: ?Sized + Sync> Send for Handle<T> {}
// SAFETY: a `&Handle<T>` gives a copy of the handle, for which the same holds.
unsafe impl<T: ?Sized + Sync> Sync for Handle<T> {}

impl<T: ?Sized> Clone for Handle<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Handle<T> {}

impl<T: ?Sized> Handle<T> {
    const fn key(&self) -> (Address, NonZeroU64) {
        (self.address, self.epoch)
    }
}

impl<T: ?Sized> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T: ?Sized> Eq for Handle<T> {}

impl<T: ?Sized> PartialOrd for Handle<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: ?Sized> Ord for Handle<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T: ?Sized> Hash for Handle<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl<T: ?Sized> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("address", &self.address).field("epoch", &self.epoch).finish()
    }
}

/// What a [`Handle`] can name: a value of any sized type, a slice or a `str`.
///
/// Sealed: exactly these implement it.
#[diagnostic::on_unimplemented(
    message = "a handle cannot name `{Self}`",
    note = "handles name values of sized types, slices and `str`"
)]
pub trait Nameable: Sealed {}

impl<T> Nameable for T {}
impl<T> Nameable for [T] {}
impl Nameable for str {}

pub(crate) use sealed::Sealed;

mod sealed {
    use super::NonNull;

    /// Finds the value that a handle names.
    pub trait Sealed {
        /// Returns the pointer to the value of `size` bytes at `start`. A value of no bytes has no
        /// place, and any aligned pointer reads it.
        fn locate(size: usize, start: impl FnOnce() -> NonNull<u8>) -> NonNull<Self>;
    }
}

impl<T> Sealed for T {
    #[inline(always)]
    fn locate(_size: usize, start: impl FnOnce() -> NonNull<u8>) -> NonNull<Self> {
        match size_of::<T>() {
            0 => NonNull::dangling(),
            _ => start().cast(),
        }
    }
}

impl<T> Sealed for [T] {
    #[inline(always)]
    fn locate(size: usize, start: impl FnOnce() -> NonNull<u8>) -> NonNull<Self> {
        // Slices of zero-sized types cannot be inserted: a handle has no place for their length.
        let len = size.checked_div(size_of::<T>()).unwrap_or(0);
        // An empty slice has the arena's first position, which is aligned to the size of the
        // header.
        let start = if len == 0 && align_of::<T>() > HEADER_SIZE { NonNull::dangling() } else { start().cast() };
        NonNull::slice_from_raw_parts(start, len)
    }
}

impl Sealed for str {
    #[inline(always)]
    fn locate(size: usize, start: impl FnOnce() -> NonNull<u8>) -> NonNull<Self> {
        let bytes = <[u8]>::locate(size, start);
        // SAFETY: the pointer is not null, and a `str` has the metadata of its bytes.
        unsafe { NonNull::new_unchecked(bytes.as_ptr() as *mut str) }
    }
}
