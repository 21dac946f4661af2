//! Opening arenas in files, as programs do whose users name the file.

use std::path::Path;

use marena_std::{MapError, MappedArena, MappedBuilder, MappedView};

use crate::program::{AnyError, Chain, Negative};

/// Opens the arena in a file, or makes it with so many bytes. One that is there keeps what it has,
/// also if another process makes it at the same time with another capacity.
///
/// # Errors
///
/// Those of opening and of creating.
///
/// # Safety
///
/// As for [`MappedArena::open`].
pub unsafe fn open_or_create(builder: MappedBuilder, path: &Path, capacity: usize) -> Result<MappedArena, MapError> {
    // SAFETY: the caller's promise.
    let open = || unsafe { builder.open(path) };
    // SAFETY: as above.
    let create = || unsafe { builder.capacity(capacity).create(path) };
    match open() {
        Err(_) if !path.exists() => match create() {
            // Another process was faster.
            Err(_) if path.exists() => open(),
            outcome => outcome,
        },
        outcome => outcome,
    }
}

/// Opens the arena in a file to read only. A file that is there and is no arena is a [`Negative`]
/// answer.
///
/// # Errors
///
/// Those of [`MappedArena::open_read_only`].
///
/// # Safety
///
/// As for [`MappedArena::open_read_only`].
pub unsafe fn open_read_only(path: &Path) -> Result<MappedView, AnyError> {
    // SAFETY: the caller's promise.
    unsafe { MappedArena::open_read_only(path) }.map_err(|error| match error {
        MapError::Attach { .. } | MapError::NotAFile { .. } => Negative(Chain(&error).to_string()).into(),
        error => error.into(),
    })
}
