//! Nodes in a region, and the links between them.
//!
//! A node is one allocation, so it is there as a whole or not at all. Every part except the key and
//! the value is a 32-bit word:
//!
//! ```text
//! | link h-1 | ... | link 1 | link 0 | shape | (lengths) | key | value |
//!                                    ^ the node's offset
//! ```
//!
//! **Links** are the only words that change. A link has the offset of the next node on its level,
//! or 0 at the end. Only [`NewNode::link`] changes it, from one node to a new one that precedes it:
//! nothing is ever unlinked. A link protects everything in its node except the node's links: that
//! is written before the node is linked anywhere, and never afterwards. So the compare-and-swap
//! that links is a Release, and every load that leads to a node is an Acquire.

mod compare;
mod index;
mod new_node;
mod path;
mod scouts;
mod shaped;

use core::alloc::Layout;
use core::sync::atomic::Ordering::{self, Acquire, Relaxed};

use marena_core::{ARENA_MIN_ADDRESS, AllocError, Word};

pub(crate) use compare::compares_in_place;
pub(crate) use index::{INDEX_LEVEL, Index};
pub(crate) use new_node::NewNode;
pub(crate) use path::{BATCH, Batch, Gap, Path};
pub(crate) use scouts::Scouts;
pub(crate) use shaped::Node;

use crate::damage::Damage;
use crate::layout::{LINK, MAX_HEIGHT, MIN_BODY, WORD, block};
use crate::prefetch::prefetch;
use crate::region::Region;
use crate::shape::Shape;
use crate::space::Space;

/// The first bytes of a map, in the machine's byte order.
pub(crate) const MAGIC: [u8; 8] = *b"marenasl";
pub(crate) const VERSION: u32 = 3;

/// The offset of the first byte of a region that can belong to a map.
const FIRST: u32 = ARENA_MIN_ADDRESS;

/// A region and the nodes in it.
#[derive(Debug)]
pub(crate) struct Nodes<R> {
    region: R,
    /// INVARIANT: the offset of a map's first block, which lies in the region. In a trusted region,
    /// the block is written and published to this thread.
    block: u32,
}

impl<R: Region> Nodes<R> {
    /// Creates an empty map: its first block.
    pub(crate) fn create(region: R, order: u32, seed: u64) -> Result<Self, AllocError> {
        let layout = Layout::from_size_align(block::SIZE as usize, block::ALIGN as usize);
        let layout = layout.map_err(|_| AllocError::TooLarge { requested: block::SIZE as usize })?;
        let block = region.allocate(layout)?;
        for at in (block..block + block::SIZE).step_by(WORD as usize) {
            // SAFETY: the allocation belongs to this call, and its size a multiple of 4.
            unsafe { region.write_word(at, 0) };
        }
        let head = Shape { height: MAX_HEIGHT as u32, key_len: 0, value_len: 0, tombstone: true, long: false };
        let [magic, magic_end] = magic_words();
        for (field, word) in [
            (block::MAGIC, magic),
            (block::MAGIC + WORD, magic_end),
            (block::VERSION, VERSION),
            (block::ORDER, order),
            (block::SEED, seed as u32),
            (block::SEED + WORD, (seed >> 32) as u32),
            (block::HEAD, head.word()),
        ] {
            // SAFETY: as above: each field lies in the block, at a multiple of 4.
            unsafe { region.write_word(block + field, word) };
        }
        // INVARIANT: of `block`: written above.
        Ok(Self { region, block })
    }

    /// Opens the map with this first block, if a block can lie there.
    #[cfg(feature = "mapped")]
    pub(crate) fn open(region: R, block: u32) -> Result<Self, Damage> {
        const { assert!(!R::TRUSTED, "what is opened is not trusted") };
        let sound =
            block.is_multiple_of(block::ALIGN) && block >= FIRST && block <= region.len().saturating_sub(block::SIZE);
        region.check(sound, block)?;
        // INVARIANT: of `block`: checked above.
        Ok(Self { region, block })
    }

    pub(crate) fn region(&self) -> &R {
        &self.region
    }

    #[cfg(feature = "mapped")]
    pub(crate) fn into_region(self) -> R {
        self.region
    }

    /// Returns the offset of the first block.
    #[cfg(feature = "mapped")]
    pub(crate) fn block(&self) -> u32 {
        self.block
    }

    /// Returns a number of the first block that never changes.
    #[cfg(feature = "mapped")]
    pub(crate) fn field(&self, field: u32) -> u32 {
        debug_assert!(field.is_multiple_of(WORD) && field < block::LIVE, "no field at {field}");
        // SAFETY: the field lies in the block, and was written before the map was shared.
        unsafe { self.region.read_word(self.block + field) }
    }

    /// Returns a number of the first block that changes.
    #[inline]
    pub(crate) fn count(&self, field: u32) -> &<R::Space as Space>::Word {
        debug_assert!(field == block::LIVE || field == block::BYTES, "no count at {field}");
        // SAFETY: the count lies in the block and was zeroed before the map was shared. Only this
        // method accesses it.
        unsafe { self.region.word(self.block + field) }
    }

    /// Returns the head on the highest level that has nodes.
    #[inline]
    pub(crate) fn top(&self) -> Place<'_, R> {
        // INVARIANT: the head has all levels.
        let mut top = Place { nodes: self, offset: self.block + block::HEAD, level: MAX_HEIGHT as u32 - 1 };
        // ORDERING: Relaxed: the search loads the link again, with Acquire, before it follows it.
        while top.level > 0 && top.link_word(Relaxed) == 0 {
            top.level -= 1;
        }
        top
    }

    /// Returns the head on the lowest level.
    #[inline]
    pub(crate) fn head(&self) -> Place<'_, R> {
        // INVARIANT: as above.
        Place { nodes: self, offset: self.block + block::HEAD, level: 0 }
    }

    /// Makes a node that is not linked yet, or a tombstone if there is no value. If there is no
    /// room for all its links, it gets one link. So whether an entry fits does not depend on the
    /// height that was drawn.
    #[inline]
    pub(crate) fn make(&self, height: u32, key: &[u8], value: Option<&[u8]>) -> Result<NewNode<'_, R>, AllocError> {
        match self.make_of(height, key, value) {
            Err(AllocError::Full { .. }) if height > 1 => self.make_of(1, key, value),
            made => made,
        }
    }

    /// Makes a node with this height.
    #[inline]
    fn make_of(&self, height: u32, key: &[u8], value: Option<&[u8]>) -> Result<NewNode<'_, R>, AllocError> {
        let shape = Shape::new(height, key, value)?;
        let size = shape.size();
        let layout =
            Layout::from_size_align(size, LINK as usize).map_err(|_| AllocError::TooLarge { requested: size })?;
        let start = self.region.allocate(layout)?;
        let offset = start + shape.links_len();
        for at in (start..offset).step_by(LINK as usize) {
            // SAFETY: the allocation belongs to this call; it begins with the links.
            unsafe { self.region.write_word(at, 0) };
        }
        // SAFETY: as above: the word after the links.
        unsafe { self.region.write_word(offset, shape.word()) };
        if shape.long {
            // SAFETY: as above: a long node has two more words.
            unsafe { self.region.write_word(offset + WORD, shape.key_len) };
            // SAFETY: as above.
            unsafe { self.region.write_word(offset + 2 * WORD, shape.value_len) };
        }
        let parts = [key, value.unwrap_or_default()];
        // SAFETY: as above: the rest of the allocation, which ends with a whole word, because
        // allocations are rounded up to one.
        unsafe { self.region.write_body(offset + shape.key_start(), parts, shape.body_len()) };
        // INVARIANT: the node is complete, and has `height` links.
        Ok(NewNode { nodes: self, offset, height, size: size as u32 })
    }

    /// Returns a place on level 0 that was met before, by its offset. In a trusted region there is
    /// none, because offsets are not checked there.
    #[cfg(feature = "mapped")]
    pub(crate) fn met_before(&self, offset: u32) -> Option<Place<'_, R>> {
        if R::TRUSTED { None } else { self.place(offset, 0).ok()? }
    }

    /// Returns the place that an offset from a link of this level names, or `None` at the end.
    #[inline]
    fn place(&self, offset: u32, level: u32) -> Result<Option<Place<'_, R>>, Damage> {
        if offset == 0 {
            return Ok(None);
        }
        // The links down to level 0, the shape and the smallest body lie in the region. The first
        // block lies there too and is larger, so nothing is subtracted from less.
        let least = FIRST + (level + 1) * LINK;
        let most = self.region.len() - (WORD + MIN_BODY);
        let sound = offset.is_multiple_of(WORD) && offset.wrapping_sub(least) <= most - least;
        self.region.check(sound, offset)?;
        // INVARIANT: read from a link of this level, or checked above.
        Ok(Some(Place { nodes: self, offset, level }))
    }
}

/// Returns the magic as two words.
pub(crate) fn magic_words() -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = MAGIC;
    [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
}

/// A node on one of its levels.
#[derive(Debug)]
pub(crate) struct Place<'n, R> {
    nodes: &'n Nodes<R>,
    /// INVARIANT: a multiple of 4. The words from link `level` to the shape, and `MIN_BODY` bytes
    /// behind it, lie in the region. In a trusted region, they belong to a node of these nodes, and
    /// the write of everything except its links happened before, for this thread.
    offset: u32,
    /// INVARIANT: in a trusted region, it is below that node's height.
    level: u32,
}

impl<R> Clone for Place<'_, R> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Place<'_, R> {}

impl<R> PartialEq for Place<'_, R> {
    /// Returns whether both are the same node.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.offset == other.offset
    }
}

impl<'n, R: Region> Place<'n, R> {
    #[inline]
    pub(crate) fn level(self) -> u32 {
        self.level
    }

    /// Returns the next place on this level.
    #[inline]
    pub(crate) fn next(self) -> Result<Option<Self>, Damage> {
        // ORDERING: Acquire pairs with the Release in `NewNode::link`: this thread sees what was
        // written into the node.
        self.nodes.place(self.link_word(Acquire), self.level)
    }

    #[inline]
    pub(crate) fn offset(self) -> u32 {
        self.offset
    }

    #[inline]
    pub(crate) fn nodes(self) -> &'n Nodes<R> {
        self.nodes
    }

    /// Returns the same node, one level lower.
    #[inline]
    pub(crate) fn down(self) -> Option<Self> {
        // INVARIANT: a node that has a level has those below.
        Some(Self { level: self.level.checked_sub(1)?, ..self })
    }

    /// Returns the same node on the lowest level.
    #[inline]
    pub(crate) fn bottom(self) -> Self {
        // INVARIANT: every node has level 0.
        Self { level: 0, ..self }
    }

    /// Returns the same node on another level, if it has that level.
    #[cfg(feature = "mapped")]
    pub(crate) fn on_level(self, level: u32) -> Result<Option<Self>, Damage> {
        // INVARIANT: checked here.
        Ok(self.node()?.has_level(level).then_some(Self { level, ..self }))
    }

    /// Returns the offset of the link of this level.
    #[cfg(feature = "mapped")]
    pub(crate) fn link_offset(self) -> u32 {
        self.offset - (self.level + 1) * LINK
    }

    /// Returns whether this is the head, which is before all keys.
    #[inline]
    pub(crate) fn is_head(self) -> bool {
        self.offset == self.nodes.block + block::HEAD
    }

    /// Returns the node with its shape. A node that ends outside the region is damage. The region
    /// has only whole words, so a node's last word lies there too.
    #[inline]
    pub(crate) fn node(self) -> Result<Node<'n, R>, Damage> {
        let region = &self.nodes.region;
        // SAFETY: the shape lies in the region and is not written any more, by the invariant.
        let mut shape = Shape::from_word(unsafe { region.read_word(self.offset) });
        if shape.long {
            (shape.key_len, shape.value_len) = self.long_lens()?;
        } else {
            // The lengths are short, so the sum is little more than 2^31 at most.
            region.check(self.offset + shape.key_start() + shape.body_len() <= region.len(), self.offset)?;
        }
        let sound = self.offset >= FIRST + shape.links_len() && shape.height <= MAX_HEIGHT as u32;
        region.check(sound, self.offset)?;
        // INVARIANT: written by `Nodes::make`, or checked above.
        Ok(Node { place: self, shape })
    }

    /// Returns the lengths of a node that has words of their own for them.
    #[cold]
    fn long_lens(self) -> Result<(u32, u32), Damage> {
        let region = &self.nodes.region;
        // The two words lie in the smallest body.
        // SAFETY: as in `node`.
        let key_len = unsafe { region.read_word(self.offset + WORD) };
        // SAFETY: as above.
        let value_len = unsafe { region.read_word(self.offset + 2 * WORD) };
        if !R::TRUSTED {
            let body = u64::from(key_len) + u64::from(value_len);
            let end = u64::from(self.offset) + u64::from(Shape::LONG_START) + body.max(MIN_BODY.into());
            // Such a node can have any length, but it ends in bytes that were handed out. The link
            // that led here was loaded with Acquire, so the cursor is already behind them.
            let last = region.len().min(FIRST.saturating_add(region.space().used() as u32));
            region.check(end <= last.into(), self.offset)?;
        }
        Ok((key_len, value_len))
    }

    /// Prefetches the memory that a comparison reads first.
    #[inline]
    pub(crate) fn prefetch(self) {
        prefetch(self.nodes.region.base().as_ptr().wrapping_add(self.offset as usize));
    }

    /// Prefetches the next node some levels lower. A search that does not go on here goes there
    /// soon.
    #[inline]
    pub(crate) fn prefetch_below(self, levels: u32) {
        if let Some(level) = self.level.checked_sub(levels) {
            // INVARIANT: a node that has a level has those below.
            // ORDERING: Relaxed: the offset is only prefetched and not followed.
            let next = Self { level, ..self }.link_word(Relaxed);
            prefetch(self.nodes.region.base().as_ptr().wrapping_add(next as usize));
        }
    }

    /// Loads the link of this level.
    #[inline]
    fn link_word(self, order: Ordering) -> u32 {
        self.link().load(order)
    }

    #[inline]
    fn link(self) -> &'n <R::Space as Space>::Word {
        // SAFETY: the node's link of this level lies in the region. It was zeroed before the node
        // was shared, and is accessed only here.
        unsafe { self.nodes.region.word(self.offset - (self.level + 1) * LINK) }
    }
}
