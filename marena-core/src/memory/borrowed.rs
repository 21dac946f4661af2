//! Memory that is borrowed from the caller as long as the arena is there.

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
    /// Takes `bytes`, which need not be initialised. Leaves out up to 127 at the front, which lie
    /// before a multiple of 128, and up to 7 at the end.
    ///
    /// # Errors
    ///
    /// [`MemoryError::TooSmall`] if there is no room for a header and a block,
    /// [`MemoryError::TooLarge`] if there is more than a region can have.
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

/// The whole memory of a static. Its type has checked its length, and aligns it.
///
/// ```
/// use marena_core::{BorrowedMemory, Pool, StaticMemory};
/// // On a microcontroller, a `StaticCell` gives these references without `unsafe`.
/// static mut MEMORIES: [StaticMemory<1024>; 2] = [const { StaticMemory::new() }; 2];
/// // SAFETY: runs once, and nothing else names `MEMORIES`.
/// let memories: &'static mut [StaticMemory<1024>; 2] = unsafe { &mut *(&raw mut MEMORIES) };
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
    const IS_EXCLUSIVE: bool = true;

    #[inline]
    fn region(&self) -> NonNull<[u8]> {
        self.region
    }
}

// SAFETY: the mutable borrow is exclusive, and the value is not `Clone`.
unsafe impl ExclusiveMemory for BorrowedMemory<'_> {}
