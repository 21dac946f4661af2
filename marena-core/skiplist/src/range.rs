//! An iterator over entries, from both ends.

#![forbid(unsafe_code)]

use core::fmt;
use core::iter::FusedIterator;
use core::ops::Bound;

use crate::node::Nodes;
use crate::order::Order;
use crate::region::Plain;
use crate::space::Space;
use crate::walk::Walk;

/// An iterator over a map's entries between two bounds, in order.
/// [`SkipMap::range`](crate::SkipMap::range) makes one.
///
/// Others may insert meanwhile. Each entry that exists from the start to the end of the iteration
/// comes once, with its value at the start or a newer one. An entry that is inserted or removed
/// meanwhile may come or not. Keys rise strictly, and fall from the back.
///
/// An entry from the front takes O(1) steps. From the back, each batch of entries takes O(log n)
/// steps more. Batches grow from some 8 entries to 256, or to 32 on targets of less than 64 bits.
/// Each removed key on the way counts as an entry, and each older value as a step. The iterator has
/// room for a batch: some 2 KiB on the stack, or 300 bytes.
pub struct Range<'m, 'k, S, O> {
    walk: Walk<'m, 'k, Plain<S>, O>,
}

impl<'m, 'k, S: Space, O: Order> Range<'m, 'k, S, O> {
    pub(crate) fn new(nodes: &'m Nodes<Plain<S>>, order: &'m O, bounds: (Bound<&'k [u8]>, Bound<&'k [u8]>)) -> Self {
        Self { walk: Walk::new(nodes, order, bounds) }
    }
}

impl<'m, S: Space, O: Order> Iterator for Range<'m, '_, S, O> {
    type Item = (&'m [u8], &'m [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // A plain region has no damage.
        let (key, value) = self.walk.next().ok()??.entry();
        Some((key, value?))
    }
}

impl<S: Space, O: Order> DoubleEndedIterator for Range<'_, '_, S, O> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let (key, value) = self.walk.next_back().ok()??.entry();
        Some((key, value?))
    }
}

impl<S: Space, O: Order> FusedIterator for Range<'_, '_, S, O> {}

impl<S, O> fmt::Debug for Range<'_, '_, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Range").finish_non_exhaustive()
    }
}
