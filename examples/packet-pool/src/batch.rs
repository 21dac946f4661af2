//! Packets that were received together, in one arena of the pool.

use heapless::Vec;
use marena_core::{BorrowedMemory, Handle, Pool, PoolGuard, StaticMemory};

/// Arenas of the pool: the batches that can exist at a time.
pub(crate) const ARENAS: usize = 8;

/// Bytes of an arena, its header included.
pub(crate) const ARENA_SIZE: usize = 32 << 10;

/// The most packets of a batch.
const PACKETS: usize = 64;

/// All memory that packets ever take. As a static it lies in `.bss`.
pub(crate) type Buffers = [StaticMemory<ARENA_SIZE>; ARENAS];

pub(crate) type BatchPool = Pool<BorrowedMemory<'static>, ARENAS>;

/// What a packet says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) source: u8,
    pub(crate) sequence: u32,
}

impl Packet {
    /// Bytes on the wire: 64 to 1,500.
    pub(crate) fn len(self) -> usize {
        64 + (self.sequence.wrapping_mul(2_654_435_761) >> 8) as usize % 1437
    }

    /// Its bytes: source, sequence, and a payload that tells damage.
    fn bytes(self) -> impl Iterator<Item = u8> {
        let payload = (0..).map(move |index: u32| self.sequence.wrapping_add(index) as u8 ^ self.source);
        [self.source].into_iter().chain(self.sequence.to_be_bytes()).chain(payload).take(self.len())
    }

    /// The packet in `bytes`, if it arrived undamaged.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[source, a, b, c, d] = bytes.first_chunk()?;
        let packet = Self { source, sequence: u32::from_be_bytes([a, b, c, d]) };
        packet.bytes().eq(bytes.iter().copied()).then_some(packet)
    }
}

/// A batch that is complete. Its clones share the packets; when the last one is dropped, the arena
/// is free again.
#[derive(Clone)]
pub(crate) struct Batch<'p> {
    arena: PoolGuard<'p, BorrowedMemory<'static>>,
    /// Handles are numbers, so a batch can own its arena and name what lies in it.
    packets: Vec<Handle, PACKETS>,
}

impl<'p> Batch<'p> {
    /// Receives packets until the arena is full, or the batch, or there are no more. `None` if the
    /// pool is empty.
    ///
    /// A packet that finds no room is not taken from `incoming`: it will be the first of the next
    /// batch.
    pub(crate) fn receive(pool: &'p BatchPool, incoming: &mut Incoming) -> Option<Self> {
        let arena = pool.acquire()?;
        let mut packets = Vec::new();
        while let Some(packet) = incoming.peek() {
            // An error changes nothing, so there is no need to ask first how much is left.
            let Ok(mut block) = arena.allocate(packet.len()) else { break };
            block.iter_mut().zip(packet.bytes()).for_each(|(to, byte)| *to = byte);
            // From here on, the packet is read by all and written by none.
            let Ok(()) = packets.push(block.publish()) else { break };
            incoming.advance(1);
        }
        Some(Self { arena, packets })
    }

    pub(crate) fn packets(&self) -> impl Iterator<Item = &[u8]> {
        // The guard keeps the arena from being reset, so no handle is stale.
        self.packets.iter().filter_map(|&packet| self.arena.view(packet))
    }
}

/// The packets of one source that have not arrived yet.
#[derive(Debug)]
pub(crate) struct Incoming {
    next: Packet,
    end: u32,
}

impl Incoming {
    pub(crate) fn new(source: u8, packets: u32) -> Self {
        Self { next: Packet { source, sequence: 0 }, end: packets }
    }

    pub(crate) fn peek(&self) -> Option<Packet> {
        (self.next.sequence < self.end).then_some(self.next)
    }

    /// Lets packets go by. Returns their number, which may be smaller at the end.
    pub(crate) fn advance(&mut self, packets: u32) -> u32 {
        let gone = packets.min(self.end - self.next.sequence);
        self.next.sequence += gone;
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
            received.extend(sequences(&Batch::receive(&pool, &mut incoming).unwrap()));
        }
        assert!(received.iter().copied().eq(0..100), "{received:?}");
    }

    #[test]
    fn an_empty_pool_takes_no_packet_and_the_last_clone_refills_it() {
        let (pool, mut incoming) = (pool(), Incoming::new(1, 10_000));
        let mut batches: std::vec::Vec<_> = std::iter::from_fn(|| Batch::receive(&pool, &mut incoming)).collect();
        assert_eq!(batches.len(), ARENAS);
        assert_eq!(incoming.peek().unwrap().sequence as usize, batches.iter().flat_map(sequences).count());
        let reader = batches[0].clone();
        batches.clear();
        assert_eq!((sequences(&reader)[0], pool.available()), (0, ARENAS - 1));
        drop(reader);
        assert_eq!(pool.available(), ARENAS);
    }

    #[test]
    fn a_damaged_packet_is_noticed() {
        for sequence in 0..if cfg!(miri) { 5 } else { 5000 } {
            let packet = Packet { source: 3, sequence };
            let mut bytes: std::vec::Vec<u8> = packet.bytes().collect();
            assert!((64..=1500).contains(&bytes.len()) && Packet::parse(&bytes) == Some(packet));
            let byte = sequence as usize % bytes.len();
            bytes[byte] ^= 1;
            assert_eq!(Packet::parse(&bytes), None);
        }
    }
}
