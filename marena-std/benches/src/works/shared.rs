//! Blocks from a cursor that several threads may use, on one thread.

use super::{NODES, Node};
use crate::contenders::{
    Floor, Heap, Jemalloc, Mimalloc, Rarena, RarenaUnwrapped, Shared, StaticAlloc, SyncBlink, System,
};
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

pub(super) fn work() -> Work {
    Work {
        id: "shared",
        title: "24 B from a shared arena, 1 thread",
        unit: "block",
        how: "8,192 blocks of 24 B aligned to 8, the first word written; memory warm.",
        entries: vec![
            Entry::blocks::<Floor, Node>(NODES),
            Entry::blocks::<Shared, Node>(NODES),
            Entry::blocks::<Rarena, Node>(NODES),
            Entry::blocks::<RarenaUnwrapped, Node>(NODES),
            Entry::blocks::<SyncBlink, Node>(NODES),
            Entry::blocks::<StaticAlloc, Node>(NODES),
            Entry::blocks::<Heap<System>, Node>(NODES),
            Entry::blocks::<Heap<Mimalloc>, Node>(NODES),
            Entry::blocks::<Heap<Jemalloc>, Node>(NODES),
        ],
        absent: vec![
            ("bumpalo", "one thread only"),
            ("bumpalo-herd", "a bump for each thread; see the next tables"),
            ("bump-scope", "one thread only"),
            ("blink-alloc", "one thread only"),
        ],
        targets: vec![
            Target::at_most("marena shared", "fetch_add", 1.15),
            Target::at_most("marena shared", "rarena-allocator", 0.5),
            Target::at_most("marena shared", "rarena-allocator, unwrapped", 0.5),
            Target::at_most("marena shared", "blink-alloc (sync)", 0.5),
            Target::at_most("marena shared", "static-alloc", 0.5),
        ],
        effort: Effort::SMALL,
    }
}
