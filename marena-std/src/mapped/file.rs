//! Opens existing files of arenas, and locks them while they are in use.
//!
//! Each open arena holds a shared lock on its file. Replacing the file needs an exclusive lock. The
//! system drops a lock when the last descriptor closes, however the process ended, so no lock is
//! left behind.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use fs4::{FileExt, TryLockError};

use super::interrupted::repeat;
use super::open_error::{MapError, failed};

/// How often a name that others keep changing is looked up again. Programs that use an arena do not
/// change it often.
pub(super) const ATTEMPTS: usize = 16;

/// Opens a file, takes the shared lock, and returns the file with its length.
pub(super) fn open(path: &Path, write: bool) -> Result<(File, usize), MapError> {
    for _ in 0..ATTEMPTS {
        let file = if write { open_with(options().write(true), path)? } else { open_to_read(path)? };
        lock_shared(&file, path)?;
        // Between opening and locking, another file may have replaced this one.
        if is_named(path, &file)? {
            // The length is read under the lock.
            let len = file.metadata().map_err(failed("open", path))?.len();
            return Ok((file, usize::try_from(len).unwrap_or(usize::MAX)));
        }
    }
    Err(MapError::InUse { path: path.into() })
}

/// Returns the file at `path`, if there is one, locked so that nobody else can open it. The caller
/// checks that the name still leads to it.
pub(super) fn open_alone(path: &Path) -> Result<Option<File>, MapError> {
    let file = match open_with(options().write(true), path) {
        Err(MapError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
        outcome => outcome?,
    };
    lock(|| FileExt::try_lock(&file), path)?;
    Ok(Some(file))
}

/// Takes the shared lock that each open arena holds.
pub(super) fn lock_shared(file: &File, path: &Path) -> Result<(), MapError> {
    lock(|| FileExt::try_lock_shared(file), path)
}

/// Returns the options to open an existing file for reading.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a pipe would wait for a process at its other end. The flag has no effect on a
        // regular file.
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

/// Opens a file for reading: the one that later writers will write.
fn open_to_read(path: &Path) -> Result<File, MapError> {
    let file = open_with(&options(), path)?;
    if !copies_on_write(&file) {
        return Ok(file);
    }
    // Opening for writing makes the copy, if there is none yet, and opening again finds it.
    match options().write(true).open(path) {
        Ok(_) => open_with(&options(), path),
        // On this file system nobody can write.
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => Ok(file),
        Err(_) => Err(MapError::Overlay { path: path.into() }),
    }
}

/// Returns whether the file system copies a file when it is first opened for writing, and leaves
/// the original to processes that have it open. `overlayfs`, on which containers run, does that.
fn copies_on_write(file: &File) -> bool {
    #[cfg(target_os = "linux")]
    {
        use std::mem::MaybeUninit;
        use std::os::fd::AsRawFd;

        const OVERLAYFS: u32 = 0x794C_7630;
        let mut found = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: the descriptor is open, and `found` is a place for the result.
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

/// Returns whether this open file is the one that the path names now.
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
        // On these systems an open file is not replaced.
        let _ = (path, file);
        Ok(true)
    }
}

#[cfg(unix)]
fn same<T: PartialEq>(one: std::io::Result<T>, other: std::io::Result<T>) -> std::io::Result<bool> {
    Ok(one? == other?)
}
