//! Memory borrowed from the caller for as long as the arena lives.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::{ExclusiveMemory, Memory, StaticMemory};
use crate::error::MemoryError;
use crate::placement::{HEADER_SIZE, REGION_LIMIT, REGION_MIN, STEP};
use crate::sync::AtomicU32;

/// A mutably borrowed slice: any buffer, on the stack, in a static or from an allocator.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{Arena, BorrowedMemory, Memory};
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let memory = BorrowedMemory::new(&mut bytes)?;
/// assert!(memory.region().cast::<u8>().addr().get().is_multiple_of(128));
/// let arena = Arena::new(memory)?;
/// # let _ = arena;
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
#[derive(Debug)]
pub struct BorrowedMemory<'m> {
    /// INVARIANT: derived from a `&'m mut [MaybeUninit<u8>]` that nobody uses during `'m`.
    region: NonNull<[u8]>,
    borrow: PhantomData<&'m mut [MaybeUninit<u8>]>,
}

impl<'m> BorrowedMemory<'m> {
    /// Takes `bytes`, less up to 127 at the front that lie before a multiple of 128 and up to 7 at
    /// the end. They need not be initialised.
    ///
    /// # Errors
    ///
    /// [`MemoryError::TooSmall`] where no header and block fit, [`MemoryError::TooLarge`] where
    /// more than a region can have is left.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::BorrowedMemory;
    /// assert!(BorrowedMemory::new(&mut [MaybeUninit::uninit(); 100]).is_err());
    /// ```
    pub fn new(bytes: &'m mut [MaybeUninit<u8>]) -> Result<Self, MemoryError> {
        let len = bytes.len();
        let start = bytes.as_mut_ptr();
        let skipped = start.addr().wrapping_neg() & (HEADER_SIZE - 1);
        let usable = match len.checked_sub(skipped) {
            Some(usable) if usable >= REGION_MIN => usable & !(STEP - 1),
            _ => return Err(MemoryError::TooSmall { required: skipped + REGION_MIN, len }),
        };
        if usable > REGION_LIMIT {
            return Err(MemoryError::TooLarge { limit: REGION_LIMIT, len });
        }
        // SAFETY: `skipped <= len`, so the result is inside the slice or one past its end.
        let base = unsafe { start.add(skipped) };
        // SAFETY: a pointer into a slice is not null.
        let base = unsafe { NonNull::new_unchecked(base) };
        Ok(Self { region: NonNull::slice_from_raw_parts(base.cast(), usable), borrow: PhantomData })
    }
}

/// A static's memory, whole: its type has checked its length, and aligns it.
///
/// ```
/// use marena_core::{BorrowedMemory, Pool, StaticMemory};
/// // On a microcontroller: a `static` of type `StaticCell<[StaticMemory<1024>; 4]>`, and its `init`.
/// let memories: &'static mut [StaticMemory<1024>; 4] = Box::leak(Box::new([const { StaticMemory::new() }; 4]));
/// let pool = Pool::new(memories.each_mut().map(BorrowedMemory::from))?;
/// assert_eq!(pool.acquire().unwrap().capacity(), 1024);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
impl<const N: usize> From<&'static mut StaticMemory<N>> for BorrowedMemory<'static> {
    fn from(memory: &'static mut StaticMemory<N>) -> Self {
        let bytes = NonNull::from(memory.as_uninit_mut());
        Self { region: NonNull::slice_from_raw_parts(bytes.cast(), bytes.len()), borrow: PhantomData }
    }
}

// SAFETY: the value owns the borrow of the bytes, which are plain and valid from any thread.
unsafe impl Send for BorrowedMemory<'_> {}
// SAFETY: a shared reference gives only the raw pointer.
unsafe impl Sync for BorrowedMemory<'_> {}

// SAFETY: the pointer never changes, spans bytes borrowed for `'m`, which outlives the value, and a
// slice is at most `isize::MAX` bytes long. It is held as a `NonNull`, and `PhantomData` keeps
// everyone else away from the bytes.
unsafe impl Memory for BorrowedMemory<'_> {
    type Word = AtomicU32;

    #[inline]
    fn region(&self) -> NonNull<[u8]> {
        self.region
    }
}

// SAFETY: the mutable borrow is exclusive, and the value is not `Clone`.
unsafe impl ExclusiveMemory for BorrowedMemory<'_> {}
