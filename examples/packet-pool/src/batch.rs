//! Packets that were received together, in one arena of the pool.

use heapless::Vec;
use marena_core::{BorrowedMemory, Handle, Pool, PoolGuard, StaticMemory};

use crate::packet::Packet;

/// Arenas of the pool: the batches that can exist at a time.
pub(crate) const ARENAS: usize = 8;

/// Bytes of an arena, its header included.
pub(crate) const ARENA_SIZE: usize = 32 << 10;

/// The most packets of a batch.
const PACKETS: usize = 64;

/// All memory that packets ever take. As a static it lies in `.bss`.
pub(crate) type Buffers = [StaticMemory<ARENA_SIZE>; ARENAS];

pub(crate) type BatchPool = Pool<BorrowedMemory<'static>, ARENAS>;

/// A batch that is complete. Its clones share the packets; when the last one is dropped, the arena is free again.
#[derive(Clone)]
pub(crate) struct Batch<'p> {
    arena: PoolGuard<'p, BorrowedMemory<'static>>,
    /// Handles are numbers, so that a batch can own its arena and name what lies in it.
    packets: Vec<Handle, PACKETS>,
}

impl<'p> Batch<'p> {
    /// Receives packets until the arena is full, or the batch, or there are no more; `None` where the pool is empty.
    ///
    /// A packet that finds no room is not taken from `incoming`: it will be the first of the next batch.
    pub(crate) fn receive(pool: &'p BatchPool, incoming: &mut Incoming) -> Option<Self> {
        let arena = pool.acquire()?;
        let mut packets = Vec::new();
        while let Some(packet) = incoming.peek() {
            // A refused request changes nothing, so there is no need to ask first how much is left.
            let Ok(mut block) = arena.allocate(packet.len()) else { break };
            packet.arrive(&mut block);
            // From here on, the packet is read by all and written by none.
            let Ok(()) = packets.push(block.publish()) else { break };
            incoming.advance(1);
        }
        Some(Self { arena, packets })
    }

    pub(crate) fn packets(&self) -> impl Iterator<Item = &[u8]> {
        // The guard keeps the arena's life from ending, so that no handle is stale.
        self.packets.iter().filter_map(|&packet| self.arena.view(packet))
    }

    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }
}

/// The packets of one source that have not arrived yet.
#[derive(Debug)]
pub(crate) struct Incoming {
    source: u16,
    sequence: u32,
    end: u32,
}

impl Incoming {
    pub(crate) fn new(source: u16, packets: u32) -> Self {
        Self { source, sequence: 0, end: packets }
    }

    pub(crate) fn peek(&self) -> Option<Packet> {
        (self.sequence < self.end).then_some(Packet { source: self.source, sequence: self.sequence })
    }

    /// Lets packets go by; their number, which may be smaller at the end.
    pub(crate) fn advance(&mut self, packets: u32) -> u32 {
        let gone = packets.min(self.end - self.sequence);
        self.sequence += gone;
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> BatchPool {
        let buffers: &'static mut Buffers = Box::leak(Box::new([const { StaticMemory::new() }; ARENAS]));
        Pool::new(buffers.each_mut().map(BorrowedMemory::from)).unwrap()
    }

    fn sequences(batch: &Batch<'_>) -> std::vec::Vec<u32> {
        batch.packets().map(|packet| Packet::parse(packet).unwrap().sequence).collect()
    }

    #[test]
    fn the_packet_that_finds_no_room_is_the_first_of_the_next_batch() {
        let (pool, mut incoming) = (pool(), Incoming::new(1, 100));
        let mut received = std::vec::Vec::new();
        while incoming.peek().is_some() {
            let batch = Batch::receive(&pool, &mut incoming).unwrap();
            assert_eq!(batch.len(), sequences(&batch).len());
            received.extend(sequences(&batch));
        }
        assert!(received.iter().copied().eq(0..100), "{received:?}");
    }

    #[test]
    fn an_empty_pool_receives_nothing_and_takes_no_packet() {
        let (pool, mut incoming) = (pool(), Incoming::new(1, 10_000));
        let batches: std::vec::Vec<_> = std::iter::from_fn(|| Batch::receive(&pool, &mut incoming)).collect();
        assert_eq!(batches.len(), ARENAS);
        let next = incoming.peek().unwrap().sequence as usize;
        assert_eq!(next, batches.iter().map(Batch::len).sum::<usize>());
    }

    #[test]
    fn the_last_clone_recycles_the_arena() {
        let (pool, mut incoming) = (pool(), Incoming::new(1, 5));
        let batch = Batch::receive(&pool, &mut incoming).unwrap();
        let reader = batch.clone();
        drop(batch);
        assert_eq!((sequences(&reader), pool.available()), (vec![0, 1, 2, 3, 4], ARENAS - 1));
        drop(reader);
        assert_eq!(pool.available(), ARENAS);
    }
}
