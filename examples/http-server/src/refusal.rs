//! Why a request is not answered with a page.

use std::fmt;

use allocator_api2::collections::TryReserveError;
use hyper::StatusCode;
use marena_std::AllocError;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no page of this name")]
    NotFound,
    #[error("pages can only be read")]
    Method,
    /// All arenas are in use: as many requests are being answered as the server has memory for.
    #[error("the server is busy")]
    Busy,
    /// One request cannot take more than its arena, whatever it asks for; the others do not notice.
    #[error("the request needs more memory than a request may have")]
    TooLarge,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

impl From<AllocError> for Refusal {
    fn from(_: AllocError) -> Self {
        Self::TooLarge
    }
}

impl From<TryReserveError> for Refusal {
    fn from(_: TryReserveError) -> Self {
        Self::TooLarge
    }
}

/// Writing to a `Text` fails where it finds no room, and for no other reason.
impl From<fmt::Error> for Refusal {
    fn from(_: fmt::Error) -> Self {
        Self::TooLarge
    }
}
