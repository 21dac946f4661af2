//! Why a file could not be created or opened as an arena.

use std::io;
use std::path::{Path, PathBuf};

use marena_core::AttachError;

use crate::limit::Limit;

/// Why a mapped arena could not be created, opened or replaced.
///
/// Its messages escape paths as in a string literal. It converts into [`Error`](crate::Error).
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return } // Miri maps no files.
/// use marena_std::{MapError, MappedArena};
/// // SAFETY: there is no such file.
/// let opened = unsafe { MappedArena::open("/no/such/directory/arena") };
/// assert!(matches!(opened, Err(MapError::Io { action: "open", .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// A system call failed. No arena was created or changed, with two exceptions, in which the new
    /// file exists and is complete: if the directory could not be synced (the file may then be gone
    /// after a power loss), and on Windows, if the file could not be mapped.
    #[error("cannot {action} {path:?}{}", Limit::reached(*limit))]
    Io {
        /// What failed: `open`, `create`, `size`, `reserve space for`, `lock`, `map`, `populate`,
        /// `sync` or `link`.
        action: &'static str,
        /// The arena's file.
        path: PathBuf,
        /// The limit of this process that the call reached, if it is known.
        limit: Option<Limit>,
        /// The system's error.
        source: io::Error,
    },
    /// The path already names a file, which was left alone.
    #[error("{path:?} exists already; open it, or choose another path")]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// A process (perhaps this one) has the file open and the call needs it alone, or is replacing
    /// it.
    #[error("{path:?} is in use; close it everywhere, or try again later")]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// The path names a directory, a pipe or a device.
    #[error("{path:?} is not a regular file; an arena lies in one")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The builder was given another capacity than the file has. An arena neither grows nor
    /// shrinks.
    #[error("the arena in {path:?} has {found} bytes and {requested} were requested; open it without a capacity")]
    OtherCapacity {
        /// The path.
        path: PathBuf,
        /// The capacity that was requested, in bytes, rounded up as the builder says.
        requested: usize,
        /// The capacity of the arena, in bytes.
        found: usize,
    },
    /// The capacity is 0, was not given, or is more than one arena can have.
    #[error("{requested} bytes were requested for an arena; ask for 1 to {limit}")]
    Capacity {
        /// The number that was requested, in bytes.
        requested: usize,
        /// The largest capacity on this target, in bytes.
        limit: usize,
    },
    /// The page alignment is not a power of two from 4,096 to 2^30.
    #[error("{requested} is not a page alignment; use a power of two from 4096 to 2^30")]
    PageAlignment {
        /// The number that was requested, in bytes.
        requested: usize,
    },
    /// The file holds no arena that this process can use.
    #[error("{path:?} is not a usable arena")]
    Attach {
        /// The path.
        path: PathBuf,
        /// What is wrong with the file.
        source: AttachError,
    },
    /// The file lies on an overlay file system, and this process may not write it. A view of it
    /// might never see changes, because the first writer gets a copy of the file.
    #[error(
        "a view of {path:?} might never see what others write, because overlay file systems copy a file when it is first \
         written; give this process permission to write it, or keep the arena on a volume"
    )]
    Overlay {
        /// The path.
        path: PathBuf,
    },
}

/// Returns a function that turns the system's error into one about this path.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MapError {
    move |source| {
        let limit = Limit::met_by_file(&source);
        MapError::Io { action, path: path.into(), limit, source }
    }
}

/// Returns the same as [`failed`], for a mapping of `len` bytes.
pub(super) fn unmapped(path: &Path, len: usize) -> impl FnOnce(io::Error) -> MapError {
    move |source| {
        let limit = Limit::met_by_shared_mapping(&source, len);
        MapError::Io { action: "map", path: path.into(), limit, source }
    }
}

/// Returns a function that turns a header's error into one about this path.
pub(super) fn unusable(path: &Path) -> impl FnOnce(AttachError) -> MapError {
    move |source| MapError::Attach { path: path.into(), source }
}
