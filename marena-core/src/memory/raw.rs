//! Memory named by address: linker symbols, boot maps, mappings.

use core::ptr::NonNull;

use super::{ExclusiveMemory, Memory, checked_capacity};
use crate::error::MemoryError;
use crate::sync::AtomicU32;

/// Memory that the caller vouches for by pointer and length.
///
/// # Examples
///
/// ```
/// use core::ptr::NonNull;
/// use marena_core::{Arena, RawMemory};
///
/// #[repr(align(128))]
/// struct Ram([u8; 2048]);
/// // On a bare machine: a linker script's symbol.
/// let mut ram = Ram([0; 2048]);
/// // SAFETY: `ram` outlives the arena, and is used by nobody else meanwhile.
/// let memory = unsafe { RawMemory::from_raw_parts(NonNull::from(&mut ram.0).cast(), 2048) }?;
/// let arena = Arena::new(memory)?;
/// assert_eq!(arena.remaining(), 2048 - 128);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
#[derive(Debug)]
pub struct RawMemory {
    /// INVARIANT: checked by `checked_capacity`; valid and unshared as `from_raw_parts` was
    /// promised.
    region: NonNull<[u8]>,
}

impl RawMemory {
    /// Takes the `len` bytes at `base`, less up to 7 at the end.
    ///
    /// # Errors
    ///
    /// [`MemoryError`] if `base` is not aligned to 128, or if `len` is below 136 or more than a
    /// region can have.
    ///
    /// # Safety
    ///
    /// - `base` is valid for reads and writes of `len` bytes, from any thread, until the value and
    ///   every arena that it was moved into are gone.
    /// - Nothing else reads or writes those bytes meanwhile.
    pub unsafe fn from_raw_parts(base: NonNull<u8>, len: usize) -> Result<Self, MemoryError> {
        let capacity = checked_capacity(base.addr().get(), len, 1)?;
        Ok(Self { region: NonNull::slice_from_raw_parts(base, capacity) })
    }
}

// SAFETY: `from_raw_parts`'s caller promises bytes that are valid from any thread.
unsafe impl Send for RawMemory {}
// SAFETY: a shared reference gives only the raw pointer.
unsafe impl Sync for RawMemory {}

// SAFETY: the pointer never changes; `from_raw_parts`'s caller promises the rest, and its length
// was checked.
unsafe impl Memory for RawMemory {
    type Word = AtomicU32;
    const IS_EXCLUSIVE: bool = true;

    #[inline]
    fn region(&self) -> NonNull<[u8]> {
        self.region
    }
}

// SAFETY: `from_raw_parts`'s caller promises that nothing else reaches the bytes, and the value is
// not `Clone`.
unsafe impl ExclusiveMemory for RawMemory {}
