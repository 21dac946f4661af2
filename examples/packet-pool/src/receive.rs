//! The receiving end: one thread for each source.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Release;
use std::thread;
use std::time::Duration;

use crate::batch::{Batch, BatchPool, Incoming};
use crate::read::Queue;

/// Packets that go by unseen at a time, where nobody has memory for them.
const MISSED: u32 = 32;

/// How long these take to go by, on a wire of a gigabit.
const MISSING: Duration = Duration::from_micros(200);

/// What a receiver does when the pool is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenEmpty {
    /// Lets the sender wait, as a reliable transport does.
    Wait,
    /// Lets packets go by, as a network card does.
    Drop,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    pub(crate) batches: u64,
    pub(crate) packets: u64,
    pub(crate) dropped: u64,
    /// How often the pool was empty.
    pub(crate) found_empty: u64,
}

/// Receives all that comes in, and has every reader share each batch. `receiving` counts the receivers that are not done.
pub(crate) fn receive<'p>(
    mut incoming: Incoming,
    when_empty: WhenEmpty,
    pool: &'p BatchPool,
    queues: &[Queue<'p>],
    receiving: &AtomicUsize,
) -> Received {
    let mut received = Received::default();
    while incoming.peek().is_some() {
        if let Some(batch) = Batch::receive(pool, &mut incoming) {
            received.batches += 1;
            received.packets += batch.len() as u64;
            for queue in queues {
                let Ok(()) = queue.push(batch.clone()) else { unreachable!("a queue has room for all batches") };
            }
        } else {
            // The pool is as large as the readers may fall behind. There is nothing to free and no list to cut.
            received.found_empty += 1;
            match when_empty {
                WhenEmpty::Wait => thread::yield_now(),
                WhenEmpty::Drop => {
                    received.dropped += u64::from(incoming.advance(MISSED));
                    thread::sleep(MISSING);
                }
            }
        }
    }
    // ORDERING: Release pairs with the readers' Acquire: who sees this finds all that was pushed before.
    receiving.fetch_sub(1, Release);
    received
}
