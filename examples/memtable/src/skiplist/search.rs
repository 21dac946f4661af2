//! The way down to where a record belongs.

use std::cmp::Ordering;

use super::node::{MAX_HEIGHT, Next, Place, prefix};
use crate::record::{Record, Sequence};

/// A point in the order of the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'k> {
    prefix: u32,
    key: &'k [u8],
    /// `None`: before all records of the key.
    sequence: Option<Sequence>,
}

impl<'k> Target<'k> {
    #[inline]
    pub(super) fn of(record: Record<'k>) -> Self {
        Self { prefix: prefix(record.key), key: record.key, sequence: Some(record.sequence) }
    }

    #[inline]
    pub(super) fn first_of(key: &'k [u8]) -> Self {
        Self { prefix: prefix(key), key, sequence: None }
    }

    /// The neighbours between which this point lies on level 0, from `place` down; `visit` sees the first of each level's.
    #[inline]
    pub(super) fn descend<'n>(&self, mut place: Place<'n>, mut visit: impl FnMut(Place<'n>)) -> (Place<'n>, Next<'n>) {
        loop {
            let (previous, next) = self.gap_after(place);
            visit(previous);
            match previous.down() {
                Some(lower) => place = lower,
                None => return (previous, next),
            }
        }
    }

    /// The neighbours between which this point lies, on the level of `place` and not before it.
    #[inline]
    pub(super) fn gap_after<'n>(&self, mut place: Place<'n>) -> (Place<'n>, Next<'n>) {
        loop {
            let next = place.next();
            match self.compare(next) {
                Side::Behind(node) => place = node,
                Side::Tie(node) if self.is_after(node.record()) => place = node,
                Side::Tie(_) | Side::Before => return (place, next),
            }
        }
    }

    /// On which side of a node this point is, as far as the prefixes tell.
    #[inline]
    fn compare<'n>(&self, next: Next<'n>) -> Side<'n> {
        let order = next.prefix().cmp(&self.prefix);
        match next.node() {
            Some(node) if order.is_lt() => Side::Behind(node),
            Some(node) if order.is_eq() => Side::Tie(node),
            _ => Side::Before,
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

/// Where a point lies: behind a node, before it, or on either side of it.
enum Side<'n> {
    Behind(Place<'n>),
    Tie(Place<'n>),
    Before,
}

/// By level, the last node before a target; the head, where no search came yet.
pub(super) type Path<'n> = [Place<'n>; MAX_HEIGHT];

/// A search that stops wherever it would have to wait for memory, so that the time can be used for others.
#[derive(Debug)]
pub(super) struct Search<'n, 'k> {
    target: Target<'k>,
    /// A node before the target.
    place: Place<'n>,
    /// The node after `place`, if only its record tells on which side of it the target is.
    tie: Option<Place<'n>>,
    path: Path<'n>,
    /// Whether the path goes down to level 0.
    complete: bool,
}

impl<'n, 'k> Search<'n, 'k> {
    #[inline]
    pub(super) fn new(top: Place<'n>, target: Target<'k>) -> Self {
        Self { target, place: top, tie: None, path: [top; MAX_HEIGHT], complete: false }
    }

    /// Goes on to where memory is needed, and asks for that. Does nothing once the path is complete; `false` then.
    #[inline]
    pub(super) fn advance(&mut self) -> bool {
        if self.complete {
            return false;
        }
        if let Some(node) = self.tie.take() {
            if self.target.is_after(node.record()) {
                self.place = node;
            } else if !self.descend() {
                return false;
            }
        }
        loop {
            match self.target.compare(self.place.next()) {
                Side::Behind(node) => {
                    self.place = node;
                    node.prefetch_link();
                    return true;
                }
                Side::Tie(node) => {
                    self.tie = Some(node);
                    node.prefetch_record();
                    return true;
                }
                Side::Before if !self.descend() => return false,
                Side::Before => {}
            }
        }
    }

    /// One level down; `false` if there is none.
    fn descend(&mut self) -> bool {
        self.path[self.place.level()] = self.place;
        match self.place.down() {
            Some(lower) => self.place = lower,
            None => self.complete = true,
        }
        !self.complete
    }

    /// The target, and the path to it as far as it is known.
    pub(super) fn into_path(self) -> (Target<'k>, Path<'n>) {
        (self.target, self.path)
    }
}
