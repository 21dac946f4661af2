//! A snapshot of an arena's figures.

use core::fmt;

/// What [`Arena::stats`](crate::Arena::stats) reports, in bytes. Each figure is read on its own and may lag behind other threads.
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
/// let stats = arena.stats();
/// assert_eq!((stats.used, stats.high_water, stats.stranded), (0, 208, 0));
///
/// // One line for people.
/// arena.allocate(1000).unwrap();
/// let stats = arena.stats();
/// assert!(stats.to_string().starts_with("1000 of "));
/// assert!(stats.to_string().ends_with("high water 1000, stranded 0"));
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
/// assert_eq!(json, r#"{"capacity":4096,"used":1000,"remaining":2968,"high_water":1000,"stranded":0}"#);
/// assert_eq!(serde_json::from_str::<Stats>(&json).unwrap(), arena.stats());
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stats {
    /// The whole region, its 128-byte header included.
    pub capacity: usize,
    /// Handed out or claimed by leases and scratches since the last reset, rounding and alignment included.
    pub used: usize,
    /// `capacity - 128 - used`.
    pub remaining: usize,
    /// Nothing past this many bytes was ever handed out, in all lives of the arena; a bound, since scratches count some way ahead. Memory
    /// that starts zeroed keeps the figure when another arena is made in it.
    pub high_water: usize,
    /// Claimed by leases that ended, and usable by nobody until the next reset: a lower bound.
    pub stranded: usize,
}

/// One line, in bytes: `1000 of 3968 bytes used (25.2 %), 2968 left; high water 1000, stranded 0`.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, remaining, high_water, stranded, .. } = *self;
        // Figures that were read from elsewhere can be any numbers.
        let usable = used.saturating_add(remaining);
        // Whole numbers: formatting floating-point ones takes kilobytes of a microcontroller's flash.
        let per_mille = (used as u64).saturating_mul(1000) / (usable as u64).max(1);
        let (percent, tenth) = (per_mille / 10, per_mille % 10);
        write!(
            f,
            "{used} of {usable} bytes used ({percent}.{tenth} %), {remaining} left; high water {high_water}, stranded {stranded}"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn any_figures_can_be_printed() {
        let print = |used, remaining| Stats { capacity: 0, used, remaining, high_water: used, stranded: 0 }.to_string();
        assert_eq!(print(1, 2), "1 of 3 bytes used (33.3 %), 2 left; high water 1, stranded 0");
        assert_eq!(print(0, 0), "0 of 0 bytes used (0.0 %), 0 left; high water 0, stranded 0");
        // What an arena cannot have, and a file that claims to hold an arena's figures can.
        let most = usize::MAX;
        assert!(print(most, most).starts_with(&std::format!("{most} of {most} bytes used (")));
    }
}
