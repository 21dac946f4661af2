//! A file as an arena's memory.

use std::fmt;
use std::fs::File;
use std::io;
use std::ptr::NonNull;

use marena_core::Memory;
use portable_atomic::AtomicU32;

use super::view::MappedView;

/// The alignment that every mapping has: no system has smaller pages.
pub(super) const SMALLEST_PAGE: usize = 4096;

/// A file that is mapped for reading and writing, and locked so that it is not replaced: the memory
/// of a [`MappedArena`](super::MappedArena).
///
/// It is not [`ExclusiveMemory`](marena_core::ExclusiveMemory), because other processes may map the
/// file as well.
pub struct MappedMemory {
    /// INVARIANT: mapped for writing.
    view: MappedView,
}

impl MappedMemory {
    /// Maps all `len` bytes of a file that is open for reading and writing, and locked.
    pub(super) fn map(file: File, len: usize) -> io::Result<Self> {
        Ok(Self { view: MappedView::map(file, len, true)? })
    }

    #[inline]
    pub(super) fn view(&self) -> &MappedView {
        &self.view
    }
}

// SAFETY: the pointer never changes, is raw, and spans a mapping for writing that stays as long as
// the value. The system maps at a multiple of its pages, which are not smaller than
// `SMALLEST_PAGE`. The callers of `MappedArena`'s constructors promise that the file stays that
// long, and that other writers of these bytes use arenas over this header.
unsafe impl Memory for MappedMemory {
    type Word = AtomicU32;
    const BACKS_OFF: bool = true;

    const REMAP_ALIGN: Option<usize> = Some(SMALLEST_PAGE);

    #[inline]
    fn region(&self) -> NonNull<[u8]> {
        self.view.region()
    }

    /// After a power loss the file may hold bytes past its cursor that were written before it.
    #[inline]
    fn is_zeroed(&self) -> bool {
        false
    }
}

impl fmt::Debug for MappedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedMemory").field("region", &self.region()).finish_non_exhaustive()
    }
}
