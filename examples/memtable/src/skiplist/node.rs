//! Nodes in the arena, and the links between them: all of the skip list's unsafe code, behind an interface that is safe.
//!
//! A node is one claim of the arena, so it is there as a whole or not at all:
//!
//! ```text
//! | link h-1 | ... | link 1 | link 0 | prelude | (lengths) | key | tail |
//!                                    ^ the node's offset
//! ```
//!
//! Every part but the key and the tail is a 64-bit word. The height is written nowhere: it is known when a node is made, and
//! afterwards a node is only ever met at a level that it has, which [`Place`] keeps track of.
//!
//! **Links** are the one kind of atomic word here. A link holds the offset of the next node on its level, and above it the first
//! four bytes of that node's key, so that most comparisons touch no node. It is [`END`] at first and afterwards changes
//! only by [`NewNode::link`], from one node to a new one that precedes it; nothing is ever unlinked while nodes are shared.
//! What a link protects is the prelude and the bytes of the node it names: they are written before the node is linked
//! anywhere, and never after. So the exchange that links is a Release, and every load that leads to a node is an Acquire.

use std::alloc::Layout;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use marena_std::marena_core::Memory;
use marena_std::{ARENA_MAX_ALLOC_SIZE, AllocError, Arena, OwnedMemory, PoolGuard, Stats};
use portable_atomic::AtomicU64;

use crate::record::{Prelude, Record, Sequence};

/// Levels of the head, and the most that a node has.
pub(super) const MAX_HEIGHT: usize = 13;

const WORD: usize = size_of::<u64>();

/// A link that names no node. Its prefix is the largest, so that a search stops here without asking which kind of link it is.
const END: u64 = (u32::MAX as u64) << 32;

/// What keeps an arena for nodes: an arena of one's own, or a share of a pool's.
///
/// # Safety
///
/// It refers to the same arena all its life, and that arena is not reset before its end.
pub(crate) unsafe trait Home: AsRef<Arena> + Send + Sync {}

// SAFETY: it owns its arena; a reset takes `&mut`, which a `Nodes` gives nobody.
unsafe impl Home for Arena {}
// SAFETY: a guard is of one arena, which its pool resets when the last guard is gone.
unsafe impl Home for PoolGuard<'_, OwnedMemory> {}

/// An arena and the nodes in it.
#[derive(Debug)]
pub(super) struct Nodes<A> {
    arena: A,
    /// The region's start.
    ///
    /// INVARIANT: the pointer that `arena`'s memory gives at every call, also after it was moved.
    base: NonNull<u8>,
    /// INVARIANT: the offset of a node of `MAX_HEIGHT` in `arena`.
    head: u32,
}

// SAFETY: `base` points to what `arena` keeps, which is valid from any thread and stays where it is when the value moves.
unsafe impl<A: Home> Send for Nodes<A> {}
// SAFETY: `&Nodes` claims memory, which the arena lets any thread do; writes to a node before anyone else can reach it; and uses
// atomics for the links.
unsafe impl<A: Home> Sync for Nodes<A> {}

impl<A: Home> Nodes<A> {
    /// A head in an arena.
    pub(super) fn new(arena: A) -> Result<Self, AllocError> {
        let base = arena.as_ref().memory().region().cast();
        let mut nodes = Self { arena, base, head: 0 };
        nodes.head = nodes.make_head()?;
        Ok(nodes)
    }

    pub(super) fn stats(&self) -> Stats {
        self.arena.as_ref().stats()
    }

    /// The head's top level. The head precedes all nodes; its record is empty.
    #[inline]
    pub(super) fn top(&self) -> Place<'_> {
        Place { base: self.base, offset: self.head, level: MAX_HEIGHT as u32 - 1, nodes: PhantomData }
    }

    fn make_head(&self) -> Result<u32, AllocError> {
        let record = Record { key: &[], tail: &[], sequence: Sequence::FIRST };
        Ok(self.make(record, MAX_HEIGHT)?.offset)
    }

    /// A node for `record`, in one claim, not linked yet. The height is at least 1 and at most [`MAX_HEIGHT`].
    #[inline]
    pub(super) fn make(&self, record: Record<'_>, height: usize) -> Result<NewNode<'_>, AllocError> {
        assert!((1..=MAX_HEIGHT).contains(&height), "a node of height {height}");
        let (key_len, tail_len) = (record.key.len(), record.tail.len());
        // Each part is checked, so that neither the sums nor the prelude's 32-bit lengths overflow.
        if key_len > ARENA_MAX_ALLOC_SIZE || tail_len > ARENA_MAX_ALLOC_SIZE - key_len {
            return Err(AllocError::TooLarge { requested: key_len.saturating_add(tail_len) });
        }
        let prelude = Prelude { sequence: record.sequence, key_len: key_len as u32, tail_len: tail_len as u32 };
        let words = height + 1 + usize::from(prelude.is_long());
        let size = words * WORD + key_len + tail_len;
        let layout = Layout::from_size_align(size, WORD).map_err(|_| AllocError::TooLarge { requested: size })?;

        let start = self.arena.as_ref().allocate_layout(layout)?.cast::<u64>();
        let word_at = |index: usize| {
            // SAFETY: the caller's index is below `words`, so it is in the claim.
            unsafe { start.add(index) }
        };
        for level in 0..height {
            // SAFETY: in the claim, which is ours alone, and aligned to a word.
            unsafe { word_at(level).write(END) };
        }
        // SAFETY: as above: the word after the links.
        unsafe { word_at(height).write(prelude.first_word()) };
        if prelude.is_long() {
            // SAFETY: as above: `words` counts this one.
            unsafe { word_at(height + 1).write(prelude.second_word()) };
        }
        // SAFETY: the claim holds `words` words, then the key, then the tail.
        let key = unsafe { start.add(words) }.cast::<u8>();
        // SAFETY: as above; no record overlaps bytes that were just claimed.
        unsafe { key.copy_from_nonoverlapping(NonNull::from(record.key).cast(), key_len) };
        // SAFETY: as above.
        let tail = unsafe { key.add(key_len) };
        // SAFETY: as above.
        unsafe { tail.copy_from_nonoverlapping(NonNull::from(record.tail).cast(), tail_len) };

        // The claim lies in the region, which is at most 2^31 bytes long.
        let offset = (word_at(height).addr().get() - self.base.addr().get()) as u32;
        Ok(NewNode { base: self.base, offset, height, linked: 0, prefix: prefix(record.key), nodes: PhantomData })
    }
}

/// The first four bytes of a key as a number, zeros where it is shorter: keys in order have prefixes in order, equal ones perhaps.
#[inline]
pub(super) fn prefix(key: &[u8]) -> u32 {
    let mut bytes = [0; 4];
    match key.first_chunk() {
        Some(first) => bytes = *first,
        None => bytes[..key.len()].copy_from_slice(key),
    }
    u32::from_be_bytes(bytes)
}

/// A node, seen at one of its levels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'n> {
    /// INVARIANT: the `base` of nodes that are borrowed for `'n`.
    base: NonNull<u8>,
    /// INVARIANT: the offset of one of those nodes, and everything but its links was written before, in the order of this thread.
    offset: u32,
    /// INVARIANT: below that node's height.
    level: u32,
    nodes: PhantomData<&'n ()>,
}

impl<'n> Place<'n> {
    /// What follows on this level.
    #[inline]
    pub(super) fn next(self) -> Next<'n> {
        // ORDERING: Acquire pairs with the Release in `NewNode::link`: what was written into the node named here is seen.
        let word = self.link().load(Acquire);
        // INVARIANT: read from a link of this level.
        Next { base: self.base, word, level: self.level, nodes: PhantomData }
    }

    #[inline]
    pub(super) fn level(self) -> usize {
        self.level as usize
    }

    /// The same node, one level lower.
    #[inline]
    pub(super) fn down(self) -> Option<Self> {
        // INVARIANT: a node that has a level has those below.
        Some(Self { level: self.level.checked_sub(1)?, ..self })
    }

    /// The same node, on level 0.
    pub(super) fn bottom(self) -> Self {
        // INVARIANT: every node has level 0.
        Self { level: 0, ..self }
    }

    /// What the node holds; nothing, if it is the head.
    #[inline]
    pub(super) fn record(self) -> Record<'n> {
        // SAFETY: the offset is a node's, by the invariant, so the prelude lies there, in the region.
        let prelude = unsafe { self.base.add(self.offset as usize) }.cast::<u64>();
        // SAFETY: written before the node was shared, and never again.
        let first = unsafe { prelude.read() };
        // SAFETY: the node goes on behind its prelude, or ends there.
        let second = unsafe { prelude.add(1) };
        let (prelude, key) = match Prelude::from_first_word(first) {
            Ok(prelude) => (prelude, second),
            Err(sequence) => {
                // SAFETY: the first word says that there is a second; as above.
                let word = unsafe { second.read() };
                // SAFETY: as above.
                (Prelude::from_second_word(sequence, word), unsafe { second.add(1) })
            }
        };
        let (key, key_len) = (key.cast::<u8>().as_ptr(), prelude.key_len as usize);
        // SAFETY: `key_len` bytes of key follow the prelude, then `tail_len` bytes of tail.
        let tail = unsafe { key.add(key_len) };
        Record {
            // SAFETY: as above; written before the node was shared and never again, valid while the nodes are borrowed.
            key: unsafe { slice::from_raw_parts(key, key_len) },
            // SAFETY: as above.
            tail: unsafe { slice::from_raw_parts(tail, prelude.tail_len as usize) },
            sequence: prelude.sequence,
        }
    }

    /// Asks for the memory that [`next`](Self::next) reads.
    #[inline]
    pub(super) fn prefetch_link(self) {
        prefetch(self.base.as_ptr().wrapping_add(self.offset as usize - (self.level as usize + 1) * WORD));
    }

    /// Asks for the memory that [`record`](Self::record) reads first.
    #[inline]
    pub(super) fn prefetch_record(self) {
        prefetch(self.base.as_ptr().wrapping_add(self.offset as usize));
    }

    #[inline]
    fn link(self) -> &'n AtomicU64 {
        // SAFETY: the node has more than `level` links, which end where the offset points, so this lies in the node.
        let link = unsafe { self.base.add(self.offset as usize - (self.level as usize + 1) * WORD) };
        // SAFETY: aligned and initialised with the node, valid while the nodes are borrowed, and only used as an atomic since.
        unsafe { link.cast::<AtomicU64>().as_ref() }
    }
}

/// Brings the cache line at an address near, where there is an instruction for that.
#[inline]
fn prefetch(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86_64 processor has the instruction, and it has no effect but on time, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

/// What a link held when it was read: the next node of a level, or the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next<'n> {
    /// INVARIANT: the `base` of nodes that are borrowed for `'n`.
    base: NonNull<u8>,
    /// INVARIANT: `END`, or a link word that names a node that has `level`, linked before this was read.
    word: u64,
    level: u32,
    nodes: PhantomData<&'n ()>,
}

impl<'n> Next<'n> {
    /// The prefix of the next node's key, the largest of all at the end.
    #[inline]
    pub(super) fn prefix(self) -> u32 {
        (self.word >> 32) as u32
    }

    /// The next node; `None` at the end.
    #[inline]
    pub(super) fn node(self) -> Option<Place<'n>> {
        // INVARIANT: that of `word`.
        (self.word as u32 != 0).then_some(Place {
            base: self.base,
            offset: self.word as u32,
            level: self.level,
            nodes: PhantomData,
        })
    }
}

/// A complete node on its way into the list.
#[derive(Debug)]
pub(super) struct NewNode<'n> {
    /// INVARIANT: as in `Place`.
    base: NonNull<u8>,
    offset: u32,
    /// INVARIANT: the number of the node's links.
    height: usize,
    /// INVARIANT: on the levels below this one the node is linked, on the others nobody knows it.
    linked: usize,
    /// INVARIANT: of the node's key.
    prefix: u32,
    nodes: PhantomData<&'n ()>,
}

impl<'n> NewNode<'n> {
    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// Puts the node between two neighbours on the lowest level that it is not on yet, which must be theirs; `false` if another
    /// node got between them first.
    #[inline]
    pub(super) fn link(&mut self, previous: Place<'n>, next: Next<'n>) -> bool {
        let level = self.linked;
        assert!(level < self.height && level == previous.level as usize && level == next.level as usize);
        assert!(self.base == previous.base && self.base == next.base);
        let own = Place { base: self.base, offset: self.offset, level: level as u32, nodes: PhantomData };
        // ORDERING: Relaxed: nobody reads this link before the exchange below has released it.
        own.link().store(next.word, Relaxed);
        let word = u64::from(self.prefix) << 32 | u64::from(self.offset);
        // ORDERING: Release pairs with the Acquire in `Place::next`: whoever finds the node sees what `Nodes::make` wrote. The node
        // that the own link names was acquired by this thread, so whoever goes on to it sees that one too.
        if previous.link().compare_exchange(next.word, word, Release, Relaxed).is_err() {
            return false;
        }
        self.linked += 1;
        true
    }
}
