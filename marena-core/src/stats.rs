//! A snapshot of an arena's numbers.

use core::fmt;

/// What [`Arena::stats`](crate::Arena::stats) returns. All but `failed` are bytes.
///
/// Each number is read on its own and may lag behind other threads. None of them costs an
/// allocation that succeeds on its fast path anything.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
///
/// let mut bytes = [MaybeUninit::uninit(); 4096];
/// let mut arena = Arena::borrowed(&mut bytes)?;
/// arena.allocate(201).unwrap();
/// arena.reset();
/// arena.allocate(1 << 20).unwrap_err();
/// let stats = arena.stats();
/// assert_eq!((stats.used, stats.failed), (0, 1));
/// assert_eq!((stats.high_water, stats.high_water_since_reset), (208, 0));
///
/// // One line for people.
/// arena.allocate(1000).unwrap();
/// let stats = arena.stats();
/// assert!(stats.to_string().starts_with("1000 of "));
/// assert!(stats.to_string().ends_with("high water 1000, stranded 0, leased 0; 1 failed"));
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
///
/// With the feature `serde`, the fields by their names, in any format that serde knows:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// # use core::mem::MaybeUninit;
/// # use marena_core::{Arena, Stats};
/// # #[repr(align(128))]
/// # struct Bytes([MaybeUninit<u8>; 4096]);
/// # let mut bytes = Bytes([MaybeUninit::uninit(); 4096]);
/// # let arena = Arena::borrowed(&mut bytes.0).unwrap();
/// # arena.allocate(1000).unwrap();
/// let json = serde_json::to_string(&arena.stats()).unwrap();
/// assert!(json.starts_with(r#"{"capacity":4096,"used":1000,"remaining":2968,"#));
/// assert_eq!(serde_json::from_str::<Stats>(&json).unwrap(), arena.stats());
/// // Numbers that an older version did not write are 0.
/// let old = r#"{"capacity":4096,"used":0,"remaining":3968,"high_water":0,"stranded":0}"#;
/// assert_eq!(serde_json::from_str::<Stats>(old).unwrap().failed, 0);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Stats {
    /// The whole region, its 128-byte header included.
    pub capacity: usize,
    /// Handed out or claimed by leases and scopes since the last reset, rounding and alignment
    /// included.
    pub used: usize,
    /// `capacity - 128 - used`.
    pub remaining: usize,
    /// Nothing past this many bytes was ever handed out, in all generations of the arena. A bound:
    /// scopes count some way ahead. Memory that starts zeroed keeps the number when another arena
    /// is made in it, and [`Arena::trim`] lowers it.
    ///
    /// [`Arena::trim`]: crate::Arena::trim
    pub high_water: usize,
    /// As `high_water`, since the last reset.
    pub high_water_since_reset: usize,
    /// Claimed by leases that ended, and usable by nobody until the next reset: a lower bound.
    pub stranded: usize,
    /// Part of `used`: held unused by leases that live, or were leaked. An upper bound, at most
    /// twice the most that they held at once; leases that held no more than 1,024 bytes do not
    /// count.
    pub leased: usize,
    /// Requests that found no room or were too large, since the arena was made: a lower bound,
    /// since two that fail at the same time may count as one. An arena of several, as a growing
    /// one, counts each that it tried.
    pub failed: usize,
}

/// One line: `1000 of 3968 bytes used (25.2 %), 2968 left; high water 1000, stranded 0, leased 0; 0
/// failed`.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, remaining, high_water, stranded, leased, failed, .. } = *self;
        // Numbers that were read from elsewhere can be any.
        let usable = used.saturating_add(remaining);
        // Whole numbers: formatting floating-point ones takes kilobytes of a microcontroller's
        // flash.
        let per_mille = (used as u64).saturating_mul(1000) / (usable as u64).max(1);
        let (percent, tenth) = (per_mille / 10, per_mille % 10);
        write!(f, "{used} of {usable} bytes used ({percent}.{tenth} %), {remaining} left; ")?;
        write!(f, "high water {high_water}, stranded {stranded}, leased {leased}; {failed} failed")
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn any_numbers_can_be_printed() {
        let print = |used, remaining| Stats { used, remaining, high_water: used, ..Stats::default() }.to_string();
        let rest = ", stranded 0, leased 0; 0 failed";
        assert_eq!(print(1, 2), std::format!("1 of 3 bytes used (33.3 %), 2 left; high water 1{rest}"));
        assert_eq!(print(0, 0), std::format!("0 of 0 bytes used (0.0 %), 0 left; high water 0{rest}"));
        // What an arena cannot have, and a file that claims to hold an arena's numbers can.
        let most = usize::MAX;
        assert!(print(most, most).starts_with(&std::format!("{most} of {most} bytes used (")));
    }
}
