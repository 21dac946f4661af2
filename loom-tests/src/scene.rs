//! The arena that the threads of a model share, and the steps of owners with their bytes.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use loom::thread::{self, JoinHandle};
use marena_core::{Arena, Block, Memory};

use crate::fault::Fault;
use crate::memory::LoomMemory;
use crate::witness::Witness;

/// The content of the region at first.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// Zeros, which the memory promises. The arena zeroes only bytes below its high-water mark.
    Zeroed,
    /// Garbage. The arena zeroes every block.
    Dirty,
}

/// An arena and the witness of its bytes. Derefs to the arena.
pub struct Scene<M: Memory> {
    arena: Arena<M>,
    witness: Arc<Witness>,
}

impl<F: Fault> Scene<LoomMemory<F>> {
    /// Creates an arena with room for `room` bytes.
    ///
    /// # Panics
    ///
    /// Panics if no region can have this much room.
    #[must_use]
    pub fn new(room: usize, start: Start) -> Self {
        let memory = LoomMemory::new(128 + room, if matches!(start, Start::Zeroed) { 0 } else { 0xA5 });
        let witness = Witness::of(&memory);
        Self::with_witness(Arena::new(memory).expect("a valid region"), witness)
    }
}

impl<M: Memory> Scene<M> {
    /// Creates a scene of an arena whose bytes already have a witness.
    pub fn with_witness(arena: Arena<M>, witness: Arc<Witness>) -> Self {
        Self { arena, witness }
    }

    /// Returns the witness of the arena's bytes.
    pub fn witness(&self) -> &Arc<Witness> {
        &self.witness
    }

    /// Allocates bytes, which must be zero, and writes them. Returns `None` if the arena is full.
    ///
    /// # Panics
    ///
    /// Panics if the bytes are not zero, or if another access to them races.
    pub fn claim(&self, size: usize, mark: u8) -> Option<Block<'_>> {
        let block = self.arena.allocate(size).ok()?;
        Some(self.own(block, mark))
    }

    /// Checks and writes a block that was claimed in another way, as [`claim`](Self::claim) does.
    ///
    /// # Panics
    ///
    /// Panics as `claim` does.
    pub fn own<'a>(&self, mut block: Block<'a>, mark: u8) -> Block<'a> {
        self.witness.written(block.as_ptr(), block.len());
        assert!(block.iter().all(|&byte| byte == 0), "a block that is not zero: {:?}", block.address());
        block.fill(mark);
        block
    }

    /// Checks that a block still holds what its owner wrote, and that no other access to it races.
    ///
    /// # Panics
    ///
    /// Panics if the bytes have changed, or if another access to them races.
    pub fn keeps(&self, block: &Block<'_>, mark: u8) {
        self.witness.written(block.as_ptr(), block.len());
        assert!(block.iter().all(|&byte| byte == mark), "another owner's bytes: {:?}", block.address());
    }

    /// Claims each size and checks all blocks again at the end. Returns how many were claimed.
    ///
    /// # Panics
    ///
    /// Panics if another thread has one of the blocks.
    pub fn claims(&self, sizes: &[usize], mark: u8) -> usize {
        let blocks: Vec<_> = sizes.iter().filter_map(|&size| self.claim(size, mark)).collect();
        for block in &blocks {
            self.keeps(block, mark);
        }
        blocks.len()
    }
}

/// Runs a function on a thread that shares the scene.
///
/// The `Arc` is std's, not loom's, because the order in which threads drop it is no part of a
/// model.
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
