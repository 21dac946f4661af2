//! Nodes in a region, and the links between them.
//!
//! A node is one claim, so it is there as a whole or not at all. Every part but the key and the
//! value is a 32-bit word:
//!
//! ```text
//! | link h-1 | ... | link 1 | link 0 | shape | (lengths) | key | value |
//!                                    ^ the node's offset
//! ```
//!
//! **Links** are the one kind of word that changes. A link holds the offset of the next node on its
//! level, 0 at the end. It changes only by [`NewNode::link`], from one node to a new one that
//! precedes it: nothing is ever unlinked. What a link protects is everything but the links of the
//! node it names: that is written before the node is linked anywhere, and never after. So the
//! compare-and-swap that links is a Release, and every load that leads to a node is an Acquire.

use core::alloc::Layout;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use marena_core::{ARENA_MIN_ADDRESS, AllocError, Word};

use crate::damage::Damage;
use crate::layout::{LINK, MAX_HEIGHT, MIN_BODY, MIN_NODE, WORD, block};
use crate::order::first_bytes_of;
use crate::prefetch::prefetch;
use crate::region::{Plain, Region};
use crate::shape::Shape;
use crate::space::Space;

/// What a map begins with, in the machine's byte order.
pub(crate) const MAGIC: [u8; 8] = *b"marenasl";
pub(crate) const VERSION: u32 = 1;

/// The first byte of a region that can be a map's.
const FIRST: u32 = ARENA_MIN_ADDRESS;

/// Levels whose next nodes a walk asks for.
const PREFETCHED_LEVELS: u32 = 4;

/// Where a node of a usual size has its end, in bytes from its offset.
const USUAL_END: usize = 48;

/// A region and the nodes in it.
#[derive(Debug)]
pub(crate) struct Nodes<R> {
    region: R,
    /// INVARIANT: the offset of a map's first block, which lies in the region; in a trusted one, it
    /// is written and published to this thread.
    block: u32,
}

impl<R: Region> Nodes<R> {
    /// Makes an empty map's first block.
    pub(crate) fn create(region: R, order: u32, seed: u64) -> Result<Self, AllocError> {
        let layout = Layout::from_size_align(block::SIZE as usize, block::ALIGN as usize);
        let layout = layout.map_err(|_| AllocError::TooLarge { requested: block::SIZE as usize })?;
        let start = region.space().allocate(layout)?;
        // The region is at most 2^31 bytes long.
        let block = (start.addr().get() - region.base().addr().get()) as u32;
        for at in (block..block + block::SIZE).step_by(WORD as usize) {
            // SAFETY: the claim is this call's own, and its size a multiple of 4.
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

    /// Returns the map whose first block another has made, if one of its size can lie there.
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

    /// Returns a number of the first block that is not changed.
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
        // SAFETY: the count lies in the block, was zeroed before the map was shared, and is
        // accessed by this method alone.
        unsafe { self.region.word(self.block + field) }
    }

    /// Returns the head on the highest level that has nodes.
    #[inline]
    pub(crate) fn top(&self) -> Place<'_, R> {
        // INVARIANT: the head has all levels.
        let mut top = Place { nodes: self, offset: self.block + block::HEAD, level: MAX_HEIGHT as u32 - 1 };
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

    /// Returns the most nodes that the region can hold.
    #[inline]
    pub(crate) fn most(&self) -> u32 {
        self.region.len() / MIN_NODE
    }

    /// Makes a node that is not linked yet, a tombstone where there is no value.
    #[inline]
    pub(crate) fn make(
        &self,
        height: u32,
        key: &[u8],
        value: Option<&[u8]>,
        allocate: impl FnOnce(Layout) -> Result<core::ptr::NonNull<u8>, AllocError>,
    ) -> Result<NewNode<'_, R>, AllocError> {
        let shape = Shape::new(height, key, value)?;
        let size = shape.size();
        let layout =
            Layout::from_size_align(size, LINK as usize).map_err(|_| AllocError::TooLarge { requested: size })?;
        let start = allocate(layout)?;
        let start = (start.addr().get() - self.region.base().addr().get()) as u32;
        let offset = start + shape.links_len();
        for at in (start..offset).step_by(LINK as usize) {
            // SAFETY: the claim is this call's own; it begins with the links.
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
        // SAFETY: as above: the rest of the claim, which ends with a whole word as claims are
        // rounded up to one.
        unsafe { self.region.write_body(offset + shape.key_start(), parts, shape.body_len()) };
        // INVARIANT: the node is complete, and has `height` links.
        Ok(NewNode { nodes: self, offset, height, size: size as u32 })
    }

    /// Returns the place that an offset from a link of this level names; `None` at the end.
    #[inline]
    fn place(&self, offset: u32, level: u32) -> Result<Option<Place<'_, R>>, Damage> {
        if offset == 0 {
            return Ok(None);
        }
        // The links down to level 0, the shape and the least body lie in the region.
        let sound = offset.is_multiple_of(WORD)
            && offset >= FIRST + (level + 1) * LINK
            && offset <= self.region.len().saturating_sub(WORD + MIN_BODY);
        self.region.check(sound, offset)?;
        // INVARIANT: read from a link of this level, or checked above.
        Ok(Some(Place { nodes: self, offset, level }))
    }
}

/// The magic as two words.
pub(crate) fn magic_words() -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = MAGIC;
    [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
}

/// A node, seen at one of its levels.
#[derive(Debug)]
pub(crate) struct Place<'n, R> {
    nodes: &'n Nodes<R>,
    /// INVARIANT: a multiple of 4. The words from link `level` to the shape, and `MIN_BODY` bytes
    /// behind it, lie in the region. In a trusted one, they are a node's of these nodes, and
    /// everything but its links was written before, in the order of this thread.
    offset: u32,
    /// INVARIANT: in a trusted region, below that node's height.
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
    /// Whether both are the same node.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.offset == other.offset
    }
}

impl<'n, R: Region> Place<'n, R> {
    /// Returns what follows on this level.
    #[inline]
    pub(crate) fn next(self) -> Result<Option<Self>, Damage> {
        // ORDERING: Acquire pairs with the Release in `NewNode::link`: what was written into the
        // node named here is seen.
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

    /// Returns the same node on another level, where it has that.
    #[cfg(feature = "mapped")]
    pub(crate) fn on_level(self, level: u32) -> Result<Option<Self>, Damage> {
        // INVARIANT: checked here.
        Ok(self.node()?.has_level(level).then_some(Self { level, ..self }))
    }

    /// Returns where the link of this level is.
    #[cfg(feature = "mapped")]
    pub(crate) fn link_offset(self) -> u32 {
        self.offset - (self.level + 1) * LINK
    }

    /// Whether this is the head, which is before all keys.
    #[inline]
    pub(crate) fn is_head(self) -> bool {
        self.offset == self.nodes.block + block::HEAD
    }

    /// Returns the node with its shape. One that ends outside the region is damage.
    #[inline]
    pub(crate) fn node(self) -> Result<Node<'n, R>, Damage> {
        let region = &self.nodes.region;
        // SAFETY: the shape lies in the region and is not written any more, by the invariant.
        let mut shape = Shape::from_word(unsafe { region.read_word(self.offset) });
        if shape.long {
            // The two words lie within the least body.
            // SAFETY: as above.
            shape.key_len = unsafe { region.read_word(self.offset + WORD) };
            // SAFETY: as above.
            shape.value_len = unsafe { region.read_word(self.offset + 2 * WORD) };
        }
        if !R::TRUSTED {
            let body = u64::from(shape.key_len) + u64::from(shape.value_len);
            let end = u64::from(self.offset) + u64::from(shape.key_start()) + body.max(MIN_BODY.into());
            // Whole words: bytes are read as a part of theirs.
            let sound = end.next_multiple_of(WORD.into()) <= region.len().into()
                && self.offset >= FIRST + shape.links_len()
                && shape.height <= MAX_HEIGHT as u32;
            region.check(sound, self.offset)?;
        }
        // INVARIANT: written by `Nodes::make`, or checked above.
        Ok(Node { place: self, shape })
    }

    /// Asks for the memory that a comparison reads first.
    #[inline]
    pub(crate) fn prefetch(self) {
        prefetch(self.nodes.region.base().as_ptr().wrapping_add(self.offset as usize));
    }

    /// Asks for the node that follows some levels lower: a search that does not go on here goes
    /// there soon.
    #[inline]
    pub(crate) fn prefetch_below(self, levels: u32) {
        if let Some(level) = self.level.checked_sub(levels) {
            // INVARIANT: a node that has a level has those below.
            // ORDERING: Relaxed: the offset is only asked for, not followed.
            let next = Self { level, ..self }.link_word(Relaxed);
            prefetch(self.nodes.region.base().as_ptr().wrapping_add(next as usize));
        }
    }

    /// Loads the link of this level.
    #[inline]
    fn link_word(self, order: core::sync::atomic::Ordering) -> u32 {
        self.link().load(order)
    }

    #[inline]
    fn link(self) -> &'n <R::Space as Space>::Word {
        // SAFETY: the node's link of this level lies in the region; it was zeroed before the node
        // was shared, and is accessed here alone.
        unsafe { self.nodes.region.word(self.offset - (self.level + 1) * LINK) }
    }
}

/// A node and its shape.
#[derive(Debug)]
pub(crate) struct Node<'n, R> {
    place: Place<'n, R>,
    /// INVARIANT: the node's. Its links, key and value lie in the region; in a trusted one, they
    /// are initialised.
    shape: Shape,
}

impl<R> Clone for Node<'_, R> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Node<'_, R> {}

impl<'n, R: Region> Node<'n, R> {
    #[inline]
    pub(crate) fn place(self) -> Place<'n, R> {
        self.place
    }

    #[inline]
    pub(crate) fn is_tombstone(self) -> bool {
        self.shape.tombstone
    }

    #[inline]
    pub(crate) fn key_len(self) -> usize {
        self.shape.key_len as usize
    }

    /// Bytes of the whole node.
    #[cfg(feature = "mapped")]
    pub(crate) fn size(self) -> usize {
        self.shape.size()
    }

    /// Whether the node has a level.
    #[cfg(feature = "mapped")]
    pub(crate) fn has_level(self, level: u32) -> bool {
        level < self.shape.height
    }

    /// Returns where the key is, and its length.
    #[cfg(feature = "mapped")]
    pub(crate) fn key_range(self) -> (u32, u32) {
        (self.key_at(), self.shape.key_len)
    }

    /// Returns where the value is, and its length.
    #[cfg(feature = "mapped")]
    pub(crate) fn value_range(self) -> (u32, u32) {
        (self.key_at() + self.shape.key_len, self.shape.value_len)
    }

    #[inline]
    fn key_at(self) -> u32 {
        self.place.offset + self.shape.key_start()
    }

    /// Returns the first bytes of the key as a number, zeros where it is shorter.
    #[inline]
    pub(crate) fn first_bytes(self) -> u64 {
        // SAFETY: key and value are at least `MIN_BODY` bytes long, or filled up to as many, and
        // are not written any more.
        let bytes = unsafe { self.place.nodes.region.read_eight(self.key_at()) };
        first_bytes_of(bytes, self.shape.key_len)
    }

    /// Shows the key.
    #[inline]
    pub(crate) fn with_key<T>(self, look: impl FnOnce(&[u8]) -> T) -> T {
        // SAFETY: the key lies in the region, by the invariant, and is not written any more.
        unsafe { self.place.nodes.region.with_bytes(self.key_at(), self.shape.key_len, look) }
    }

    /// Asks for the nodes that follow on a few levels above the lowest, and for the end of the next
    /// one: a walk comes to them soon.
    #[inline]
    pub(crate) fn prefetch_ahead(self) {
        for level in 0..self.shape.height.min(PREFETCHED_LEVELS) {
            // INVARIANT: below the node's height.
            let next = Place { level, ..self.place }.link_word(Relaxed);
            let next = self.place.nodes.region.base().as_ptr().wrapping_add(next as usize);
            prefetch(next);
            prefetch(next.wrapping_add(USUAL_END));
        }
    }
}

impl<'n, S: Space> Node<'n, Plain<S>> {
    /// Returns key and value; no value, if the node is a tombstone.
    #[inline]
    pub(crate) fn entry(self) -> (&'n [u8], Option<&'n [u8]>) {
        let region = &self.place.nodes.region;
        // SAFETY: the key lies in the region, by the invariant, and is not written any more.
        let key = unsafe { region.bytes(self.key_at(), self.shape.key_len) };
        // SAFETY: as above, for the value behind it.
        let value = unsafe { region.bytes(self.key_at() + self.shape.key_len, self.shape.value_len) };
        (key, (!self.shape.tombstone).then_some(value))
    }
}

/// Two neighbours of one level, as they were at one moment.
#[derive(Debug)]
pub(crate) struct Gap<'n, R> {
    pub(crate) previous: Place<'n, R>,
    /// INVARIANT: a place on the same level, of the same nodes.
    next: Option<Place<'n, R>>,
}

impl<R> Clone for Gap<'_, R> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Gap<'_, R> {}

impl<'n, R: Region> Gap<'n, R> {
    /// Returns the gap behind a place.
    #[inline]
    pub(crate) fn behind(previous: Place<'n, R>) -> Result<Self, Damage> {
        // INVARIANT: `Place::next` stays on its level.
        Ok(Self { previous, next: previous.next()? })
    }

    #[inline]
    pub(crate) fn next(self) -> Option<Place<'n, R>> {
        self.next
    }
}

/// The gaps that a search came through, by level.
#[derive(Debug)]
pub(crate) struct Path<'n, R> {
    nodes: &'n Nodes<R>,
    /// INVARIANT: by level, the offsets of a place of `nodes` and of what followed it, 0 for
    /// nothing.
    gaps: [(u32, u32); MAX_HEIGHT],
}

impl<'n, R: Region> Path<'n, R> {
    /// Returns a path behind the head, with nothing on any level.
    #[inline]
    pub(crate) fn new(nodes: &'n Nodes<R>) -> Self {
        // INVARIANT: the head has all levels.
        Self { nodes, gaps: [(nodes.block + block::HEAD, 0); MAX_HEIGHT] }
    }

    /// Keeps a gap.
    #[inline]
    pub(crate) fn record(&mut self, gap: Gap<'n, R>) {
        debug_assert!(core::ptr::eq(self.nodes, gap.previous.nodes));
        // INVARIANT: a place and the next one of its level.
        if let Some(kept) = self.gaps.get_mut(gap.previous.level as usize) {
            *kept = (gap.previous.offset, gap.next.map_or(0, Place::offset));
        }
    }

    /// Returns the gap of a level.
    #[inline]
    pub(crate) fn gap(&self, level: u32) -> Gap<'n, R> {
        let (previous, next) = self.gaps[level as usize];
        let nodes = self.nodes;
        Gap {
            // INVARIANT: recorded from a place of this level, or the head.
            previous: Place { nodes, offset: previous, level },
            // INVARIANT: likewise.
            next: (next != 0).then_some(Place { nodes, offset: next, level }),
        }
    }
}

/// The last of many places of the lowest level.
#[derive(Debug)]
pub(crate) struct Batch<'n, R> {
    nodes: &'n Nodes<R>,
    /// INVARIANT: the `len` from `start` on, round the end, are offsets of places of `nodes`.
    offsets: [u32; BATCH],
    start: usize,
    len: usize,
}

/// Places that a batch holds.
const BATCH: usize = 64;

impl<'n, R: Region> Batch<'n, R> {
    pub(crate) fn new(nodes: &'n Nodes<R>) -> Self {
        Self { nodes, offsets: [0; BATCH], start: 0, len: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a place; a full batch loses its first one.
    #[inline]
    pub(crate) fn push(&mut self, place: Place<'n, R>) {
        debug_assert!(core::ptr::eq(self.nodes, place.nodes));
        self.offsets[(self.start + self.len) % BATCH] = place.offset;
        if self.len == BATCH {
            self.start = (self.start + 1) % BATCH;
        } else {
            self.len += 1;
        }
    }

    /// Takes the last place.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Place<'n, R>> {
        self.len = self.len.checked_sub(1)?;
        // INVARIANT: added from a place; every node has level 0.
        Some(Place { nodes: self.nodes, offset: self.offsets[(self.start + self.len) % BATCH], level: 0 })
    }
}

/// A complete node on its way into the list.
#[derive(Debug)]
pub(crate) struct NewNode<'n, R> {
    nodes: &'n Nodes<R>,
    /// INVARIANT: of a node that is complete but for its links.
    offset: u32,
    /// INVARIANT: the number of the node's links.
    height: u32,
    /// Bytes of the whole node.
    size: u32,
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
        let next = gap.next.map_or(0, Place::offset);
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
