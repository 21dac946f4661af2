//! Several threads at once.

use std::hint;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::thread;
use std::time::{Duration, Instant};

use super::Node;
use core_affinity::CoreId;

use crate::contender::{SharedContender, chain, free_chain};
use crate::contenders::{
    Floor, Heap, Herd, Jemalloc, Leased, Mimalloc, Rarena, Shared, StaticAlloc, SyncBlink, System,
};
use crate::machine;
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

/// Nodes for each thread in a batch.
const NODES: usize = 20_000;

/// Batches from one reset to the next: so much memory that it comes from beyond the caches. What another core has in its own cache
/// would be slower to write than what none has, and only contenders that share memory would pay for that.
const BATCHES: usize = 128;

/// In the order of the plot's legend.
pub const CONTENDERS: &[&str] = &[
    "marena lease",
    "marena shared",
    "fetch_add",
    "bumpalo-herd",
    "rarena-allocator",
    "blink-alloc (sync)",
    "static-alloc",
    "system allocator",
    "mimalloc",
    "jemalloc",
];

pub(super) fn work() -> Work {
    let mut entries = Vec::new();
    for threads in 1..=machine::cores() {
        entries.extend([
            entry::<Leased>(threads),
            entry::<Shared>(threads),
            entry::<Floor>(threads),
            entry::<Herd>(threads),
            entry::<Rarena>(threads),
            entry::<SyncBlink>(threads),
            entry::<StaticAlloc>(threads),
            entry::<Heap<System>>(threads),
            entry::<Heap<Mimalloc>>(threads),
            entry::<Heap<Jemalloc>>(threads),
        ]);
    }
    let two_threads = Target::at_least("marena lease, 2 threads", "marena lease, 1 thread", 1.9);
    Work {
        id: "scaling",
        title: "24 B, several threads",
        unit: "block of all threads",
        how: "20,000 blocks for each thread, each on a core of its own, started together, the first word written; memory warm. Time from the first start to the last \
              end, over the blocks of all threads.",
        entries,
        absent: vec![("bumpalo, bump-scope, blink-alloc", "one thread only")],
        targets: if machine::cores() < 2 { vec![] } else { vec![two_threads] },
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
    let mut contender = C::with_capacity(size_of::<Node>() * NODES * threads * BATCHES);
    let mut batches = 0;
    Entry::new(name, NODES * threads, move || {
        if batches % BATCHES == 0 {
            contender.reset();
        }
        batches += 1;
        batch(&contender, threads)
    })
}

fn batch(contender: &impl SharedContender, threads: usize) -> Duration {
    let ready = AtomicUsize::new(0);
    let run = |core: CoreId| {
        // Each on a core of its own: where the scheduler puts two on one, they take turns.
        core_affinity::set_for_current(core);
        let mut source = contender.thread_source();
        // A barrier that nobody sleeps at: waking up takes longer than the batch.
        // ORDERING: AcqRel and Acquire: whoever sees all threads ready sees what they did before, as at any barrier.
        ready.fetch_add(1, AcqRel);
        while ready.load(Acquire) < threads {
            hint::spin_loop();
        }
        let start = Instant::now();
        let last = chain::<Node>(&mut source, NODES);
        let end = Instant::now();
        // SAFETY: made just now, and used by nobody.
        unsafe { free_chain::<Node>(&mut source, last) };
        (start, end)
    };
    let spans: Vec<_> = thread::scope(|scope| {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let run = &run;
        let threads: Vec<_> = cores.into_iter().take(threads).map(|core| scope.spawn(move || run(core))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    assert_eq!(spans.len(), threads, "a core for each thread");
    let start = spans.iter().map(|span| span.0).min();
    let end = spans.iter().map(|span| span.1).max();
    end.zip(start).map_or(Duration::ZERO, |(end, start)| end - start)
}
