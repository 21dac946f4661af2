//! Searches that no shortcut brings near their target.
//!
//! In files there are such: writers were killed before they made the shortcuts, or the shortcuts
//! are damaged. Then a search follows the lowest level, and remembers every so many nodes. Later
//! ones begin there. So each part of the list is walked once, and not once for each search.

#![forbid(unsafe_code)]

use std::vec::Vec;

use crate::checkpoints::SPACING;
use crate::damage::Damage;
use crate::node::{Gap, Place};
use crate::order::Order;
use crate::region::Region;
use crate::search::{Found, Steps, Target, compare_nodes};

impl<O: Order> Target<'_, O> {
    /// Finds the target on level 0, far behind a place. Also returns a place some nodes before the
    /// target.
    #[cold]
    #[inline(never)]
    pub(crate) fn find_far<'n, R: Region>(
        &self,
        place: Place<'n, R>,
    ) -> Result<(Found<'n, R>, Option<Place<'n, R>>), Damage> {
        let nodes = place.nodes();
        let Some(checkpoints) = nodes.region().checkpoints() else { return Err(Damage { offset: place.offset() }) };
        let is_before = |place: Place<'n, R>| place.node().is_ok_and(|node| self.is_behind_node(node));
        let nearest = checkpoints.nearest(|&offset| nodes.met_before(offset).is_some_and(is_before));
        let mut start = place.bottom();
        // Damage may have come since it was remembered.
        if let Some(near) = nearest.offset.and_then(|offset| nodes.met_before(offset)).filter(|&near| is_before(near))
            && (start.is_head() || compare_nodes(self.order(), start.node()?, near.node()?).is_lt())
        {
            start = near;
        }
        let mut new = Vec::new();
        let outcome = self.walk_to(start, &mut new);
        checkpoints.add(&nearest, &new);
        // Behind the last checkpoint there may be no node before the target.
        let near = new.len().checked_sub(2).and_then(|index| nodes.met_before(*new.get(index)?));
        Ok((outcome?, Some(near.unwrap_or(start))))
    }

    /// Walks along level 0 to the target. Adds the offset of every so many nodes to `new`, if there
    /// is memory for it.
    fn walk_to<'n, R: Region>(&self, start: Place<'n, R>, new: &mut Vec<u32>) -> Result<Found<'n, R>, Damage> {
        let mut steps = Steps::of(start.nodes());
        let (mut place, mut passed) = (start, 0_u32);
        loop {
            let gap = Gap::behind(place)?;
            let Some(next) = gap.next() else { return Ok(Found { gap, equal: false }) };
            let node = next.node()?;
            // The checkpoints have to be in order.
            let in_order = place.is_head() || compare_nodes(self.order(), place.node()?, node).is_le();
            place.nodes().region().check(in_order, next.offset())?;
            let order = self.compare(node);
            if !self.is_behind(order) {
                return Ok(Found { gap, equal: order.is_eq() });
            }
            // Nodes in a circle are not remembered.
            steps.take(node).inspect_err(|_| new.clear())?;
            place = next;
            passed += 1;
            if passed.is_multiple_of(SPACING) && new.try_reserve(1).is_ok() {
                new.push(place.offset());
            }
        }
    }
}
