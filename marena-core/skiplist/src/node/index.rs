//! An index of the nodes on one level, from which searches begin.
//!
//! An index is one allocation of 32-bit words, which are written before it is published and never
//! afterwards:
//!
//! ```text
//! | length | the index before it, or 0 | entries |
//! ```
//!
//! An entry is the prefix of a node's key, the lower word first, and the node's offset. Entries are
//! in the order of the list. Nodes are never unlinked, so an index stays right. It only lacks the
//! nodes that are linked later. The insert that doubles the number of nodes on the level makes the
//! next index. If there is no room for it, the one before stays.

use core::alloc::Layout;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use marena_core::Word;

use super::{FIRST, Node, Nodes, Place};
use crate::damage::Damage;
use crate::layout::{LINK, MIN_BODY, WORD, block};
use crate::region::Region;
use crate::space::Space;

/// The level of the nodes in an index. About every eighth node is on it.
pub(crate) const INDEX_LEVEL: u32 = 3;

/// The length of the smallest index. In a smaller map, searches from the head are as fast.
const SMALLEST: u32 = 64;

const HEADER: u32 = 2 * WORD;
const PREFIX: u32 = 2 * WORD;
const ENTRY: u32 = PREFIX + WORD;

/// The size of the smallest node on the index's level.
const NODE: u32 = (INDEX_LEVEL + 1) * LINK + WORD + MIN_BODY;

/// A published index.
#[derive(Debug)]
pub(crate) struct Index<'n, R> {
    nodes: &'n Nodes<R>,
    /// INVARIANT: a multiple of 4. The header and `len` entries lie in the region.
    /// In a trusted region, they were written by `Nodes::make_index`, which happens before, and are
    /// never written again.
    at: u32,
    /// INVARIANT: not 0.
    len: u32,
}

impl<R: Region> Nodes<R> {
    /// Returns the newest index.
    #[inline]
    pub(crate) fn index(&self) -> Result<Option<Index<'_, R>>, Damage> {
        // ORDERING: Acquire pairs with the Release in `make_index`: this thread sees what was
        // written into the index, and the nodes that its maker saw.
        self.index_at(self.index_word().load(Acquire))
    }

    /// Returns the index at an offset from the first block or from another index.
    #[inline]
    fn index_at(&self, at: u32) -> Result<Option<Index<'_, R>>, Damage> {
        if at == 0 {
            return Ok(None);
        }
        let room = self.region.len().saturating_sub(HEADER);
        self.region.check(at.is_multiple_of(WORD) && at >= FIRST && at <= room, at)?;
        // SAFETY: the header lies in the region: the index was published, or it is checked above.
        let len = unsafe { self.region.read_word(at) };
        self.region.check(len > 0 && len <= room.saturating_sub(at) / ENTRY, at)?;
        // INVARIANT: published, or checked above.
        Ok(Some(Index { nodes: self, at, len }))
    }

    /// Counts a node that was linked on the index's level, and makes an index if it doubles their
    /// number. `prefix` returns a node's, and `prepare` whether the complete index may be
    /// published. Returns the number of bytes that were allocated.
    #[inline]
    pub(crate) fn add_to_index<'n>(
        &'n self,
        prefix: impl Fn(Node<'n, R>) -> u64,
        prepare: impl FnOnce() -> bool,
    ) -> u32 {
        // SAFETY: the count lies in the block and was zeroed before the map was shared. Only this
        // method accesses it.
        let count = unsafe { self.region.word(self.block + block::INDEXED) };
        // ORDERING: Relaxed: the exchange tells whether this is still the count.
        let mut seen = count.load(Relaxed);
        // ORDERING: AcqRel pairs with itself: who counts sees the links of all that were counted
        // before. Relaxed at failure: as above.
        while let Err(found) = count.compare_exchange_weak(seen, seen.wrapping_add(1), AcqRel, Relaxed) {
            seen = found;
        }
        let len = seen.wrapping_add(1);
        if len < SMALLEST || !len.is_power_of_two() {
            return 0;
        }
        self.make_index(len, prefix, prepare).unwrap_or(0)
    }

    /// Makes an index of the first `len` nodes on its level, unless there is one that is as long.
    /// Returns its size in bytes, or `None` if nothing was allocated.
    #[cold]
    #[inline(never)]
    pub(crate) fn make_index<'n>(
        &'n self,
        len: u32,
        prefix: impl Fn(Node<'n, R>) -> u64,
        prepare: impl FnOnce() -> bool,
    ) -> Option<u32> {
        // ORDERING: Acquire pairs with the Release below: the next index names this one.
        let mut before = self.index_word().load(Acquire);
        if !self.is_shorter(before, len) {
            // Others were faster, and have made a later one.
            return None;
        }
        // Damage may have counted more nodes than the bytes that were handed out can hold.
        let most = self.region.space().used() / NODE as usize;
        self.region.check(len as usize <= most, self.block).ok()?;
        let size = len.checked_mul(ENTRY)?.checked_add(HEADER)?;
        let layout = Layout::from_size_align(size as usize, WORD as usize).ok()?;
        let start = self.region.space().allocate(layout).ok()?;
        let at = (start.addr().get() - self.region.base().addr().get()) as u32;
        // SAFETY: the allocation belongs to this call; it begins with the header.
        unsafe { self.region.write_word(at, len) };
        // SAFETY: as above.
        unsafe { self.region.write_word(at + WORD, before) };
        // INVARIANT: the head has all levels.
        let mut place = Place { level: INDEX_LEVEL, ..self.head() };
        for entry in 0..len {
            // There are so many nodes, unless the map is damaged.
            let Ok(Some(next)) = place.next() else { return Some(size) };
            let Ok(node) = next.node() else { return Some(size) };
            let (number, entry_at) = (prefix(node), at + HEADER + entry * ENTRY);
            let words = [(0, number as u32), (WORD, (number >> 32) as u32), (PREFIX, next.offset)];
            for (field, word) in words {
                // SAFETY: as above: one of the `len` entries behind the header.
                unsafe { self.region.write_word(entry_at + field, word) };
            }
            place = next;
        }
        if !prepare() {
            return Some(size);
        }
        // Others may publish meanwhile. Each of them is longer than the one before, so there are
        // not more, unless the map is damaged.
        for _ in 0..u32::BITS {
            // ORDERING: Release pairs with the Acquire in `index`. Acquire at failure: as at the
            // load above.
            match self.index_word().compare_exchange(before, at, Release, Acquire) {
                Err(newer) if self.is_shorter(newer, len) => before = newer,
                _ => break,
            }
            // SAFETY: as above: the header of an index that is not published.
            unsafe { self.region.write_word(at + WORD, before) };
        }
        Some(size)
    }

    /// Returns whether the index at an offset has fewer entries than `len`. One that is damaged
    /// has none.
    fn is_shorter(&self, at: u32, len: u32) -> bool {
        !matches!(self.index_at(at), Ok(Some(index)) if index.len >= len)
    }

    #[inline]
    fn index_word(&self) -> &<R::Space as Space>::Word {
        // SAFETY: the word lies in the block and was zeroed before the map was shared. Only this
        // method accesses it.
        unsafe { self.region.word(self.block + block::INDEX) }
    }
}

impl<'n, R: Region> Index<'n, R> {
    /// Returns the number of entries, which is not 0.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Returns the prefix of an entry.
    #[inline]
    pub(crate) fn prefix(&self, entry: u32) -> u64 {
        assert!(entry < self.len, "entry {entry} of {}", self.len);
        let at = self.at + HEADER + entry * ENTRY;
        // SAFETY: a word of one of the entries, which lie in the region, by the invariant.
        let low = unsafe { self.nodes.region.read_word(at) };
        // SAFETY: as above.
        let high = unsafe { self.nodes.region.read_word(at + WORD) };
        u64::from(low) | u64::from(high) << 32
    }

    /// Returns the node of an entry, on the index's level.
    #[inline]
    pub(crate) fn place(&self, entry: u32) -> Result<Option<Place<'n, R>>, Damage> {
        assert!(entry < self.len, "entry {entry} of {}", self.len);
        // SAFETY: a word of one of the entries, which lie in the region, by the invariant.
        let offset = unsafe { self.nodes.region.read_word(self.at + HEADER + entry * ENTRY + PREFIX) };
        // In a trusted region, the maker of the index had it from a link of this level.
        self.nodes.place(offset, INDEX_LEVEL)
    }
}

#[cfg(feature = "mapped")]
impl<'n, R: Region> Index<'n, R> {
    /// Returns the offset.
    pub(crate) fn at(&self) -> u32 {
        self.at
    }

    /// Returns the size in bytes.
    pub(crate) fn size(&self) -> u32 {
        HEADER + self.len * ENTRY
    }

    /// Returns the index that was the newest before this one, and is at most half as long.
    pub(crate) fn before(&self) -> Result<Option<Self>, Damage> {
        // SAFETY: a word of the header, which lies in the region, by the invariant.
        let before = self.nodes.index_at(unsafe { self.nodes.region.read_word(self.at + WORD) })?;
        let sound = before.as_ref().is_none_or(|before| before.len <= self.len / 2);
        self.nodes.region.check(sound, self.at)?;
        Ok(before)
    }
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;

    use marena_core::Arena;

    use super::*;
    use crate::node::Gap;
    use crate::region::Plain;

    #[test]
    fn an_index_gives_way_only_to_a_longer_one_for_which_there_is_room() {
        let mut bytes = [MaybeUninit::uninit(); 4096];
        let arena = Arena::borrowed(&mut bytes).unwrap();
        let nodes = Nodes::create(Plain::new(&arena), 0, 0).unwrap();
        let mut place = Place { level: INDEX_LEVEL, ..nodes.head() };
        for key in [b"a", b"b", b"c", b"d", b"e", b"f"] {
            let node = nodes.make(INDEX_LEVEL + 1, key, Some(b"")).unwrap();
            assert!(node.link(Gap::behind(place).unwrap(), || Ok::<_, Damage>(())).unwrap());
            place = Place { level: INDEX_LEVEL, ..node.bottom() };
        }
        let make = |len| nodes.make_index(len, Node::first_bytes, || true);
        let size = |len| Some(HEADER + len * ENTRY);
        let len = || nodes.index().unwrap().map(|index| index.len());
        // There are not so many nodes.
        assert_eq!((make(7), len()), (size(7), None));
        // A shorter one comes first, and a longer one.
        let between = |len, other| nodes.make_index(len, Node::first_bytes, || make(other).is_some());
        assert_eq!((between(2, 1), len()), (size(2), Some(2)));
        assert_eq!((between(3, 4), len()), (size(3), Some(4)));
        // They are there already.
        assert_eq!((make(4), make(2), len()), (None, None, Some(4)));
        let lengths = [4, 2, 1].map(Some);
        let mut index = nodes.index().unwrap();
        for expected in lengths {
            assert_eq!(index.as_ref().map(Index::len), expected);
            // SAFETY: the header of an index, which was published.
            let before = index.map(|index| unsafe { nodes.region.read_word(index.at + WORD) });
            index = nodes.index_at(before.unwrap()).unwrap();
        }
        assert!(index.is_none());
        arena.allocate_address(arena.remaining()).unwrap();
        assert_eq!((make(5), len()), (None, Some(4)));
        assert_eq!((make(u32::MAX), len()), (None, Some(4)));
    }
}
