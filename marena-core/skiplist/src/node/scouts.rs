//! Prefetches the nodes that a walk along the lowest level comes to.
//!
//! A link tells only the next node, so a walk along the links waits for each node. But the links of
//! a higher level tell nodes farther on. A scout follows the lowest level from one of these to the
//! next. Several scouts take turns: while one waits for its node, the others and the walk go on.
//!
//! Scouts only prefetch. What they meet is checked as far as they read it. At damage they end, and
//! the walk finds it by itself.

use super::shaped::USUAL_END;
use super::{Nodes, Place};
use crate::layout::LINK;
use crate::prefetch::prefetch;
use crate::region::Region;
use crate::shape::Shape;

/// The level whose nodes scouts begin at. About every eighth node is on it.
const LEVEL: u32 = 3;

/// The number of scouts.
const SCOUTS: usize = 8;

/// The number of nodes that the scouts together are ahead of the walk.
const AHEAD: u32 = 256;

/// The number of nodes that a walk passes before its scouts begin. Most walks end sooner.
const IDLE: u32 = 16;

/// The scouts of a walk.
#[derive(Debug)]
pub(crate) struct Scouts<'n, R> {
    nodes: &'n Nodes<R>,
    /// INVARIANT: offsets of places of `nodes`, or 0 for a scout that has none.
    scouts: [u32; SCOUTS],
    /// The scout whose turn it is, modulo their number.
    turn: usize,
    /// Where the next scout begins.
    /// INVARIANT: the offset of a place of `nodes` on `LEVEL`, or 0.
    start: u32,
    /// The number of nodes that were scouted, and that the walk has not passed since.
    ahead: u32,
    /// The number of nodes that the walk still passes before the scouts begin.
    idle: u32,
}

impl<'n, R: Region> Scouts<'n, R> {
    /// Returns scouts that begin after some nodes.
    #[inline]
    pub(crate) fn new(nodes: &'n Nodes<R>) -> Self {
        Self { nodes, scouts: [0; SCOUTS], turn: 0, start: 0, ahead: 0, idle: IDLE }
    }

    /// Returns scouts that begin at once.
    #[inline]
    pub(crate) fn at_once(nodes: &'n Nodes<R>) -> Self {
        Self { idle: 0, ..Self::new(nodes) }
    }

    /// Goes on as the walk passes a node.
    #[inline]
    pub(crate) fn pass(&mut self, place: Place<'n, R>) {
        match self.ahead.checked_sub(1) {
            Some(ahead) => {
                self.ahead = ahead;
                self.step();
                if self.ahead < AHEAD {
                    self.hurry(place);
                }
            }
            None => self.begin(place),
        }
    }

    /// Begins, or begins again after the scouts came to the end, at a node that has the level.
    #[cold]
    fn begin(&mut self, place: Place<'n, R>) {
        let Ok(node) = place.node() else { return };
        self.idle = self.idle.saturating_sub(1);
        if self.idle > 0 || !node.has_level(LEVEL) {
            return node.prefetch_ahead();
        }
        // INVARIANT: the node has the level.
        self.begin_behind(Place { level: LEVEL, ..place });
    }

    /// Moves one scout more. With few nodes ahead, no scout may have come to the walk's next ones.
    #[inline(never)]
    fn hurry(&mut self, place: Place<'n, R>) {
        if let Ok(node) = place.node() {
            node.prefetch_ahead();
        }
        self.step();
    }

    /// Moves the next scout. One that came to a node of the level begins anew.
    #[inline]
    fn step(&mut self) {
        self.turn = self.turn.wrapping_add(1);
        let offset = self.scouts[self.turn % SCOUTS];
        if offset != 0 {
            // INVARIANT: that of `scouts`.
            let place = Place { nodes: self.nodes, offset, level: 0 };
            if place.height() <= LEVEL {
                return self.follow(place);
            }
        }
        self.next_start();
    }

    /// Lets the scout begin at the next start.
    #[inline(never)]
    fn next_start(&mut self) {
        match self.start {
            0 => self.scouts[self.turn % SCOUTS] = 0,
            // INVARIANT: that of `start`.
            offset => self.begin_behind(Place { nodes: self.nodes, offset, level: LEVEL }),
        }
    }

    /// Lets the scout begin at a place on the level, and the next one at the next place.
    fn begin_behind(&mut self, place: Place<'n, R>) {
        let next = place.next().ok().flatten();
        next.inspect(|next| next.prefetch_all());
        // INVARIANT: of `start`: `Place::next` stays on its level.
        self.start = next.map_or(0, Place::offset);
        self.follow(place.bottom());
    }

    /// Moves the scout to the node behind a place.
    #[inline]
    fn follow(&mut self, place: Place<'n, R>) {
        let next = place.next().ok().flatten();
        if let Some(next) = next {
            next.prefetch_all();
            self.ahead += 1;
        }
        // INVARIANT: of `scouts`: a place of `nodes`.
        self.scouts[self.turn % SCOUTS] = next.map_or(0, Place::offset);
    }
}

impl<R: Region> Place<'_, R> {
    /// Returns the height that the node's shape tells, which may be damaged.
    #[inline]
    fn height(self) -> u32 {
        // SAFETY: the shape lies in the region and is not written any more, by the invariant.
        Shape::from_word(unsafe { self.nodes.region.read_word(self.offset) }).height
    }

    /// Prefetches a node of a usual size, from its last link to its end.
    #[inline]
    fn prefetch_all(self) {
        let shape = self.nodes.region.base().as_ptr().wrapping_add(self.offset as usize);
        prefetch(shape.wrapping_sub(LINK as usize));
        prefetch(shape.wrapping_add(USUAL_END));
    }
}
