//! Opening arenas in files, as programs do whose users name the file.

use std::io::ErrorKind;
use std::path::Path;

use marena_std::{MapError, MappedArena, MappedBuilder, MappedView};

use crate::program::{AnyError, Chain, Negative};

/// Opens the arena in a file, or makes it with so many bytes. One that is there keeps what it has,
/// also if another process makes it at the same time with another capacity.
///
/// # Errors
///
/// Those of opening, by [`opened`], and of creating.
///
/// # Safety
///
/// As for [`MappedArena::open`].
pub unsafe fn open_or_create(builder: MappedBuilder, path: &Path, capacity: usize) -> Result<MappedArena, AnyError> {
    // SAFETY: the caller's promise.
    let open = || unsafe { builder.open(path) };
    // SAFETY: as above.
    let create = || unsafe { builder.capacity(capacity).create(path) };
    opened(match open() {
        Err(MapError::Io { action: "open", source, .. }) if source.kind() == ErrorKind::NotFound => match create() {
            // Another process was faster.
            Err(MapError::Exists { .. }) => open(),
            outcome => outcome,
        },
        outcome => outcome,
    })
}

/// Opens the arena in a file to read only.
///
/// # Errors
///
/// Those of [`MappedArena::open_read_only`], by [`opened`].
///
/// # Safety
///
/// As for [`MappedArena::open_read_only`].
pub unsafe fn open_read_only(path: &Path) -> Result<MappedView, AnyError> {
    // SAFETY: the caller's promise.
    opened(unsafe { MappedArena::open_read_only(path) })
}

/// Returns what was opened. A file that is there and is no arena is a [`Negative`] answer.
///
/// # Errors
///
/// The same, as any error.
pub fn opened<T>(outcome: Result<T, MapError>) -> Result<T, AnyError> {
    outcome.map_err(|error| match error {
        MapError::Attach { .. } | MapError::NotAFile { .. } => Negative(Chain(&error).to_string()).into(),
        error => error.into(),
    })
}

// Miri maps no files.
#[cfg(all(test, not(miri)))]
mod tests {
    use std::fs;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn all_who_open_or_create_a_file_at_once_get_the_same_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("arena");
        let barrier = Barrier::new(3);
        for _ in 0..100 {
            thread::scope(|scope| {
                for capacity in [65_536, 131_072, 262_144] {
                    let (path, barrier) = (&path, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        // SAFETY: the file is this test's own.
                        unsafe { open_or_create(MappedArena::builder(), path, capacity) }.unwrap();
                    });
                }
            });
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_symbolic_link_that_leads_nowhere_is_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        // SAFETY: nobody knows the file.
        let opened = unsafe { open_or_create(MappedArena::builder(), &link, 65_536) };
        let error = opened.unwrap_err().downcast().unwrap();
        assert!(matches!(*error, MapError::Io { action: "open", .. }), "{error:?}");
    }
}
