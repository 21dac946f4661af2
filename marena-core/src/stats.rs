//! The statistics of an arena.

use core::fmt;

/// The statistics that [`Arena::stats`](crate::Arena::stats) returns. All but `failed` are bytes.
///
/// Each number is read on its own and may lag behind other threads. On the fast path, an allocation
/// that succeeds does no work for any of them.
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
/// With the feature `serde`, the fields can be serialized by their names, in any format:
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
    /// The size of the whole region, including its 128-byte header.
    pub capacity: usize,
    /// Bytes that were handed out, or claimed by leases and scopes, since the last reset. Rounding
    /// and alignment are included.
    pub used: usize,
    /// `capacity - 128 - used`.
    pub remaining: usize,
    /// The high-water mark: no byte past this position was ever handed out, in any generation of
    /// the arena. It is an upper bound, because scopes raise it some way ahead. Memory that starts
    /// zeroed keeps the number when another arena is made in it. [`Arena::trim`] lowers it.
    ///
    /// [`Arena::trim`]: crate::Arena::trim
    pub high_water: usize,
    /// The high-water mark since the last reset.
    pub high_water_since_reset: usize,
    /// Bytes that ended leases had claimed, and that nobody can use until the next reset: a lower
    /// bound.
    pub stranded: usize,
    /// The part of `used` that leases hold unused, leaked leases included. It is an upper bound:
    /// each lease counts with at most twice the largest number of bytes that it held at once, and
    /// not at all if those were no more than 1,024.
    pub leased: usize,
    /// The number of requests that found no room or were too large since the arena was made. It is
    /// a lower bound: two that fail at the same time may count as one, and after 2^32 the count
    /// starts anew. A growing arena counts a request in each segment that it tried.
    pub failed: usize,
}

/// Prints one line: `1000 of 3968 bytes used (25.2 %), 2968 left; high water 1000, stranded 0,
/// leased 0; 0 failed`.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, remaining, high_water, stranded, leased, failed, .. } = *self;
        // Numbers that were deserialized can have any value.
        let usable = used.saturating_add(remaining);
        // Whole numbers, because formatting floating-point ones takes kilobytes of a
        // microcontroller's flash.
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
        // A full arena is full to the last tenth, however small or large it is.
        for most in [1, 2, 999, 1001, 1 << 20] {
            assert!(print(most, 0).contains(" (100.0 %), 0 left"));
        }
        assert!(print(999, 1).contains(" (99.9 %), "));
        // What an arena cannot have, and a file that claims to hold an arena's numbers can.
        let most = usize::MAX;
        assert!(print(most, most).starts_with(&std::format!("{most} of {most} bytes used (")));
    }
}
