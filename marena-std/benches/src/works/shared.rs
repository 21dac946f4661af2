//! Blocks from a cursor that several threads may use, on one thread.

use super::{NODE, NODES};
use crate::contenders::{Floor, Heap, Jemalloc, Mimalloc, Rarena, Shared, StaticAlloc, SyncBlink, System};
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

pub(super) fn work() -> Work {
    Work {
        id: "shared",
        title: "24 B from a shared arena, 1 thread",
        unit: "block",
        how: "8,192 blocks of 24 B aligned to 8, the first word written; memory warm.",
        entries: vec![
            Entry::blocks::<Floor>(NODE, NODES),
            Entry::blocks::<Shared>(NODE, NODES),
            Entry::blocks::<Rarena>(NODE, NODES),
            Entry::blocks::<SyncBlink>(NODE, NODES),
            Entry::blocks::<StaticAlloc>(NODE, NODES),
            Entry::blocks::<Heap<System>>(NODE, NODES),
            Entry::blocks::<Heap<Mimalloc>>(NODE, NODES),
            Entry::blocks::<Heap<Jemalloc>>(NODE, NODES),
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
            Target::at_most("marena shared", "blink-alloc (sync)", 0.5),
            Target::at_most("marena shared", "static-alloc", 0.5),
        ],
        effort: Effort::SMALL,
    }
}
