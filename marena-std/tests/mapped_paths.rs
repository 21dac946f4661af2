//! Difficult paths: links to nothing, slashes, control characters, folders without write
//! permission.
#![cfg(all(unix, target_has_atomic = "64", not(miri)))]
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise covers all that a test does with its own file")]

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};

use marena_std::{MapError, MappedArena, MappedBuilder};

fn builder() -> MappedBuilder {
    MappedArena::builder().capacity(1 << 16)
}

fn open_or_create(path: &Path) -> Result<MappedArena, MapError> {
    // SAFETY: tests have their files to themselves, here and below.
    unsafe { builder().open_or_create(path) }
}

/// Returns `path` with a slash at its end.
fn as_folder(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("/");
    name.into()
}

#[test]
fn a_link_to_nothing_is_an_error_with_and_without_a_slash_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("dangling-link");
    symlink("nothing", &link).unwrap();
    for path in [link.clone(), as_folder(&link)] {
        assert!(matches!(open_or_create(&path), Err(MapError::Exists { .. })), "{path:?}");
        // SAFETY: as above.
        assert!(matches!(unsafe { builder().create(&path) }, Err(MapError::Exists { .. })), "{path:?}");
    }
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn a_slash_behind_a_name_makes_it_the_name_of_a_folder() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    assert!(open_or_create(&as_folder(&path)).is_err());
    assert!(open_or_create(&path).is_ok());
    assert!(matches!(open_or_create(&as_folder(&path)), Err(MapError::Io { action: "open", .. })));
    // SAFETY: as above.
    assert!(unsafe { builder().replace(as_folder(&path)) }.is_err());
}

#[test]
fn the_error_in_a_folder_that_is_not_there_names_the_path_that_was_given() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing/arena");
    // SAFETY: nothing is created.
    for result in [open_or_create(&path), unsafe { builder().create(&path) }] {
        let Err(MapError::Io { action: "create", path: named, source, .. }) = result else { panic!("{result:?}") };
        // What the source says besides, such as the name of another file, would be in its text.
        let expected = std::io::Error::from_raw_os_error(libc::ENOENT).to_string();
        assert_eq!((&*named, source.to_string()), (&*path, expected));
    }
}

#[test]
fn the_error_in_a_folder_without_write_permission_says_that_the_file_exists() {
    // Not even the superuser may create a file there.
    let path = Path::new("/proc/version");
    if path.exists() {
        // SAFETY: nothing is created.
        let result = unsafe { builder().create(path) };
        assert!(matches!(result, Err(MapError::Exists { .. })), "{result:?}");
        // SAFETY: as above.
        let result = unsafe { builder().create("/proc/no-such-file") };
        assert!(matches!(result, Err(MapError::Io { action: "create", .. })), "{result:?}");
    }
}

#[test]
fn no_file_name_can_disturb_a_message() {
    let name = OsStr::from_bytes(b"\x1b[31m\nred \xFF\"");
    let path = Path::new("/no/such").join(name);
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().join(name);
    fs::write(&here, b"no arena").unwrap();
    // SAFETY: there is no arena.
    let errors = unsafe {
        [
            MappedArena::open(&path).unwrap_err(),
            builder().create(&path).unwrap_err(),
            builder().create(&here).unwrap_err(),
            MappedArena::open(&here).unwrap_err(),
            MappedArena::open_read_only(&here).unwrap_err(),
            builder().replace(&here).unwrap_err(),
        ]
    };
    for error in errors {
        let message = error.to_string();
        assert!(message.contains(r#"\u{1b}[31m\nred \xFF\"""#), "{message:?}");
        assert!(!message.contains(char::is_control), "{message:?}");
    }
}

#[test]
fn no_message_calls_another_file_an_arena_or_advises_to_replace_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    fs::write(&path, b"not to be lost").unwrap();
    // SAFETY: there is no arena.
    let errors = unsafe {
        [
            builder().open(&path).unwrap_err(),
            builder().open_or_create(&path).unwrap_err(),
            builder().open_read_only(&path).unwrap_err(),
            builder().replace(&path).unwrap_err(),
            builder().create(&path).unwrap_err(),
        ]
    };
    for error in errors {
        assert!(!matches!(error, MapError::OtherCapacity { .. }), "{error:?}");
        let mut message = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            message += &cause.to_string();
        }
        for advice in ["the arena in", "replace", "remove", "rebuild", "delete", "overwrite", "make one"] {
            assert!(!message.contains(advice), "{message}");
        }
    }
    assert_eq!(fs::read(&path).unwrap(), b"not to be lost");
}

#[test]
fn a_path_to_no_regular_file_is_an_error_at_once_and_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name ends in a null.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    // SAFETY: as above.
    unsafe {
        assert!(matches!(builder().open(&path), Err(MapError::NotAFile { .. })));
        // Readers wait for a pipe without a writer.
        assert!(matches!(builder().open_read_only(&path), Err(MapError::NotAFile { .. })));
        assert!(matches!(builder().open_or_create(&path), Err(MapError::NotAFile { .. })));
        assert!(matches!(builder().replace(&path), Err(MapError::NotAFile { .. })));
        assert!(matches!(builder().create(&path), Err(MapError::Exists { .. })));
    }
    assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn a_link_to_an_arena_leads_there_and_a_link_to_nothing_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    // SAFETY: as above.
    unsafe {
        assert!(matches!(builder().open_or_create(&link), Err(MapError::Exists { .. })));
        assert!(matches!(builder().open(&link), Err(MapError::Io { action: "open", .. })));
    }
    // SAFETY: as above.
    let text = unsafe { builder().create(&path) }.unwrap().allocate_copy(b"there").unwrap();
    // SAFETY: as above.
    let found = unsafe { builder().open_or_create(&link) }.unwrap();
    assert_eq!(found.read_value::<[u8; 5]>(text), Ok(*b"there"));
}
