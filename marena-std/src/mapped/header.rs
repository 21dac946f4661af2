//! A copy of a header's bytes.

use std::ptr;

use marena_core::{ARENA_MIN_ADDRESS, Header};
use static_assertions::const_assert;

use super::words::WORD;

pub(super) type FileHeader = Header<portable_atomic::AtomicU32>;

pub(super) const HEADER_SIZE: usize = ARENA_MIN_ADDRESS as usize;

/// The number of root slots in a header.
pub(super) const ROOTS: usize = 4;

/// The offset of the end of the root slots, in bytes.
pub(super) const ROOTS_END: usize = FileHeader::ROOTS_OFFSET + ROOTS * WORD;

/// The bytes of a header, copied from memory or a file that the header's own methods cannot read.
#[repr(C, align(128))]
pub(super) struct HeaderCopy([u8; HEADER_SIZE]);

// A copy is read as a header.
const_assert!(size_of::<HeaderCopy>() == size_of::<FileHeader>());
const_assert!(align_of::<HeaderCopy>() >= align_of::<FileHeader>());
// Roots are loaded as words, and all else as halves of words.
const_assert!(FileHeader::ROOTS_OFFSET.is_multiple_of(WORD));
const_assert!(ROOTS_END <= FileHeader::CURSOR_OFFSET && FileHeader::CURSOR_OFFSET.is_multiple_of(size_of::<u32>()));

impl HeaderCopy {
    pub(super) fn zero() -> Self {
        Self([0; HEADER_SIZE])
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8; HEADER_SIZE] {
        &mut self.0
    }

    pub(super) fn as_header(&mut self) -> &FileHeader {
        // SAFETY: the copy has the size and the alignment of a header, and any initialised bytes
        // are one. The header's words can be written through a shared reference, but `&mut self`
        // keeps everyone else from the bytes while it is used.
        unsafe { &*ptr::from_mut(self).cast::<FileHeader>() }
    }
}
