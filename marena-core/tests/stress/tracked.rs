//! Blocks with their expected content, random numbers, and the counts that show what a run reached.

use std::alloc::Layout;
use std::ops::Range;
use std::ptr::NonNull;
use std::thread;

use allocator_api2::alloc::Allocator;

/// A small random generator (split-mix). It prints its seed if the test fails.
pub(crate) struct Rng {
    /// The seed that repeats the test, or `None` for a generator that follows from another.
    seed: Option<u64>,
    state: u64,
}

impl Rng {
    /// Returns a generator for one test. It differs in every run unless the environment names a
    /// seed.
    pub(crate) fn seeded(test: u64) -> Self {
        let fresh = || {
            // Under Miri's isolation there is no clock.
            if cfg!(miri) {
                return test;
            }
            std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_nanos() as u64
        };
        let named = std::env::var("MARENA_STRESS_SEED");
        let seed = named.map_or_else(|_| fresh(), |seed| seed.parse().expect("a seed"));
        Self { seed: Some(seed), state: seed }
    }

    /// Returns a generator that follows from a number of another one.
    pub(crate) fn from_seed(state: u64) -> Self {
        Self { seed: None, state }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Returns a byte to fill with, never 0.
    pub(crate) fn mark(&mut self) -> u8 {
        1 + self.below(255) as u8
    }

    /// Returns a size in bytes: mostly small, sometimes more than any source has left.
    pub(crate) fn size(&mut self) -> usize {
        let bound: u64 = match self.below(64) {
            0 => 30_000,
            1..4 => 2000,
            4..24 => 200,
            24..28 => 1,
            _ => 40,
        };
        self.below(if cfg!(miri) { bound.div_ceil(8) } else { bound }) as usize
    }

    pub(crate) fn align(&mut self) -> usize {
        1 << [0, 1, 3, 3, 4, 6, 9, 12][self.below(8) as usize]
    }
}

impl Drop for Rng {
    fn drop(&mut self) {
        if let Some(seed) = self.seed
            && thread::panicking()
        {
            eprintln!("MARENA_STRESS_SEED={seed} repeats this, as far as one thread took part");
        }
    }
}

/// How often each outcome happened.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    pub(crate) blocks: u64,
    pub(crate) failed: u64,
    pub(crate) failed_initialisers: u64,
    pub(crate) grown: u64,
    pub(crate) grown_in_place: u64,
    pub(crate) shrunk: u64,
    pub(crate) freed: u64,
    pub(crate) leases: u64,
    pub(crate) scopes: u64,
    pub(crate) nested: u64,
}

impl Reached {
    pub(crate) fn add(&mut self, more: &Self) {
        self.blocks += more.blocks;
        self.failed += more.failed;
        self.failed_initialisers += more.failed_initialisers;
        self.grown += more.grown;
        self.grown_in_place += more.grown_in_place;
        self.shrunk += more.shrunk;
        self.freed += more.freed;
        self.leases += more.leases;
        self.scopes += more.scopes;
        self.nested += more.nested;
    }

    /// Asserts that every outcome happened. A run that misses one shows nothing.
    pub(crate) fn assert_everything(&self) {
        let Self { blocks, failed, failed_initialisers, grown, grown_in_place, shrunk, freed, leases, scopes, nested } =
            *self;
        for count in [blocks, failed, failed_initialisers, grown, grown_in_place, shrunk, freed, leases, scopes, nested]
        {
            assert!(count > 0, "{self:?}");
        }
    }
}

/// Bytes that are kept, and the byte that fills them.
pub(crate) enum Kept<'x> {
    Own(&'x mut [u8], u8),
    Published(&'x [u8], u8),
}

impl Kept<'_> {
    fn parts(&self) -> (&[u8], u8) {
        match self {
            Self::Own(bytes, mark) => (bytes, *mark),
            Self::Published(bytes, mark) => (bytes, *mark),
        }
    }

    pub(crate) fn check(&self) {
        let (bytes, mark) = self.parts();
        assert!(bytes.iter().all(|&byte| byte == mark), "{mark:#x} became {bytes:x?}");
    }

    pub(crate) fn range(&self) -> Range<usize> {
        range_of(self.parts().0)
    }
}

pub(crate) fn range_of(bytes: &[u8]) -> Range<usize> {
    let start = bytes.as_ptr().addr();
    start..start + bytes.len()
}

/// Asserts that no two ranges share a byte.
pub(crate) fn assert_apart(ranges: impl IntoIterator<Item = Range<usize>>) {
    let mut ranges: Vec<_> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
    ranges.sort_unstable_by_key(|range| range.start);
    for pair in ranges.windows(2) {
        assert!(pair[0].end <= pair[1].start, "{pair:x?}");
    }
}

/// A buffer that grows and shrinks through its allocator, as a collection does. One byte fills it.
pub(crate) struct Buffer<A: Allocator> {
    /// INVARIANT: an initialised block of `allocator` with this layout.
    start: NonNull<u8>,
    layout: Layout,
    allocator: A,
    mark: u8,
}

impl<A: Allocator> Buffer<A> {
    pub(crate) fn new(allocator: A, size: usize, align: usize, mark: u8) -> Option<Self> {
        let layout = Layout::from_size_align(size, align).expect("small sizes");
        let block = allocator.allocate_zeroed(layout).ok()?;
        assert!(block.len() >= size);
        let mut buffer = Self { start: block.cast(), layout, allocator, mark };
        assert!(buffer.bytes().iter().all(|&byte| byte == 0), "{:x?}", buffer.bytes());
        assert!(buffer.start.addr().get().is_multiple_of(align));
        buffer.fill(0);
        Some(buffer)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the invariant of `start`, and a shared borrow of its only owner.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }

    fn fill(&mut self, from: usize) {
        // SAFETY: as in `bytes`, exclusively.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) };
        bytes[from..].fill(self.mark);
    }

    pub(crate) fn check(&self) {
        assert!(self.bytes().iter().all(|&byte| byte == self.mark), "{:#x} became {:x?}", self.mark, self.bytes());
    }

    /// Grows the buffer by `more` bytes, zeroed or not. Returns whether it stayed where it was, or
    /// `None` if the allocation failed.
    pub(crate) fn grow(&mut self, more: usize, zeroed: bool) -> Option<bool> {
        let old = self.layout;
        let new = Layout::from_size_align(old.size() + more, old.align()).expect("small sizes");
        let grown = if zeroed {
            // SAFETY: a block of this layout, and no smaller one.
            unsafe { self.allocator.grow_zeroed(self.start, old, new) }
        } else {
            // SAFETY: as above.
            unsafe { self.allocator.grow(self.start, old, new) }
        };
        let block = grown.ok()?.cast();
        let stayed = block == self.start;
        self.start = block;
        if zeroed {
            self.layout = new;
            let (kept, added) = self.bytes().split_at(old.size());
            assert!(kept.iter().all(|&byte| byte == self.mark), "{kept:x?}");
            assert!(added.iter().all(|&byte| byte == 0), "{added:x?} behind {}", old.size());
        } else {
            self.check();
            // SAFETY: the block has `more` bytes behind the old ones, still to be initialised.
            let behind = unsafe { block.add(old.size()) };
            // SAFETY: as above.
            unsafe { behind.write_bytes(0, more) };
            self.layout = new;
        }
        self.fill(old.size());
        Some(stayed)
    }

    pub(crate) fn shrink(&mut self, size: usize) {
        let new = Layout::from_size_align(size, self.layout.align()).expect("small sizes");
        // SAFETY: a block of this layout, and no larger one.
        let block = unsafe { self.allocator.shrink(self.start, self.layout, new) }.expect("shrinking in place");
        self.start = block.cast();
        self.layout = new;
        self.check();
    }
}

impl<A: Allocator> Drop for Buffer<A> {
    fn drop(&mut self) {
        // SAFETY: a block of this layout, not used again.
        unsafe { self.allocator.deallocate(self.start, self.layout) };
    }
}
