//! Creates and opens mapped arenas.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use marena_core::{ARENA_PAGESIZE, AttachError};

use super::arena::MappedArena;
use super::file::{self, ATTEMPTS};
use super::memory::{MappedMemory, SMALLEST_PAGE};
use super::new_file::NewFile;
use super::open_error::{MapError, failed, unmapped, unusable};
use super::view::MappedView;
use super::{replaced, reserve};
use crate::memory::CAPACITY_LIMIT;

/// What a published root promises after a power loss. A killed process loses nothing in either
/// case, because the system has the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: the system writes pages at any time, in any order.
    #[default]
    None,
    /// A root names complete data: publishing writes the data to the disk, and then the root.
    FlushOnPublish,
}

/// Configures a [`MappedArena`]. [`MappedArena::builder`] makes one.
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
/// // Returns when text and root are on the disk.
/// arena.publish_root(0, arena.allocate_copy(b"hello")?)?;
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
    replace_other_files: bool,
    durability: Durability,
}

impl Default for MappedBuilder {
    fn default() -> Self {
        Self {
            capacity: 0,
            page_alignment: ARENA_PAGESIZE,
            populate: false,
            reserve: true,
            replace_other_files: false,
            durability: Durability::default(),
        }
    }
}

/// Settings.
impl MappedBuilder {
    /// Configures the capacity in bytes, header included, rounded up to a multiple of the page
    /// alignment. It is needed to create a file. An existing arena has the capacity that it was
    /// created with, and opening it with another one is an error.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Configures the number of which capacities are a multiple: a power of two from 4,096 to 2^30,
    /// by default [`ARENA_PAGESIZE`]. Systems with larger pages can still map the file.
    pub fn page_alignment(mut self, bytes: usize) -> Self {
        self.page_alignment = bytes;
        self
    }

    /// Configures whether the system reads the whole file and sets up all pages before the arena is
    /// returned, so that no later access waits for one. Off by default. A file that holds no arena
    /// is not read.
    pub fn populate(mut self, wanted: bool) -> Self {
        self.populate = wanted;
        self
    }

    /// Configures whether the file's space is reserved on the disk when the file is created, and
    /// when it is opened for writing and has holes, as a copy may have. On by default.
    ///
    /// Without reservation, a file takes space page by page as it is written, and **when the disk
    /// is full, the write to a new page ends the process** (`SIGBUS`). If the file system has no
    /// reservations, a new file is filled with zeros, and the holes of an existing one stay.
    pub fn reserve(mut self, wanted: bool) -> Self {
        self.reserve = wanted;
        self
    }

    /// Configures whether [`replace`](Self::replace) replaces any regular file. Off by default: it
    /// replaces only an arena.
    pub fn replace_other_files(mut self, wanted: bool) -> Self {
        self.replace_other_files = wanted;
        self
    }

    /// Configures what a published root promises after a power loss.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }
}

/// Creating and opening.
impl MappedBuilder {
    /// Creates the file with an empty arena in it. The path must not name anything, not even a
    /// link.
    ///
    /// The file is complete when it appears under its name. A process that is killed meanwhile
    /// leaves nothing on Linux, if the file system has files without names, as the usual ones have.
    /// Elsewhere it leaves at most a file `.marena-*.new` beside it.
    ///
    /// # Errors
    ///
    /// [`MapError::Exists`], [`MapError::Capacity`], [`MapError::PageAlignment`] and
    /// [`MapError::Io`].
    ///
    /// # Safety
    ///
    /// - The same as for [`MappedArena::create`].
    pub unsafe fn create(self, path: impl AsRef<Path>) -> Result<MappedArena, MapError> {
        let path = path.as_ref();
        self.rounded_capacity()?;
        // This comes before steps that may fail for other reasons, as in a folder without write
        // permission. Linking checks it again. With a slash at the end, the system would follow a
        // link.
        if path.components().as_path().symlink_metadata().is_ok() {
            return Err(MapError::Exists { path: path.into() });
        }
        // SAFETY: the caller's promise.
        unsafe { self.make(path, None) }
    }

    /// Opens the arena in the file. It reads only the file's first page, whatever its size, unless
    /// it is [populated](Self::populate).
    ///
    /// # Errors
    ///
    /// [`MapError::Attach`], [`MapError::OtherCapacity`], [`MapError::InUse`],
    /// [`MapError::NotAFile`], [`MapError::PageAlignment`] and [`MapError::Io`].
    ///
    /// # Safety
    ///
    /// - The same as for [`MappedArena::create`].
    pub unsafe fn open(self, path: impl AsRef<Path>) -> Result<MappedArena, MapError> {
        let path = path.as_ref();
        let (file, len) = file::open(path, true)?;
        let memory = MappedMemory::map(file, len).map_err(unmapped(path, len))?;
        // SAFETY: a file's bytes are initialised. By the caller's promise, all writers keep to the
        // protocol. The memory is not exclusive.
        let core = unsafe { marena_core::Arena::attach(memory) }.map_err(unusable(path))?;
        self.require_capacity(path, len)?;
        let view = core.memory().view();
        if self.reserve {
            reserve::holes(view.file(), len as u64).map_err(failed("reserve space for", path))?;
        }
        self.prepare_pages(view, path)?;
        Ok(MappedArena::new(core, self.durability))
    }

    /// Opens the arena in the file, and creates it if it does not exist. If several processes do
    /// this at once, one creates it and all open the same.
    ///
    /// # Errors
    ///
    /// The same as for [`open`](Self::open) and [`create`](Self::create). [`MapError::Exists`]
    /// means a symbolic link that leads nowhere, or a name that others keep creating and removing.
    ///
    /// # Safety
    ///
    /// - The same as for [`MappedArena::create`].
    pub unsafe fn open_or_create(self, path: impl AsRef<Path>) -> Result<MappedArena, MapError> {
        let path = path.as_ref();
        for _ in 0..ATTEMPTS {
            // SAFETY: the caller's promise.
            match unsafe { self.open(path) } {
                Err(MapError::Io { action: "open", source, .. }) if source.kind() == ErrorKind::NotFound => {}
                outcome => return outcome,
            }
            // SAFETY: the caller's promise.
            match unsafe { self.create(path) } {
                Err(MapError::Exists { .. }) => {}
                outcome => return outcome,
            }
        }
        Err(MapError::Exists { path: path.into() })
    }

    /// Creates a file with an empty arena in it, in place of the arena that may be there. It fails
    /// while anybody has that arena open. It does not replace other files, unless
    /// [configured](Self::replace_other_files) to.
    ///
    /// It follows symbolic links. On Unix the new file gets the old one's mode, owner and group, as
    /// far as this process may set them. If it may not, nobody gains access. Access lists and other
    /// attributes are those of a new file.
    ///
    /// The name always leads to a complete arena, the old or the new one. A process that is killed
    /// meanwhile leaves at most a file `.marena-*.new` beside it.
    ///
    /// # Errors
    ///
    /// [`MapError::Attach`] if the file is no arena, [`MapError::InUse`], [`MapError::NotAFile`],
    /// [`MapError::Capacity`], [`MapError::PageAlignment`] and [`MapError::Io`].
    ///
    /// # Safety
    ///
    /// - The same as for [`MappedArena::create`].
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
        self.rounded_capacity()?;
        for _ in 0..ATTEMPTS {
            let Some(mut previous) = file::open_alone(path)? else {
                // SAFETY: the caller's promise.
                match unsafe { self.create(replaced::behind_links(path)) } {
                    // Another process created it since.
                    Err(MapError::Exists { .. }) => continue,
                    outcome => return outcome,
                }
            };
            let target = replaced::behind_links(path);
            if !file::is_named(&target, &previous)? {
                // The file was replaced or the link was changed since, or only the system can
                // follow it.
                break;
            }
            if !self.replace_other_files && !replaced::holds_arena(&mut previous).map_err(failed("open", path))? {
                return Err(unusable(path)(AttachError::NotAnArena));
            }
            // SAFETY: the caller's promise. As long as `previous` is open, nobody else can open the
            // file.
            return unsafe { self.make(&target, Some(previous)) };
        }
        Err(MapError::InUse { path: path.into() })
    }

    /// Opens the arena in the file for reading. Of the settings, only [`populate`](Self::populate)
    /// and [`capacity`](Self::capacity) matter.
    ///
    /// # Errors
    ///
    /// The same as for [`open`](Self::open), and [`MapError::Overlay`].
    ///
    /// # Safety
    ///
    /// - The same as for [`MappedArena::create`].
    pub unsafe fn open_read_only(self, path: impl AsRef<Path>) -> Result<MappedView, MapError> {
        let path = path.as_ref();
        let (file, len) = file::open(path, false)?;
        let view = MappedView::map(file, len, false).map_err(unmapped(path, len))?;
        view.validate().map_err(unusable(path))?;
        self.require_capacity(path, len)?;
        self.prepare_pages(&view, path)?;
        Ok(view)
    }

    /// Creates a file with an empty arena in it, in place of `previous` if there is one.
    ///
    /// # Safety
    ///
    /// - The same as for [`MappedArena::create`].
    unsafe fn make(self, path: &Path, previous: Option<File>) -> Result<MappedArena, MapError> {
        let len = self.rounded_capacity()?;
        let mut prepared = NewFile::prepare(path, len, self.reserve, previous.as_ref())?;
        // This is the same open file, and so it has the same lock.
        let file = prepared.file().try_clone().map_err(failed("create", path))?;
        let memory = MappedMemory::map(file, len).map_err(unmapped(path, len))?;
        // SAFETY: nobody knows the file yet.
        let core = unsafe { marena_core::Arena::format(memory) }.map_err(|error| unusable(path)(error.into()))?;
        core.memory().view().flush(0, len).map_err(failed("sync", path))?;
        let core = if cfg!(windows) {
            // On Windows a mapped file cannot be renamed, and an open file cannot be replaced, not
            // even by others.
            let file = core.memory().view().file().try_clone().map_err(failed("create", path))?;
            drop((core, previous));
            prepared.link(path)?;
            let memory = MappedMemory::map(file, len).map_err(unmapped(path, len))?;
            // SAFETY: as in `open`.
            let core = unsafe { marena_core::Arena::attach(memory) }.map_err(unusable(path))?;
            self.prepare_pages(core.memory().view(), path)?;
            core
        } else {
            self.prepare_pages(core.memory().view(), path)?;
            prepared.link(path)?;
            core
        };
        Ok(MappedArena::new(core, self.durability))
    }

    fn prepare_pages(&self, view: &MappedView, path: &Path) -> Result<(), MapError> {
        if self.populate {
            view.populate().map_err(failed("populate", path))?;
        }
        Ok(())
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
