//! What is measured.

use std::time::{Duration, Instant};

use crate::contender::{Contender, chain, free_chain};
use crate::target::Target;

/// Something to do, and everyone who can do it.
pub struct Work {
    /// Short, for file names and the command line.
    pub id: &'static str,
    /// What is done.
    pub title: &'static str,
    /// What a figure is nanoseconds of.
    pub unit: &'static str,
    /// How it is measured, in one sentence or two.
    pub how: &'static str,
    /// Those who can, in the order in which they take turns.
    pub entries: Vec<Entry>,
    /// Those who cannot, and why.
    pub absent: Vec<(&'static str, &'static str)>,
    /// What is aimed at.
    pub targets: Vec<Target>,
    /// How long.
    pub effort: Effort,
}

/// How many rounds, and how much of each round is one entry's.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Every entry has one turn in each.
    pub rounds: usize,
    /// A turn lasts at least this long,
    pub turn: Duration,
    /// and has at least so many batches.
    pub batches: usize,
}

impl Effort {
    /// For batches of microseconds.
    pub const SMALL: Self = Self { rounds: 25, turn: Duration::from_millis(8), batches: 1 };
    /// For batches of milliseconds, of which a turn has a few.
    pub const MEDIUM: Self = Self { rounds: 25, turn: Duration::from_millis(16), batches: 1 };
    /// For batches of several threads, which on a busy machine seldom run at once.
    pub const THREADS: Self = Self { rounds: 25, turn: Duration::from_millis(60), batches: 1 };
    /// For batches of a tenth of a second and more.
    pub const LARGE: Self = Self { rounds: 5, turn: Duration::ZERO, batches: 4 };
}

/// One contender's part in a work.
pub struct Entry {
    /// As the tables name it.
    pub name: String,
    /// How often a batch does what is measured.
    pub operations: usize,
    /// Does it, and says how long it took, without what had to be done before and after.
    pub batch: Box<dyn FnMut() -> Duration>,
}

impl Entry {
    /// An entry.
    pub fn new(name: impl Into<String>, operations: usize, batch: impl FnMut() -> Duration + 'static) -> Self {
        Self { name: name.into(), operations, batch: Box::new(batch) }
    }

    /// `count` blocks for a `T` from a contender with room for them, reset before each batch and
    /// not measured.
    pub fn blocks<C: Contender + 'static, T>(count: usize) -> Self {
        let mut contender = C::with_capacity(size_of::<T>() * count);
        Self::new(C::NAME, count, move || {
            contender.reset();
            let mut source = contender.source();
            let start = Instant::now();
            let last = chain::<T>(&mut source, count);
            let elapsed = start.elapsed();
            // SAFETY: made just now, and used by nobody.
            unsafe { free_chain::<T>(&mut source, last) };
            elapsed
        })
    }
}
