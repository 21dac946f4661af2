//! Creates files of arenas: a file is complete when it appears under its name.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use tempfile::{NamedTempFile, PersistError};

use super::file::lock_shared;
use super::interrupted::repeat;
use super::open_error::{MapError, failed};
use super::replaced::directory;
#[cfg(target_os = "linux")]
use super::unnamed;
use super::{replaced, reserve};

/// A file that nobody finds yet, with space reserved on the disk and the shared lock taken. It is
/// removed again unless it is linked.
pub(super) enum NewFile {
    /// A file without a name, which is removed even if the process is killed.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    /// A file with another name in the same directory.
    Named {
        file: NamedTempFile,
        /// Whether it replaces the file that has its name.
        replaces: bool,
    },
}

impl NewFile {
    /// Creates a file of `len` zeros for `path`. If it replaces another file, it gets that file's
    /// owner and mode.
    pub(super) fn prepare(path: &Path, len: usize, reserve: bool, previous: Option<&File>) -> Result<Self, MapError> {
        let mut new = Self::empty(path, previous.is_some()).map_err(failed("create", path))?;
        let file = new.file();
        file.set_len(len as u64).map_err(failed("size", path))?;
        if reserve {
            reserve::whole(file, len as u64).map_err(failed("reserve space for", path))?;
        }
        // At the end, because some of the calls above take the right to run as another user away.
        if let Some(previous) = previous {
            replaced::keep_owner_and_mode(file, previous).map_err(failed("create", path))?;
        }
        lock_shared(file, path)?;
        Ok(new)
    }

    fn empty(path: &Path, replaces: bool) -> io::Result<Self> {
        // Only a file with a name can replace another.
        #[cfg(target_os = "linux")]
        if !replaces && let Some(file) = unnamed::create(&directory(path)) {
            return Ok(Self::Unnamed(file));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // The mode of any new file, less what the process's mask removes. A file that replaces
            // another is its owner's alone until it has the other's mode.
            options.mode(if replaces { 0o600 } else { 0o666 });
        }
        // The name does not contain the arena's, which may be as long as names can be. The file is
        // not opened by `tempfile`, whose errors name it, and no number.
        let mut builder = tempfile::Builder::new();
        builder.prefix(".marena-").suffix(".new");
        Ok(Self::Named { file: builder.make_in(directory(path), |name| options.open(name))?, replaces })
    }

    pub(super) fn file(&mut self) -> &mut File {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => file,
            Self::Named { file, .. } => file.as_file_mut(),
        }
    }

    /// Writes the file to the disk, and gives it its name.
    pub(super) fn link(mut self, path: &Path) -> Result<(), MapError> {
        self.file().sync_all().map_err(failed("sync", path))?;
        let replaces = matches!(self, Self::Named { replaces: true, .. });
        let linked = match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => repeat(|| unnamed::link(&file, path)),
            Self::Named { file, .. } if replaces => persist(file, |file| file.persist(path)),
            Self::Named { file, .. } => persist(file, |file| file.persist_noclobber(path)),
        };
        linked.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => MapError::Exists { path: path.into() },
            // Windows does not replace an open file.
            #[cfg(windows)]
            ErrorKind::PermissionDenied if replaces => MapError::InUse { path: path.into() },
            _ => failed("link", path)(error),
        })?;
        sync_directory(path)
    }
}

/// Gives a file its name by `attempt`, again if a signal interrupts that.
fn persist(
    file: NamedTempFile,
    mut attempt: impl FnMut(NamedTempFile) -> Result<File, PersistError>,
) -> io::Result<()> {
    let mut left = Some(file);
    repeat(|| {
        let file = left.take().ok_or(ErrorKind::NotFound)?;
        attempt(file).map(drop).map_err(|failed| {
            left = Some(failed.file);
            failed.error
        })
    })
}

/// Writes the name to the disk.
fn sync_directory(path: &Path) -> Result<(), MapError> {
    if cfg!(unix) {
        let directory = File::open(directory(path)).map_err(failed("sync", path))?;
        match directory.sync_all() {
            // Some file systems cannot sync directories.
            Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
                return Err(failed("sync", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_lies_in_the_current_folder() {
        for (path, expected) in [("arena", "."), ("./arena", "."), ("../arena", ".."), ("a/b", "a"), ("/arena", "/")] {
            assert_eq!(directory(Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn where_files_need_names_two_cannot_get_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("arena");
        let previous = tempfile::tempfile().unwrap();
        let [first, second] = [(); 2].map(|()| match NewFile::prepare(&path, 4096, true, Some(&previous)).unwrap() {
            NewFile::Named { file, .. } => NewFile::Named { file, replaces: false },
            #[cfg(target_os = "linux")]
            NewFile::Unnamed(_) => unreachable!("only a file with a name replaces another"),
        });
        first.link(&path).unwrap();
        assert!(matches!(second.link(&path), Err(MapError::Exists { .. })));
        assert_eq!(directory.path().read_dir().unwrap().count(), 1);
    }

    /// What a folder's files are called, and their modes.
    #[cfg(unix)]
    fn files(directory: &Path) -> Vec<(String, u32)> {
        use std::os::unix::fs::MetadataExt;
        let files = directory.read_dir().unwrap().map(|file| {
            let file = file.unwrap();
            (file.file_name().into_string().unwrap(), file.metadata().unwrap().mode() & 0o7777)
        });
        files.collect()
    }

    #[test]
    #[cfg(unix)]
    fn until_it_replaces_another_a_file_is_its_owners_alone_and_looks_temporary() {
        let directory = tempfile::tempdir().unwrap();
        let new = NewFile::empty(&directory.path().join("arena"), true).unwrap();
        let [(name, mode)] = &files(directory.path())[..] else { panic!("one file") };
        assert!(name.starts_with(".marena-") && name.ends_with(".new"), "{name}");
        assert_eq!(*mode, 0o600);
        drop(new);
        assert_eq!(files(directory.path()), []);
    }

    #[test]
    fn a_signal_while_a_file_gets_its_name_loses_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("arena");
        let interrupted = |file| PersistError { error: ErrorKind::Interrupted.into(), file };
        let mut signals = 2;
        let result = persist(NamedTempFile::new_in(&directory).unwrap(), |file| {
            if signals > 0 {
                signals -= 1;
                return Err(interrupted(file));
            }
            file.persist_noclobber(&path)
        });
        result.unwrap();
        assert!(signals == 0 && path.is_file());
        // Any other error is the last one, and nothing is left of the file.
        let result = persist(NamedTempFile::new_in(&directory).unwrap(), |file| file.persist_noclobber(&path));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(directory.path().read_dir().unwrap().count(), 1);
    }
}
