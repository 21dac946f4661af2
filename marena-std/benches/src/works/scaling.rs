//! Several threads at once.

use std::hint;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::thread;
use std::time::{Duration, Instant};

use super::Node;
use crate::contender::{SharedContender, chain, free_chain};
use crate::contenders::{
    Floor, Heap, Herd, Jemalloc, Leased, Mimalloc, Rarena, Shared, StaticAlloc, SyncBlink, System,
};
use crate::machine;
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

/// Nodes for each thread in a batch.
const NODES: usize = 100_000;

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
        how: "100,000 blocks for each thread, started together, the first word written; memory warm. Time from the first start to the last \
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
    let mut contender = C::with_capacity(size_of::<Node>() * NODES * threads);
    Entry::new(name, NODES * threads, move || {
        contender.reset();
        batch(&contender, threads)
    })
}

fn batch(contender: &impl SharedContender, threads: usize) -> Duration {
    let ready = AtomicUsize::new(0);
    let run = || {
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
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mine = run();
        let theirs = others.into_iter().map(|thread| thread.join().expect("no thread panics"));
        theirs.chain([mine]).collect()
    });
    let start = spans.iter().map(|span| span.0).min();
    let end = spans.iter().map(|span| span.1).max();
    end.zip(start).map_or(Duration::ZERO, |(end, start)| end - start)
}
