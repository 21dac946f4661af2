//! Why a file could not be created or opened as an arena.

use std::io;
use std::path::{Path, PathBuf};

use marena_core::AttachError;

use crate::limit::Limit;

/// Why a mapped arena could not be created, opened or replaced.
///
/// Paths in its messages are escaped as in a string literal. Converts into [`Error`](crate::Error).
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
    /// file is there, complete: if the directory could not be synced, when the file may be gone
    /// after a power loss; and on Windows, if the file could not be mapped.
    #[error("cannot {action} {path:?}{}", Limit::reached(*limit))]
    Io {
        /// What was to be done: `open`, `create`, `size`, `reserve space for`, `lock`, `map`,
        /// `populate`, `sync` or `link`.
        action: &'static str,
        /// The arena's file.
        path: PathBuf,
        /// The limit of this process that the call met, where one can be told.
        limit: Option<Limit>,
        /// What the system said.
        source: io::Error,
    },
    /// The path already names something, which was left alone.
    #[error("{path:?} exists already; open it, or choose another path")]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// Somebody (perhaps this process) has the file open and the call needs it alone, or somebody
    /// is replacing it.
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
    /// The builder was given a capacity and the file has another: an arena neither grows nor
    /// shrinks.
    #[error("the arena in {path:?} has {found} bytes and {requested} were requested; open it without a capacity")]
    OtherCapacity {
        /// The path.
        path: PathBuf,
        /// Bytes asked for, rounded up as the builder says.
        requested: usize,
        /// Bytes that the arena has.
        found: usize,
    },
    /// The capacity is 0, was not given, or is more than one arena can have.
    #[error("{requested} bytes were requested for an arena; ask for 1 to {limit}")]
    Capacity {
        /// Bytes asked for.
        requested: usize,
        /// Bytes that an arena can have on this target.
        limit: usize,
    },
    /// The page alignment is not a power of two from 4,096 to 2^30.
    #[error("{requested} is not a page alignment; use a power of two from 4096 to 2^30")]
    PageAlignment {
        /// Bytes asked for.
        requested: usize,
    },
    /// The file holds no arena that this process can use.
    #[error("{path:?} is not a usable arena")]
    Attach {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        source: AttachError,
    },
    /// The file lies on an overlay file system, and this process may not write it. A view of it
    /// might show an old copy for ever, because the first writer is given a copy of its own.
    #[error(
        "a view of {path:?} might never see what others write, because overlay file systems copy a file when it is first \
         written; give this process permission to write it, or keep the arena on a volume"
    )]
    Overlay {
        /// The path.
        path: PathBuf,
    },
}

/// Turns what the system said into an error about this path.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MapError {
    move |source| {
        let limit = Limit::met_by_file(&source);
        MapError::Io { action, path: path.into(), limit, source }
    }
}

/// As [`failed`], for the mapping of `len` bytes.
pub(super) fn unmapped(path: &Path, len: usize) -> impl FnOnce(io::Error) -> MapError {
    move |source| {
        let limit = Limit::met_by_shared_mapping(&source, len);
        MapError::Io { action: "map", path: path.into(), limit, source }
    }
}

/// Turns what is wrong with a header into an error about this path.
pub(super) fn unusable(path: &Path) -> impl FnOnce(AttachError) -> MapError {
    move |source| MapError::Attach { path: path.into(), source }
}
