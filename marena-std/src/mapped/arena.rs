//! The arena that several processes share.

use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::builder::{Durability, MappedBuilder};
use super::memory::MappedMemory;
use super::open_error::MapError;
use super::view::MappedView;

/// An arena in a file. All processes that map the file share it, and it is still there after a
/// restart.
///
/// It hands out [`Address`](crate::Address)es, which mean the same in every process. Their bytes
/// are read and written by copies ([`read_into`](MappedView::read_into),
/// [`write_from`](Self::write_from)) and atomics ([`atomic_u64_at`](Self::atomic_u64_at)). All safe
/// methods are checked and atomic: a peer that writes at the same time, or wrongly, can damage
/// bytes but cause no undefined behaviour. For references, as other arenas give them, the caller
/// must promise that nobody writes: see [`plain`](Self::plain).
///
/// Allocating and publishing take no lock. A process that is killed loses at most the block that it
/// was about to publish.
///
/// # Root slots
///
/// Four slots in the header name the contents of the file. Another process, or this one after a
/// restart, finds an address through a [root](MappedView::root), or through bytes that a root leads
/// to.
///
/// # The lock on the file
///
/// An open arena or view holds a shared lock on its file (`flock`, `LockFileEx`), which keeps the
/// file from being [replaced](MappedBuilder::replace). Permission to read the file is enough for
/// this lock, and for an exclusive one. So a program that may read the file can keep others from
/// replacing or opening it. Give read permission only to programs that you trust with that.
///
/// # Forks
///
/// A child inherits the mapping. The arena, addresses and locks continue to work in both processes.
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
/// use marena_std::MappedArena;
///
/// let path = std::env::temp_dir().join(format!("mapped-arena-{}.arena", std::process::id()));
///
/// // SAFETY: the file is new, and all who open it use this type.
/// let arena = unsafe { MappedArena::open_or_create(&path, 1 << 20) }?;
/// let greeting = arena.allocate_copy(b"hello")?;
/// arena.publish_root(0, greeting)?;
///
/// // Another process, or this one after a restart.
/// // SAFETY: as above.
/// let again = unsafe { MappedArena::open(&path) }?;
/// let found = again.root(0).unwrap();
/// let mut text = [0; 5];
/// again.read_into(found, &mut text)?;
/// assert_eq!(&text, b"hello");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MappedArena {
    pub(super) core: marena_core::Arena<MappedMemory>,
    pub(super) durability: Durability,
    /// Whether a flush has failed. The system may then take the pages for written, so later flushes
    /// prove nothing.
    pub(super) undurable: AtomicBool,
}

/// Creating and opening. [`builder`](Self::builder) has more settings.
impl MappedArena {
    /// Returns a builder for settings beyond the capacity.
    pub fn builder() -> MappedBuilder {
        MappedBuilder::default()
    }

    /// Creates the file at `path`, which must not exist, with an empty arena of `capacity` bytes in
    /// it, rounded up to a multiple of [`ARENA_PAGESIZE`](crate::ARENA_PAGESIZE).
    ///
    /// # Errors
    ///
    /// The same as for [`MappedBuilder::create`].
    ///
    /// # Safety
    ///
    /// As long as the result exists, in this and in every other process:
    ///
    /// - Nobody makes the file shorter. An access to the part that is cut off ends the process
    ///   (`SIGBUS`). So does an access to bytes that the disk fails to deliver, which no caller can
    ///   rule out. The arena itself never changes a file's length, and creates new files only under
    ///   their own names.
    /// - The file's bytes are written only through this type, or as marena's layout (`LAYOUT.md` of
    ///   `marena-core`) describes. A peer that breaks this may damage the arena's contents, and how
    ///   much of it is left. Addresses stay in range all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::{MapError, MappedArena};
    ///
    /// let path = std::env::temp_dir().join(format!("create-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 100_000) }?;
    /// assert_eq!(arena.capacity(), 131_072);
    /// // An existing file is left alone.
    /// // SAFETY: as above.
    /// let again = unsafe { MappedArena::create(&path, 100_000) };
    /// assert!(matches!(again, Err(MapError::Exists { .. })));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn create(path: impl AsRef<Path>, capacity: usize) -> Result<Self, MapError> {
        // SAFETY: the caller's promise.
        unsafe { Self::builder().capacity(capacity).create(path) }
    }

    /// Opens the arena in the file at `path`.
    ///
    /// # Errors
    ///
    /// The same as for [`MappedBuilder::open`].
    ///
    /// # Safety
    ///
    /// - The same as for [`create`](Self::create).
    pub unsafe fn open(path: impl AsRef<Path>) -> Result<Self, MapError> {
        // SAFETY: the caller's promise.
        unsafe { Self::builder().open(path) }
    }

    /// Opens the arena of `capacity` bytes in the file at `path`, and creates it if it does not
    /// exist. Processes that do this at once get the same arena.
    ///
    /// # Errors
    ///
    /// The same as for [`MappedBuilder::open_or_create`].
    ///
    /// # Safety
    ///
    /// - The same as for [`create`](Self::create).
    pub unsafe fn open_or_create(path: impl AsRef<Path>, capacity: usize) -> Result<Self, MapError> {
        // SAFETY: the caller's promise.
        unsafe { Self::builder().capacity(capacity).open_or_create(path) }
    }

    /// Opens the arena in the file at `path` for reading. Permission to write the file is not
    /// needed, unless it lies on an overlay file system.
    ///
    /// # Errors
    ///
    /// The same as for [`MappedBuilder::open_read_only`].
    ///
    /// # Safety
    ///
    /// - The same as for [`create`](Self::create).
    pub unsafe fn open_read_only(path: impl AsRef<Path>) -> Result<MappedView, MapError> {
        // SAFETY: the caller's promise.
        unsafe { Self::builder().open_read_only(path) }
    }

    /// Returns the [configured](MappedBuilder::durability) durability of published roots.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    pub(super) fn new(core: marena_core::Arena<MappedMemory>, durability: Durability) -> Self {
        Self { core, durability, undurable: AtomicBool::new(false) }
    }
}

/// Unchecked access.
impl MappedArena {
    /// Returns the core's arena over this file, which has blocks, values, handles, leases and
    /// allocation without zeroing.
    ///
    /// Its [`reset_shared`](marena_core::Arena::reset_shared) does not write to the disk. Where a
    /// power loss matters, use the method of [this type](Self::reset_shared).
    ///
    /// # Safety
    ///
    /// As long as anything from the result is used:
    ///
    /// - Every process that has the file mapped keeps to the protocol. A peer that moves the cursor
    ///   back makes blocks overlap, and the references that blocks are make that undefined
    ///   behaviour.
    /// - After a fork, either the parent or the child uses and drops what this process had of it
    ///   (blocks, leases, values), and not both.
    /// - Nobody, in this process or another, accesses the bytes of a block, value, handle or view
    ///   by this type's copies and atomics, except to read bytes that nobody writes any more.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("plain-{}.arena", std::process::id()));
    /// // SAFETY: the file is new, and nobody else knows it.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// // SAFETY: this process is alone with the file, and tells the address after it has written.
    /// let mut block = unsafe { arena.plain() }.allocate(5)?;
    /// block.copy_from_slice(b"hello");
    /// arena.publish_root(0, block.publish().address())?;
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[inline]
    pub unsafe fn plain(&self) -> &marena_core::Arena<MappedMemory> {
        &self.core
    }
}

/// Lets an arena be read as a view.
impl Deref for MappedArena {
    type Target = MappedView;

    #[inline]
    fn deref(&self) -> &MappedView {
        self.core.memory().view()
    }
}

impl fmt::Debug for MappedArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedArena")
            .field("core", &self.core)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}
