//! Memory that a `static` owns: all zero at the start, so it lies in `.bss` and costs no byte of
//! the program's image.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::Memory;
use crate::placement::{REGION_LIMIT, REGION_MIN};
use crate::sync::AtomicU32;

/// `N` bytes for a `static`, the 128-byte header included.
///
/// `N` is 136 to 2^31 (the largest `isize`, where that is smaller); any other is a build error.
/// Everyone can reach a static, so an arena over one has no safe reset.
/// [`as_uninit_mut`](Self::as_uninit_mut) gives the bytes for an exclusive one.
///
/// # Examples
///
/// ```
/// use marena_core::{Arena, StaticMemory};
///
/// static MEMORY: StaticMemory<4096> = StaticMemory::new();
/// static ARENA: Arena<&'static StaticMemory<4096>> = Arena::from_static(&MEMORY);
///
/// let block = ARENA.allocate(16).unwrap();
/// assert_eq!(*block, [0; 16]);
/// ```
#[repr(C, align(128))]
pub struct StaticMemory<const N: usize> {
    /// INVARIANT: zero at the start, and written only by arenas afterwards: `as_uninit_mut` gives
    /// the bytes away for good.
    bytes: UnsafeCell<[u8; N]>,
}

impl<const N: usize> StaticMemory<N> {
    const LENGTH_IS_VALID: () = assert!(
        N >= REGION_MIN && N <= REGION_LIMIT,
        "a static arena needs 136 to 2^31 bytes, its 128-byte header included"
    );

    /// Creates memory that is all zero, which is an empty arena.
    ///
    /// ```compile_fail
    /// # use marena_core::StaticMemory;
    /// static TOO_SMALL: StaticMemory<135> = StaticMemory::new();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        const { Self::LENGTH_IS_VALID };
        Self { bytes: UnsafeCell::new([0; N]) }
    }

    /// Returns the bytes for [`Arena::borrowed`](crate::Arena::borrowed): an exclusive arena, with
    /// a safe reset, in static memory.
    ///
    /// The borrow never ends. If it did, bytes written through it could later pass for a static
    /// arena's zeros and header. A `StaticCell`, of the crate of that name, gives the
    /// `&'static mut` that this takes.
    ///
    /// ```
    /// use marena_core::{Arena, StaticMemory};
    /// static mut MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// // A `StaticCell`'s `init` does this without `unsafe`.
    /// // SAFETY: runs once, and nothing else names `MEMORY`.
    /// let memory: &'static mut StaticMemory<1024> = unsafe { &mut *(&raw mut MEMORY) };
    /// let mut arena = Arena::borrowed(memory.as_uninit_mut())?;
    /// arena.allocate(100).unwrap();
    /// arena.reset();
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub const fn as_uninit_mut(&'static mut self) -> &'static mut [MaybeUninit<u8>] {
        let bytes: *mut [u8; N] = self.bytes.get();
        // SAFETY: `&'static mut self` is exclusive for the rest of the program, so what is written
        // here is seen by nobody who expects initialised bytes.
        unsafe { &mut *bytes.cast::<[MaybeUninit<u8>; N]>() }
    }
}

impl<const N: usize> Default for StaticMemory<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for StaticMemory<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticMemory").field("len", &N).finish_non_exhaustive()
    }
}

// SAFETY: a shared reference gives only a raw pointer to bytes; arenas synchronise what they do
// with them.
unsafe impl<const N: usize> Sync for StaticMemory<N> {}

// SAFETY: the cell lies at one address for `'static` and allows writes through a shared reference.
// `N` was checked to be at most `isize::MAX`. The bytes start zero, header included, and only
// arenas over this header write them, so those past max(peak, cursor) stay zero.
unsafe impl<const N: usize> Memory for &'static StaticMemory<N> {
    type Word = AtomicU32;

    #[inline]
    fn region(&self) -> NonNull<[u8]> {
        let base: NonNull<u8> = NonNull::from(&self.bytes).cast();
        NonNull::slice_from_raw_parts(base, N)
    }

    #[inline]
    fn is_zeroed(&self) -> bool {
        true
    }
}
