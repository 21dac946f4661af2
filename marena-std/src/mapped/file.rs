//! Files of arenas that are there, locked while they are in use.
//!
//! Everyone who has an arena open holds a shared lock on its file; who replaces the file needs the lock alone. The system drops a lock
//! when the last descriptor closes, whatever way the process ended, so nobody is ever left waiting.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use fs4::{FileExt, TryLockError};

use super::error::MapError;

/// Turns what the system said into an error about this path.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MapError {
    move |source| MapError::Io { action, path: path.into(), source }
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

/// Opens a file and takes the shared lock; its length besides.
pub(super) fn open(path: &Path, write: bool) -> Result<(File, usize), MapError> {
    loop {
        let file = options().write(write).open(path).map_err(failed("open", path))?;
        require_file(&file, path)?;
        lock(FileExt::try_lock_shared(&file), path)?;
        // Between opening and locking, the file may have been replaced by another.
        if names(path, &file)? {
            // Looked at under the lock.
            let len = file.metadata().map_err(failed("open", path))?.len();
            return Ok((file, usize::try_from(len).unwrap_or(usize::MAX)));
        }
    }
}

/// The file at `path`, if there is one, locked so that nobody else can open it.
pub(super) fn open_alone(path: &Path) -> Result<Option<File>, MapError> {
    let file = match options().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path)(error)),
    };
    require_file(&file, path)?;
    lock(FileExt::try_lock(&file), path)?;
    if !names(path, &file)? {
        return Err(MapError::InUse { path: path.into() });
    }
    Ok(Some(file))
}

fn require_file(file: &File, path: &Path) -> Result<(), MapError> {
    if file.metadata().map_err(failed("open", path))?.is_file() {
        return Ok(());
    }
    Err(MapError::NotAFile { path: path.into() })
}

pub(super) fn lock(outcome: Result<(), TryLockError>, path: &Path) -> Result<(), MapError> {
    outcome.map_err(|error| match error {
        TryLockError::WouldBlock => MapError::InUse { path: path.into() },
        TryLockError::Error(source) => failed("lock", path)(source),
    })
}

/// Whether this open file is the one that the path names now.
fn names(path: &Path, file: &File) -> Result<bool, MapError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let opened = file.metadata().map_err(failed("open", path))?;
        match path.metadata() {
            Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("open", path)(error)),
        }
    }
    #[cfg(not(unix))]
    {
        // A file that is open is not replaced there.
        let _ = (path, file);
        Ok(true)
    }
}
