//! A file as an arena's memory.

use std::fmt;
use std::fs::File;
use std::io;
use std::ptr::NonNull;

use marena_core::Memory;
use memmap2::{MmapOptions, MmapRaw};
use portable_atomic::AtomicU32;

/// The alignment that every mapping has: no system has smaller pages.
pub(super) const SMALLEST_PAGE: usize = 4096;

/// A file that is mapped for reading and writing, and locked against being replaced: what a [`MappedArena`](super::MappedArena) lives in.
///
/// Not [`ExclusiveMemory`](marena_core::ExclusiveMemory), since other processes may have the file mapped too.
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
/// use marena_std::marena_core::{Arena, Memory};
/// use marena_std::{MappedArena, MappedMemory};
///
/// let path = std::env::temp_dir().join(format!("mapped-memory-{}.arena", std::process::id()));
/// // SAFETY: nobody else knows the file.
/// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
/// // The core's arena over a file can be passed to code that is written for any memory.
/// fn room<M: Memory>(arena: &Arena<M>) -> usize {
///     arena.remaining()
/// }
/// // SAFETY: only a figure is asked for.
/// assert_eq!(room::<MappedMemory>(unsafe { arena.plain() }), 65_408);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MappedMemory {
    /// INVARIANT: all of `mapping`; raw, so that no reference to bytes that others write is ever made.
    region: NonNull<[u8]>,
    mapping: MmapRaw,
    /// Keeps the lock, which goes with the last copy of this descriptor.
    _file: File,
}

impl MappedMemory {
    /// Maps all `len` bytes of a file that is open for reading and writing, and locked.
    pub(super) fn map(file: File, len: usize, populate: bool) -> io::Result<Self> {
        let mapping = options(len, populate).map_raw(&file)?;
        let base = NonNull::new(mapping.as_mut_ptr()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { region: NonNull::slice_from_raw_parts(base, len), mapping, _file: file })
    }

    /// Writes a range of the region to the disk. The caller keeps it within the region.
    pub(super) fn flush(&self, start: usize, len: usize) -> io::Result<()> {
        self.mapping.flush_range(start, len)
    }
}

/// How files are mapped, whether to write or not.
pub(super) fn options(len: usize, populate: bool) -> MmapOptions {
    let mut options = MmapOptions::new();
    options.len(len);
    if populate {
        options.populate();
    }
    options
}

// SAFETY: the value owns the mapping, which is valid from any thread.
unsafe impl Send for MappedMemory {}
// SAFETY: a shared reference gives the raw pointer and flushing, which is for any thread.
unsafe impl Sync for MappedMemory {}

// SAFETY: the pointer never changes and spans a mapping that lives as long as the value, held raw; `map` made it readable and writable.
// The system maps at a multiple of its pages, none of which are smaller than `SMALLEST_PAGE`. That the file stays that long, and that
// other writers of these bytes go through arenas over this header, is what the callers of `MappedArena`'s constructors promise.
unsafe impl Memory for MappedMemory {
    type Word = AtomicU32;

    const REMAP_ALIGN: Option<usize> = Some(SMALLEST_PAGE);

    #[inline]
    fn region(&self) -> NonNull<[u8]> {
        self.region
    }

    /// After a power loss the file may hold bytes past its cursor that were written before it.
    #[inline]
    fn is_zeroed(&self) -> bool {
        false
    }
}

impl fmt::Debug for MappedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedMemory").field("region", &self.region).finish_non_exhaustive()
    }
}
