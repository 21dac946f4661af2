//! A concurrent skip list in one arena.
//!
//! Insert-only: any number of threads insert and read at once, without locks; everything goes at once, by
//! [`SkipList::reset`], for which nobody else may use the list. Nodes are ordered by key, and those of one key by sequence, the newest
//! first, so the first record of a key is the one that counts, whichever thread came first.
//!
//! A key's older records stay in the arena until the reset, as in any log-structured engine's memtable: that
//! way nothing that a reader can see ever changes, and an insert has one way to succeed.

mod node;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use marena_std::{AllocError, Arena, Stats};

use crate::record::{Record, Sequence};
use node::{MAX_HEIGHT, Next, Nodes, Place, prefix};

/// Records in order, in an arena.
#[derive(Debug)]
pub(crate) struct SkipList {
    nodes: Nodes,
}

impl SkipList {
    /// An empty list in `arena`, whatever that held before.
    pub(crate) fn new(arena: Arena) -> Result<Self, AllocError> {
        Ok(Self { nodes: Nodes::new(arena)? })
    }

    /// Adds a record. A refused one changes nothing.
    #[inline]
    pub(crate) fn insert(&self, record: Record<'_>) -> Result<(), AllocError> {
        let height = height(record.sequence);
        let mut node = self.nodes.make(record, height)?;
        let target = Target::of(record);
        // Per level that the node will be on: where it belongs.
        let mut gaps = [None; MAX_HEIGHT];
        target.search(self.nodes.top(), |previous, next| {
            if previous.level() < height {
                gaps[previous.level()] = Some((previous, next));
            }
        });
        // From the bottom: once the node is on level 0 it is in the list, and the levels above are only shortcuts to it.
        for (mut previous, mut next) in gaps.into_iter().flatten() {
            while !node.link(previous, next) {
                // Other nodes came in between; they are behind `previous`, which is never unlinked.
                (previous, next) = target.gap_after(previous);
            }
        }
        Ok(())
    }

    /// The newest record of a key.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<Record<'_>> {
        let (_, next) = Target::first_of(key).search(self.nodes.top(), |_, _| ());
        // What follows is of this key, or a later one.
        next.node().map(Place::record).filter(|record| record.key == key)
    }

    /// All records: by key, then from the newest to the oldest. Records that others add meanwhile may be among them or not.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter { place: self.nodes.top().bottom() }
    }

    /// Removes everything, in constant time.
    pub(crate) fn reset(&mut self) -> Result<(), AllocError> {
        self.nodes.reset()
    }

    /// The arena's figures.
    pub(crate) fn stats(&self) -> Stats {
        self.nodes.stats()
    }
}

/// A node's height: 1, and one more with a chance of a quarter each. Drawn from a hash of the sequence, so that it
/// needs no state and a list of the same records always has the same shape.
#[inline]
fn height(sequence: Sequence) -> usize {
    // Multiplication carries every bit upwards, so the top bits depend on all.
    let hash = (sequence.get() + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (1 + hash.leading_zeros() as usize / 2).min(MAX_HEIGHT)
}

/// A point in the order of the list.
struct Target<'k> {
    prefix: u32,
    key: &'k [u8],
    /// `None`: before all records of the key.
    sequence: Option<Sequence>,
}

impl<'k> Target<'k> {
    #[inline]
    fn of(record: Record<'k>) -> Self {
        Self { prefix: prefix(record.key), key: record.key, sequence: Some(record.sequence) }
    }

    #[inline]
    fn first_of(key: &'k [u8]) -> Self {
        Self { prefix: prefix(key), key, sequence: None }
    }

    /// The neighbours between which this point lies, from the level of `place` down: each pair is shown to `visit`, that of level 0
    /// is the result.
    #[inline]
    fn search<'n>(&self, mut place: Place<'n>, mut visit: impl FnMut(Place<'n>, Next<'n>)) -> (Place<'n>, Next<'n>) {
        loop {
            let (previous, next) = self.gap_after(place);
            visit(previous, next);
            match previous.down() {
                Some(lower) => place = lower,
                None => return (previous, next),
            }
        }
    }

    /// The neighbours between which this point lies, on the level of `place` and not before it.
    #[inline]
    fn gap_after<'n>(&self, mut place: Place<'n>) -> (Place<'n>, Next<'n>) {
        loop {
            let next = place.next();
            if next.prefix() > self.prefix {
                return (place, next);
            }
            match next.node() {
                Some(node) if next.prefix() < self.prefix || self.is_after(node.record()) => place = node,
                _ => return (place, next),
            }
        }
    }

    #[inline]
    fn is_after(&self, record: Record<'_>) -> bool {
        match record.key.cmp(self.key) {
            Ordering::Less => true,
            Ordering::Equal => self.sequence.is_some_and(|sequence| record.sequence > sequence),
            Ordering::Greater => false,
        }
    }
}

/// See [`SkipList::iter`].
#[derive(Debug)]
pub(crate) struct Iter<'l> {
    /// The node that was yielded last, on level 0.
    place: Place<'l>,
}

impl<'l> Iterator for Iter<'l> {
    type Item = Record<'l>;

    #[inline]
    fn next(&mut self) -> Option<Record<'l>> {
        self.place = self.place.next().node()?;
        Some(self.place.record())
    }
}
