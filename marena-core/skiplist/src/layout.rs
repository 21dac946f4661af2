//! Sizes and offsets that the map's bytes are laid out by.

use static_assertions::const_assert;

/// Bytes of a word: links, counts and lengths are 32-bit numbers.
pub(crate) const WORD: u32 = 4;

/// Bytes of a link.
pub(crate) const LINK: u32 = WORD;

/// Levels of the head, and the most that a node has: half the nodes of a level are on the next one,
/// so these are enough for all the nodes that a region can hold.
pub(crate) const MAX_HEIGHT: usize = 24;

/// Bytes that follow a node's lengths at least: comparisons read a key's first eight bytes at once.
pub(crate) const MIN_BODY: u32 = 8;

/// Bytes of the smallest node: a link, the first word and the least body.
pub(crate) const MIN_NODE: u32 = LINK + WORD + MIN_BODY;

/// What a map begins with; nodes and the map's root name it. Numbers that change at every insert
/// have a cache line of their own.
pub(crate) mod block {
    use super::{LINK, MAX_HEIGHT, MIN_BODY, WORD};

    /// Eight bytes that tell a map.
    pub(crate) const MAGIC: u32 = 0;
    pub(crate) const VERSION: u32 = 8;
    /// The order's number.
    pub(crate) const ORDER: u32 = 12;
    /// The seed of the heights, its lower half first.
    pub(crate) const SEED: u32 = 16;
    /// Keys with a value; kept in memory only.
    pub(crate) const LIVE: u32 = 24;
    /// Bytes of all nodes; kept in memory only.
    pub(crate) const BYTES: u32 = 28;
    /// The head: a node before all others, of the largest height, without a key.
    pub(crate) const HEAD: u32 = 64 + MAX_HEIGHT as u32 * LINK;
    pub(crate) const SIZE: u32 = HEAD + WORD + MIN_BODY;
    pub(crate) const ALIGN: u32 = 64;
}

const_assert!(block::BYTES + WORD <= block::HEAD - MAX_HEIGHT as u32 * LINK);
const_assert!(MAX_HEIGHT <= 32);
