//! A concurrent skip list in one arena.
//!
//! Insert-only: any number of threads insert and read at once, without locks; everything goes at once, with the list, whose arena
//! its pool then recycles. Nodes are ordered by key, and those of one key by sequence, the newest
//! first, so the first record of a key is the one that counts, whichever thread came first.
//!
//! A key's older records stay in the arena until the end, as in any log-structured engine's memtable: that
//! way nothing that a reader can see ever changes, and an insert has one way to succeed.

mod node;
mod search;
#[cfg(test)]
mod tests;

use marena_std::{AllocError, Stats};

use crate::record::{Record, Sequence};
pub(crate) use node::Home;
use node::{MAX_HEIGHT, NewNode, Nodes, Place};
use search::{Path, Search, Target};

/// Records that [`SkipList::insert_some`] inserts at once: about as many as a processor has outstanding cache misses.
pub(crate) const ABREAST: usize = 16;

/// Records in order, in an arena.
#[derive(Debug)]
pub(crate) struct SkipList<A> {
    nodes: Nodes<A>,
}

impl<A: Home> SkipList<A> {
    /// An empty list in `arena`.
    pub(crate) fn new(arena: A) -> Result<Self, AllocError> {
        Ok(Self { nodes: Nodes::new(arena)? })
    }

    /// Adds a record. A refused one changes nothing.
    #[inline]
    pub(crate) fn insert(&self, record: Record<'_>) -> Result<(), AllocError> {
        let node = self.make(record)?;
        let target = Target::of(record);
        let top = self.nodes.top();
        let mut path = [top; MAX_HEIGHT];
        target.descend(top, |previous| path[previous.level()] = previous);
        link(node, &target, &path);
        Ok(())
    }

    /// Adds up to [`ABREAST`] records of the front of `records`: how many, or why not even the first.
    ///
    /// Their searches take turns: while one waits for memory, the others go on.
    pub(crate) fn insert_some(&self, records: &[Record<'_>]) -> Result<usize, AllocError> {
        let mut inserts: [Option<(NewNode<'_>, Search<'_, '_>)>; ABREAST] = [const { None }; ABREAST];
        let mut count = 0;
        for (insert, &record) in inserts.iter_mut().zip(records) {
            match self.make(record) {
                Ok(node) => *insert = Some((node, Search::new(self.nodes.top(), Target::of(record)))),
                Err(error) if count == 0 => return Err(error),
                Err(_) => break,
            }
            count += 1;
        }
        let mut searching = true;
        while searching {
            searching = false;
            for (_, search) in inserts[..count].iter_mut().flatten() {
                searching |= search.advance();
            }
        }
        for (node, search) in inserts.into_iter().flatten() {
            let (target, path) = search.into_path();
            link(node, &target, &path);
        }
        Ok(count)
    }

    /// The newest record of a key.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<Record<'_>> {
        // What follows is of this key, or a later one.
        let (_, next) = Target::first_of(key).descend(self.nodes.top(), |_| ());
        next.node().map(Place::record).filter(|record| record.key == key)
    }

    /// All records: by key, then from the newest to the oldest. Records that others add meanwhile may be among them or not.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter { place: self.nodes.top().bottom() }
    }

    fn make(&self, record: Record<'_>) -> Result<NewNode<'_>, AllocError> {
        self.nodes.make(record, height(record.sequence))
    }

    /// The arena's figures.
    pub(crate) fn stats(&self) -> Stats {
        self.nodes.stats()
    }
}

/// Puts a node where the path to it leads.
#[inline]
fn link<'n>(mut node: NewNode<'n>, target: &Target<'_>, path: &Path<'n>) {
    // From the bottom: once the node is on level 0 it is in the list, and the levels above are only shortcuts to it.
    for &place in &path[..node.height()] {
        // Other nodes may have come in between; they are behind the place, which is never unlinked.
        let (mut previous, mut next) = target.gap_after(place);
        while !node.link(previous, next) {
            (previous, next) = target.gap_after(previous);
        }
    }
}

/// A node's height: 1, and one more with a chance of a quarter each. Drawn from a hash of the sequence, so that it
/// needs no state and a list of the same records always has the same shape.
#[inline]
fn height(sequence: Sequence) -> usize {
    // Multiplication carries every bit upwards, so the top bits depend on all; once more, for sequences at equal distances.
    let hash = (sequence.get() + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let hash = (hash ^ hash >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (1 + hash.leading_zeros() as usize / 2).min(MAX_HEIGHT)
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
