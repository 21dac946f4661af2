//! The error for damaged bytes of a map.

use core::error::Error;
use core::fmt;

/// Bytes in a map that no map writes: a link that leads nowhere, a length that reaches out of the
/// region, keys out of order, or nodes in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "mapped"), expect(unreachable_pub))]
pub struct Damage {
    /// The offset at which it was noticed, in bytes from the region's start.
    pub offset: u32,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the map is damaged at byte {} of its region; what was inserted before may be found by a scan",
            self.offset
        )
    }
}

impl Error for Damage {}

/// Why a walk backwards cannot go on.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "mapped"), expect(dead_code, reason = "only maps in files tell the reason"))]
pub(crate) enum Stop {
    Damage(Damage),
    /// There is no memory for a copy of a key with so many bytes.
    NoMemory {
        bytes: u32,
    },
}

impl From<Damage> for Stop {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}
