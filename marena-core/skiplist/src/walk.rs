//! Walks along the lowest level, in both directions, between two bounds.

#![forbid(unsafe_code)]

use core::cmp::Ordering;
use core::ops::Bound;

use crate::damage::Damage;
#[cfg(feature = "mapped")]
use crate::layout::{MAX_HEIGHT, MAX_INDEXES};
#[cfg(feature = "mapped")]
use crate::node::INDEX_LEVEL;
use crate::node::{Batch, Node, Nodes, Place};
use crate::order::Order;
use crate::region::Region;
#[cfg(feature = "mapped")]
use crate::search::prefix_of;
use crate::search::{Side, Steps, Target, compare_nodes};

impl<R: Region> Nodes<R> {
    /// Calls `visit` with every node of every level, from the lowest. Nodes that are out of order,
    /// or that do not have the level that they are on, are damage.
    #[cfg(feature = "mapped")]
    pub(crate) fn walk_levels<'n, O: Order>(
        &'n self,
        order: &O,
        mut visit: impl FnMut(u32, Node<'n, R>),
    ) -> Result<(), Damage> {
        for level in 0..MAX_HEIGHT as u32 {
            let Some(mut place) = self.head().on_level(level)? else { break };
            let mut steps = Steps::of(self);
            while let Some(next) = place.next()? {
                let node = next.node()?;
                steps.take(node)?;
                let in_order = place.is_head() || compare_nodes(order, place.node()?, node).is_le();
                self.region().check(in_order && node.has_level(level), next.offset())?;
                visit(level, node);
                place = next;
            }
        }
        Ok(())
    }

    /// Checks every index, and returns the bytes that they take. An entry that is not the prefix
    /// and the offset of a node on the index's level is damage.
    #[cfg(feature = "mapped")]
    pub(crate) fn walk_indexes<O: Order>(&self, order: &O) -> Result<usize, Damage> {
        let mut bytes = 0;
        for number in 0..MAX_INDEXES {
            bytes += self.index_size(number)?.next_multiple_of(8);
            let Some(index) = self.complete_index(number)? else { continue };
            for entry in 0..index.len() {
                let place = index.place(entry)?.ok_or(Damage { offset: index.at() })?;
                let node = place.node()?;
                let sound = node.has_level(INDEX_LEVEL) && prefix_of(order, node) == index.prefix(entry);
                self.region().check(sound, place.offset())?;
            }
        }
        Ok(bytes)
    }
}

/// Nodes before a target, and the last place before it.
type Collected<'n, R> = (Batch<'n, R>, Place<'n, R>);

/// The level on which a walk back starts to collect nodes. About every sixteenth node is on it.
const COLLECTING_LEVEL: u32 = 4;

/// A walk over the newest nodes of keys, without tombstones.
///
/// A walk forwards follows the links. No links lead back. So a walk backwards finds a node some way
/// before, from the head down, and collects the nodes that follow it.
#[derive(Debug)]
pub(crate) struct Walk<'n, 'k, R, O> {
    nodes: &'n Nodes<R>,
    order: &'n O,
    lower: Bound<&'k [u8]>,
    upper: Bound<&'k [u8]>,
    /// The node that the walk reached from the front.
    front: Option<Node<'n, R>>,
    /// The node that the walk reached from the back.
    back: Option<Node<'n, R>>,
    /// Nodes before `back`, the nearest last.
    batch: Option<Batch<'n, R>>,
    steps: Steps,
    /// Whether the two ends have met.
    ended: bool,
}

impl<'n, 'k, R: Region, O: Order> Walk<'n, 'k, R, O> {
    pub(crate) fn new(nodes: &'n Nodes<R>, order: &'n O, (lower, upper): (Bound<&'k [u8]>, Bound<&'k [u8]>)) -> Self {
        let steps = Steps::of(nodes);
        Self { nodes, order, lower, upper, front: None, back: None, batch: None, steps, ended: false }
    }

    /// Returns the next node from the front. After damage there is none.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Node<'n, R>>, Damage> {
        if self.ended {
            return Ok(None);
        }
        let next = self.go_on();
        self.ended = !matches!(next, Ok(Some(_)));
        next
    }

    /// Returns the next node from the back. After damage there is none.
    pub(crate) fn next_back(&mut self) -> Result<Option<Node<'n, R>>, Damage> {
        if self.ended {
            return Ok(None);
        }
        let next = self.go_back();
        self.ended = !matches!(next, Ok(Some(_)));
        next
    }

    #[inline]
    fn go_on(&mut self) -> Result<Option<Node<'n, R>>, Damage> {
        let mut next = match self.front {
            Some(front) => front.place().next()?,
            None => self.first_place()?,
        };
        while let Some(place) = next {
            let node = place.node()?;
            self.steps.take(node)?;
            node.prefetch_ahead();
            // Skips an older node of the same key.
            if let Some(front) = self.front
                && self.follows(front, node)?.is_eq()
            {
                next = place.next()?;
                continue;
            }
            if self.is_past(node) {
                break;
            }
            self.front = Some(node);
            if !node.is_tombstone() {
                return Ok(Some(node));
            }
            next = place.next()?;
        }
        Ok(None)
    }

    fn go_back(&mut self) -> Result<Option<Node<'n, R>>, Damage> {
        loop {
            let place = match self.batch.as_mut().and_then(Batch::pop) {
                Some(place) => place,
                None => match self.collect()? {
                    Some(place) => place,
                    None => break,
                },
            };
            let node = place.node()?;
            self.steps.take(node)?;
            if self.is_short(node) {
                break;
            }
            self.back = Some(node);
            if !node.is_tombstone() {
                return Ok(Some(node));
            }
        }
        Ok(None)
    }

    /// Returns the first node that is not before the bounds. It is the one that the search met:
    /// others may be linked before it meanwhile, and outside the bounds.
    fn first_place(&self) -> Result<Option<Place<'n, R>>, Damage> {
        let (key, side) = match self.lower {
            Bound::Unbounded => return self.nodes.head().next(),
            Bound::Included(key) => (key, Side::Before),
            Bound::Excluded(key) => (key, Side::Behind),
        };
        Ok(Target::new(self.order, key, side).find(self.nodes)?.gap.next())
    }

    /// Compares a node with the next one. Nodes that are out of order are damage.
    #[inline]
    fn follows(&self, node: Node<'n, R>, next: Node<'n, R>) -> Result<Ordering, Damage> {
        let order = compare_nodes(self.order, node, next);
        self.nodes.region().check(order.is_le(), next.place().offset())?;
        Ok(order)
    }

    /// Returns whether a node from the front is past the upper bound, or past the node from the
    /// back.
    #[inline]
    fn is_past(&self, node: Node<'n, R>) -> bool {
        let in_bounds = match self.upper {
            Bound::Unbounded => true,
            Bound::Included(key) => Target::new(self.order, key, Side::Behind).is_behind_node(node),
            Bound::Excluded(key) => Target::new(self.order, key, Side::Before).is_behind_node(node),
        };
        !in_bounds || self.back.is_some_and(|back| compare_nodes(self.order, node, back).is_ge())
    }

    /// Returns whether a node from the back is before the lower bound, or not behind the node from
    /// the front.
    #[inline]
    fn is_short(&self, node: Node<'n, R>) -> bool {
        let before = match self.lower {
            Bound::Unbounded => false,
            Bound::Included(key) => Target::new(self.order, key, Side::Before).is_behind_node(node),
            Bound::Excluded(key) => Target::new(self.order, key, Side::Behind).is_behind_node(node),
        };
        before || self.front.is_some_and(|front| compare_nodes(self.order, node, front).is_le())
    }

    /// Collects nodes before the node from the back, or before the upper bound. Returns the
    /// nearest, or `None` if there is none.
    fn collect(&mut self) -> Result<Option<Place<'n, R>>, Damage> {
        let collected = match (self.back, self.upper) {
            (Some(back), _) => back.try_with_key(|key| self.collect_before(key, Side::Before)),
            (None, Bound::Excluded(key)) => self.collect_before(key, Side::Before),
            (None, Bound::Included(key)) => self.collect_before(key, Side::Behind),
            (None, Bound::Unbounded) => self.collect_before(&[], Side::End),
        }?;
        let Some((mut batch, last)) = collected else { return Ok(None) };
        let nearest = match batch.pop() {
            Some(place) => Some(place),
            // All these places were nodes of one key. A search for the key finds its newest node.
            None => last.node()?.try_with_key(|key| {
                let found = Target::new(self.order, key, Side::Before).find(self.nodes)?;
                Ok(found.node())
            })?,
        };
        self.batch = Some(batch);
        Ok(nearest)
    }

    /// Collects nodes before a target. Returns `None` if there are none.
    fn collect_before(&self, key: &[u8], side: Side) -> Result<Option<Collected<'n, R>>, Damage> {
        let target = Target::new(self.order, key, side);
        let mut start = self.nodes.head();
        let (found, mut near) = target.find_or_near(self.nodes, COLLECTING_LEVEL + 1, |gap| {
            if gap.previous.level() == COLLECTING_LEVEL {
                start = gap.previous.bottom();
            }
        })?;
        let mut last = found.gap.previous;
        if last.is_head() {
            return Ok(None);
        }
        let mut batch = Batch::new(self.nodes);
        if near.is_none() && self.collect_between(start, last, &mut batch, Steps::until_far(self.nodes)).is_err() {
            let (found, far) = target.find_far(start)?;
            (last, near) = (found.gap.previous, far);
            batch = Batch::new(self.nodes);
        }
        if let Some(near) = near {
            self.collect_between(near, last, &mut batch, Steps::of(self.nodes))?;
        }
        Ok(Some((batch, last)))
    }

    /// Collects the newest node of each key behind that of `start`, up to `last`.
    fn collect_between(
        &self,
        start: Place<'n, R>,
        last: Place<'n, R>,
        batch: &mut Batch<'n, R>,
        mut steps: Steps,
    ) -> Result<(), Damage> {
        let mut place = start;
        while place != last {
            let Some(next) = place.next()? else { break };
            let node = next.node()?;
            steps.take(node)?;
            node.prefetch_ahead();
            if place.is_head() || self.follows(place.node()?, node)?.is_ne() {
                batch.push(next);
            }
            place = next;
        }
        Ok(())
    }
}
