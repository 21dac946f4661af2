//! What can go wrong, in words that name the file and say what to do.

use std::io;
use std::path::PathBuf;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {name}: {source}")]
    Read { name: String, source: io::Error },

    #[error("cannot write {name}: {source}")]
    Write { name: String, source: io::Error },

    /// Nobody reads any more: `memtable ingest … | head`.
    #[error("{name} was closed before everything was written")]
    BrokenPipe { name: String },

    #[error("cannot keep sorted runs in {}: {source} (choose another folder with --temp-dir, or a larger --arena-size)", dir.display())]
    Spill { dir: PathBuf, source: io::Error },

    #[error(
        "{name}: the line that starts at byte {offset} needs {needed} bytes or more, and an arena of this size has room for {room}; use a \
         larger --arena-size"
    )]
    RecordTooLarge { name: String, offset: u64, needed: usize, room: usize },

    #[error("{name}: the input is longer than 2^48 bytes; split it and merge the outputs")]
    InputTooLong { name: String },

    #[error("cannot make an arena: {0}")]
    Arena(#[from] marena_std::Error),

    #[error("cannot make a table in an arena: {0}")]
    Table(#[from] marena_std::AllocError),
}
