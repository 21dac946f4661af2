//! Blocks for one thread that has no lease in its hand, from arenas that grow and that do not.

use super::{NODES, Node};
use crate::contenders::{
    AllThreads, Blink, BumpScope, BumpScopePool, Bumpalo, Growing, GrowingAllThreads, GrowingLeased, Heap, Herd,
    Jemalloc, Leased, Mimalloc, Multitude, Rarena, Shared, System,
};
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

pub(super) fn work() -> Work {
    Work {
        id: "leases",
        title: "24 B, one thread, one value for all threads",
        unit: "block",
        how: "8,192 blocks of 24 B aligned to 8, the first word written; memory warm. `leases` find the thread's lease at each block. \
              Growing arenas have their segments already, and go through three of them.",
        entries: vec![
            Entry::blocks::<AllThreads, Node>(NODES),
            Entry::blocks::<GrowingAllThreads, Node>(NODES),
            Entry::blocks::<Leased, Node>(NODES),
            Entry::blocks::<GrowingLeased, Node>(NODES),
            Entry::blocks::<Shared, Node>(NODES),
            Entry::blocks::<Growing, Node>(NODES),
            Entry::blocks::<Bumpalo, Node>(NODES),
            Entry::blocks::<Herd, Node>(NODES),
            Entry::blocks::<BumpScope, Node>(NODES),
            Entry::blocks::<BumpScopePool, Node>(NODES),
            Entry::blocks::<Blink, Node>(NODES),
            Entry::blocks::<Multitude, Node>(NODES),
            Entry::blocks::<Rarena, Node>(NODES),
            Entry::blocks::<Heap<System>, Node>(NODES),
            Entry::blocks::<Heap<Mimalloc>, Node>(NODES),
            Entry::blocks::<Heap<Jemalloc>, Node>(NODES),
        ],
        absent: vec![],
        targets: vec![
            Target::at_most("marena leases", "marena shared", 0.65),
            Target::at_most("marena leases", "mimalloc", 0.65),
        ],
        effort: Effort::SMALL,
    }
}
