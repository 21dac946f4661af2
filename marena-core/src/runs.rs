//! The runs of the arena that one lease owns, and how far a scope has used each: integers only.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::placement::{Span, place};

/// The runs that a lease keeps beside its current one. A scope's new run is as long as all others
/// together, so a few suffice for any size.
const SPARES: usize = 6;

/// The slot of the current run, which lies in the lease's bump.
pub(crate) const CURRENT: usize = 0;

/// All slots: that of the current run, and those of the spares.
pub(crate) const SLOTS: usize = SPARES + 1;

/// The spare runs of a lease.
pub(crate) struct Spares {
    /// INVARIANT: the bytes of each are the lease's, and in no other run of it. An unused slot has
    /// an empty one.
    runs: [Cell<Span>; SPARES],
}

impl Spares {
    pub(crate) const fn new() -> Self {
        Self { runs: [const { Cell::new(Span { start: 0, end: 0 }) }; SPARES] }
    }

    /// The run in `slot`, which is not that of the current run.
    pub(crate) fn get(&self, slot: usize) -> Span {
        self.runs.get(slot.wrapping_sub(1)).map_or(Span { start: 0, end: 0 }, Cell::get)
    }

    /// Puts another run in `slot`, which is not that of the current run.
    pub(crate) fn set(&self, slot: usize, run: Span) {
        if let Some(spare) = self.runs.get(slot.wrapping_sub(1)) {
            spare.set(run);
        }
    }
}

/// Where a scope is in the runs of its lease, and how far it has used each. The rest of each run is
/// free for it.
#[derive(Clone)]
pub(crate) struct Marks {
    /// A position for each slot, and at the end the slot of the run that the scope is in: one array
    /// of 32 bytes, all of them zero at first, so that a scope begins with two stores of it. A
    /// position outside its run, which has another run by now or was not used yet, stands for the
    /// run's start.
    words: [Cell<u32>; SLOTS + 1],
}

impl Marks {
    /// In the current run, and all runs are free from their start on: so they are for the lease
    /// itself.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { words: [const { Cell::new(0) }; SLOTS + 1] }
    }

    /// The slot of the run that the scope is in.
    pub(crate) fn slot(&self) -> usize {
        self.words[SLOTS].get() as usize
    }

    /// The scope goes on in the run in `slot`.
    pub(crate) fn enter(&self, slot: usize) {
        self.words[SLOTS].set(slot as u32);
    }

    /// What is free of `run`, which is in `slot`.
    pub(crate) fn free(&self, slot: usize, run: Span) -> Span {
        let mark = self.words[..SLOTS].get(slot).map_or(0, Cell::get);
        if (run.start..=run.end).contains(&mark) { Span { start: mark, ..run } } else { run }
    }

    /// The run in `slot` is used up to `position`.
    pub(crate) fn set(&self, slot: usize, position: u32) {
        if let Some(mark) = self.words[..SLOTS].get(slot) {
            mark.set(position);
        }
    }
}

/// The slot of the shortest of `runs` that has room for the request.
pub(crate) fn best_fit(
    runs: impl Iterator<Item = (usize, Span)>,
    base: usize,
    size: usize,
    align: usize,
) -> Option<usize> {
    let fitting = runs.filter(|(_, run)| place(base, run.start, run.end, size, align).is_some());
    fitting.min_by_key(|(_, run)| run.len()).map(|(slot, _)| slot)
}

/// The most bytes that one request could get of `runs`, or of what lies behind the cursor, or of
/// both where they meet.
pub(crate) fn longest(runs: impl Iterator<Item = Span>, cursor: u32, limit: u32) -> usize {
    let rest = limit - cursor;
    let reach = |run: Span| if run.end == cursor { run.len() + rest } else { run.len() };
    runs.map(reach).fold(rest, u32::max) as usize
}
