//! Indexes of the nodes on one level, from which searches begin.
//!
//! An insert that doubles the number of nodes on the level makes the next index: one allocation
//! with an entry for each of them. An entry is the prefix of a node's key, the lower word first,
//! and the node's offset. Entries are in the order of the list. Nodes are never unlinked, so an
//! index stays right. It only lacks the nodes that are linked later.
//!
//! The map's first block has a word for each index. It changes twice, and only the maker changes
//! it:
//!
//! 1. From 0 to the index's offset, right after the allocation.
//! 2. To the offset and [`COMPLETE`], when all entries are written. They are never written
//!    afterwards.
//!
//! So the bytes of an index are accounted for, also if its maker is killed, unless that happens in
//! the few instructions before the first step. Nobody waits for an index, and nobody goes on with
//! one that others make: searches begin in the longest one that is complete. If there is no room
//! for an index, or it stays unfinished, that is a shorter one until the number of nodes has
//! doubled again.
//!
//! There is one maker for each length. So killed ones, however many, leave no more bytes than the
//! indexes of a map have.

use core::alloc::Layout;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use marena_core::Word;

use super::{FIRST, Node, Nodes, Place};
use crate::damage::Damage;
use crate::layout::{LINK, MAX_INDEXES, MIN_BODY, WORD, block};
use crate::region::Region;
use crate::space::Space;

/// The level of the nodes in an index. About every eighth node is on it.
pub(crate) const INDEX_LEVEL: u32 = 3;

/// The length of the shortest index. In a smaller map, searches from the head are as fast. Models
/// have few nodes.
const SHORTEST: u32 = if cfg!(test) { 2 } else { 64 };

/// The bit that is set in the word of an index that is complete. Offsets are multiples of 4.
const COMPLETE: u32 = 1;

const PREFIX: u32 = 2 * WORD;
const ENTRY: u32 = PREFIX + WORD;

/// The size of the smallest node on the index's level.
const NODE: u32 = (INDEX_LEVEL + 1) * LINK + WORD + MIN_BODY;

/// A complete index.
#[derive(Debug)]
pub(crate) struct Index<'n, R> {
    nodes: &'n Nodes<R>,
    /// INVARIANT: a multiple of 4. `len` entries lie in the region. In a trusted region, they were
    /// written by `Nodes::make_index`, which happens before, and are never written again.
    at: u32,
    /// INVARIANT: not 0.
    len: u32,
}

/// Returns the number of entries of an index.
#[inline]
fn len_of(number: u32) -> u32 {
    debug_assert!(number < MAX_INDEXES, "no index {number}");
    SHORTEST << number
}

/// Returns the number of the longest index for so many nodes on their level.
#[inline]
fn longest_for(nodes: u32) -> Option<u32> {
    (nodes / SHORTEST).checked_ilog2()
}

impl<R: Region> Nodes<R> {
    /// Returns the longest index.
    #[inline]
    pub(crate) fn index(&self) -> Result<Option<Index<'_, R>>, Damage> {
        // ORDERING: Relaxed: the count tells where to look. What is found there is complete.
        let mut longest = longest_for(self.indexed().load(Relaxed));
        while let Some(number) = longest {
            if number < MAX_INDEXES
                && let Some(index) = self.complete_index(number)?
            {
                return Ok(Some(index));
            }
            longest = number.checked_sub(1);
        }
        Ok(None)
    }

    /// Returns an index, the shortest being number 0, if it is complete.
    #[inline]
    pub(crate) fn complete_index(&self, number: u32) -> Result<Option<Index<'_, R>>, Damage> {
        // ORDERING: Acquire pairs with the Release in `make_index`: this thread sees the entries,
        // and the nodes that the maker saw.
        let word = self.index_word(number).load(Acquire);
        if word & COMPLETE == 0 {
            return Ok(None);
        }
        let at = word - COMPLETE;
        self.check_index(number, at)?;
        // INVARIANT: complete, or checked above.
        Ok(Some(Index { nodes: self, at, len: len_of(number) }))
    }

    /// Returns how many bytes an index takes, complete or not.
    #[cfg(feature = "mapped")]
    pub(crate) fn index_size(&self, number: u32) -> Result<usize, Damage> {
        // ORDERING: Relaxed: the index is not read.
        let word = self.index_word(number).load(Relaxed);
        if word == 0 {
            return Ok(0);
        }
        self.check_index(number, word & !COMPLETE)?;
        Ok((len_of(number) * ENTRY) as usize)
    }

    /// Returns an error if an index cannot lie at this offset.
    #[inline]
    fn check_index(&self, number: u32, at: u32) -> Result<(), Damage> {
        let room = self.region.len().saturating_sub(at) / ENTRY;
        self.region.check(at.is_multiple_of(WORD) && at >= FIRST && len_of(number) <= room, at)
    }

    /// Counts a node that was linked on the index's level, and makes an index if it doubles their
    /// number. `prefix` returns a node's, and `prepare` whether the index may become complete.
    /// Returns the number of bytes that were allocated.
    #[inline]
    pub(crate) fn add_to_index<'n>(
        &'n self,
        prefix: impl Fn(Node<'n, R>) -> u64,
        prepare: impl FnOnce() -> bool,
    ) -> u32 {
        match self.count_node().and_then(|nodes| Some((longest_for(nodes)?, nodes))) {
            Some((number, nodes)) if number < MAX_INDEXES && len_of(number) == nodes => {
                self.make_index(number, prefix, prepare).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Counts a node on the index's level. Returns their number, or `None` if others count without
    /// end.
    #[inline]
    fn count_node(&self) -> Option<u32> {
        let count = self.indexed();
        // ORDERING: Relaxed: the exchange tells whether this is still the count.
        let mut seen = count.load(Relaxed);
        // An attempt fails only if another node was counted, and there is no room for more.
        for _ in 0..self.region.len() / NODE {
            let nodes = seen.wrapping_add(1);
            // ORDERING: AcqRel pairs with itself: who counts sees the links of all that were
            // counted before. Relaxed at failure: as above.
            match count.compare_exchange(seen, nodes, AcqRel, Relaxed) {
                Ok(_) => return Some(nodes),
                Err(found) => seen = found,
            }
        }
        None
    }

    /// Makes an index of the first nodes on its level. Returns its size in bytes, or `None` if
    /// nothing was allocated.
    #[cold]
    #[inline(never)]
    fn make_index<'n>(
        &'n self,
        number: u32,
        prefix: impl Fn(Node<'n, R>) -> u64,
        prepare: impl FnOnce() -> bool,
    ) -> Option<u32> {
        let (word, len) = (self.index_word(number), len_of(number));
        // Damage may have counted twice up to the same number, or more nodes than the bytes that
        // were handed out can hold.
        let most = self.region.space().used() / NODE as usize;
        // ORDERING: Relaxed: the index is not read.
        self.region.check(word.load(Relaxed) == 0 && len as usize <= most, self.block).ok()?;
        let size = len.checked_mul(ENTRY)?;
        let layout = Layout::from_size_align(size as usize, WORD as usize).ok()?;
        let at = self.region.allocate(layout).ok()?;
        // ORDERING: Relaxed, also at failure: nobody reads what is not complete.
        if word.compare_exchange(0, at, Relaxed, Relaxed).is_err() {
            // Damage.
            return Some(size);
        }
        // INVARIANT: the head has all levels.
        let mut place = Place { level: INDEX_LEVEL, ..self.head() };
        for entry in 0..len {
            // There are so many nodes, unless the map is damaged.
            let Ok(Some(next)) = place.next() else { return Some(size) };
            let Ok(node) = next.node() else { return Some(size) };
            let (number, entry_at) = (prefix(node), at + entry * ENTRY);
            let words = [(0, number as u32), (WORD, (number >> 32) as u32), (PREFIX, next.offset)];
            for (field, word) in words {
                // SAFETY: one of the `len` entries of the allocation, which belongs to this call.
                unsafe { self.region.write_word(entry_at + field, word) };
            }
            place = next;
        }
        if prepare() {
            // ORDERING: Release pairs with the Acquire in `complete_index`.
            word.store(at | COMPLETE, Release);
        }
        Some(size)
    }

    /// Returns the number of nodes that were linked on the index's level.
    #[inline]
    fn indexed(&self) -> &<R::Space as Space>::Word {
        // SAFETY: the count lies in the block and was zeroed before the map was shared. Only this
        // method accesses it.
        unsafe { self.region.word(self.block + block::INDEXED) }
    }

    /// Returns the word of an index: 0, its offset, or its offset and `COMPLETE`.
    #[inline]
    fn index_word(&self, number: u32) -> &<R::Space as Space>::Word {
        assert!(number < MAX_INDEXES, "no index {number}");
        // SAFETY: the word lies in the block and was zeroed before the map was shared. Only this
        // method accesses it.
        unsafe { self.region.word(self.block + block::INDEXES + number * WORD) }
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
        let at = self.at + entry * ENTRY;
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
        let offset = unsafe { self.nodes.region.read_word(self.at + entry * ENTRY + PREFIX) };
        // In a trusted region, the maker of the index had it from a link of this level.
        self.nodes.place(offset, INDEX_LEVEL)
    }
}

#[cfg(feature = "mapped")]
impl<R> Index<'_, R> {
    /// Returns the offset.
    pub(crate) fn at(&self) -> u32 {
        self.at
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
    fn searches_begin_in_the_longest_index_that_is_complete() {
        let mut bytes = [MaybeUninit::uninit(); 4096];
        let arena = Arena::borrowed(&mut bytes).unwrap();
        let nodes = Nodes::create(Plain::new(&arena), 0, 0).unwrap();
        let mut place = Place { level: INDEX_LEVEL, ..nodes.head() };
        for key in *b"0123456789abcdef" {
            let node = nodes.make(INDEX_LEVEL + 1, &[key], Some(b"")).unwrap();
            assert!(node.link(Gap::behind(place).unwrap(), || Ok::<_, Damage>(())).unwrap());
            place = Place { level: INDEX_LEVEL, ..node.bottom() };
        }
        let len = || nodes.index().unwrap().map(|index| index.len());
        // Counts nodes, and returns the sizes of the indexes that are made.
        let count = |times, is_prepared: &dyn Fn() -> bool| -> u32 {
            (0..times).map(|_| nodes.add_to_index(Node::first_bytes, is_prepared)).sum()
        };
        assert_eq!((count(1, &|| true), len()), (0, None));
        assert_eq!((count(1, &|| true), len()), (2 * ENTRY, Some(2)));
        // Its maker is killed before it is complete.
        assert_eq!((count(2, &|| false), len()), (4 * ENTRY, Some(2)));
        // While the next one is made, others make a longer one.
        let others = || {
            assert_eq!((len(), count(8, &|| true), len()), (Some(2), 16 * ENTRY, Some(16)));
            true
        };
        assert_eq!((count(4, &others), len()), (8 * ENTRY, Some(16)));
        let last = nodes.index().unwrap().unwrap();
        assert_eq!((last.prefix(0), last.prefix(15)), (u64::from(b'0') << 56, u64::from(b'f') << 56));
        // There are not so many nodes.
        assert_eq!((count(16, &|| true), len()), (32 * ENTRY, Some(16)));
        // There is no room.
        arena.allocate_address(arena.remaining()).unwrap();
        assert_eq!((count(32, &|| true), len()), (0, Some(16)));
    }
}
