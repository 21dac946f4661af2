//! The nodes before a point of the list.

#![forbid(unsafe_code)]

use crate::damage::{Damage, Stop};
use crate::node::{BATCH, Batch, INDEX_LEVEL, Nodes, Place, Scouts};
use crate::order::Order;
use crate::passed::Passed;
use crate::region::Region;
use crate::search::{Side, Steps, Target};

/// The level of the node behind which the first batches begin. About every eighth node is on it,
/// and the index has it.
const FIRST_LEVEL: u32 = INDEX_LEVEL;

/// The same for the last batches: they are half full on average.
const LAST_LEVEL: u32 = BATCH.ilog2() - 1;

/// The least level of long batches, which begin with scouts.
const LONG_LEVEL: u32 = FIRST_LEVEL + 2;

/// Collects nodes for a walk backwards.
///
/// No links lead back. So it finds a node some way before, from the head or the index down, and
/// follows the links from there.
#[derive(Debug)]
pub(crate) struct Collector<'n, R> {
    nodes: &'n Nodes<R>,
    /// The nearest node is the last.
    batch: Option<Batch<'n, R>>,
    /// The number of nodes that were collected where there are shortcuts, and one more. The next
    /// batch is about as long, so that most of it is needed.
    collected: u32,
}

impl<'n, R: Region> Collector<'n, R> {
    #[inline]
    pub(crate) fn new(nodes: &'n Nodes<R>) -> Self {
        Self { nodes, batch: None, collected: 1 }
    }

    /// Takes the nearest of the nodes that were collected.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Place<'n, R>> {
        self.batch.as_mut()?.pop()
    }

    /// Collects nodes before a key, or behind it, and takes the nearest. Returns `None` if there
    /// are none.
    pub(crate) fn collect<O: Order>(
        &mut self,
        order: &O,
        key: &[u8],
        side: Side,
    ) -> Result<Option<Place<'n, R>>, Stop> {
        let level = self.collected.ilog2().clamp(FIRST_LEVEL, LAST_LEVEL);
        let target = Target::new(order, key, side);
        let mut start = self.nodes.head();
        let (found, mut near) = target.find_or_near(self.nodes, level + 1, |gap| {
            if gap.previous.level() == level {
                start = gap.previous.bottom();
            }
        })?;
        let mut last = found.gap.previous;
        if last.is_head() {
            return Ok(None);
        }
        let batch = self.batch.insert(Batch::new(self.nodes));
        if near.is_none() {
            // In a sound map there are 2^level nodes on average.
            let steps = Steps::until_far(self.nodes).longer(1 << (level - FIRST_LEVEL));
            let scouts = if level < LONG_LEVEL { Scouts::new(self.nodes) } else { Scouts::at_once(self.nodes) };
            // These are separate walks: nodes that do not fit the batch are met again.
            if collect_between(order, start, last, batch, steps, scouts).is_err() {
                let (found, far) = target.find_far(start)?;
                (last, near) = (found.gap.previous, far);
                *batch = Batch::new(self.nodes);
            }
        }
        match near {
            None => self.collected = self.collected.saturating_add(batch.len() as u32),
            Some(near) => {
                // Shortcuts are missing, so the next batch begins with as few steps as the first.
                self.collected = 1;
                collect_between(order, near, last, batch, Steps::of(self.nodes), Scouts::new(self.nodes))?;
            }
        }
        match batch.pop() {
            Some(place) => Ok(Some(place)),
            // All these places were nodes of one key. A search for the key finds its newest node.
            None => last.node()?.try_with_key(|key| {
                let found = Target::new(order, key, Side::Before).find(self.nodes)?;
                Ok(found.node())
            }),
        }
    }
}

/// Collects the newest node of each key behind that of `start`, up to `last`.
fn collect_between<'n, R: Region, O: Order>(
    order: &O,
    start: Place<'n, R>,
    last: Place<'n, R>,
    batch: &mut Batch<'n, R>,
    mut steps: Steps,
    mut scouts: Scouts<'n, R>,
) -> Result<(), Damage> {
    let mut place = start;
    let mut before = if start.is_head() { None } else { Some(Passed::new(order, start.node()?)) };
    while place != last {
        scouts.pass(place);
        let Some(next) = place.next()? else { break };
        let node = next.node()?;
        steps.take(node)?;
        let passed = Passed::new(order, node);
        let is_new = match before {
            Some(before) => before.comes_before(order, passed)?.is_ne(),
            None => true,
        };
        if is_new {
            batch.push(next);
        }
        (place, before) = (next, Some(passed));
    }
    Ok(())
}
