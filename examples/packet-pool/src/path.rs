//! The receive path as a whole.

use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::{Duration, Instant};

use crate::SOURCES;
use crate::batch::{ARENAS, BatchPool, Incoming};
use crate::heap;
use crate::read::{Account, Queue, Verified, read};
use crate::receive::{Received, WhenEmpty, receive};

/// What happened.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From when all threads were ready to when all were done.
    pub(crate) elapsed: Duration,
    /// Calls of the system's allocator meanwhile.
    pub(crate) allocations: usize,
    pub(crate) received: [Received; SOURCES],
    pub(crate) verified: Verified,
    pub(crate) account: Account,
}

/// Sends `packets` packets of each source through. The accounting reader takes `pause` longer for each batch than it needs.
pub(crate) fn run(pool: &BatchPool, packets: u32, when_empty: WhenEmpty, pause: Duration) -> Outcome {
    let queues = [Queue::new(ARENAS), Queue::new(ARENAS)];
    let [to_verify, to_account] = &queues;
    let receiving = &AtomicUsize::new(SOURCES);
    // Three times: all are ready; the allocations so far are counted; all are done.
    let barrier = &Barrier::new(SOURCES + 3);

    thread::scope(|scope| {
        let receivers = std::array::from_fn(|source| {
            let (queues, incoming) = (&queues, Incoming::new(source as u16, packets));
            scope.spawn(move || in_step(barrier, || receive(incoming, when_empty, pool, queues, receiving)))
        });
        let verifier = scope.spawn(move || {
            in_step(barrier, || {
                let mut verified = Verified::default();
                read(to_verify, receiving, |batch| verified.look_at(batch));
                verified
            })
        });
        let accountant = scope.spawn(move || {
            in_step(barrier, || {
                let mut account = Account::default();
                read(to_account, receiving, |batch| {
                    account.add(batch);
                    thread::sleep(pause);
                });
                account
            })
        });

        barrier.wait();
        let (started, before) = (Instant::now(), heap::allocations());
        barrier.wait();
        barrier.wait();
        let (elapsed, allocations) = (started.elapsed(), heap::allocations() - before);
        Outcome {
            elapsed,
            allocations,
            received: <[_; SOURCES]>::map(receivers, |receiver| receiver.join().expect("receivers do not panic")),
            verified: verifier.join().expect("readers do not panic"),
            account: accountant.join().expect("readers do not panic"),
        }
    })
}

/// Works when all are ready, and returns when all are done.
fn in_step<T>(barrier: &Barrier, work: impl FnOnce() -> T) -> T {
    barrier.wait();
    barrier.wait();
    let done = work();
    barrier.wait();
    done
}
