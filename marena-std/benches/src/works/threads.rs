//! Threads that start together.

use std::hint;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::thread;
use std::time::{Duration, Instant};

use core_affinity::CoreId;

/// When a thread began and ended what is measured.
pub(super) struct Span(Instant, Instant);

/// The start that all threads wait for.
pub(super) struct Start {
    ready: AtomicUsize,
    threads: usize,
}

impl Start {
    /// Waits for the others, and does what is measured.
    #[inline(always)]
    pub(super) fn run(&self, work: impl FnOnce()) -> Span {
        // A barrier that nobody sleeps at: waking up takes longer than a short batch.
        // ORDERING: AcqRel and Acquire: whoever sees all threads ready sees what they did before,
        // as at any barrier.
        self.ready.fetch_add(1, AcqRel);
        while self.ready.load(Acquire) < self.threads {
            hint::spin_loop();
        }
        let start = Instant::now();
        work();
        Span(start, Instant::now())
    }
}

/// Runs `work` in so many threads, each on a core of its own. The time from the first start to the
/// last end.
pub(super) fn together(threads: usize, work: impl Fn(&Start) -> Span + Sync) -> Duration {
    let start = Start { ready: AtomicUsize::new(0), threads };
    let run = |core: CoreId| {
        // Where the scheduler puts two on one core, they take turns.
        core_affinity::set_for_current(core);
        work(&start)
    };
    let spans: Vec<_> = thread::scope(|scope| {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let run = &run;
        let threads: Vec<_> = cores.into_iter().take(threads).map(|core| scope.spawn(move || run(core))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    assert_eq!(spans.len(), threads, "a core for each thread");
    let first = spans.iter().map(|span| span.0).min();
    let last = spans.iter().map(|span| span.1).max();
    last.zip(first).map_or(Duration::ZERO, |(last, first)| last - first)
}
