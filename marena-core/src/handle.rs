//! Checked names for what was published: they are recognised as stale after a reset and as foreign by another arena.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroU64;

use static_assertions::assert_eq_size;

use crate::address::Address;

/// Names a published block (`Handle`) or value (`Handle<T>`) that anyone with the arena may read.
///
/// Made only by [`Block::publish`](crate::Block::publish) and [`Arena::insert`](crate::Arena::insert), so
/// it always names initialised bytes that nobody writes. It carries its arena's epoch:
/// [`Arena::view`](crate::Arena::view) and [`Arena::get`](crate::Arena::get) give `None` to a handle from before a reset
/// or from another arena. 16 bytes, `Copy`, and so is its `Option`.
///
/// A handle may go to another thread if what it names may be read there: if `T` is `Sync`.
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
    /// The caller vouches: the address names initialised bytes (a valid `T`) of the life `epoch`, and from now on they are
    /// only read.
    #[inline]
    pub(crate) const fn new(address: Address, epoch: NonZeroU64) -> Self {
        Self { address, epoch, names: PhantomData }
    }

    /// Where it lies. An address can be kept in a node or a file; the check against reset stays behind.
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

    #[inline]
    pub(crate) const fn epoch(self) -> NonZeroU64 {
        self.epoch
    }
}

// SAFETY: a handle gives whoever has the arena a `&T`, nothing more; a `&T` may go to another thread if `T: Sync`.
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
