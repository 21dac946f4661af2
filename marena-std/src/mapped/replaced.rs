//! The file that a new arena replaces.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use marena_core::AttachError;

use super::header::HeaderCopy;

/// The number of links that systems follow.
const LINKS: usize = 40;

/// Returns the path that symbolic links lead to, whether a file is there or not.
pub(super) fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = directory(&path).join(target),
            // It is not a link, or cannot be read as one.
            Err(_) => break,
        }
    }
    path
}

/// Returns whether the file starts as an arena does, however damaged the rest may be.
pub(super) fn holds_arena(file: &mut File) -> io::Result<bool> {
    let len = file.metadata()?.len();
    let mut header = HeaderCopy::zero();
    match file.read_exact(header.bytes_mut()) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
        outcome => outcome?,
    }
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    Ok(!matches!(header.as_header().validate(len), Err(AttachError::NotAnArena | AttachError::Memory(_))))
}

/// Gives a new file the owner, the group and the mode of another, as far as this process may. A
/// user who could not open the other file cannot open the new one.
#[cfg(unix)]
pub(super) fn keep_owner_and_mode(made: &File, previous: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    const SET_USER: u32 = 0o4000;
    const SET_GROUP: u32 = 0o2000;
    const GROUP: u32 = 0o070;

    let (old, new) = (previous.metadata()?, made.metadata()?);
    let owner = (old.uid() != new.uid()).then(|| old.uid());
    let group = (old.gid() != new.gid()).then(|| old.gid());
    let mut mode = old.mode();
    if (owner, group) != (None, None) && fchown(made, owner, group).is_err() {
        mode &= !SET_USER;
        if group.is_some() && fchown(made, None, group).is_err() {
            // Another group gets the permissions that everyone has.
            mode &= !SET_GROUP & (!GROUP | (mode << 3));
        }
    }
    match made.set_permissions(fs::Permissions::from_mode(mode)) {
        // Some file systems have no modes of their own.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        outcome => outcome,
    }
}

/// Does nothing: on these systems a new file gets its directory's permissions.
#[cfg(not(unix))]
pub(super) fn keep_owner_and_mode(_: &File, _: &File) -> io::Result<()> {
    Ok(())
}

/// Returns the directory of the path's last component.
pub(super) fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.into(),
        _ => PathBuf::from("."),
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_that_comes_too_early_says_that_a_file_is_no_arena() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, b"short").unwrap();
        assert!(!holds_arena(&mut File::open(&path).unwrap()).unwrap());
        // Any other error is one: nothing can be read by this descriptor.
        assert!(holds_arena(&mut File::options().write(true).open(&path).unwrap()).is_err());
    }
}
