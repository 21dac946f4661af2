//! Bytes that their owner holds exclusively.

use core::borrow::{Borrow, BorrowMut};
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU64;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::slice;

use crate::address::Address;
use crate::handle::Handle;

/// Zeroed bytes that were just allocated and belong to one owner. Derefs to a byte slice.
///
/// Write to it. Then keep it for as long as the arena is borrowed ([`into_mut`](Self::into_mut)),
/// or [`publish`](Self::publish) it for everyone to read. Dropping it gives nothing back.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let arena = Arena::borrowed(&mut bytes)?;
/// let mut block = arena.allocate(3).unwrap();
/// assert_eq!(*block, [0, 0, 0]);
/// block[1] = 7;
/// assert_eq!(arena.view(block.publish()), Some(&[0, 7, 0][..]));
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
///
/// Nothing of it outlives a reset:
///
/// ```compile_fail,E0502
/// # use core::mem::MaybeUninit;
/// # use marena_core::Arena;
/// # let mut bytes = [MaybeUninit::uninit(); 1024];
/// # let mut arena = Arena::borrowed(&mut bytes).unwrap();
/// let block = arena.allocate(3).unwrap();
/// arena.reset();
/// drop(block);
/// ```
pub struct Block<'a> {
    /// INVARIANT: valid for reads and writes of `address.size()` initialised bytes during `'a`, by
    /// this value alone.
    start: NonNull<u8>,
    /// INVARIANT: where `start` lies in the region.
    address: Address,
    /// INVARIANT: the epoch during which the bytes were claimed.
    epoch: NonZeroU64,
    owns: PhantomData<&'a mut [u8]>,
}

impl<'a> Block<'a> {
    /// Creates a block.
    ///
    /// # Safety
    ///
    /// - The arguments satisfy the invariants of the fields.
    #[inline]
    pub(crate) unsafe fn from_raw_parts(start: NonNull<u8>, address: Address, epoch: NonZeroU64) -> Self {
        Self { start, address, epoch, owns: PhantomData }
    }

    /// Returns where the block lies. The address has exactly the size that was asked for.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let block = arena.allocate(201).unwrap();
    /// assert_eq!((block.address().offset(), block.address().size()), (128, 201));
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use]
    #[inline]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Gives up the exclusive ownership, and returns a handle. From now on, code with the arena and
    /// the handle can read the bytes, and nothing can write them.
    ///
    /// Sending the handle to another thread by any safe means makes the bytes visible there.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let handle = arena.allocate(2).unwrap().publish();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| assert_eq!(arena.view(handle), Some(&[0, 0][..])));
    /// });
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use = "the handle is the only way back to the bytes"]
    #[inline]
    pub fn publish(self) -> Handle {
        Handle::new(self.address, self.epoch)
    }

    /// Returns the bytes for as long as the arena is borrowed.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let bytes: &mut [u8] = arena.allocate(2).unwrap().into_mut();
    /// bytes[0] = 1;
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[must_use = "the bytes cannot be reached otherwise"]
    #[inline]
    pub fn into_mut(self) -> &'a mut [u8] {
        // SAFETY: the invariant of `start`; `self` is consumed, so the reference is the only access
        // during `'a`.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.address.size() as usize) }
    }
}

impl Deref for Block<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the invariant of `start`, for as long as `self` is borrowed shared.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.address.size() as usize) }
    }
}

impl DerefMut for Block<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: the invariant of `start`, for as long as `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.address.size() as usize) }
    }
}

impl AsRef<[u8]> for Block<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Block<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl Borrow<[u8]> for Block<'_> {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl BorrowMut<[u8]> for Block<'_> {
    fn borrow_mut(&mut self) -> &mut [u8] {
        self
    }
}

// SAFETY: a block is an exclusive reference to plain bytes, which may go to any thread.
unsafe impl Send for Block<'_> {}
// SAFETY: a shared reference to a block gives a shared reference to plain bytes.
unsafe impl Sync for Block<'_> {}

impl fmt::Debug for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").field("address", &self.address).field("bytes", &&**self).finish()
    }
}
