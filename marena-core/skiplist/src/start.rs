//! Where searches begin: at the head, or at a node that the index tells.

#![forbid(unsafe_code)]

use crate::node::{INDEX_LEVEL, Index, Nodes, Place};
use crate::order::Order;
use crate::region::Region;
use crate::search::{Steps, Target};

/// The number of nodes of the index's level that a search passes before it gives the index up. On
/// average there is one, but many may have been linked between two entries.
const PATIENCE: u32 = 8;

/// The nodes that a search may still pass on the index's level.
#[derive(Debug)]
pub(crate) struct Patience(u32);

impl Patience {
    const ENDLESS: Self = Self(u32::MAX);

    /// Goes to the next node, or back to the head for a search from there.
    #[inline]
    pub(crate) fn pass<'n, R: Region>(&mut self, next: Place<'n, R>) -> Place<'n, R> {
        if next.level() == INDEX_LEVEL {
            self.0 -= 1;
            if self.0 == 0 {
                *self = Self::ENDLESS;
                return next.nodes().top();
            }
        }
        next
    }
}

impl<O: Order> Target<'_, O> {
    /// Returns a place before the target that has at least so many levels, and how far to search
    /// from there.
    #[inline]
    pub(crate) fn start<'n, R: Region>(
        &self,
        nodes: &'n Nodes<R>,
        levels: u32,
        steps: &mut Steps,
    ) -> (Place<'n, R>, Patience) {
        match nodes.index() {
            Ok(Some(index)) if levels <= INDEX_LEVEL + 1 => match self.last_before(&index, steps) {
                Some(place) => (place, Patience(PATIENCE)),
                None => (nodes.top(), Patience::ENDLESS),
            },
            _ => (nodes.top(), Patience::ENDLESS),
        }
    }

    /// Returns the last node of an index before the target. There is none for the index's last
    /// node, because any number may have been linked behind it. An index that is damaged has none
    /// either, or one that is farther away.
    #[inline]
    fn last_before<'n, R: Region>(&self, index: &Index<'n, R>, steps: &mut Steps) -> Option<Place<'n, R>> {
        let prefix = self.prefix();
        let mut next = partition_point(0, index.len(), |entry| index.prefix(entry) < prefix);
        if next < index.len() && index.prefix(next) == prefix {
            next = self.next_of_equals(index, next, steps);
        }
        let last = next.checked_sub(1).filter(|_| next < index.len())?;
        let place = index.place(last).ok()??;
        // Damage may have put it there.
        if !R::TRUSTED {
            let node = place.node().ok()?;
            if !node.has_level(INDEX_LEVEL) || !self.is_behind_node(node) {
                return None;
            }
        }
        Some(place)
    }

    /// Returns the first entry behind the target. `first` is the first with the target's prefix.
    #[inline(never)]
    fn next_of_equals<R: Region>(&self, index: &Index<'_, R>, first: u32, steps: &mut Steps) -> u32 {
        partition_point(first, index.len(), |entry| {
            index.prefix(entry) == self.prefix()
                && index.place(entry).is_ok_and(|place| {
                    let Some(Ok(node)) = place.map(Place::node) else { return false };
                    steps.take(node).is_ok() && self.is_behind_node(node)
                })
        })
    }
}

/// Returns the first number from `start` to `end` for which `is_before` does not hold, or `end`.
#[inline]
fn partition_point(start: u32, end: u32, mut is_before: impl FnMut(u32) -> bool) -> u32 {
    let (mut start, mut len) = (start, end - start + 1);
    while len > 1 {
        let half = len / 2;
        // Without a branch, because nobody can predict it.
        start = if is_before(start + half - 1) { start + half } else { start };
        len -= half;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_between_two_numbers_is_found_wherever_it_is() {
        for end in 0..20 {
            for start in 0..=end {
                for first in start..=end {
                    let is_before = |number| {
                        assert!((start..end).contains(&number), "{number} in {start} to {end}");
                        number < first
                    };
                    assert_eq!(partition_point(start, end, is_before), first, "from {start} to {end}");
                }
            }
        }
    }
}
