//! How a mapped arena is to be made and used.

use std::io::ErrorKind;
use std::path::Path;

use marena_core::{ARENA_PAGESIZE, AttachError};

use super::arena::MappedArena;
use super::error::MapError;
use super::file::{self, failed};
use super::memory::{MappedMemory, SMALLEST_PAGE};
use super::new_file::NewFile;
use super::view::MappedView;
use crate::memory::CAPACITY_LIMIT;

/// What a published root promises after a power loss. A killed process loses nothing in either case: the system has the pages.
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
/// use marena_std::{Durability, MappedArena};
///
/// let path = std::env::temp_dir().join(format!("durability-{}.arena", std::process::id()));
/// let builder = MappedArena::builder().capacity(65_536).durability(Durability::FlushOnPublish);
/// // SAFETY: nobody else knows the file.
/// let arena = unsafe { builder.create(&path) }?;
/// // Returns when text and root are on the disk.
/// arena.publish_root(0, arena.allocate_copy(b"hello")?)?;
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: the system writes pages when it likes, in any order.
    #[default]
    None,
    /// A root that is found names complete data: publishing writes the data to the disk, then the root.
    FlushOnPublish,
}

/// The settings of a [`MappedArena`] to be: made by [`MappedArena::builder`].
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
/// use marena_std::{Durability, MappedArena};
///
/// let path = std::env::temp_dir().join(format!("mapped-builder-{}.arena", std::process::id()));
/// let builder = MappedArena::builder().capacity(1 << 20).durability(Durability::FlushOnPublish);
/// // SAFETY: the file is new, and nobody else knows it.
/// let arena = unsafe { builder.open_or_create(&path) }?;
/// assert_eq!(arena.capacity(), 1 << 20);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder makes an arena when one of its last methods is called"]
pub struct MappedBuilder {
    capacity: usize,
    page_alignment: usize,
    populate: bool,
    reserve: bool,
    durability: Durability,
}

impl Default for MappedBuilder {
    fn default() -> Self {
        Self {
            capacity: 0,
            page_alignment: ARENA_PAGESIZE,
            populate: false,
            reserve: true,
            durability: Durability::default(),
        }
    }
}

impl MappedBuilder {
    /// The capacity in bytes, header included, rounded up to a multiple of the page alignment. Needed to make a file. An arena that is there has the capacity
    /// it was made with, and is refused if another one is given here.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("builder-capacity-{}.arena", std::process::id()));
    /// let builder = MappedArena::builder().capacity(1);
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { builder.create(&path) }?;
    /// assert_eq!(arena.capacity(), 65_536);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// What capacities are rounded up to: a power of two from 4,096, the default being [`ARENA_PAGESIZE`]. Systems whose pages are larger than
    /// this can still map the file.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("page-alignment-{}.arena", std::process::id()));
    /// let builder = MappedArena::builder().capacity(5000).page_alignment(4096);
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { builder.create(&path) }?;
    /// assert_eq!(arena.capacity(), 8192);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn page_alignment(mut self, bytes: usize) -> Self {
        self.page_alignment = bytes;
        self
    }

    /// Has the system read the whole file and set up all pages at once, where it can (Linux), so that no access waits for one
    /// later. Off by default.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("populate-{}.arena", std::process::id()));
    /// let builder = MappedArena::builder().capacity(65_536).populate(true);
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { builder.create(&path) }?;
    /// arena.allocate_address(4096)?; // touches no page for the first time
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn populate(mut self, wanted: bool) -> Self {
        self.populate = wanted;
        self
    }

    /// Reserves the file's space on the disk when it is made. On by default.
    ///
    /// Without, a file takes space page by page as it is written, and **when the disk is full, the write to a new page ends the process**
    /// (`SIGBUS`).
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("reserve-{}.arena", std::process::id()));
    /// let builder = MappedArena::builder().capacity(1 << 30).reserve(false);
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { builder.create(&path) }?;
    /// assert_eq!(arena.capacity(), 1 << 30); // of a file that takes a few pages on the disk
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reserve(mut self, wanted: bool) -> Self {
        self.reserve = wanted;
        self
    }

    /// What a published root promises after a power loss.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::{Durability, MappedArena};
    ///
    /// let path = std::env::temp_dir().join(format!("builder-durability-{}.arena", std::process::id()));
    /// let builder = MappedArena::builder().capacity(65_536).durability(Durability::FlushOnPublish);
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { builder.create(&path) }?;
    /// arena.publish_root(0, arena.allocate_copy(b"hello")?)?;
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Makes the file with an empty arena in it; the path must name nothing yet.
    ///
    /// The file appears under its name complete. A process that is killed meanwhile leaves nothing on Linux, where the file system has files without names, as the
    /// usual ones have; elsewhere at most a file `.NAME.*.new` beside it.
    ///
    /// # Errors
    ///
    /// [`MapError::Exists`], [`MapError::Capacity`], [`MapError::PageAlignment`] and [`MapError::Io`].
    ///
    /// # Safety
    ///
    /// As for [`MappedArena::create`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::{MapError, MappedArena};
    ///
    /// let path = std::env::temp_dir().join(format!("builder-create-{}.arena", std::process::id()));
    /// let builder = MappedArena::builder().capacity(65_536);
    /// // SAFETY: nobody else knows the file; here and below.
    /// let arena = unsafe { builder.create(&path) }?;
    /// assert_eq!(arena.used(), 0);
    /// assert!(matches!(unsafe { builder.create(&path) }, Err(MapError::Exists { .. })));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn create(self, path: impl AsRef<Path>) -> Result<MappedArena, MapError> {
        // SAFETY: the caller's promise.
        unsafe { self.make(path.as_ref(), false) }
    }

    /// The arena in the file.
    ///
    /// # Errors
    ///
    /// [`MapError::Attach`], [`MapError::OtherCapacity`], [`MapError::InUse`], [`MapError::NotAFile`], [`MapError::PageAlignment`] and
    /// [`MapError::Io`].
    ///
    /// # Safety
    ///
    /// As for [`MappedArena::create`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::{MapError, MappedArena};
    ///
    /// let path = std::env::temp_dir().join(format!("builder-open-{}.arena", std::process::id()));
    /// let builder = MappedArena::builder().capacity(65_536);
    /// // SAFETY: nobody else knows the file; here and below.
    /// unsafe { builder.create(&path) }?;
    /// let arena = unsafe { builder.open(&path) }?;
    /// assert_eq!(arena.capacity(), 65_536);
    /// // An arena does not grow.
    /// let larger = unsafe { builder.capacity(1 << 20).open(&path) };
    /// assert!(matches!(larger, Err(MapError::OtherCapacity { found: 65_536, .. })));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open(self, path: impl AsRef<Path>) -> Result<MappedArena, MapError> {
        let path = path.as_ref();
        let (file, len) = file::open(path, true)?;
        self.require_capacity(path, len)?;
        let memory = MappedMemory::map(file, len, self.populate).map_err(failed("map", path))?;
        // SAFETY: a file's bytes are initialised; those who write them keep to the protocol by the caller's promise, and the memory is
        // not exclusive.
        let core = unsafe { marena_core::Arena::attach(memory) };
        Ok(MappedArena::new(core.map_err(unusable(path))?, self.durability))
    }

    /// The arena in the file, which is made if it is not there. Of several that do this at once, one makes it and all open the same.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open) and [`create`](Self::create). [`MapError::Exists`] is a symbolic link that leads nowhere.
    ///
    /// # Safety
    ///
    /// As for [`MappedArena::create`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("builder-open-or-create-{}.arena", std::process::id()));
    /// let builder = MappedArena::builder().capacity(65_536).populate(true);
    /// // SAFETY: whoever opens the file uses this type, and nobody makes it shorter.
    /// let arena = unsafe { builder.open_or_create(&path) }?;
    /// assert_eq!(arena.capacity(), 65_536);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open_or_create(self, path: impl AsRef<Path>) -> Result<MappedArena, MapError> {
        let path = path.as_ref();
        // Comes to an end: each round but the last means that another process made or removed the file meanwhile.
        loop {
            // SAFETY: the caller's promise.
            match unsafe { self.open(path) } {
                Err(MapError::Io { action: "open", source, .. }) if source.kind() == ErrorKind::NotFound => {}
                outcome => return outcome,
            }
            // SAFETY: the caller's promise.
            match unsafe { self.create(path) } {
                Err(MapError::Exists { .. }) if !leads_nowhere(path) => {}
                outcome => return outcome,
            }
        }
    }

    /// Makes a file with an empty arena in it, in place of the one that may be there; refused while anybody has that open.
    ///
    /// The name always leads to a complete arena, the old one or the new. A process that is killed meanwhile leaves at most a file `.NAME.*.new` beside it.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create), [`MapError::InUse`] and [`MapError::NotAFile`].
    ///
    /// # Safety
    ///
    /// As for [`MappedArena::create`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::{MapError, MappedArena};
    ///
    /// let path = std::env::temp_dir().join(format!("replace-{}.arena", std::process::id()));
    /// let builder = MappedArena::builder().capacity(65_536);
    /// // SAFETY: nobody else knows the file; here and below.
    /// let arena = unsafe { builder.create(&path) }?;
    /// assert!(matches!(unsafe { builder.replace(&path) }, Err(MapError::InUse { .. })));
    /// drop(arena);
    /// let larger = unsafe { builder.capacity(1 << 20).replace(&path) }?;
    /// assert_eq!((larger.capacity(), larger.used()), (1 << 20, 0));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn replace(self, path: impl AsRef<Path>) -> Result<MappedArena, MapError> {
        let path = path.as_ref();
        let previous = file::open_alone(path)?;
        // SAFETY: the caller's promise.
        let made = unsafe { self.make(path, previous.is_some()) };
        // Until here nobody else could open the previous file.
        drop(previous);
        made
    }

    /// The arena in the file, to read only. Of the settings, only [`populate`](Self::populate) and [`capacity`](Self::capacity) matter.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    ///
    /// # Safety
    ///
    /// As for [`MappedArena::create`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("builder-open-read-only-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file; here and below.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let view = unsafe { MappedArena::builder().populate(true).open_read_only(&path) }?;
    /// assert_eq!(view.capacity(), arena.capacity());
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open_read_only(self, path: impl AsRef<Path>) -> Result<MappedView, MapError> {
        let path = path.as_ref();
        let (file, len) = file::open(path, false)?;
        self.require_capacity(path, len)?;
        let view = MappedView::map(file, len, self.populate).map_err(failed("map", path))?;
        view.validate().map_err(unusable(path))?;
        Ok(view)
    }

    unsafe fn make(self, path: &Path, replace: bool) -> Result<MappedArena, MapError> {
        let len = self.rounded_capacity()?;
        let mut prepared = NewFile::prepare(path, len, self.reserve, replace)?;
        // The same open file, and so the same lock.
        let file = prepared.file().try_clone().map_err(failed("create", path))?;
        let memory = MappedMemory::map(file, len, self.populate).map_err(failed("map", path))?;
        // SAFETY: nobody knows the file yet.
        let core = unsafe { marena_core::Arena::format(memory) }.map_err(|error| unusable(path)(error.into()))?;
        core.memory().flush(0, len).map_err(failed("sync", path))?;
        prepared.link(path)?;
        Ok(MappedArena::new(core, self.durability))
    }

    fn rounded_capacity(&self) -> Result<usize, MapError> {
        let (align, requested) = (self.page_alignment, self.capacity);
        if !align.is_power_of_two() || !(SMALLEST_PAGE..=1 << 30).contains(&align) {
            return Err(MapError::PageAlignment { requested: align });
        }
        let rounded = requested.checked_next_multiple_of(align).filter(|&len| len != 0 && len <= CAPACITY_LIMIT);
        rounded.ok_or(MapError::Capacity { requested, limit: CAPACITY_LIMIT })
    }

    fn require_capacity(&self, path: &Path, found: usize) -> Result<(), MapError> {
        if self.capacity == 0 {
            return Ok(());
        }
        match self.rounded_capacity()? {
            requested if requested != found => Err(MapError::OtherCapacity { path: path.into(), requested, found }),
            _ => Ok(()),
        }
    }
}

/// Whether the path is a link without a target: it can neither be opened nor made.
fn leads_nowhere(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}

fn unusable(path: &Path) -> impl FnOnce(AttachError) -> MapError {
    move |source| MapError::Attach { path: path.into(), source }
}
