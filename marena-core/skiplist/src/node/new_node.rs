//! A node that is not in the list yet.

use core::sync::atomic::Ordering::{Relaxed, Release};

use marena_core::Word;

use super::{Gap, Nodes, Place};
use crate::region::Region;

/// A complete node that is not on all its levels yet.
#[derive(Debug)]
pub(crate) struct NewNode<'n, R> {
    pub(super) nodes: &'n Nodes<R>,
    /// INVARIANT: the offset of a node that is complete except for its links.
    pub(super) offset: u32,
    /// INVARIANT: the number of the node's links.
    pub(super) height: u32,
    /// The size of the whole node, in bytes.
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

    /// Links the node into a gap of a level that it is not on yet. Returns `false` if another node
    /// came first. `prepare` runs after the node is complete, and before others can find it in this
    /// gap.
    ///
    /// The caller links level 0 first, which makes the node a part of the list. The levels above
    /// are only shortcuts to it.
    #[inline]
    pub(crate) fn link<E>(&self, gap: Gap<'n, R>, prepare: impl FnOnce() -> Result<(), E>) -> Result<bool, E> {
        let level = gap.previous.level;
        assert!(level < self.height && core::ptr::eq(self.nodes, gap.previous.nodes));
        // INVARIANT: below the node's height.
        let own = Place { nodes: self.nodes, offset: self.offset, level };
        let next = gap.next().map_or(0, Place::offset);
        // ORDERING: Relaxed: nobody reads this link before the compare-and-swap below releases it.
        own.link().store(next, Relaxed);
        prepare()?;
        // ORDERING: Release pairs with the Acquire in `Place::next`: a thread that finds the node
        // sees what `Nodes::make` wrote. This thread acquired the node that the own link names, so
        // a thread that goes on to it sees that one as well.
        Ok(gap.previous.link().compare_exchange(next, self.offset, Release, Relaxed).is_ok())
    }
}
