//! The reading end: two threads look at each batch, for different reasons, and neither waits for the other.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Acquire;
use std::thread;

use crossbeam_queue::ArrayQueue;

use crate::SOURCES;
use crate::batch::Batch;
use crate::packet::Packet;

pub(crate) type Queue<'p> = ArrayQueue<Batch<'p>>;

/// Looks at all batches until the last receiver is done. Polls, as packet drivers do.
pub(crate) fn read(queue: &Queue<'_>, receiving: &AtomicUsize, mut look_at: impl FnMut(&Batch<'_>)) {
    loop {
        // ORDERING: Acquire pairs with the receivers' Release, so that nothing is pushed after the look at the queue below.
        let all_received = receiving.load(Acquire) == 0;
        match queue.pop() {
            // At the end of this arm the batch is dropped: if the other reader has let go of it, its arena is free again.
            Some(batch) => look_at(&batch),
            None if all_received => return,
            None => thread::yield_now(),
        }
    }
}

/// What a reader of every byte found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verified {
    pub(crate) packets: u64,
    /// Packets that are damaged, or came after a later one.
    pub(crate) wrong: u64,
    /// Of each source: the packet that comes next, if none is missing.
    next: [u32; SOURCES],
}

impl Verified {
    pub(crate) fn look_at(&mut self, batch: &Batch<'_>) {
        for bytes in batch.packets() {
            self.packets += 1;
            let next =
                Packet::parse(bytes).and_then(|packet| Some((self.next.get_mut(packet.source as usize)?, packet)));
            match next {
                Some((next, packet)) if packet.sequence >= *next => *next = packet.sequence + 1,
                _ => self.wrong += 1,
            }
        }
    }
}

/// What a reader of lengths counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl Account {
    pub(crate) fn add(&mut self, batch: &Batch<'_>) {
        for bytes in batch.packets() {
            self.packets += 1;
            self.bytes += bytes.len() as u64;
        }
    }
}
