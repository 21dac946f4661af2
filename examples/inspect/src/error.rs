//! What can go wrong, and how the program ends then.

use std::io;
use std::path::PathBuf;

use marena_std::MapError;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Map(#[from] MapError),

    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },

    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },

    #[error("cannot make a sample: {0}")]
    Sample(io::Error),

    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

impl Error {
    /// 1 if there is a file and it is no arena that can be used, 2 for everything else, as clap has it for wrong command lines.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Map(MapError::Attach { .. } | MapError::NotAFile { .. }) => 1,
            _ => 2,
        }
    }
}
