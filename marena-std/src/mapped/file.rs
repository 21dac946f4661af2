//! Files of arenas: made complete or not at all, locked while they are in use.
//!
//! Everyone who has an arena open holds a shared lock on its file; who replaces the file needs the lock alone. The system drops a lock
//! when the last descriptor closes, whatever way the process ended, so nobody is ever left waiting.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs4::{FileExt, TryLockError};
use tempfile::NamedTempFile;

use super::error::MapError;

/// How many bytes are written at once where space cannot be reserved otherwise.
const ZEROS: usize = 1 << 20;

/// Turns what the system said into an error about this path.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MapError {
    move |source| MapError::Io { action, path: path.into(), source }
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

/// For reading, and whatever the path names, without waiting: to open a pipe can mean to wait for who writes to it.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options
}

fn require_file(file: &File, path: &Path) -> Result<(), MapError> {
    if file.metadata().map_err(failed("open", path))?.is_file() {
        return Ok(());
    }
    Err(MapError::NotAFile { path: path.into() })
}

fn lock(outcome: Result<(), TryLockError>, path: &Path) -> Result<(), MapError> {
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

/// A file of `len` zeros beside `path`, with space reserved on the disk and the shared lock taken; gone again unless it is linked.
///
/// Reserved, because a mapped page for which a full disk has no space ends the process when it is written.
pub(super) fn prepare(path: &Path, len: usize, reserve: bool) -> Result<NamedTempFile, MapError> {
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".new");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As for any new file: less what the process's mask takes away.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(directory(path)).map_err(failed("create", path))?;
    let inner = file.as_file_mut();
    inner.set_len(len as u64).map_err(failed("size", path))?;
    if reserve {
        reserve_space(inner, len as u64).map_err(failed("size", path))?;
    }
    lock(FileExt::try_lock_shared(&*inner), path)?;
    Ok(file)
}

fn reserve_space(file: &mut File, len: u64) -> io::Result<()> {
    match FileExt::allocate(&*file, len) {
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => {
            // The file system knows no reservations: space is what has been written.
            file.seek(SeekFrom::Start(0))?;
            let zeros = vec![0; ZEROS];
            let mut left = len;
            while left > 0 {
                let written = left.min(ZEROS as u64);
                file.write_all(&zeros[..written as usize])?;
                left -= written;
            }
            Ok(())
        }
        outcome => outcome,
    }
}

/// Writes the prepared file to the disk and gives it its name, in place of another only if `replace` says so.
pub(super) fn link(file: NamedTempFile, path: &Path, replace: bool) -> Result<(), MapError> {
    file.as_file().sync_all().map_err(failed("sync", path))?;
    let linked = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    linked.map_err(|refused| match refused.error.kind() {
        ErrorKind::AlreadyExists => MapError::Exists { path: path.into() },
        _ => failed("link", path)(refused.error),
    })?;
    sync_directory(path)
}

/// Writes the name itself to the disk.
fn sync_directory(path: &Path) -> Result<(), MapError> {
    if cfg!(unix) {
        let directory = File::open(directory(path)).map_err(failed("sync", path))?;
        match directory.sync_all() {
            // Some file systems sync no directories.
            Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
                return Err(failed("sync", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Where the path's last component lies.
fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.into(),
        _ => PathBuf::from("."),
    }
}
