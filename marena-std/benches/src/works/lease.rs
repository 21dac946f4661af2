//! Blocks for one owner.

use super::{NODES, Node};
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
            Entry::blocks::<Leased, Node>(NODES),
            Entry::blocks::<Bumpalo, Node>(NODES),
            Entry::blocks::<Herd, Node>(NODES),
            Entry::blocks::<BumpScope, Node>(NODES),
            Entry::blocks::<Blink, Node>(NODES),
            Entry::blocks::<Heap<System>, Node>(NODES),
            Entry::blocks::<Heap<Mimalloc>, Node>(NODES),
            Entry::blocks::<Heap<Jemalloc>, Node>(NODES),
        ],
        absent: vec![
            ("rarena-allocator", "its arena for one thread is not in this table"),
            ("static-alloc", "its bump for one thread is not in this table"),
        ],
        targets: vec![Target::at_most("marena lease", "bumpalo", 1.0)],
        effort: Effort::SMALL,
    }
}
