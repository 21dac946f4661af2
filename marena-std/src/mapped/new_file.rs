//! Files of arenas that are made: found under their name complete or not at all.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs4::FileExt;
use tempfile::NamedTempFile;

use super::error::MapError;
use super::file::{failed, lock};
#[cfg(target_os = "linux")]
use super::unnamed;

/// How many bytes are written at once where space cannot be reserved otherwise.
const ZEROS: usize = 1 << 20;

/// A file that nobody finds yet, with space reserved on the disk and the shared lock taken; gone again unless it is linked.
pub(super) enum NewFile {
    /// Without a name: gone too if the process is killed.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    /// With another name, beside its own.
    Named {
        file: NamedTempFile,
        /// Whether it takes its name from the file that may have it.
        replaces: bool,
    },
}

impl NewFile {
    /// A file of `len` zeros for `path`.
    pub(super) fn prepare(path: &Path, len: usize, reserve: bool, replaces: bool) -> Result<Self, MapError> {
        let mut new = Self::empty(path, replaces).map_err(failed("create", path))?;
        let file = new.file();
        file.set_len(len as u64).map_err(failed("size", path))?;
        if reserve {
            // A mapped page for which a full disk has no space ends the process when it is written.
            reserve_space(file, len as u64).map_err(failed("size", path))?;
        }
        lock(FileExt::try_lock_shared(&*file), path)?;
        Ok(new)
    }

    fn empty(path: &Path, replaces: bool) -> io::Result<Self> {
        // Only a name can be put in place of another.
        #[cfg(target_os = "linux")]
        if !replaces && let Some(file) = unnamed::create(&directory(path)) {
            return Ok(Self::Unnamed(file));
        }
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
        Ok(Self::Named { file: builder.tempfile_in(directory(path))?, replaces })
    }

    pub(super) fn file(&mut self) -> &mut File {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => file,
            Self::Named { file, .. } => file.as_file_mut(),
        }
    }

    /// Writes the file to the disk and gives it its name.
    pub(super) fn link(mut self, path: &Path) -> Result<(), MapError> {
        self.file().sync_all().map_err(failed("sync", path))?;
        let linked = match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => unnamed::link(&file, path),
            Self::Named { file, replaces: true } => file.persist(path).map(drop).map_err(|refused| refused.error),
            Self::Named { file, .. } => file.persist_noclobber(path).map(drop).map_err(|refused| refused.error),
        };
        linked.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => MapError::Exists { path: path.into() },
            _ => failed("link", path)(error),
        })?;
        sync_directory(path)
    }
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

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn where_files_need_names_two_cannot_get_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("arena");
        let [first, second] = [(); 2].map(|()| match NewFile::prepare(&path, 4096, true, true).unwrap() {
            NewFile::Named { file, .. } => NewFile::Named { file, replaces: false },
            #[cfg(target_os = "linux")]
            NewFile::Unnamed(_) => unreachable!("only a file with a name replaces another"),
        });
        first.link(&path).unwrap();
        assert!(matches!(second.link(&path), Err(MapError::Exists { .. })));
        assert_eq!(directory.path().read_dir().unwrap().count(), 1);
    }
}
