//! The places that a search or a walk keeps, as offsets.

use super::{Nodes, Place};
use crate::damage::Damage;
use crate::layout::{MAX_HEIGHT, block};
use crate::region::Region;

/// Two neighbours of one level, as they were at one moment.
#[derive(Debug)]
pub(crate) struct Gap<'n, R> {
    pub(crate) previous: Place<'n, R>,
    /// INVARIANT: a place on the same level, of the same nodes.
    next: Option<Place<'n, R>>,
}

impl<R> Clone for Gap<'_, R> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Gap<'_, R> {}

impl<'n, R: Region> Gap<'n, R> {
    /// Returns the gap behind a place.
    #[inline]
    pub(crate) fn behind(previous: Place<'n, R>) -> Result<Self, Damage> {
        // INVARIANT: `Place::next` stays on its level.
        Ok(Self { previous, next: previous.next()? })
    }

    #[inline]
    pub(crate) fn next(self) -> Option<Place<'n, R>> {
        self.next
    }
}

/// The gaps that a search came through, by level.
#[derive(Debug)]
pub(crate) struct Path<'n, R> {
    nodes: &'n Nodes<R>,
    /// INVARIANT: for each level, the offsets of a place of `nodes` and of the place that followed
    /// it, or 0.
    gaps: [(u32, u32); MAX_HEIGHT],
}

impl<'n, R: Region> Path<'n, R> {
    /// Creates a path that is behind the head on every level.
    #[inline]
    pub(crate) fn new(nodes: &'n Nodes<R>) -> Self {
        // INVARIANT: the head has all levels.
        Self { nodes, gaps: [(nodes.block + block::HEAD, 0); MAX_HEIGHT] }
    }

    /// Records a gap.
    #[inline]
    pub(crate) fn record(&mut self, gap: Gap<'n, R>) {
        debug_assert!(core::ptr::eq(self.nodes, gap.previous.nodes));
        // INVARIANT: a place and the next one of its level.
        if let Some(kept) = self.gaps.get_mut(gap.previous.level as usize) {
            *kept = (gap.previous.offset, gap.next.map_or(0, Place::offset));
        }
    }

    /// Returns the gap of a level.
    #[inline]
    pub(crate) fn gap(&self, level: u32) -> Gap<'n, R> {
        let (previous, next) = self.gaps[level as usize];
        let nodes = self.nodes;
        Gap {
            // INVARIANT: recorded from a place of this level, or the head.
            previous: Place { nodes, offset: previous, level },
            // INVARIANT: likewise.
            next: (next != 0).then_some(Place { nodes, offset: next, level }),
        }
    }
}

/// The last places of many on the lowest level.
#[derive(Debug)]
pub(crate) struct Batch<'n, R> {
    nodes: &'n Nodes<R>,
    /// INVARIANT: the `len` offsets from `start` on, which wrap at the end, are those of places of
    /// `nodes`.
    offsets: [u32; BATCH],
    start: usize,
    len: usize,
}

/// The largest number of places in a batch. Small targets have small stacks.
pub(crate) const BATCH: usize = if cfg!(target_pointer_width = "64") { 512 } else { 64 };

impl<'n, R: Region> Batch<'n, R> {
    pub(crate) fn new(nodes: &'n Nodes<R>) -> Self {
        Self { nodes, offsets: [0; BATCH], start: 0, len: 0 }
    }

    /// Returns the number of places.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a place. A full batch loses its first one.
    #[inline]
    pub(crate) fn push(&mut self, place: Place<'n, R>) {
        debug_assert!(core::ptr::eq(self.nodes, place.nodes));
        self.offsets[(self.start + self.len) % BATCH] = place.offset;
        if self.len == BATCH {
            self.start = (self.start + 1) % BATCH;
        } else {
            self.len += 1;
        }
    }

    /// Takes the last place.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Place<'n, R>> {
        self.len = self.len.checked_sub(1)?;
        // INVARIANT: added from a place; every node has level 0.
        Some(Place { nodes: self.nodes, offset: self.offsets[(self.start + self.len) % BATCH], level: 0 })
    }
}
