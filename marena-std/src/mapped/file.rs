//! Files of arenas that are there, locked while they are in use.
//!
//! Everyone who has an arena open holds a shared lock on its file. Who replaces the file needs the
//! lock alone. The system drops a lock when the last descriptor closes, whatever way the process
//! ended, so nobody is ever left waiting.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use fs4::{FileExt, TryLockError};

use super::interrupted::repeat;
use super::open_error::{MapError, failed};

/// How often a name is looked up again that others keep changing. Nobody who works with an arena
/// changes it often.
pub(super) const ATTEMPTS: usize = 16;

/// Opens a file and takes the shared lock; its length besides.
pub(super) fn open(path: &Path, write: bool) -> Result<(File, usize), MapError> {
    for _ in 0..ATTEMPTS {
        let file = if write { open_with(options().write(true), path)? } else { open_to_read(path)? };
        lock_shared(&file, path)?;
        // Between opening and locking, the file may have been replaced by another.
        if is_named(path, &file)? {
            // Looked at under the lock.
            let len = file.metadata().map_err(failed("open", path))?.len();
            return Ok((file, usize::try_from(len).unwrap_or(usize::MAX)));
        }
    }
    Err(MapError::InUse { path: path.into() })
}

/// The file at `path`, if there is one, locked so that nobody else can open it.
pub(super) fn open_alone(path: &Path) -> Result<Option<File>, MapError> {
    let file = match open_with(options().write(true), path) {
        Err(MapError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
        outcome => outcome?,
    };
    lock(|| FileExt::try_lock(&file), path)?;
    if !is_named(path, &file)? {
        return Err(MapError::InUse { path: path.into() });
    }
    Ok(Some(file))
}

/// Takes the lock that everyone holds who has the arena open.
pub(super) fn lock_shared(file: &File, path: &Path) -> Result<(), MapError> {
    lock(|| FileExt::try_lock_shared(file), path)
}

/// How a file that is there is opened, to read at least.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a pipe would wait for somebody at its other end. Means nothing to a regular file.
        options.custom_flags(libc::O_NONBLOCK);
    }
    options
}

fn open_with(options: &OpenOptions, path: &Path) -> Result<File, MapError> {
    let file = options.open(path).map_err(|error| match error.kind() {
        // Only reading opens one.
        ErrorKind::IsADirectory => MapError::NotAFile { path: path.into() },
        _ => failed("open", path)(error),
    })?;
    match file.metadata().map_err(failed("open", path))?.is_file() {
        true => Ok(file),
        false => Err(MapError::NotAFile { path: path.into() }),
    }
}

/// Opens the file that later writers will write.
fn open_to_read(path: &Path) -> Result<File, MapError> {
    let file = open_with(&options(), path)?;
    if !copies_on_write(&file) {
        return Ok(file);
    }
    // Opening for writing makes the copy, if there is none yet, and opening again finds it.
    match options().write(true).open(path) {
        Ok(_) => open_with(&options(), path),
        // Nobody can write.
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => Ok(file),
        Err(_) => Err(MapError::Overlay { path: path.into() }),
    }
}

/// Whether the file system copies a file when it is first opened for writing, and leaves those who
/// have it open with the original: `overlayfs`, which containers run on.
fn copies_on_write(file: &File) -> bool {
    #[cfg(target_os = "linux")]
    {
        use std::mem::MaybeUninit;
        use std::os::fd::AsRawFd;

        const OVERLAYFS: u32 = 0x794C_7630;
        let mut found = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: the descriptor is open, and `found` is a place for the answer.
        let answer = unsafe { libc::fstatfs(file.as_raw_fd(), found.as_mut_ptr()) };
        // SAFETY: written where the call succeeded.
        answer == 0 && unsafe { found.assume_init() }.f_type as u32 == OVERLAYFS
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        false
    }
}

fn lock(mut take: impl FnMut() -> Result<(), TryLockError>, path: &Path) -> Result<(), MapError> {
    let taken = repeat(|| match take() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    });
    match taken.map_err(failed("lock", path))? {
        true => Ok(()),
        false => Err(MapError::InUse { path: path.into() }),
    }
}

/// Whether this open file is the one that the path names now.
pub(super) fn is_named(path: &Path, file: &File) -> Result<bool, MapError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |found: std::fs::Metadata| (found.dev(), found.ino());
        let opened = file.metadata().map(identity);
        match path.metadata().map(identity) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            named => same(named, opened).map_err(failed("open", path)),
        }
    }
    #[cfg(not(unix))]
    {
        // A file that is open is not replaced there.
        let _ = (path, file);
        Ok(true)
    }
}

#[cfg(unix)]
fn same<T: PartialEq>(one: std::io::Result<T>, other: std::io::Result<T>) -> std::io::Result<bool> {
    Ok(one? == other?)
}
