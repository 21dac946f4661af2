//! Several arenas that allocate as one, for memory that is not in one piece.

use core::error::Error;
use core::fmt;
use core::num::NonZeroU64;
use core::ptr::NonNull;

use crate::arena::Arena;
use crate::claim::{Claim, Claimed};
use crate::error::AllocError;
use crate::handle::{Handle, Nameable};
use crate::memory::{ExclusiveMemory, Memory, max_align};
use crate::stats::Stats;
use crate::view::View;

/// Up to `N` arenas over disjoint memory, tried in order: a microcontroller's RAM banks, a boot
/// loader's memory map.
///
/// It has every `allocate*`, `alloc*` and `insert` method of [`Arena`]. The first arena that has
/// room for a request serves it, so put fast memory first. A handle finds its own arena. An
/// [`Address`](crate::Address) does not say which region it lies in, so read it through the arena
/// that it came from, one of [`arenas`](Self::arenas). These arenas also make leases.
///
/// It is lock-free, as its arenas are. **Values are not dropped.**
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::{Arena, Regions};
///
/// let (mut fast, mut large) = ([MaybeUninit::uninit(); 512], [MaybeUninit::uninit(); 4096]);
/// let mut regions: Regions<_, 2> = Regions::new();
/// regions.push(Arena::borrowed(&mut fast)?).unwrap();
/// regions.push(Arena::borrowed(&mut large)?).unwrap();
///
/// let small = regions.insert([1_u8; 64]).unwrap();
/// let big = regions.insert([2_u8; 1024]).unwrap();
/// assert_eq!(regions.get(small), Some(&[1; 64]));
/// assert_eq!(regions.get(big), Some(&[2; 1024]));
/// assert_eq!(regions.arenas()[0].get(big), None);
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
pub struct Regions<M: Memory, const N: usize> {
    arenas: heapless::Vec<Arena<M>, N>,
}

impl<M: Memory, const N: usize> Regions<M, N> {
    /// Creates regions without arenas. Every request but a zero-sized one fails.
    #[must_use]
    pub const fn new() -> Self {
        Self { arenas: heapless::Vec::new() }
    }

    /// Adds an arena behind the others. Takes time in proportion to their number.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`] if there are `N` arenas already, and [`PushError::Overlap`] if the
    /// arena's memory overlaps that of another one. Both return the arena.
    ///
    /// ```
    /// use marena_core::{Arena, PushError, Regions, StaticMemory};
    /// static FAST: StaticMemory<1024> = StaticMemory::new();
    /// static SLOW: StaticMemory<1024> = StaticMemory::new();
    /// let mut regions: Regions<_, 1> = Regions::new();
    /// assert!(regions.push(Arena::from_static(&FAST)).is_ok());
    /// assert!(matches!(regions.push(Arena::from_static(&SLOW)), Err(PushError::Full(_))));
    /// ```
    pub fn push(&mut self, arena: Arena<M>) -> Result<(), PushError<M>> {
        let overlaps = |other: &Arena<M>| {
            let [one, other] = [&arena, other].map(|arena| arena.memory().region());
            let (start, other_start) = (one.addr().get(), other.addr().get());
            // The difference that is computed does not wrap.
            if start < other_start { other_start - start < one.len() } else { start - other_start < other.len() }
        };
        if self.arenas.iter().any(overlaps) {
            return Err(PushError::Overlap(arena));
        }
        self.arenas.push(arena).map_err(PushError::Full)
    }

    /// Returns the arenas, in the order in which they are tried.
    ///
    /// ```
    /// use marena_core::{Arena, Regions, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// let mut regions: Regions<_, 1> = Regions::new();
    /// regions.push(Arena::from_static(&MEMORY)).unwrap();
    /// let lease = regions.arenas()[0].lease(256);
    /// assert_eq!(*lease.alloc(7).unwrap(), 7);
    /// ```
    #[must_use]
    pub fn arenas(&self) -> &[Arena<M>] {
        &self.arenas
    }

    /// Returns the statistics of all arenas, added up: a snapshot. A single request gets at most
    /// what one arena has left.
    #[must_use]
    pub fn stats(&self) -> Stats {
        // Disjoint regions fit the address space together. Counts of failed requests need not fit.
        self.arenas.iter().map(Arena::stats).fold(Stats::default(), |sum, one| Stats {
            capacity: sum.capacity.saturating_add(one.capacity),
            used: sum.used.saturating_add(one.used),
            remaining: sum.remaining.saturating_add(one.remaining),
            high_water: sum.high_water.saturating_add(one.high_water),
            high_water_since_reset: sum.high_water_since_reset.saturating_add(one.high_water_since_reset),
            stranded: sum.stranded.saturating_add(one.stranded),
            leased: sum.leased.saturating_add(one.leased),
            failed: sum.failed.saturating_add(one.failed),
        })
    }

    /// Returns the bytes of a published block, or `None` for a handle from before a reset or from
    /// another arena. Makes one comparison for each arena.
    #[must_use]
    pub fn view(&self, handle: Handle) -> Option<&[u8]> {
        self.arenas.iter().find_map(|arena| arena.view(handle))
    }

    /// Returns an inserted value, or `None` for a handle from before a reset or from another arena.
    /// Makes one comparison for each arena.
    #[must_use]
    pub fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        self.arenas.iter().find_map(|arena| arena.get(handle))
    }

    /// [Resets](Arena::reset) every arena.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::{Arena, Regions};
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let mut regions: Regions<_, 1> = Regions::new();
    /// regions.push(Arena::borrowed(&mut bytes)?).unwrap();
    /// let handle = regions.insert(7).unwrap();
    /// regions.reset();
    /// assert_eq!(regions.get(handle), None);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn reset(&mut self)
    where
        M: ExclusiveMemory,
    {
        self.arenas.iter_mut().for_each(Arena::reset);
    }

    /// [Wipes](Arena::wipe) every arena.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::{Arena, Regions};
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let mut regions: Regions<_, 1> = Regions::new();
    /// regions.push(Arena::borrowed(&mut bytes)?).unwrap();
    /// regions.alloc_str("secret").unwrap();
    /// regions.wipe();
    /// assert_eq!(regions.stats().high_water, 0);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn wipe(&mut self)
    where
        M: ExclusiveMemory,
    {
        self.arenas.iter_mut().for_each(Arena::wipe);
    }

    /// Returns the arena from which these bytes were claimed.
    fn owner(&self, claimed: NonNull<u8>) -> Option<&Arena<M>> {
        self.arenas.iter().find(|arena| arena.contains(claimed))
    }
}

/// Why an arena was not added to [`Regions`], and the arena.
///
/// # Examples
///
/// ```
/// use marena_core::{Arena, PushError, Regions, StaticMemory};
/// static MEMORY: StaticMemory<1024> = StaticMemory::new();
/// let mut regions: Regions<_, 2> = Regions::new();
/// regions.push(Arena::from_static(&MEMORY)).unwrap();
/// let error = regions.push(Arena::from_static(&MEMORY)).unwrap_err();
/// assert!(matches!(error, PushError::Overlap(_)));
/// assert_eq!(error.into_arena().capacity(), 1024);
/// ```
#[non_exhaustive]
pub enum PushError<M: Memory> {
    /// The regions have `N` arenas already.
    Full(Arena<M>),
    /// The arena's memory overlaps that of another arena.
    Overlap(Arena<M>),
}

impl<M: Memory> PushError<M> {
    /// Returns the arena that was not added.
    #[must_use]
    pub fn into_arena(self) -> Arena<M> {
        match self {
            Self::Full(arena) | Self::Overlap(arena) => arena,
        }
    }
}

impl<M: Memory> fmt::Debug for PushError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(arena) => f.debug_tuple("Full").field(arena).finish(),
            Self::Overlap(arena) => f.debug_tuple("Overlap").field(arena).finish(),
        }
    }
}

impl<M: Memory> fmt::Display for PushError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("these regions have as many arenas as they can hold; give them a larger `N`"),
            Self::Overlap(arena) => {
                let region = arena.memory().region();
                write!(
                    f,
                    "{} bytes at {:#x} overlap the memory of another arena; give each arena its own",
                    region.len(),
                    region.addr()
                )
            }
        }
    }
}

impl<M: Memory> Error for PushError<M> {}

/// Returns the error of two arenas' that says more. A faulty request comes before a lost race, and
/// a lost race before a lack of room. Of two arenas without room, the one with more bytes left
/// counts.
fn weightier(one: AllocError, other: AllocError) -> AllocError {
    let rank = |error| match error {
        AllocError::Full { remaining, .. } => (0, remaining),
        AllocError::Contended { .. } => (1, 0),
        AllocError::TooLarge { .. } | AllocError::Alignment { .. } | AllocError::Format => (2, 0),
    };
    if rank(other) > rank(one) { other } else { one }
}

/// Allocating: as [`Arena`]'s methods of the same names.
impl<M: Memory, const COUNT: usize> Regions<M, COUNT> {
    crate::forward_allocate!('s => 's);
}

// SAFETY: every claim is an arena's, which is borrowed as long as the regions are. No two regions
// overlap: see `push`. So claimed bytes lie in the region of one arena, which their address tells.
// That arena gives them back and extends them.
unsafe impl<'a, M: Memory, const N: usize> Claim<'a> for &'a Regions<M, N> {
    type Origin = &'a Arena<M>;
    const MAX_ALIGN: usize = max_align::<M>();

    /// Claims from the first arena that has room. If none has room, returns the error that says
    /// most.
    unsafe fn claim(
        self,
        size: usize,
        align: usize,
        retries: Option<u32>,
    ) -> Result<Claimed<&'a Arena<M>>, AllocError> {
        let mut worst = AllocError::Full { requested: size, remaining: 0 };
        for arena in &self.arenas {
            // SAFETY: the caller's promises.
            match unsafe { arena.claim(size, align, retries) } {
                Ok(claimed) => return Ok(claimed),
                Err(error) => worst = weightier(worst, error),
            }
        }
        Err(worst)
    }

    unsafe fn give_back(self, start: NonNull<u8>, size: usize) {
        if let Some(arena) = self.owner(start) {
            // SAFETY: the caller's promise, for the arena that the bytes were claimed from.
            unsafe { arena.give_back(start, size) };
        }
    }

    unsafe fn extend(self, start: NonNull<u8>, old_size: usize, new_size: usize) -> Option<Claimed<&'a Arena<M>>> {
        // SAFETY: the caller's promise, for the arena that the bytes were claimed from.
        unsafe { self.owner(start)?.extend(start, old_size, new_size) }
    }

    unsafe fn epoch(self) -> NonZeroU64 {
        // Any arena reads a handle to no bytes. Without arenas, nothing reads it: this odd number
        // is no arena's epoch, because no region starts there.
        self.arenas.first().map_or(NonZeroU64::MAX, Arena::epoch)
    }

    fn remaining(self) -> usize {
        self.arenas.iter().map(Arena::remaining).max().unwrap_or(0)
    }
}

impl<M: Memory, const N: usize> Default for Regions<M, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Memory, const N: usize> View for Regions<M, N> {
    fn get<T: ?Sized + Nameable>(&self, handle: Handle<T>) -> Option<&T> {
        Regions::get(self, handle)
    }
}

impl<M: Memory, const N: usize> fmt::Debug for Regions<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regions").field(&self.arenas()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_errors_the_one_that_says_more_is_reported() {
        let full = |remaining| AllocError::Full { requested: 64, remaining };
        let contended = AllocError::Contended { retries: 3 };
        let too_large = AllocError::TooLarge { requested: 64 };
        let alignment = AllocError::Alignment { requested: 3, supported: 128 };
        // From the least to the most.
        let errors = [full(0), full(1), full(40), contended, too_large];
        for (i, &one) in errors.iter().enumerate() {
            for (j, &other) in errors.iter().enumerate() {
                assert_eq!(weightier(one, other), errors[i.max(j)]);
            }
        }
        // Of two that say as much, it is the first.
        for pair in [[too_large, alignment], [alignment, AllocError::Format], [AllocError::Format, too_large]] {
            assert_eq!(weightier(pair[0], pair[1]), pair[0]);
        }
    }
}
