//! Memory that C names: any number of arenas may be over one region.

use core::ptr::NonNull;

use marena_core::{AtomicU32, Memory};

/// A region that its `marena_t`s, their copies and other cores share. Not exclusive, so nothing
/// here resets it safely.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    bytes: NonNull<[u8]>,
}

impl Region {
    /// # Safety
    ///
    /// - The bytes are initialised, and stay valid as long as an arena over them is used.
    /// - Meanwhile they are used through arenas alone, all of which have their header at the start
    ///   of these bytes.
    pub(crate) unsafe fn new(bytes: NonNull<[u8]>) -> Self {
        Self { bytes }
    }
}

// SAFETY: `new`'s caller promises bytes that only arenas over this header use; the pointer never
// changes.
unsafe impl Memory for Region {
    type Word = AtomicU32;

    #[inline]
    fn region(&self) -> NonNull<[u8]> {
        self.bytes
    }
}
