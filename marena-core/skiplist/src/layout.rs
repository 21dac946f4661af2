//! The sizes and offsets of the map's layout.

use static_assertions::const_assert;

/// The size of a word in bytes: links, counts and lengths are 32-bit numbers.
pub(crate) const WORD: u32 = 4;

/// The size of a link in bytes.
pub(crate) const LINK: u32 = WORD;

/// The number of levels of the head, and the largest of a node. Half the nodes of a level are on
/// the next one, so these levels suffice for all nodes of the largest region.
pub(crate) const MAX_HEIGHT: usize = 24;

/// The largest number of indexes. The longest has 2^23 entries. With more nodes on their
/// level, a map of average heights is larger than the largest region.
pub(crate) const MAX_INDEXES: u32 = 18;

/// The smallest number of bytes behind a node's lengths, because comparisons read a key's first
/// eight bytes at once.
pub(crate) const MIN_BODY: u32 = 8;

/// The size of the smallest node in bytes: a link, the first word and the smallest body.
pub(crate) const MIN_NODE: u32 = LINK + WORD + MIN_BODY;

/// The offsets in a map's first block, which the map's root names. The numbers that change at every
/// insert share no cache line with the head's links.
pub(crate) mod block {
    use super::{LINK, MAX_HEIGHT, MAX_INDEXES, MIN_BODY, WORD};

    /// Eight bytes that mark a map.
    pub(crate) const MAGIC: u32 = 0;
    pub(crate) const VERSION: u32 = 8;
    /// The order's number.
    pub(crate) const ORDER: u32 = 12;
    /// The seed of the heights, its lower half first.
    pub(crate) const SEED: u32 = 16;
    /// The number of keys with a value. It is not kept in files.
    pub(crate) const LIVE: u32 = 24;
    /// The number of bytes in all nodes and indexes. It is not kept in files.
    pub(crate) const BYTES: u32 = 28;
    /// The head: a node before all others, with the largest height and without a key.
    pub(crate) const HEAD: u32 = 64 + MAX_HEIGHT as u32 * LINK;
    /// The number of nodes on the indexes' level.
    pub(crate) const INDEXED: u32 = HEAD + WORD + MIN_BODY;
    /// The indexes, the shortest first: a word for each, or 0.
    pub(crate) const INDEXES: u32 = INDEXED + WORD;
    pub(crate) const SIZE: u32 = INDEXES + MAX_INDEXES * WORD;
    pub(crate) const ALIGN: u32 = 64;
}

const_assert!(block::BYTES + WORD <= block::HEAD - MAX_HEIGHT as u32 * LINK);
const_assert!(MAX_HEIGHT <= 32);
