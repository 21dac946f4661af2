//! The spare runs of a lease, and how far a scope has used each run: integers only.
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::ops::Range;

use crate::placement::Span;

/// How many runs a lease keeps beside its current one. A scope's new run is as long as all others
/// together, so a few suffice for any size.
const SPARES: usize = 6;

/// The slot of the current run, which lies in the lease's bump.
pub(crate) const CURRENT: usize = 0;

/// The number of slots: one for the current run, and the others for spares.
pub(crate) const SLOTS: usize = SPARES + 1;

/// The spare runs of a lease.
pub(crate) struct Spares {
    /// INVARIANT: the bytes of each belong to the lease, and are in no other run of it. An unused
    /// slot has an empty run.
    runs: [Cell<Span>; SPARES],
    /// Only slots below this one can have bytes.
    end: Cell<usize>,
    /// The number of bytes in all spare runs.
    bytes: Cell<u32>,
    /// No spare run is longer.
    longest: Cell<u32>,
}

impl Spares {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            runs: [const { Cell::new(Span { start: 0, end: 0 }) }; SPARES],
            end: Cell::new(CURRENT + 1),
            bytes: Cell::new(0),
            longest: Cell::new(0),
        }
    }

    /// Returns the run in `slot`, which is not that of the current run.
    pub(crate) fn get(&self, slot: usize) -> Span {
        self.runs.get(slot.wrapping_sub(1)).map_or(Span { start: 0, end: 0 }, Cell::get)
    }

    /// Puts another run in `slot`, which is not that of the current run.
    pub(crate) fn set(&self, slot: usize, run: Span) {
        let Some(spare) = self.runs.get(slot.wrapping_sub(1)) else { return };
        let left = spare.replace(run);
        // Runs overlap only where a peer damaged the cursor. Then the sum means nothing.
        self.bytes.set(self.bytes.get().wrapping_sub(left.len()).wrapping_add(run.len()));
        self.longest.set(self.longest.get().max(run.len()));
        if run.len() > 0 {
            self.end.set(self.end.get().max(slot + 1));
        } else if self.end.get() == slot + 1 {
            self.end.set(slot);
        }
    }

    /// Returns all slots that may have bytes, that of the current run included.
    pub(crate) fn slots(&self) -> Range<usize> {
        CURRENT..self.end.get()
    }

    /// Returns the slot for another run: an unused one if there is one, or else that of the
    /// shortest.
    pub(crate) fn slot_for_another(&self) -> usize {
        if self.end.get() < SLOTS {
            return self.end.get();
        }
        let lens = self.runs.iter().map(|run| run.get().len());
        lens.zip(1..).min().map_or(CURRENT + 1, |(_, slot)| slot)
    }

    /// Returns the slot of the run that has bytes and ends at a position.
    #[inline]
    pub(crate) fn ending_at(&self, position: u32) -> Option<usize> {
        let ends = |run: &Cell<Span>| run.get().end == position && run.get().len() > 0;
        Some(self.runs.iter().position(ends)? + 1)
    }

    /// Returns how many bytes all spare runs have.
    pub(crate) fn bytes(&self) -> u32 {
        self.bytes.get()
    }

    /// Returns whether a spare run may have room for `size` bytes.
    pub(crate) fn may_fit(&self, size: usize) -> bool {
        size <= self.longest.get() as usize
    }

    /// Measures the longest spare run, after `may_fit` promised a run that a request did not find.
    pub(crate) fn measure(&self) {
        self.longest.set(self.runs.iter().map(|run| run.get().len()).fold(0, u32::max));
    }
}

/// The run that a scope is in, and how far it has used each run of its lease. The rest of each run
/// is free for it.
#[derive(Clone)]
pub(crate) struct Marks {
    /// `None` until something is noted, so that a scope that stays in its run pays nothing for
    /// them.
    noted: Cell<Option<Noted>>,
}

/// What is noted of the runs.
#[derive(Clone, Copy)]
struct Noted {
    /// A position for each slot. A position outside its run, which has another run by now or was
    /// not used yet, stands for the run's start.
    used: [u32; SLOTS],
    /// The slot of the run that the scope is in.
    slot: u32,
}

impl Marks {
    /// Creates marks in the current run, with all bytes of all runs free: the marks of the lease
    /// itself.
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { noted: Cell::new(None) }
    }

    /// Makes these marks equal to others.
    #[inline(always)]
    pub(crate) fn go_on_as(&self, other: &Self) {
        self.noted.set(other.noted.get());
    }

    /// Returns the slot of the run that the scope is in.
    pub(crate) fn slot(&self) -> usize {
        self.get().slot as usize
    }

    /// Makes the scope go on in the run in `slot`.
    pub(crate) fn enter(&self, slot: usize) {
        self.noted.set(Some(Noted { slot: slot as u32, ..self.get() }));
    }

    /// Returns what is free of `run`, which is in `slot`.
    #[inline]
    pub(crate) fn free(&self, slot: usize, run: Span) -> Span {
        let mark = self.get().used.get(slot).map_or(0, |&mark| mark);
        if (run.start..=run.end).contains(&mark) { Span { start: mark, ..run } } else { run }
    }

    /// Notes that the run in `slot` is used up to `position`.
    pub(crate) fn set(&self, slot: usize, position: u32) {
        let mut noted = self.get();
        if let Some(mark) = noted.used.get_mut(slot) {
            *mark = position;
        }
        self.noted.set(Some(noted));
    }

    #[inline]
    fn get(&self) -> Noted {
        self.noted.get().unwrap_or(Noted { used: [0; SLOTS], slot: CURRENT as u32 })
    }
}

/// Returns the size of the largest request that fits in one of `runs`, or behind the cursor, or in
/// both where they meet.
pub(crate) fn longest(runs: impl Iterator<Item = Span>, cursor: u32, limit: u32) -> usize {
    let rest = limit - cursor;
    let reach = |run: Span| if run.end == cursor { run.len() + rest } else { run.len() };
    runs.map(reach).fold(rest, u32::max) as usize
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn run(start: u32, len: u32) -> Span {
        Span { start, end: start + len }
    }

    #[test]
    fn spares_are_put_into_unused_slots_first_and_then_in_place_of_the_shortest() {
        let spares = Spares::new();
        assert_eq!((spares.slots(), spares.bytes(), spares.may_fit(0), spares.may_fit(1)), (0..1, 0, true, false));
        for (slot, len) in (1..).zip([64, 32, 48, 16, 80, 16]) {
            assert_eq!(spares.slot_for_another(), slot);
            spares.set(slot, run(1000 * slot as u32, len));
            assert_eq!(spares.slots(), 0..slot + 1);
        }
        assert_eq!((spares.bytes(), spares.slots()), (256, 0..SLOTS));
        assert_eq!((spares.may_fit(80), spares.may_fit(81)), (true, false));
        // Of the two shortest, the first.
        assert_eq!(spares.slot_for_another(), 4);
        spares.set(4, run(9000, 96));
        assert_eq!(spares.slot_for_another(), 6);
        assert_eq!(spares.bytes(), 336);
        // The last one goes away, and its slot is the next one.
        spares.set(6, run(6016, 0));
        assert_eq!((spares.slots(), spares.slot_for_another(), spares.bytes()), (0..6, 6, 320));
        // One before it leaves the end where it is.
        spares.set(2, run(2032, 0));
        assert_eq!((spares.slots(), spares.slot_for_another()), (0..6, 6));
        // The longest is known again after it was measured.
        spares.set(4, run(9096, 0));
        assert!(spares.may_fit(96));
        spares.measure();
        assert_eq!((spares.may_fit(80), spares.may_fit(81)), (true, false));
    }

    #[test]
    fn a_run_is_found_by_its_end_if_it_has_bytes() {
        let spares = Spares::new();
        spares.set(1, run(100, 0));
        spares.set(3, run(200, 8));
        spares.set(5, run(92, 8));
        let found = |position| spares.ending_at(position);
        assert_eq!([found(0), found(100), found(200), found(208), found(92)], [None, Some(5), None, Some(3), None]);
        spares.set(5, run(100, 0));
        assert_eq!(found(100), None);
        // There are no such slots.
        spares.set(CURRENT, run(0, 8));
        spares.set(SLOTS, run(0, 8));
        let all: Vec<Span> = (0..=SLOTS).map(|slot| spares.get(slot)).collect();
        assert_eq!(all.iter().map(|run| run.len()).sum::<u32>(), 8);
        assert_eq!((spares.bytes(), spares.slots()), (8, 0..5));
        assert_eq!((all[CURRENT].start, all[CURRENT].end, all[SLOTS].end), (0, 0, 0));
    }
}
