//! A node on its way into the list.

use core::sync::atomic::Ordering::{Relaxed, Release};

use marena_core::Word;

use super::{Gap, Nodes, Place};
use crate::region::Region;

/// A complete node on its way into the list.
#[derive(Debug)]
pub(crate) struct NewNode<'n, R> {
    pub(super) nodes: &'n Nodes<R>,
    /// INVARIANT: of a node that is complete but for its links.
    pub(super) offset: u32,
    /// INVARIANT: the number of the node's links.
    pub(super) height: u32,
    /// Bytes of the whole node.
    pub(super) size: u32,
}

impl<'n, R: Region> NewNode<'n, R> {
    #[inline]
    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    #[inline]
    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Returns the node as a place in the list. The caller has linked it.
    #[inline]
    pub(crate) fn bottom(&self) -> Place<'n, R> {
        // INVARIANT: every node has level 0.
        Place { nodes: self.nodes, offset: self.offset, level: 0 }
    }

    /// Puts the node into a gap of a level that it is not on yet; `false` if another node got there
    /// first. `prepare` runs when the node is complete, and before others can find it in this gap.
    ///
    /// The caller links level 0 first: that makes it a part of the list, and the levels above are
    /// only shortcuts to it.
    #[inline]
    pub(crate) fn link<E>(&self, gap: Gap<'n, R>, prepare: impl FnOnce() -> Result<(), E>) -> Result<bool, E> {
        let level = gap.previous.level;
        assert!(level < self.height && core::ptr::eq(self.nodes, gap.previous.nodes));
        // INVARIANT: below the node's height.
        let own = Place { nodes: self.nodes, offset: self.offset, level };
        let next = gap.next().map_or(0, Place::offset);
        // ORDERING: Relaxed: nobody reads this link before the compare-and-swap below has released
        // it.
        own.link().store(next, Relaxed);
        prepare()?;
        // ORDERING: Release pairs with the Acquire in `Place::next`: who finds the node sees what
        // `Nodes::make` wrote. The node that the own link names was acquired by this thread, so who
        // goes on to it sees that one too.
        Ok(gap.previous.link().compare_exchange(next, self.offset, Release, Relaxed).is_ok())
    }
}
