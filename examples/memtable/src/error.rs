//! What can go wrong, in words that name the file and say what to do.

use std::io;
use std::path::PathBuf;

use common::Shown;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {name}: {error}")]
    Read { name: String, error: io::Error },

    #[error(
        "cannot keep sorted runs in {}: {error} (choose another folder with --temp-dir, or a larger --arena-size)",
        Shown(dir)
    )]
    Spill { dir: PathBuf, error: io::Error },

    #[error("{name}: the line that starts at byte {offset} fits no arena of this size: {}", advice(*len))]
    LineTooLong { name: String, offset: u64, len: u64 },

    #[error("{name}: the input is longer than 2^48 bytes; split it and merge the outputs")]
    InputTooLong { name: String },

    #[error(transparent)]
    Thread(io::Error),

    #[error("cannot make an arena")]
    Arena(#[from] marena_std::Error),

    #[error("cannot make a table in an arena")]
    Table(#[from] marena_std::AllocError),
}

/// Bytes of the largest arena.
pub(crate) const LARGEST_ARENA: u64 = 1 << 31;

/// What an arena holds besides a record's own bytes, and more: its header, the empty table, the
/// highest node.
const OVERHEAD: u64 = 4096;

/// The size that an arena must have for a line of `len` bytes.
fn advice(len: u64) -> String {
    match (len + OVERHEAD).next_multiple_of(64 << 10) {
        needed @ ..=LARGEST_ARENA => format!("use --arena-size {}K", needed >> 10),
        _ => "it is too long for the largest arena, which has 2G".into(),
    }
}
