//! The arena that a model's threads share, and what owners do with their bytes.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use loom::thread::{self, JoinHandle};
use marena_core::{Arena, Block, Memory};

use crate::fault::Fault;
use crate::memory::LoomMemory;
use crate::witness::Witness;

/// What the region holds at first.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// Zeros that the memory vouches for: the arena zeroes only what its peak says was used.
    Zeroed,
    /// Garbage: the arena zeroes every block.
    Dirty,
}

/// An arena and its witness. Derefs to the arena.
pub struct Scene<M: Memory> {
    arena: Arena<M>,
    witness: Arc<Witness>,
}

impl<F: Fault> Scene<LoomMemory<F>> {
    /// An arena with room for `room` bytes.
    ///
    /// # Panics
    ///
    /// Where `room` is no region's.
    #[must_use]
    pub fn new(room: usize, start: Start) -> Self {
        let memory = LoomMemory::new(128 + room, if matches!(start, Start::Zeroed) { 0 } else { 0xA5 });
        let witness = Witness::of(&memory);
        Self::with_witness(Arena::new(memory).expect("a valid region"), witness)
    }
}

impl<M: Memory> Scene<M> {
    /// An arena whose bytes already have a witness.
    pub fn with_witness(arena: Arena<M>, witness: Arc<Witness>) -> Self {
        Self { arena, witness }
    }

    /// The witness of the arena's bytes.
    pub fn witness(&self) -> &Arc<Witness> {
        &self.witness
    }

    /// Zeroed bytes, written by their owner; `None` where the arena is full.
    ///
    /// # Panics
    ///
    /// Where the bytes are not zero, and where another access to them races.
    pub fn claim(&self, size: usize, mark: u8) -> Option<Block<'_>> {
        let block = self.arena.allocate(size).ok()?;
        Some(self.own(block, mark))
    }

    /// As [`claim`](Self::claim), for a block that was claimed in another way.
    ///
    /// # Panics
    ///
    /// As `claim` does.
    pub fn own<'a>(&self, mut block: Block<'a>, mark: u8) -> Block<'a> {
        self.witness.written(block.as_ptr(), block.len());
        assert!(block.iter().all(|&byte| byte == 0), "a block that is not zero: {:?}", block.address());
        block.fill(mark);
        block
    }

    /// The owner looks at its bytes again: they are what it wrote, and nobody else accessed them.
    ///
    /// # Panics
    ///
    /// Where that is not so.
    pub fn keeps(&self, block: &Block<'_>, mark: u8) {
        self.witness.written(block.as_ptr(), block.len());
        assert!(block.iter().all(|&byte| byte == mark), "another owner's bytes: {:?}", block.address());
    }

    /// Claims each size, and looks at all blocks again at the end. Returns how many were claimed.
    ///
    /// # Panics
    ///
    /// Where a block is another's.
    pub fn claims(&self, sizes: &[usize], mark: u8) -> usize {
        let blocks: Vec<_> = sizes.iter().filter_map(|&size| self.claim(size, mark)).collect();
        for block in &blocks {
            self.keeps(block, mark);
        }
        blocks.len()
    }
}

/// The counting pointer that shares a scene is std's, not loom's: who lets go first is no part of
/// what a model asks.
pub fn spawn<S: Send + Sync + 'static, R: 'static>(
    scene: &Arc<S>,
    run: impl FnOnce(&S) -> R + 'static,
) -> JoinHandle<R> {
    let scene = Arc::clone(scene);
    thread::spawn(move || run(&scene))
}

impl<M: Memory> Deref for Scene<M> {
    type Target = Arena<M>;

    fn deref(&self) -> &Arena<M> {
        &self.arena
    }
}

impl<M: Memory> DerefMut for Scene<M> {
    fn deref_mut(&mut self) -> &mut Arena<M> {
        &mut self.arena
    }
}

impl<M: Memory> fmt::Debug for Scene<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scene").field("arena", &self.arena).finish_non_exhaustive()
    }
}
