//! What can go wrong with a file and with bytes that others may change.

use std::io;
use std::path::PathBuf;

use marena_core::{Address, AttachError};

/// Why a mapped arena could not be made, opened or written through.
///
/// Converts into [`Error`](crate::Error), as [`AllocError`](crate::AllocError) does.
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return } // Miri maps no files.
/// use marena_std::{MapError, MappedArena};
/// // SAFETY: there is no such file.
/// let refused = unsafe { MappedArena::open("/no/such/directory/arena") };
/// assert!(matches!(refused, Err(MapError::Io { action: "open", .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// The system refused something. No arena was made or changed; only if what could not be synced is the directory, the new file is there,
    /// complete, and may be gone after a power loss.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was to be done: `open`, `create`, `size`, `lock`, `map`, `sync` or `link`.
        action: &'static str,
        /// The arena's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path already names something, which was left alone.
    #[error("{} exists; open it, or replace it while nobody has it open", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// Another process (or this one) has the file open and the request needs it alone, or somebody is replacing it.
    #[error("{} is in use; close it everywhere, or try again when its replacement is done", path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// The path names a directory, a pipe or a device.
    #[error("{} is no regular file, which an arena lies in; name one", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The builder was given a capacity and the file has another: an arena neither grows nor shrinks.
    #[error("the arena in {} has {found} bytes and {requested} were requested; open it without a capacity, or replace it", path.display())]
    OtherCapacity {
        /// The path.
        path: PathBuf,
        /// Bytes asked for, rounded up as the builder says.
        requested: usize,
        /// Bytes that the file has.
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
    /// The page alignment is no power of two from 4,096 to 2^30.
    #[error("{requested} is no page alignment; use a power of two from 4096 to 2^30")]
    PageAlignment {
        /// Bytes asked for.
        requested: usize,
    },
    /// The file holds no arena that this process can use.
    #[error("{} is no usable arena: {source}", path.display())]
    Attach {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        source: AttachError,
    },
    /// The system could not write the bytes to the disk. They are unchanged in memory and for every process that has the file mapped;
    /// what a power loss would leave of them is unknown, and stays so: some systems forget which pages failed.
    #[error(
        "the arena's bytes could not be written to the disk: {source}; free space or check the disk, then reopen the arena"
    )]
    Flush {
        /// What the system said.
        source: io::Error,
    },
    /// A flush through this value has failed before, so nothing more can be published as durable through it.
    #[error("an earlier flush of this arena failed; check the disk, then reopen the arena")]
    Undurable,
    /// There are four root slots.
    #[error("there is no root slot {slot}; use 0 to 3")]
    Slot {
        /// The slot asked for.
        slot: usize,
    },
    /// The address names bytes that cannot be used so.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Why bytes of a mapped arena could not be read or written as asked. Nothing was.
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
/// use marena_std::{AccessError, Address, MappedArena};
///
/// let path = std::env::temp_dir().join(format!("access-error-{}.arena", std::process::id()));
/// // SAFETY: the file is new, and nobody else knows it.
/// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
/// let nothing = Address::new(4096, 8).unwrap();
/// assert!(matches!(arena.atomic_u64_at(nothing), Err(AccessError::Unused { used: 0, .. })));
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The address reaches past the bytes that were handed out.
    #[error(
        "{address:?} reaches past the {used} bytes that the arena has handed out; the address is damaged or of another arena"
    )]
    Unused {
        /// The address.
        address: Address,
        /// Bytes handed out, counted from offset 128.
        used: usize,
    },
    /// The address names fewer bytes than are to be read or written.
    #[error(
        "{requested} bytes were requested of {address:?}, which names fewer; pass a shorter buffer or the whole block's address"
    )]
    Size {
        /// The address.
        address: Address,
        /// Bytes asked for.
        requested: usize,
    },
    /// The address is not aligned enough.
    #[error(
        "{address:?} is not aligned to {required}; use the start of a block, or an offset in it that is a multiple of {required}"
    )]
    Misaligned {
        /// The address.
        address: Address,
        /// The alignment needed, in bytes.
        required: usize,
    },
}
