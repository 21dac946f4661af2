//! What a walk remembers of the last node that it passed.

#![forbid(unsafe_code)]

use core::cmp::Ordering;

use crate::damage::Damage;
use crate::node::{Node, Place};
use crate::order::Order;
use crate::region::Region;
use crate::search::prefix_of;

/// A node on the lowest level, and the prefix of its key. Most comparisons need no more.
#[derive(Debug)]
pub(crate) struct Passed<'n, R> {
    pub(crate) place: Place<'n, R>,
    pub(crate) prefix: u64,
}

impl<R> Clone for Passed<'_, R> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Passed<'_, R> {}

impl<'n, R: Region> Passed<'n, R> {
    #[inline]
    pub(crate) fn new<O: Order>(order: &O, node: Node<'n, R>) -> Self {
        Self { place: node.place().bottom(), prefix: prefix_of(order, node) }
    }

    /// Compares the node's key with another node's.
    #[inline]
    pub(crate) fn compare<O: Order>(self, order: &O, other: Self) -> Result<Ordering, Damage> {
        match self.prefix.cmp(&other.prefix) {
            Ordering::Equal => compare_keys(order, self.place, other.place),
            decided => Ok(decided),
        }
    }

    /// Compares the node's key with the next node's. Nodes that are out of order are damage.
    #[inline]
    pub(crate) fn comes_before<O: Order>(self, order: &O, next: Self) -> Result<Ordering, Damage> {
        let compared = self.compare(order, next)?;
        self.place.nodes().region().check(compared.is_le(), next.place.offset())?;
        Ok(compared)
    }

    /// Compares the node's key with a key that has this prefix.
    #[inline]
    pub(crate) fn compare_key<O: Order>(self, order: &O, prefix: u64, key: &[u8]) -> Result<Ordering, Damage> {
        match self.prefix.cmp(&prefix) {
            Ordering::Equal => Ok(self.place.node()?.compare_key(order, key)),
            decided => Ok(decided),
        }
    }
}

/// Compares whole keys. Places, unlike nodes, are small enough for registers.
fn compare_keys<R: Region, O: Order>(order: &O, a: Place<'_, R>, b: Place<'_, R>) -> Result<Ordering, Damage> {
    Ok(a.node()?.compare_node(order, b.node()?))
}
