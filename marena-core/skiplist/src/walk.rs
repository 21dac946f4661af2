//! Walks along the lowest level, in both directions, between two bounds.

#![forbid(unsafe_code)]

use core::cmp::Ordering;
use core::ops::Bound;

use crate::collect::Collector;
use crate::damage::{Damage, Stop};
#[cfg(feature = "mapped")]
use crate::layout::{MAX_HEIGHT, MAX_INDEXES};
#[cfg(feature = "mapped")]
use crate::node::INDEX_LEVEL;
use crate::node::{Node, Nodes, Place, Scouts};
use crate::order::{Order, first_bytes};
use crate::passed::Passed;
use crate::region::Region;
#[cfg(feature = "mapped")]
use crate::search::compare_nodes;
#[cfg(feature = "mapped")]
use crate::search::prefix_of;
use crate::search::{Side, Steps, Target};

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

/// A walk over the newest nodes of keys, without tombstones.
#[derive(Debug)]
pub(crate) struct Walk<'n, 'k, R, O> {
    nodes: &'n Nodes<R>,
    order: &'n O,
    lower: Bound<Key<'k>>,
    upper: Bound<Key<'k>>,
    /// The node that the walk reached from the front.
    front: Option<Passed<'n, R>>,
    /// The node that the walk reached from the back.
    back: Option<Passed<'n, R>>,
    /// The nodes in front of a walk from the front.
    scouts: Scouts<'n, R>,
    /// The nodes before `back`.
    collector: Collector<'n, R>,
    steps: Steps,
    /// Whether the two ends have met.
    ended: bool,
}

/// A bound's key.
#[derive(Clone, Copy, Debug)]
struct Key<'k> {
    prefix: u64,
    key: &'k [u8],
}

impl<'n, 'k, R: Region, O: Order> Walk<'n, 'k, R, O> {
    pub(crate) fn new(nodes: &'n Nodes<R>, order: &'n O, (lower, upper): (Bound<&'k [u8]>, Bound<&'k [u8]>)) -> Self {
        let key = |key: &'k [u8]| Key { prefix: order.prefix(first_bytes(key), key.len()), key };
        Self {
            nodes,
            order,
            lower: lower.map(key),
            upper: upper.map(key),
            front: None,
            back: None,
            scouts: Scouts::new(nodes),
            collector: Collector::new(nodes),
            steps: Steps::of(nodes),
            ended: false,
        }
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

    /// Returns the next node from the back. After an error there is none.
    #[inline]
    pub(crate) fn next_back(&mut self) -> Result<Option<Node<'n, R>>, Stop> {
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
            // It is on the lowest level anyway, but then the level is not loaded.
            Some(front) => front.place.bottom().next()?,
            None => self.first_place()?,
        };
        while let Some(place) = next {
            let node = place.node()?;
            self.steps.take(node)?;
            self.scouts.pass(place);
            let passed = Passed::new(self.order, node);
            let is_older = match self.front {
                Some(front) => front.comes_before(self.order, passed)?.is_eq(),
                None => false,
            };
            if !is_older {
                if self.is_past(passed)? {
                    break;
                }
                self.front = Some(passed);
                if !node.is_tombstone() {
                    return Ok(Some(node));
                }
            }
            next = place.next()?;
        }
        Ok(None)
    }

    #[inline]
    fn go_back(&mut self) -> Result<Option<Node<'n, R>>, Stop> {
        loop {
            let place = match self.collector.pop() {
                Some(place) => place,
                None => match self.collect()? {
                    Some(place) => place,
                    None => break,
                },
            };
            let node = place.node()?;
            self.steps.take(node)?;
            let passed = Passed::new(self.order, node);
            if self.is_short(passed)? {
                break;
            }
            self.back = Some(passed);
            if !node.is_tombstone() {
                return Ok(Some(node));
            }
        }
        Ok(None)
    }

    /// Returns the first node that is not before the bounds. It is the one that the search met:
    /// others may be linked before it meanwhile, and outside the bounds.
    #[cold]
    fn first_place(&self) -> Result<Option<Place<'n, R>>, Damage> {
        let (key, side) = match self.lower {
            Bound::Unbounded => return self.nodes.head().next(),
            Bound::Included(lower) => (lower.key, Side::Before),
            Bound::Excluded(lower) => (lower.key, Side::Behind),
        };
        Ok(Target::new(self.order, key, side).find(self.nodes)?.gap.next())
    }

    /// Collects nodes before the node from the back, or before the upper bound. Returns the
    /// nearest, or `None` if there is none.
    #[cold]
    fn collect(&mut self) -> Result<Option<Place<'n, R>>, Stop> {
        let mut collect = |key: &[u8], side| self.collector.collect(self.order, key, side);
        match (self.back, self.upper) {
            (Some(back), _) => back.place.node()?.try_with_key(|key| collect(key, Side::Before)),
            (None, Bound::Excluded(upper)) => collect(upper.key, Side::Before),
            (None, Bound::Included(upper)) => collect(upper.key, Side::Behind),
            (None, Bound::Unbounded) => collect(&[], Side::End),
        }
    }

    /// Returns whether a node from the front is past the upper bound, or not before the node from
    /// the back.
    #[inline]
    fn is_past(&self, node: Passed<'n, R>) -> Result<bool, Damage> {
        match (self.back, self.upper) {
            // The node from the back is in the bounds.
            (Some(back), _) => Ok(node.compare(self.order, back)?.is_ge()),
            (None, Bound::Unbounded) => Ok(false),
            (None, Bound::Included(upper)) => Ok(self.compare(node, upper)?.is_gt()),
            (None, Bound::Excluded(upper)) => Ok(self.compare(node, upper)?.is_ge()),
        }
    }

    /// Returns whether a node from the back is before the lower bound, or not behind the node from
    /// the front.
    #[inline]
    fn is_short(&self, node: Passed<'n, R>) -> Result<bool, Damage> {
        match (self.front, self.lower) {
            (Some(front), _) => Ok(node.compare(self.order, front)?.is_le()),
            (None, Bound::Unbounded) => Ok(false),
            (None, Bound::Included(lower)) => Ok(self.compare(node, lower)?.is_lt()),
            (None, Bound::Excluded(lower)) => Ok(self.compare(node, lower)?.is_le()),
        }
    }

    #[inline]
    fn compare(&self, node: Passed<'n, R>, bound: Key<'k>) -> Result<Ordering, Damage> {
        node.compare_key(self.order, bound.prefix, bound.key)
    }
}
