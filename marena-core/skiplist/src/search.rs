//! Searches for the place of a key, from the head down.

#![forbid(unsafe_code)]

use core::cmp::Ordering;

use crate::damage::Damage;
use crate::layout::MIN_NODE;
use crate::node::{Gap, Node, Nodes, Path, Place, compares_in_place};
use crate::order::{Order, first_bytes};
use crate::region::Region;

/// The least number of nodes that a search passes before it is far from its target. In a sound map
/// it passes two on each level on average, so it never comes so far.
const FAR: u64 = 256;

/// The number of levels below a search's place on which it prefetches nodes.
const AHEAD: u32 = 3;

/// The side of a key's nodes on which a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    Behind,
    /// Behind all nodes, whatever the key.
    End,
}

/// A point in the order of the list.
#[derive(Debug)]
pub(crate) struct Target<'k, O> {
    order: &'k O,
    prefix: u64,
    key: &'k [u8],
    side: Side,
}

/// The result of a search: the gap on level 0, and whether the node behind it has the key.
#[derive(Debug)]
pub(crate) struct Found<'n, R> {
    pub(crate) gap: Gap<'n, R>,
    pub(crate) equal: bool,
}

impl<'n, R: Region> Found<'n, R> {
    /// Returns the newest node of the key.
    #[inline]
    pub(crate) fn node(&self) -> Option<Place<'n, R>> {
        self.gap.next().filter(|_| self.equal)
    }
}

/// The steps that a walk may still take. It meets every node at most twice, unless damage leads in
/// a circle.
///
/// Steps are counted in bytes of nodes, which do not overlap. So the bytes of all keys that a walk
/// reads are bounded as well.
#[derive(Debug)]
pub(crate) struct Steps {
    left: u64,
    /// Each step takes so many bytes more.
    each: u64,
}

impl Steps {
    #[inline]
    pub(crate) fn of<R: Region>(nodes: &Nodes<R>) -> Self {
        Self { left: if R::TRUSTED { 0 } else { 2 * u64::from(nodes.region().len()) }, each: 0 }
    }

    /// Returns the steps of a search that can go on in another way. In a sound map it passes each
    /// node once, so the steps suffice for at least [`FAR`] nodes, whatever their sizes.
    #[inline]
    pub(crate) fn until_far<R: Region>(nodes: &Nodes<R>) -> Self {
        let steps = Self::of(nodes);
        Self { each: steps.left / (2 * FAR), ..steps }
    }

    /// Returns steps that suffice for so many times more nodes.
    #[inline]
    pub(crate) fn longer(self, times: u64) -> Self {
        Self { each: self.each / times, ..self }
    }

    /// Takes a step to a node.
    #[inline]
    pub(crate) fn take<R: Region>(&mut self, node: Node<'_, R>) -> Result<(), Damage> {
        self.spend(node.size() as u64, node.place())
    }

    /// Takes a search's step to a node. Its size counts if the whole key is read.
    #[inline]
    pub(crate) fn pass<R: Region, O: Order>(&mut self, node: Node<'_, R>) -> Result<(), Damage> {
        let bytes = if compares_in_place::<R, O>() { 0 } else { node.size() as u64 };
        self.spend(bytes, node.place())
    }

    /// Begins again behind `place`, where a node was linked.
    #[inline]
    pub(crate) fn again<R: Region>(&mut self, place: Place<'_, R>) -> Result<(), Damage> {
        self.spend(MIN_NODE.into(), place)
    }

    #[inline]
    fn spend<R: Region>(&mut self, bytes: u64, place: Place<'_, R>) -> Result<(), Damage> {
        if !R::TRUSTED {
            self.left = self.left.checked_sub(bytes + self.each).ok_or(Damage { offset: place.offset() })?;
        }
        Ok(())
    }
}

/// The last node that a search found not to be before its target. It is not compared again on the
/// levels below.
#[derive(Clone, Copy, Debug)]
struct Bound {
    /// The node's offset, or 0 before there is one.
    offset: u32,
    /// Whether the node has the target's key.
    equal: bool,
}

impl Bound {
    const NONE: Self = Self { offset: 0, equal: false };

    #[inline]
    fn is<R: Region>(self, node: Place<'_, R>) -> bool {
        self.offset == node.offset()
    }
}

impl<'k, O: Order> Target<'k, O> {
    /// Returns the point on one side of a key's nodes.
    #[inline]
    pub(crate) fn new(order: &'k O, key: &'k [u8], side: Side) -> Self {
        Self { order, prefix: order.prefix(first_bytes(key), key.len()), key, side }
    }

    /// Returns the order of the keys.
    #[cfg(feature = "mapped")]
    pub(crate) fn order(&self) -> &'k O {
        self.order
    }

    /// Returns the prefix of the target's key.
    #[inline]
    pub(crate) fn prefix(&self) -> u64 {
        self.prefix
    }

    /// Compares a node's key with the target's.
    #[inline]
    pub(crate) fn compare<R: Region>(&self, node: Node<'_, R>) -> Ordering {
        match prefix_of(self.order, node).cmp(&self.prefix) {
            Ordering::Equal => node.compare_key(self.order, self.key),
            decided => decided,
        }
    }

    /// Returns whether the target lies behind a node that compares like this.
    #[inline]
    pub(crate) fn is_behind(&self, node: Ordering) -> bool {
        node.is_lt() || (node.is_eq() && self.side == Side::Behind) || self.side == Side::End
    }

    /// Returns whether the target lies behind a node.
    #[inline]
    pub(crate) fn is_behind_node<R: Region>(&self, node: Node<'_, R>) -> bool {
        self.is_behind(self.compare(node))
    }

    /// Finds the target on level 0, from the index or from the head down.
    #[inline]
    pub(crate) fn find<'n, R: Region>(&self, nodes: &'n Nodes<R>) -> Result<Found<'n, R>, Damage> {
        Ok(self.find_or_near(nodes, 1, |_| ())?.0)
    }

    /// Finds the target like [`find`](Self::find). Calls `visit` with the gaps of at least so many
    /// levels. If there are no shortcuts to the target, also returns a place some nodes before it.
    #[inline]
    pub(crate) fn find_or_near<'n, R: Region>(
        &self,
        nodes: &'n Nodes<R>,
        levels: u32,
        mut visit: impl FnMut(Gap<'n, R>),
    ) -> Result<(Found<'n, R>, Option<Place<'n, R>>), Damage> {
        let mut steps = Steps::until_far(nodes);
        let mut bound = Bound::NONE;
        let (mut place, mut patience) = self.start(nodes, levels, &mut steps);
        for levels in 1..=AHEAD {
            place.prefetch_below(levels);
        }
        loop {
            let gap = Gap::behind(place)?;
            if let Some(next) = gap.next()
                && !bound.is(next)
            {
                let node = next.node()?;
                let order = self.compare(node);
                if self.is_behind(order) {
                    if steps.pass::<R, O>(node).is_err() {
                        return self.find_far(next);
                    }
                    place = patience.pass(next);
                    for levels in 1..=AHEAD {
                        place.prefetch_below(levels);
                    }
                    continue;
                }
                bound = Bound { offset: next.offset(), equal: order.is_eq() };
            }
            visit(gap);
            match place.down() {
                Some(lower) => {
                    place = lower;
                    place.prefetch_below(AHEAD);
                }
                // On the lowest level, the bound is the next node, if there is one.
                None => return Ok((Found { gap, equal: bound.equal }, None)),
            }
        }
    }

    /// Finds the target on level 0, far behind a place.
    #[cfg(not(feature = "mapped"))]
    pub(crate) fn find_far<'n, R: Region>(
        &self,
        place: Place<'n, R>,
    ) -> Result<(Found<'n, R>, Option<Place<'n, R>>), Damage> {
        // A search in a trusted region takes as many steps as it needs.
        Err(Damage { offset: place.offset() })
    }

    /// Finds the target on the level of `place`, which it lies behind.
    #[inline]
    pub(crate) fn find_behind<'n, R: Region>(
        &self,
        place: Place<'n, R>,
        steps: &mut Steps,
    ) -> Result<Found<'n, R>, Damage> {
        let mut place = place;
        loop {
            let gap = Gap::behind(place)?;
            let Some(next) = gap.next() else { return Ok(Found { gap, equal: false }) };
            let node = next.node()?;
            let order = self.compare(node);
            if !self.is_behind(order) {
                return Ok(Found { gap, equal: order.is_eq() });
            }
            steps.take(node)?;
            place = next;
        }
    }
}

/// Returns the prefix of a node's key.
#[inline]
pub(crate) fn prefix_of<R: Region, O: Order>(order: &O, node: Node<'_, R>) -> u64 {
    order.prefix(node.first_bytes(), node.key_len())
}

/// Compares two nodes' keys.
#[cfg(feature = "mapped")]
#[inline]
pub(crate) fn compare_nodes<R: Region, O: Order>(order: &O, a: Node<'_, R>, b: Node<'_, R>) -> Ordering {
    prefix_of(order, a).cmp(&prefix_of(order, b)).then_with(|| a.compare_node(order, b))
}

/// A search that stops where it would wait for memory, so that other searches can use the time. It
/// begins at the head: a search in the index would wait.
#[derive(Debug)]
pub(crate) struct Search<'n, 'k, R, O> {
    target: Target<'k, O>,
    gap: Gap<'n, R>,
    bound: Bound,
    steps: Steps,
    path: Path<'n, R>,
    complete: bool,
}

impl<'n, 'k, R: Region, O: Order> Search<'n, 'k, R, O> {
    #[inline]
    pub(crate) fn new(nodes: &'n Nodes<R>, target: Target<'k, O>) -> Result<Self, Damage> {
        Ok(Self {
            target,
            gap: Gap::behind(nodes.top())?,
            bound: Bound::NONE,
            steps: Steps::until_far(nodes),
            path: Path::new(nodes),
            complete: false,
        })
    }

    /// Goes on to where memory is needed, and prefetches it. Returns `false` once the path is
    /// complete.
    #[inline]
    pub(crate) fn advance(&mut self) -> Result<bool, Damage> {
        if self.complete {
            return Ok(false);
        }
        loop {
            if let Some(next) = self.gap.next()
                && !self.bound.is(next)
            {
                let node = next.node()?;
                let order = self.target.compare(node);
                if self.target.is_behind(order) {
                    if self.steps.pass::<R, O>(node).is_err() {
                        let (found, _) = self.target.find_far(next)?;
                        let offset = found.gap.next().map_or(0, Place::offset);
                        (self.gap, self.bound) = (found.gap, Bound { offset, equal: found.equal });
                        self.complete = true;
                        return Ok(false);
                    }
                    self.gap = Gap::behind(next)?;
                    if self.waits() {
                        return Ok(true);
                    }
                    continue;
                }
                self.bound = Bound { offset: next.offset(), equal: order.is_eq() };
            }
            self.path.record(self.gap);
            let Some(lower) = self.gap.previous.down() else {
                self.complete = true;
                return Ok(false);
            };
            self.gap = Gap::behind(lower)?;
            if self.waits() {
                return Ok(true);
            }
        }
    }

    /// Prefetches the node behind the gap. Returns `false` if that node is not needed.
    #[inline]
    fn waits(&self) -> bool {
        match self.gap.next() {
            Some(next) if !self.bound.is(next) => {
                next.prefetch();
                true
            }
            _ => false,
        }
    }

    /// Returns the target, the path to it, and where that ends. The search is complete.
    #[inline]
    pub(crate) fn into_parts(self) -> (Target<'k, O>, Path<'n, R>, Found<'n, R>) {
        (self.target, self.path, Found { gap: self.gap, equal: self.bound.equal })
    }
}
