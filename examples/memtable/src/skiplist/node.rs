//! Nodes in the arena, and the links between them: all of the skip list's unsafe code, behind an interface that is safe.
//!
//! A node is one claim of the arena, so it is there as a whole or not at all:
//!
//! ```text
//! | link h-1 | ... | link 1 | link 0 | prelude | (lengths) | key | tail |
//!                                    ^ the node's offset
//! ```
//!
//! Every part but the bytes is a 64-bit word. The height is written nowhere: it is known when a node is made, and
//! afterwards a node is only ever met at a level that it has, which [`Place`] keeps track of.
//!
//! **Links**, the one kind of atomic word here. A link holds the offset of the next node on its level, and beside it the first
//! four bytes of that node's key, so that most comparisons do not touch the node. It is `NONE` at first and afterwards changes
//! only by [`NewNode::link`], from one node to a new one that precedes it; nothing is ever unlinked while the nodes are shared.
//! What a link protects is the prelude and the bytes of the node it names: they are written before the node is linked
//! anywhere and never after. So the exchange that links is a Release, and every load that a node is reached by is an Acquire.

use core::alloc::Layout;
use core::cmp::Ordering as Order;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use marena_std::Arena;
use marena_std::AllocError;

use crate::record::{Prelude, Record, Sequence};

/// Levels of the head, and the most that a node has. Level `n` holds every 4^n-th node: enough for the 2^26 nodes of 32 bytes
/// that a region of 2 GiB holds.
pub(super) const MAX_HEIGHT: usize = 13;

const WORD: usize = size_of::<u64>();

/// An arena and the nodes in it.
#[derive(Debug)]
pub(super) struct Nodes {
    arena: Arena,
    /// The region's start.
    ///
    /// INVARIANT: derived from the pointer that the arena derives all of its own from, so it reaches the whole region, for as long as
    /// the arena lives; the arena's region does not move when the arena does.
    base: NonNull<u8>,
    /// INVARIANT: the offset of a node of `MAX_HEIGHT`.
    head: u32,
}

// SAFETY: `base` is the arena's own memory, which goes wherever the arena goes, and an arena is `Send`.
unsafe impl Send for Nodes {}
// SAFETY: through `&Nodes`, memory is claimed by the arena, which is `Sync`; nodes are written only by the thread that made them,
// before they are shared; links are atomics.
unsafe impl Sync for Nodes {}
