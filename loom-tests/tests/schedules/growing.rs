//! Growing arenas: threads that meet at the boundaries of segments.
//!
//! The lock for adding a segment is no word of shuttle's. The steps under the lock switch threads,
//! and so does waiting for it.

use std::sync::Arc;

use marena_core::{Arena, GrowingArena, MemoryError, NoThreads, Reserve};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::memory::{Region, Step};

const THREADS: usize = 5;
const BLOCK: usize = 40;

impl<S: Step> Reserve for Region<S> {
    type Error = MemoryError;
    type Builder<'b> = ();
    type PerThread<T: Send> = NoThreads<T>;
    const MAX_CAPACITY: usize = 1 << 20;

    fn reserve(capacity: usize) -> Result<Self, MemoryError> {
        Ok(Self::new(capacity))
    }

    fn wait() {
        thread::yield_now();
    }
}

/// Allocates blocks from the arena and from a lease of it, and checks that they keep their content.
fn allocate<S: Step>(arena: &GrowingArena<Region<S>>, id: u8) -> usize {
    let mut random = thread_rng();
    let lease = arena.lease(random.gen_range(0..128));
    let mut blocks = Vec::new();
    for _ in 0..random.gen_range(6..=14) {
        let block = if random.gen_range(0..4) == 0 { lease.allocate(BLOCK) } else { arena.allocate(BLOCK) };
        let block = block.unwrap().into_mut();
        assert!(block.iter().all(|&byte| byte == 0), "dirty bytes");
        block.fill(id);
        blocks.push(block);
        assert!(blocks.iter().all(|block| block.iter().all(|&byte| byte == id)), "another thread's bytes");
    }
    blocks.len()
}

/// Threads allocate until a few segments are full. No segment is made while another has room.
pub(crate) fn scenario<S: Step>() {
    let arena: GrowingArena<Region<S>> = GrowingArena::builder().first_segment(1024).max_segment(2048).build().unwrap();
    let arena = Arc::new(arena);
    let threads: Vec<_> = (1..=THREADS as u8)
        .map(|id| {
            let arena = Arc::clone(&arena);
            thread::spawn(move || allocate(&arena, id))
        })
        .collect();
    let blocks: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let stats = arena.stats();
    assert!(stats.used >= blocks * BLOCK, "{stats} for {blocks} blocks");
    let sizes: Vec<_> = arena.segments().map(Arena::capacity).collect();
    assert!(sizes.iter().zip([1024, 2048, 2048, 2048]).all(|(&size, expected)| size == expected), "{sizes:?}");
    // A full segment can have left only the chunk of a lease that gave it back at its end.
    let left = arena.segments().take(sizes.len() - 1).map(Arena::remaining);
    assert!(left.sum::<usize>() <= THREADS * 512, "{arena:?}");
}
