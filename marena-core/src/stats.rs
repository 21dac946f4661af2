//! A snapshot of an arena's figures.

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
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
