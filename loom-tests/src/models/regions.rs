//! Models of several regions that allocate as one.

use std::sync::Arc;

use marena_core::{Arena, Claim, Memory, Regions};

use crate::models::give_back::claim;
use crate::{Fault, LoomMemory, Model, Witness, spawn};

/// Regions with room for 24 and for 64 bytes, and the witnesses of their bytes.
struct Banks<F: Fault> {
    regions: Regions<LoomMemory<F>, 2>,
    witnesses: [Arc<Witness>; 2],
}

impl<F: Fault> Banks<F> {
    fn new() -> Arc<Self> {
        let memories = [24, 64].map(|room| LoomMemory::new(128 + room, 0));
        let witnesses = [0, 1].map(|bank: usize| Witness::of(&memories[bank]));
        let mut regions = Regions::new();
        for memory in memories {
            regions.push(Arena::new(memory).unwrap()).unwrap();
        }
        Arc::new(Self { regions, witnesses })
    }

    fn written(&self, start: *const u8, len: usize) {
        let holds = |arena: &Arena<LoomMemory<F>>| {
            let first = arena.memory().region().addr().get();
            (first..first + arena.capacity()).contains(&start.addr())
        };
        let bank = self.regions.arenas().iter().position(holds).expect("bytes of one of the regions");
        self.witnesses[bank].written(start, len);
    }

    /// Claims each size, and checks all blocks again at the end.
    fn claims(&self, sizes: &[usize], mark: u8) {
        let mut blocks: Vec<_> = sizes.iter().map(|&size| self.regions.allocate(size).unwrap()).collect();
        for block in &mut blocks {
            self.written(block.as_ptr(), block.len());
            assert!(block.iter().all(|&byte| byte == 0), "a block that is not zero: {:?}", block.address());
            block.fill(mark);
        }
        for block in &blocks {
            self.written(block.as_ptr(), block.len());
            assert!(block.iter().all(|&byte| byte == mark), "another owner's bytes: {:?}", block.address());
        }
    }
}

/// One of two threads gets what the first region has left, and the other is served by the next.
pub fn two_threads_claim_disjoint_blocks_of_two_regions<F: Fault>() -> Model {
    Model::unbounded("claims from two regions", || {
        let banks = Banks::<F>::new();
        let other = spawn(&banks, |banks| banks.claims(&[16, 8], 1));
        banks.claims(&[16, 8], 2);
        other.join().unwrap();
        assert_eq!(banks.regions.stats().used, 48);
    })
}

/// Dirty bytes go back to the region that they came from, and are zero in the next block there.
pub fn bytes_go_back_to_their_own_region_against_a_claim<F: Fault>() -> Model {
    Model::unbounded("give-back to a region against claims", || {
        let banks = Banks::<F>::new();
        let other = spawn(&banks, |banks| banks.claims(&[8, 16], 1));
        let start = claim(&banks.regions, 16).unwrap();
        banks.written(start.as_ptr(), 16);
        // SAFETY: just claimed.
        unsafe { start.write_bytes(0xEE, 16) };
        // SAFETY: the whole claim, never published, not used again.
        unsafe { Claim::give_back(&banks.regions, start, 16) };
        other.join().unwrap();
        let used = banks.regions.stats().used;
        assert!(used == 24 || used == 40, "{used} used");
        for bank in [0, 1] {
            let rest = banks.regions.arenas()[bank].remaining();
            if rest > 0 {
                banks.claims(&[rest], 2);
            }
        }
    })
}
