//! Why a frame could not be computed.

use allocator_api2::collections::TryReserveError;
use marena_std::AllocError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the frame needs a larger arena: {0}")]
    Frame(#[from] AllocError),
    #[error("a system needs more memory for what it does not keep")]
    Temporary,
}

impl From<TryReserveError> for Error {
    fn from(_: TryReserveError) -> Self {
        Self::Temporary
    }
}
