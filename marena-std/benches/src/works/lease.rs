//! Blocks for one owner.

use super::{NODE, NODES};
use crate::contenders::{Blink, BumpScope, Bumpalo, Heap, Herd, Jemalloc, Leased, Mimalloc, System};
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

pub(super) fn work() -> Work {
    Work {
        id: "lease",
        title: "24 B, one owner",
        unit: "block",
        how: "8,192 blocks of 24 B aligned to 8, the first word written; memory warm. The lease begins with its smallest chunk.",
        entries: vec![
            Entry::blocks::<Leased>(NODE, NODES),
            Entry::blocks::<Bumpalo>(NODE, NODES),
            Entry::blocks::<Herd>(NODE, NODES),
            Entry::blocks::<BumpScope>(NODE, NODES),
            Entry::blocks::<Blink>(NODE, NODES),
            Entry::blocks::<Heap<System>>(NODE, NODES),
            Entry::blocks::<Heap<Mimalloc>>(NODE, NODES),
            Entry::blocks::<Heap<Jemalloc>>(NODE, NODES),
        ],
        absent: vec![
            ("rarena-allocator", "its arena for one thread is the one for many without atomics; not compared"),
            ("static-alloc", "no arena for one owner over memory of a chosen size"),
        ],
        targets: vec![Target::at_most("marena lease", "bumpalo", 1.0)],
        effort: Effort::SMALL,
    }
}
