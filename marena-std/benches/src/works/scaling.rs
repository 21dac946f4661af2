//! Several threads at once: what the claims cost, without what the memory costs.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::time::Duration;

use super::{Node, threads};
use crate::contender::{SharedContender, Source};
use crate::contenders::{
    AllThreads, BumpScopePool, Floor, Growing, GrowingAllThreads, GrowingLeased, Heap, Herd, Jemalloc, Leased,
    Mimalloc, Rarena, Shared, StaticAlloc, SyncBlink, System,
};
use crate::machine;
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

/// What a lease takes at once, in bytes: see the next work for others.
const CHUNK: usize = 256 << 10;

/// Nodes for each thread in a batch.
const NODES: usize = 200_000;

/// In the order of the plot's legend.
pub const CONTENDERS: &[&str] = &[
    "marena leases",
    "marena shared",
    "fetch_add",
    "bumpalo-herd",
    "bump-scope's BumpPool",
    "rarena-allocator",
    "blink-alloc (sync)",
    "static-alloc",
    "system allocator",
    "mimalloc",
    "jemalloc",
];

pub(super) fn work() -> Work {
    let mut entries = Vec::new();
    for threads in machine::thread_counts() {
        entries.extend([
            entry::<AllThreads<CHUNK>>(threads),
            entry::<GrowingAllThreads<CHUNK>>(threads),
            entry::<Leased<CHUNK>>(threads),
            entry::<GrowingLeased<CHUNK>>(threads),
            entry::<Shared>(threads),
            entry::<Growing>(threads),
            entry::<Floor>(threads),
            entry::<Herd>(threads),
            entry::<BumpScopePool>(threads),
            entry::<Rarena>(threads),
            entry::<SyncBlink>(threads),
            entry::<StaticAlloc>(threads),
            entry::<Heap<System>>(threads),
            entry::<Heap<Mimalloc>>(threads),
            entry::<Heap<Jemalloc>>(threads),
        ]);
    }
    let two_threads = vec![
        Target::at_least("marena leases, 2 threads", "marena leases, 1 thread", 1.9),
        Target::at_least("marena lease, 2 threads", "marena lease, 1 thread", 1.9),
    ];
    // Going on in the next segment costs some 20 ns, so a few of them: blocks enough for seven
    // segments.
    let growing = vec![
        Target::at_most("marena lease, growing, 1 thread", "marena lease, 1 thread", 1.03),
        Target::at_most("marena shared, growing, 1 thread", "marena shared, 1 thread", 1.05),
    ];
    Work {
        id: "scaling",
        title: "24 B, several threads",
        unit: "block of all threads",
        how: "200,000 blocks for each thread (leases of 256 KiB), each on a core of its own, started together. The blocks are not touched, their addresses are kept in a \
              vector of the thread's own. Time from the first start to the last end, over the blocks of all threads.",
        entries,
        absent: vec![("bumpalo, bump-scope, blink-alloc, multitude", "one thread only")],
        targets: if machine::cores() < 2 { growing } else { [growing, two_threads].into_iter().flatten().collect() },
        effort: Effort::THREADS,
    }
}

/// An entry's name.
pub fn entry_name(contender: &str, threads: usize) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    format!("{contender}, {threads} thread{plural}")
}

fn entry<C: SharedContender + 'static>(threads: usize) -> Entry {
    named::<C>(entry_name(C::NAME, threads), threads)
}

/// An entry under a name of its own.
pub(super) fn named<C: SharedContender + 'static>(name: String, threads: usize) -> Entry {
    let mut contender = C::with_capacity(size_of::<Node>() * NODES * threads);
    Entry::new(name, NODES * threads, move || {
        contender.reset();
        batch(&contender, threads)
    })
}

fn batch(contender: &impl SharedContender, threads: usize) -> Duration {
    threads::together(threads, |started| {
        let mut source = contender.thread_source();
        // Its pages are there before the start.
        let mut blocks = vec![NonNull::dangling(); NODES];
        let span = started.run(|| claim(&mut source, &mut blocks));
        for block in blocks {
            // SAFETY: made just now, and used by nobody.
            unsafe { source.free(block, Layout::new::<Node>()) };
        }
        span
    })
}

#[inline(always)]
fn claim(source: &mut impl Source, blocks: &mut [NonNull<u8>]) {
    for block in blocks {
        *block = source.block_for::<Node>();
    }
}
