//! The atomic word of a modelled arena.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32 as Counter, Ordering};

use loom::sync::atomic::AtomicU32;
use marena_core::Word;

use crate::fault::Fault;

/// Loom's `AtomicU32`, with the faults of `F`.
#[derive(Debug)]
pub struct LoomWord<F> {
    value: AtomicU32,
    /// The number of weak compare-and-swaps on this word so far. The count is no part of the model.
    /// Loom replays a prefix of a run in the same order, so the count is the same in every replay.
    weak_attempts: Counter,
    fault: PhantomData<fn() -> F>,
}

impl<F> LoomWord<F> {
    /// Creates a word of this value. Loom's atomics exist only inside a model.
    #[must_use]
    pub fn new(value: u32) -> Self {
        Self { value: AtomicU32::new(value), weak_attempts: Counter::new(0), fault: PhantomData }
    }
}

// SAFETY: each method is loom's operation of the same name, or a weak compare-and-swap that fails
// spuriously. `Leaping` is used only for tickets, which lie in no header. The word is larger than a
// `u32` and lies in no region: `LoomMemory` keeps its header beside the region.
unsafe impl<F: Fault> Word for LoomWord<F> {
    fn load(&self, order: Ordering) -> u32 {
        self.value.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.value.store(value, order);
    }

    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        self.value.compare_exchange(current, new, success, failure)
    }

    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        // ORDERING: Relaxed: loom runs one thread at a time, and the count orders nothing.
        let attempt = self.weak_attempts.fetch_add(1, Ordering::Relaxed);
        F::compare_exchange_weak(&self.value, current, new, success, failure, attempt)
    }

    // `with_mut` reports a race with any access that does not happen before it. Loom does not
    // switch threads at `with_mut`, and would join it to the step before; the load prevents that.
    fn read(&mut self) -> u32 {
        self.value.load(Ordering::Relaxed);
        self.value.with_mut(|value| *value)
    }

    fn write(&mut self, new: u32) {
        self.value.load(Ordering::Relaxed);
        self.value.with_mut(|value| *value = new);
    }
}
