//! Threads that write what they allocate, from beyond all caches.

use super::{Node, scaling_entry_name, threads};
use crate::contender::{Contender, SharedContender, chain};
use crate::contenders::{AllThreads, BumpScopePool, GrowingAllThreads, Herd, Leased, Shared, Stores};
use crate::machine;
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

/// Nodes for each thread in a batch: 96 MB.
const NODES: usize = 4_000_000;

/// What a lease takes at once, in bytes, for threads that do nothing but fill memory.
const CHUNK: usize = 1 << 20;

pub(super) fn work() -> Work {
    let mut entries = Vec::new();
    for threads in machine::thread_counts() {
        entries.extend([
            entry::<AllThreads<CHUNK>>(AllThreads::<CHUNK>::NAME, threads),
            entry::<GrowingAllThreads<CHUNK>>(GrowingAllThreads::<CHUNK>::NAME, threads),
            entry::<Leased<65_536>>("marena lease of 64 KiB", threads),
            entry::<Leased<CHUNK>>("marena lease of 1 MiB", threads),
            entry::<Herd>(Herd::NAME, threads),
            entry::<BumpScopePool>(BumpScopePool::NAME, threads),
            entry::<Stores>(Stores::NAME, threads),
        ]);
        // More threads than two would take seconds a batch, for what *scaling* shows already.
        if threads <= 2 {
            entries.push(entry::<Shared>(Shared::NAME, threads));
        }
    }
    let two_threads = vec![
        Target::at_least("marena leases, 2 threads", "bumpalo-herd, 2 threads", 0.95),
        Target::at_least("marena leases, 2 threads", "plain stores, 2 threads", 0.8),
    ];
    Work {
        id: "streaming",
        title: "24 B, several threads, from beyond the caches",
        unit: "block of all threads",
        how: "4,000,000 blocks for each thread, 96 MB, each on a core of its own, the first word written; pages warm, caches not. Time as above.",
        entries,
        absent: vec![],
        targets: if machine::cores() < 2 { vec![] } else { two_threads },
        effort: Effort::LARGE,
    }
}

fn entry<C: SharedContender + 'static>(name: &str, count: usize) -> Entry {
    let mut contender = C::with_capacity(size_of::<Node>() * NODES * count);
    Entry::new(scaling_entry_name(name, count), NODES * count, move || {
        contender.reset();
        threads::together(count, |start| {
            let mut source = contender.thread_source();
            start.run(|| {
                chain::<Node>(&mut source, NODES);
            })
        })
    })
}
