//! An output that is a file: what was there stays until the new content is complete.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

use crate::program::Shown;
use crate::stdio::{Output, unwritable};

const BUFFER_BYTES: usize = 256 << 10;

/// As many symbolic links as Linux follows.
const LINKS: usize = 40;

/// A file that appears, or is replaced, when it is complete: see [`FileOutput::create`].
#[derive(Debug)]
pub struct FileOutput {
    writer: Sink,
    /// For messages.
    name: String,
}

enum Sink {
    /// A name of standard output, such as `/dev/stdout`: goes on behind what is there.
    Stdout(Output),
    /// What cannot be replaced: a device, a named pipe, a descriptor.
    Special(BufWriter<File>),
    Replacement(BufWriter<File>, Replacement),
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

impl FileOutput {
    /// Opens an output. `-` is standard output.
    ///
    /// A file that exists keeps its mode and, where the system allows it, its owner. Symbolic links
    /// are followed, also to a file that is not there yet. Until [`finish`](Self::finish) the new
    /// content has no name, so a process that is killed leaves nothing behind (on Linux, and on
    /// file systems that can do so).
    ///
    /// # Errors
    ///
    /// Everything that is known to make `finish` fail is found here, before the work is done.
    pub fn create(path: &Path) -> io::Result<Self> {
        let name = Shown(path).to_string();
        match Sink::open(path) {
            Ok(writer) => Ok(Self { writer, name }),
            Err(error) => Err(unwritable(&name, error)),
        }
    }

    /// Writes what is buffered, and gives the file its name.
    ///
    /// # Errors
    ///
    /// If writing or naming fails. What was there before is unchanged then.
    pub fn finish(self) -> io::Result<()> {
        let Self { writer, name } = self;
        let finished = match writer {
            Sink::Stdout(mut output) => output.flush(),
            Sink::Special(mut file) => file.flush(),
            Sink::Replacement(file, replacement) => {
                file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| replacement.finish(&file))
            }
        };
        finished.map_err(|error| unwritable(&name, error))
    }
}

impl Write for FileOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.writer {
            Sink::Stdout(output) => output.write(bytes),
            Sink::Special(file) | Sink::Replacement(file, _) => file.write(bytes),
        };
        written.map_err(|error| unwritable(&self.name, error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match &mut self.writer {
            Sink::Stdout(output) => output.flush(),
            Sink::Special(file) | Sink::Replacement(file, _) => file.flush(),
        };
        flushed.map_err(|error| unwritable(&self.name, error))
    }
}

impl Sink {
    fn open(path: &Path) -> io::Result<Self> {
        let buffered = |file| BufWriter::with_capacity(BUFFER_BYTES, file);
        let target = match resolve(path)? {
            Resolved::Stdout => return Output::stdout().check().map(Self::Stdout),
            // A file behind a descriptor was opened by somebody else, who may have written to it.
            Resolved::Descriptor => return Ok(Self::Special(buffered(OpenOptions::new().append(true).open(path)?))),
            Resolved::Path(target) => target,
        };
        // Opened, though not to be written: a file that may not be written is not to be replaced
        // either.
        let old = match OpenOptions::new().write(true).open(&target) {
            Ok(file) if !file.metadata()?.is_file() => return Ok(Self::Special(buffered(file))),
            Ok(file) => Some(file.metadata()?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (file, replacement) = Replacement::new(target, old)?;
        Ok(Self::Replacement(buffered(file), replacement))
    }
}

enum Resolved {
    Stdout,
    Descriptor,
    /// No symbolic link. Nothing need be there.
    Path(PathBuf),
}

/// Follows symbolic links, also to what is not there. Descriptors of processes look like links and
/// are none.
fn resolve(path: &Path) -> io::Result<Resolved> {
    if path == Path::new("-") {
        return Ok(Resolved::Stdout);
    }
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        if names_folder(&path) {
            // If nothing is there, that is the error.
            fs::metadata(&path)?;
            return Err(ErrorKind::IsADirectory.into());
        }
        let parent = parent(&path);
        let folder = fs::canonicalize(parent)?;
        let Some(Component::Normal(name)) = path.components().next_back() else { return Ok(Resolved::Path(path)) };
        if folder.starts_with("/proc") && folder.ends_with("fd") {
            let own = folder == fs::canonicalize("/proc/self/fd")?;
            return Ok(if own && name == "1" { Resolved::Stdout } else { Resolved::Descriptor });
        }
        match fs::read_link(&path) {
            Ok(next) => path = folder.join(next),
            Err(_) => return Ok(Resolved::Path(folder.join(name))),
        }
    }
    Err(io::Error::other(format!("more than {LINKS} symbolic links")))
}

/// Returns whether a path can only name a folder: it is empty, or ends with a slash, `.` or `..`.
/// A path's components leave a slash and a `.` at the end out.
fn names_folder(path: &Path) -> bool {
    let name = path.as_os_str().as_encoded_bytes().rsplit(|&byte| std::path::is_separator(byte.into())).next();
    matches!(name, None | Some(b"" | b"." | b".."))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What becomes of a complete file.
struct Replacement {
    target: PathBuf,
    replaces: bool,
    /// Set while the file has a name beside the target's.
    temporary: Option<Temporary>,
}

/// A name that is removed when it is not needed any more.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Replacement {
    fn new(target: PathBuf, old: Option<fs::Metadata>) -> io::Result<(File, Self)> {
        let replaces = old.is_some();
        if replaces {
            system::check_replaceable(&target)?;
        }
        let (file, temporary) = match system::unnamed_file(parent(&target)) {
            Some(file) => (file, None),
            None => {
                let temporary = beside(&target);
                let file = OpenOptions::new().write(true).create_new(true).open(&temporary);
                (file.map_err(|error| explain(&target, error))?, Some(Temporary(temporary)))
            }
        };
        if let Some(old) = old {
            system::keep_owner(&file, &old);
            file.set_permissions(old.permissions())?;
        }
        Ok((file, Self { target, replaces, temporary }))
    }

    fn finish(mut self, file: &File) -> io::Result<()> {
        // Before the name: a crash of the system must not leave the name with a part of the bytes.
        file.sync_all()?;
        if self.temporary.is_none() {
            if !self.replaces {
                match system::name(file, &self.target) {
                    // Somebody else was faster; that file is replaced.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    outcome => return outcome,
                }
            }
            let temporary = beside(&self.target);
            system::name(file, &temporary)?;
            self.temporary = Some(Temporary(temporary));
        }
        self.temporary.iter().try_for_each(|Temporary(temporary)| fs::rename(temporary, &self.target))
    }
}

/// A name in the folder of the target, short whatever the target's is, and one that nobody else
/// takes.
fn beside(target: &Path) -> PathBuf {
    use std::hash::{BuildHasher, RandomState};
    parent(target).join(format!(".{:016x}.tmp", RandomState::new().hash_one(target)))
}

fn explain(target: &Path, error: io::Error) -> io::Error {
    let folder = parent(target);
    io::Error::new(error.kind(), format!("no file can be made in {}: {error}", Shown(folder)))
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::{self, File, Metadata};
    use std::io::{self, ErrorKind};
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{MetadataExt, fchown};
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};

    use super::{beside, explain};

    /// Returns a file without a name, which goes when the process does, or `None` where the file
    /// system has none.
    pub(super) fn unnamed_file(folder: &Path) -> Option<File> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        // `name` needs `/proc`.
        fs::metadata("/proc/self/fd").ok()?;
        open(folder, flags, Mode::from_raw_mode(0o666)).ok().map(File::from)
    }

    /// Gives a file of [`unnamed_file`] a name that is not taken.
    pub(super) fn name(file: &File, path: &Path) -> io::Result<()> {
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(linkat(CWD, unnamed, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }

    /// Keeps owner and group where the system allows it; otherwise the file is the user's, as any
    /// new one.
    pub(super) fn keep_owner(file: &File, old: &Metadata) {
        if fchown(file, Some(old.uid()), Some(old.gid())).is_err() {
            let _ = fchown(file, None, Some(old.gid()));
        }
    }

    /// A path as the system lists mount points: a number for what would end it there.
    fn escaped(path: &Path) -> Vec<u8> {
        let number = |byte: u8| format!("\\{byte:03o}").into_bytes();
        let escape = |&byte: &u8| if b" \t\n\\".contains(&byte) { number(byte) } else { vec![byte] };
        path.as_os_str().as_bytes().iter().flat_map(escape).collect()
    }

    /// Fails where a file may be written but not replaced: in a folder whose files belong to
    /// others, where it is immutable, or where something is mounted on it.
    pub(super) fn check_replaceable(target: &Path) -> io::Result<()> {
        let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
        let escaped = escaped(target);
        let is_target = |mount: &[u8]| mount.split(|&byte| byte == b' ').nth(4) == Some(&escaped);
        if mounts.split(|&byte| byte == b'\n').any(is_target) {
            return Err(io::Error::other("it is a mount point and cannot be replaced"));
        }
        // A folder never takes a file's place. Whether it could if it were a file is checked before
        // that.
        let probe = beside(target);
        fs::create_dir(&probe).map_err(|error| explain(target, error))?;
        let outcome = fs::rename(&probe, target);
        let _ = fs::remove_dir(&probe);
        match outcome {
            Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Err(io::Error::other("somebody else removed it just now")),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::{File, Metadata};
    use std::io;
    use std::path::Path;

    pub(super) fn unnamed_file(_: &Path) -> Option<File> {
        None
    }

    pub(super) fn name(_: &File, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(unix)]
    pub(super) fn keep_owner(file: &File, old: &Metadata) {
        use std::os::unix::fs::{MetadataExt, fchown};
        let _ = fchown(file, Some(old.uid()), Some(old.gid()));
    }

    #[cfg(not(unix))]
    pub(super) fn keep_owner(_: &File, _: &Metadata) {}

    pub(super) fn check_replaceable(_: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, unix, not(miri)))]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn write(path: &Path, text: &str) -> io::Result<()> {
        let mut file = FileOutput::create(path)?;
        file.write_all(text.as_bytes())?;
        file.finish()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_and_its_owner_and_a_new_one_has_the_usual() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let identity = |name| fs::metadata(path(name)).map(|found| (found.mode() & 0o777, found.uid())).unwrap();
        fs::write(path("by a plain create"), "").unwrap();
        for (name, mode) in [("private", 0o600), ("executable", 0o755)] {
            fs::write(path(name), "old").unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        // Only root may do this; others' files keep their owner anyway.
        let _ = std::os::unix::fs::chown(path("private"), Some(12_345), Some(12_345));
        let before = ["private", "executable", "by a plain create"].map(identity);
        for name in ["private", "executable", "new"] {
            write(&path(name), "new").unwrap();
            assert_eq!(fs::read(path(name)).unwrap(), b"new");
        }
        assert_eq!(["private", "executable", "new"].map(identity), before);
        assert_eq!(names(folder.path()), ["by a plain create", "executable", "new", "private"]);
    }

    #[test]
    fn symbolic_links_are_followed_to_what_is_there_and_to_what_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        fs::write(path("sub/file"), "old").unwrap();
        symlink("sub/file", path("link")).unwrap();
        symlink("link", path("link to link")).unwrap();
        symlink("sub/missing", path("dangling")).unwrap();
        symlink("nowhere/missing", path("lost")).unwrap();
        symlink("loop", path("loop")).unwrap();
        for (name, target) in [("link", "sub/file"), ("link to link", "sub/file"), ("dangling", "sub/missing")] {
            write(&path(name), name).unwrap();
            assert_eq!(fs::read(path(target)).unwrap(), name.as_bytes());
            assert!(fs::symlink_metadata(path(name)).unwrap().is_symlink());
        }
        assert!(write(&path("lost"), "").is_err());
        assert!(write(&path("loop"), "").is_err());
        assert_eq!(names(&path("sub")), ["file", "missing"]);
    }

    #[test]
    fn a_path_that_names_a_folder_is_an_error_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        fs::write(path("file"), "old").unwrap();
        symlink("new/.", path("link")).unwrap();
        let kinds = [
            (&["sub", "sub/", "sub/.", "sub/..", "sub//.//", ".", "..", "/"][..], ErrorKind::IsADirectory),
            (&["new/", "new/.", "new/..", "new//", "new/./", "link", ""], ErrorKind::NotFound),
            (&["file/", "file/.", "file/..", "file/new"], ErrorKind::NotADirectory),
        ];
        for (names, kind) in kinds {
            for name in names {
                // An empty path stays empty.
                let path = if name.is_empty() { PathBuf::new() } else { path(name) };
                assert_eq!(FileOutput::create(&path).unwrap_err().kind(), kind, "{name}");
            }
        }
        assert_eq!(names(folder.path()), ["file", "link", "sub"]);
        assert_eq!(fs::read(path("file")).unwrap(), b"old");
    }

    #[test]
    fn every_name_that_a_file_can_have_can_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for name in [&[b'x'; 255][..], b"not \xFF UTF-8", b"-"] {
            let path = folder.path().join(std::ffi::OsStr::from_bytes(name));
            for text in ["1", "2"] {
                write(&path, text).unwrap();
                assert_eq!(fs::read(&path).unwrap(), text.as_bytes());
            }
        }
        assert!(write(&folder.path().join("x".repeat(256)), "").is_err());
        assert_eq!(folder.path().read_dir().unwrap().count(), 3);
    }

    #[test]
    fn nothing_has_a_name_before_it_is_complete_and_the_old_content_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::write(path("old"), "old").unwrap();
        for name in ["old", "new"] {
            let mut file = FileOutput::create(&path(name)).unwrap();
            file.write_all(&[b'x'; 3 * BUFFER_BYTES]).unwrap();
            file.flush().unwrap();
            if cfg!(target_os = "linux") {
                assert_eq!(names(folder.path()), ["old"]);
            }
            drop(file);
            assert_eq!(names(folder.path()), ["old"]);
        }
        assert_eq!(fs::read(path("old")).unwrap(), b"old");
    }

    #[test]
    fn a_file_behind_a_descriptor_keeps_what_it_holds() {
        use std::os::fd::AsRawFd;
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "before ").unwrap();
        for folder in ["/dev/fd", "/proc/self/fd"] {
            write(&Path::new(folder).join(file.as_file().as_raw_fd().to_string()), "and after ").unwrap();
        }
        assert_eq!(fs::read(file.path()).unwrap(), b"before and after and after ");
    }
}
