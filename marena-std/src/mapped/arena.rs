//! The arena that several processes share.

use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use marena_core::Stats;

use super::builder::{Durability, MappedBuilder};
use super::error::MapError;
use super::memory::MappedMemory;
use super::view::MappedView;

/// An arena in a file: the same for every process that has the file mapped, and still there after a restart.
///
/// What it hands out are [`Address`](crate::Address)es, which mean the same in every process. Bytes behind them are read and written by copies
/// ([`read_into`](Self::read_into), [`write_from`](Self::write_from)) and atomics ([`atomic_u64_at`](Self::atomic_u64_at)): all that is safe here is checked
/// and atomic, so that a peer which writes at the same time, or wrongly, can spoil bytes but cause no undefined behaviour.
/// References, as the other arenas give them, are there for those who can promise that nobody writes: see [`plain`](Self::plain).
///
/// There is no lock: a process that is killed leaves at most the block it was about to publish.
///
/// # Root slots
///
/// Four slots in the header name what the file is about. An address is found by another process, or after a restart, through a root or through
/// bytes that a root leads to.
///
/// # Forks
///
/// A child inherits the mapping; arena, addresses and locks go on working in both.
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
/// use marena_std::MappedArena;
///
/// let path = std::env::temp_dir().join(format!("mapped-arena-{}.arena", std::process::id()));
///
/// // SAFETY: the file is new, and whoever opens it uses this type.
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
    /// Whether a flush has failed: the system may since take the pages for written, so later flushes would prove nothing.
    pub(super) undurable: AtomicBool,
}

/// Making and opening. [`builder`](Self::builder) has more settings.
impl MappedArena {
    /// An arena with more to say about than its capacity.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("builder-{}.arena", std::process::id()));
    /// let builder = MappedArena::builder().capacity(1 << 20).page_alignment(4096);
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { builder.create(&path) }?;
    /// assert_eq!(arena.capacity(), 1 << 20);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> MappedBuilder {
        MappedBuilder::default()
    }

    /// Makes the file at `path`, which must not exist, with an empty arena of `capacity` bytes in it, rounded up to a multiple of
    /// [`ARENA_PAGESIZE`](crate::ARENA_PAGESIZE).
    ///
    /// # Errors
    ///
    /// As for [`MappedBuilder::create`].
    ///
    /// # Safety
    ///
    /// As long as the result lives, in this and in every other process:
    ///
    /// - Nobody makes the file shorter. An access to what is cut off ends the process (`SIGBUS`), whoever makes it; so does one to bytes that the disk
    ///   fails to deliver, and no caller can rule that out. The arena itself never changes a file's length, and
    ///   makes new files only under their own names.
    /// - The file's bytes are written only through this type, or in the same way: as marena's layout (`LAYOUT.md` of `marena-core`) describes.
    ///   A peer that breaks this may spoil what is in the arena, and how much of it is left; addresses stay in range all the same.
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
    /// // What is there is left alone.
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

    /// The arena in the file at `path`. Takes the same time whatever its size, and reads its first page only.
    ///
    /// # Errors
    ///
    /// As for [`MappedBuilder::open`].
    ///
    /// # Safety
    ///
    /// As for [`create`](Self::create).
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("open-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// arena.allocate_copy(b"there after a restart")?;
    /// drop(arena);
    /// // SAFETY: as above.
    /// let again = unsafe { MappedArena::open(&path) }?;
    /// assert_eq!(again.used(), 24);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open(path: impl AsRef<Path>) -> Result<Self, MapError> {
        // SAFETY: the caller's promise.
        unsafe { Self::builder().open(path) }
    }

    /// The arena of `capacity` bytes in the file at `path`, which is made if it is not there. Processes that do this at once get the same one.
    ///
    /// # Errors
    ///
    /// As for [`MappedBuilder::open_or_create`].
    ///
    /// # Safety
    ///
    /// As for [`create`](Self::create).
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("open-or-create-{}.arena", std::process::id()));
    /// // SAFETY: whoever opens the file uses this type, and nobody makes it shorter; here and below.
    /// let one = unsafe { MappedArena::open_or_create(&path, 65_536) }?;
    /// let two = unsafe { MappedArena::open_or_create(&path, 65_536) }?;
    /// one.allocate_address(8)?;
    /// assert_eq!(two.used(), 8);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open_or_create(path: impl AsRef<Path>, capacity: usize) -> Result<Self, MapError> {
        // SAFETY: the caller's promise.
        unsafe { Self::builder().capacity(capacity).open_or_create(path) }
    }

    /// The arena in the file at `path`, to read only: permission to write the file is not needed.
    ///
    /// # Errors
    ///
    /// As for [`MappedBuilder::open_read_only`].
    ///
    /// # Safety
    ///
    /// As for [`create`](Self::create).
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("open-read-only-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file; here and below.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let view = unsafe { MappedArena::open_read_only(&path) }?;
    /// arena.allocate_address(8)?;
    /// assert_eq!(view.used(), 8);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open_read_only(path: impl AsRef<Path>) -> Result<MappedView, MapError> {
        // SAFETY: the caller's promise.
        unsafe { Self::builder().open_read_only(path) }
    }

    pub(super) fn new(core: marena_core::Arena<MappedMemory>, durability: Durability) -> Self {
        Self { core, durability, undurable: AtomicBool::new(false) }
    }
}

/// Figures, as [`marena_core::Arena`] has them.
impl MappedArena {
    /// Bytes of the whole file.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("capacity-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// assert_eq!(arena.capacity(), 65_536);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.core.capacity()
    }

    /// Bytes handed out, to all processes; a snapshot.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("used-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// arena.allocate_address(201)?;
    /// assert_eq!(arena.used(), 208);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn used(&self) -> usize {
        self.core.used()
    }

    /// Bytes left; a snapshot.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("remaining-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// assert_eq!(arena.remaining(), 65_536 - 128);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.core.remaining()
    }

    /// All figures at once.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("stats-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// arena.allocate_address(6000)?;
    /// let stats = arena.stats().to_string();
    /// assert_eq!(stats, "6000 of 65408 bytes used (9.1 %), 59408 left; high water 6000, stranded 0");
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }
}

/// The other door.
impl MappedArena {
    /// The core's arena over this file: blocks, values, handles, leases, allocation without zeroing.
    ///
    /// # Safety
    ///
    /// As long as anything from the result is used:
    ///
    /// - Every process that has the file mapped keeps to the protocol. One that moves the cursor back makes blocks overlap, and the references
    ///   that blocks are make that undefined behaviour.
    /// - After a fork, what this process held of it (blocks, leases, values) is used and dropped by the parent or by the child, not by both.
    /// - Nobody, in this process or another, accesses the bytes of a block, value, handle or view by this type's copies and atomics, but to read
    ///   bytes that nobody writes any more.
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
    /// // SAFETY: this process is alone with the file, and the block's address goes nowhere before it is written.
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

    /// Takes everything back: the arena is empty, its root slots too.
    ///
    /// # Safety
    ///
    /// - No other call on this file runs meanwhile, in any process.
    /// - Nobody uses addresses, references or handles from before afterwards. They are not detected.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("reset-shared-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// arena.publish_root(0, arena.allocate_copy(b"hello")?)?;
    /// // SAFETY: nobody else has the file, and the address from before is not used.
    /// unsafe { arena.reset_shared() };
    /// assert_eq!((arena.used(), arena.root(0)), (0, None));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn reset_shared(&self) {
        for slot in 0..super::ROOTS {
            if let Some(root) = self.slot(slot) {
                // ORDERING: Relaxed: nobody calls meanwhile, by the caller's promise.
                root.store(0, Relaxed);
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.core.reset_shared() };
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
