//! Models of claims that race with claims.

use std::sync::Arc;

use marena_core::{AllocError, Arena, Block};

use crate::{Fault, LoomMemory, Model, Scene, Start, spawn};

type Owned<F> = Scene<LoomMemory<F>>;

fn scene<F: Fault>(room: usize) -> Arc<Owned<F>> {
    Arc::new(Scene::new(room, Start::Zeroed))
}

/// Two threads, three claims each.
pub fn two_threads_claim_disjoint_blocks<F: Fault>() -> Model {
    Model::unbounded("claim against claim, 2 threads", || {
        let scene = scene::<F>(96);
        let other = spawn(&scene, |scene| scene.claims(&[8, 16, 8], 1));
        assert_eq!(scene.claims(&[16, 8, 3], 2), 3);
        assert_eq!(other.join().unwrap(), 3);
        assert_eq!(scene.used(), 64);
    })
}

/// Three threads, two claims each.
pub fn three_threads_claim_disjoint_blocks<F: Fault>() -> Model {
    Model::bounded("claim against claim, 3 threads", 3, || {
        let scene = scene::<F>(96);
        let others = [1, 2].map(|mark| spawn(&scene, move |scene| scene.claims(&[8, 16], mark)));
        assert_eq!(scene.claims(&[16, 8], 3), 2);
        for other in others {
            assert_eq!(other.join().unwrap(), 2);
        }
        assert_eq!(scene.used(), 72);
    })
}

/// Four threads, one claim each.
pub fn four_threads_claim_disjoint_blocks<F: Fault>() -> Model {
    Model::bounded("claim against claim, 4 threads", 2, || {
        let scene = scene::<F>(64);
        let others = [1, 2, 3].map(|mark| spawn(&scene, move |scene| scene.claims(&[8], mark)));
        assert_eq!(scene.claims(&[16], 4), 1);
        for other in others {
            assert_eq!(other.join().unwrap(), 1);
        }
        assert_eq!(scene.used(), 40);
    })
}

/// An aligned claim is aligned wherever the other claim lies, and no claim gets its padding.
pub fn an_aligned_claim_lands_aligned_against_a_claim<F: Fault>() -> Model {
    Model::unbounded("aligned claim against claim", || {
        let scene = scene::<F>(192);
        let other = spawn(&scene, |scene| scene.claims(&[8, 8], 1));
        let blocks = [16, 64].map(|align| (align, scene.own(scene.allocate_aligned(8, align).unwrap(), 2)));
        for (align, block) in &blocks {
            assert!(block.as_ptr().addr().is_multiple_of(*align));
            scene.keeps(block, 2);
        }
        assert_eq!(other.join().unwrap(), 2);
    })
}

/// There is room for one claim. One of two threads gets it, and the other finds nothing left.
pub fn the_last_bytes_go_to_one_of_two<F: Fault>() -> Model {
    Model::unbounded("the last bytes", || {
        let scene = scene::<F>(24);
        let attempt = |scene: &Owned<F>, mark| {
            scene.claims(&[8], mark);
            let last = scene.allocate(8).map(|block| scene.own(block, mark));
            match &last {
                Ok(block) => scene.keeps(block, mark),
                Err(error) => assert_eq!(*error, AllocError::Full { requested: 8, remaining: 0 }),
            }
            usize::from(last.is_ok())
        };
        let other = spawn(&scene, move |scene| attempt(scene, 1));
        let won = attempt(&scene, 2) + other.join().unwrap();
        assert_eq!(won, 1);
        assert_eq!(scene.used(), 24);
    })
}

/// A claim that fails leaves the cursor where the other thread put it.
pub fn a_claim_that_fails_changes_nothing_against_claims<F: Fault>() -> Model {
    Model::unbounded("failing claim against claims", || {
        let scene = scene::<F>(40);
        let other = spawn(&scene, |scene| scene.claims(&[8, 8], 1));
        for _ in 0..2 {
            assert!(matches!(scene.allocate(48), Err(AllocError::Full { requested: 48, .. })));
            assert_eq!(scene.claims(&[8], 2), 1, "a smaller request fits right after");
        }
        assert_eq!(other.join().unwrap(), 2);
        assert_eq!(scene.used(), 32);
    })
}

fn own_all<'a, F: Fault, const N: usize>(scene: &Owned<F>, blocks: [Block<'a>; N], mark: u8) -> [Block<'a>; N] {
    let ends = blocks.iter().map(|block| block.as_ptr_range());
    assert!(ends.clone().zip(ends.skip(1)).all(|(one, next)| one.end <= next.start), "side by side: {blocks:?}");
    blocks.map(|block| scene.own(block, mark))
}

/// Several blocks of one claim lie side by side, although another thread claims at the same time.
pub fn several_blocks_at_once_lie_side_by_side_against_a_claim<F: Fault>() -> Model {
    Model::unbounded("several at once against one", || {
        let scene = scene::<F>(64);
        let other = spawn(&scene, |scene| scene.claims(&[8, 8], 1));
        let blocks = own_all(&scene, scene.allocate_multiple([8, 3, 16]).unwrap(), 2);
        let offsets = blocks.each_ref().map(|block| block.address().offset());
        assert_eq!((offsets[1] - offsets[0], offsets[2] - offsets[1]), (8, 8));
        assert_eq!(scene.claims(&[8], 3), 1);
        for block in &blocks {
            scene.keeps(block, 2);
        }
        assert_eq!(other.join().unwrap(), 2);
        assert_eq!(scene.used(), 56);
    })
}

/// There is room for one set of blocks. One thread gets all of it, and the other gets nothing.
pub fn several_blocks_at_once_are_all_or_nothing_against_each_other<F: Fault>() -> Model {
    Model::unbounded("several at once against several", || {
        let scene = scene::<F>(32);
        let other = spawn(&scene, |scene| {
            let mut blocks = [8, 16];
            let won = scene.allocate_addresses(&mut blocks).is_ok();
            assert_eq!(won, blocks != [8, 16]);
            scene.claims(&[8], 1);
            usize::from(won)
        });
        let won = scene.allocate_multiple([16, 8]).is_ok();
        scene.claims(&[8], 2);
        let winners = usize::from(won) + other.join().unwrap();
        assert!(winners <= 1, "room for one set only");
        let singles = scene.used() - 24 * winners;
        assert!(singles == 8 && winners == 1 || singles == 16, "{} used", scene.used());
    })
}

/// A bounded claim fails only if other claims came first, and then changes nothing.
pub fn a_bounded_claim_ends_against_claims<F: Fault>() -> Model {
    Model::unbounded("bounded claim against claims", || {
        let scene = scene::<F>(64);
        let other = spawn(&scene, |scene| scene.claims(&[8, 8], 1));
        let attempt = || match scene.allocate_bounded(8, 1) {
            Ok(block) => {
                let block = scene.own(block, 2);
                scene.keeps(&block, 2);
                8
            }
            Err(error) => {
                assert_eq!(error, AllocError::Contended { retries: 1 });
                0
            }
        };
        let own = attempt() + attempt();
        assert_eq!(other.join().unwrap(), 2);
        assert_eq!(scene.used(), 16 + own);
    })
}

/// A bounded claim needs at most one retry for each claim of the others, however often a weak
/// compare-and-swap fails spuriously.
pub fn a_bounded_claim_with_enough_retries_is_served<F: Fault>() -> Model {
    Model::unbounded("bounded claim with enough retries", || {
        let scene = scene::<F>(64);
        let other = spawn(&scene, |scene| scene.claims(&[8, 8], 1));
        let blocks = [(); 2].map(|()| scene.own(scene.allocate_bounded(8, 2).unwrap(), 2));
        for block in &blocks {
            scene.keeps(block, 2);
        }
        assert_eq!(other.join().unwrap(), 2);
        assert_eq!(scene.used(), 32);
    })
}

/// Each number in the statistics is a snapshot and always in its range.
pub fn statistics_stay_in_range_against_claims<F: Fault>() -> Model {
    Model::unbounded("statistics against claims", || {
        let scene = scene::<F>(32);
        let other = spawn(&scene, |scene| scene.claims(&[8, 8], 1));
        let mut last = 0;
        for _ in 0..2 {
            assert_eq!(scene.claims(&[8], 2), 1);
            let stats = scene.stats();
            assert_eq!(stats.used + stats.remaining, 32);
            assert!(stats.used >= last + 8, "without give-backs the cursor only rises");
            assert!(stats.high_water >= stats.used && stats.high_water <= 32);
            last = stats.used;
        }
        assert_eq!(other.join().unwrap(), 2);
        assert_eq!(scene.remaining(), 0);
    })
}

/// Values of several threads are whole.
pub fn values_are_whole_against_values<F: Fault>() -> Model {
    Model::unbounded("values against values", || {
        let scene = scene::<F>(64);
        let place = |scene: &Owned<F>, mark: u32| {
            let arena: &Arena<_> = scene;
            let pair = arena.alloc([mark; 3]).unwrap();
            scene.witness().written(pair.as_ptr().cast(), 12);
            let slice = arena.alloc_slice_fill_with(2, |i| mark + i as u32).unwrap();
            scene.witness().written(slice.as_ptr().cast(), 8);
            assert_eq!((*pair, &*slice), ([mark; 3], &[mark, mark + 1][..]));
        };
        let other = spawn(&scene, move |scene| place(scene, 10));
        place(&scene, 20);
        other.join().unwrap();
        assert_eq!(scene.used(), 48);
    })
}
