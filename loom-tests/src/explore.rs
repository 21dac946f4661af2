//! How a model is explored.

use std::fmt;
use std::io::{Write, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// A scenario and how far to explore it.
pub struct Model {
    name: &'static str,
    /// The most preemptions in one run. `None` explores every interleaving.
    preemptions: Option<usize>,
    scenario: Arc<dyn Fn() + Send + Sync>,
}

impl Model {
    /// Creates a model that explores every interleaving, for two threads.
    pub fn unbounded(name: &'static str, scenario: impl Fn() + Send + Sync + 'static) -> Self {
        Self { name, preemptions: None, scenario: Arc::new(scenario) }
    }

    /// Creates a model that explores every interleaving with at most `preemptions` preemptions, for
    /// three threads and more.
    pub fn bounded(name: &'static str, preemptions: usize, scenario: impl Fn() + Send + Sync + 'static) -> Self {
        Self { name, preemptions: Some(preemptions), scenario: Arc::new(scenario) }
    }

    /// Returns the race that the model shows.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the scenario in every interleaving, and returns how many there were.
    ///
    /// # Panics
    ///
    /// Panics if one of them fails.
    #[must_use]
    pub fn explore(&self) -> usize {
        let iterations = Arc::new(AtomicUsize::new(0));
        let mut builder = loom::model::Builder::new();
        // These values are set here, so loom's environment variables change nothing.
        builder.preemption_bound = self.preemptions;
        builder.max_branches = 10_000;
        builder.max_permutations = None;
        builder.max_duration = None;
        let (scenario, counted) = (Arc::clone(&self.scenario), Arc::clone(&iterations));
        builder.check(move || {
            // ORDERING: Relaxed: a count, read after the last iteration on the same thread.
            counted.fetch_add(1, Relaxed);
            scenario();
        });
        // ORDERING: Relaxed: as above.
        iterations.load(Relaxed)
    }

    /// Explores the model, and prints its name and the number of interleavings. There must be at
    /// least `floor`, because a model without a race proves nothing.
    ///
    /// # Panics
    ///
    /// Panics if an interleaving fails, or if there were too few.
    pub fn holds(&self, floor: usize) {
        let start = Instant::now();
        let iterations = self.explore();
        // Not `eprintln`: the test harness would capture it.
        let _ = writeln!(
            stderr(),
            "loom: {:<70} {iterations:>8} interleavings {:>7.1} s",
            self.name,
            start.elapsed().as_secs_f64()
        );
        assert!(iterations >= floor, "{}: {iterations} interleavings, at least {floor} expected", self.name);
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.name)
            .field("preemptions", &self.preemptions)
            .finish_non_exhaustive()
    }
}
