//! Models of formatting, attaching to and resetting a region.

use std::sync::Arc;

use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use marena_core::{Arena, AttachError, Memory};

use crate::{Fault, LoomMemory, Model, Scene, SharedMemory, Start, Witness, spawn};

/// A reset after a join needs no synchronisation of its own. It accesses the words without atomics,
/// which loom checks.
pub fn a_reset_after_a_join_starts_over<F: Fault>() -> Model {
    Model::unbounded("reset after join", || {
        let mut scene = Arc::new(Scene::<LoomMemory<F>>::new(64, Start::Zeroed));
        let other = spawn(&scene, |scene| scene.claim(16, 1).unwrap().publish());
        scene.claims(&[8], 2);
        let handle = other.join().unwrap();
        Arc::get_mut(&mut scene).unwrap().reset();
        assert_eq!((scene.used(), scene.view(handle)), (0, None));
        let other = spawn(&scene, |scene| scene.claims(&[16], 3));
        assert_eq!(scene.claims(&[16], 4), 1);
        assert_eq!(other.join().unwrap(), 1);
    })
}

/// A wipe leaves only zeros, so that claims after it write none.
pub fn a_wipe_after_a_join_leaves_zeros<F: Fault>() -> Model {
    Model::unbounded("wipe after join", || {
        let mut scene = Arc::new(Scene::<LoomMemory<F>>::new(64, Start::Zeroed));
        let other = spawn(&scene, |scene| scene.claims(&[16], 1));
        scene.claims(&[8], 2);
        other.join().unwrap();
        Arc::get_mut(&mut scene).unwrap().wipe();
        assert_eq!(scene.stats().high_water, 0);
        let other = spawn(&scene, |scene| scene.claims(&[16], 3));
        assert_eq!(scene.claims(&[16], 4), 1);
        assert_eq!(other.join().unwrap(), 1);
    })
}

/// After a join and a shared reset, each thread of the next generation gets zeros of its own.
pub fn a_shared_reset_after_a_join_starts_over<F: Fault>() -> Model {
    Model::unbounded("shared reset after join", || {
        let scene = Arc::new(Scene::<LoomMemory<F>>::new(64, Start::Zeroed));
        let other = spawn(&scene, |scene| scene.claims(&[16], 1));
        scene.claims(&[8], 2);
        other.join().unwrap();
        // SAFETY: the other thread is joined, and no block is left.
        unsafe { scene.reset_shared() };
        let other = spawn(&scene, |scene| scene.claims(&[16], 3));
        assert_eq!(scene.claims(&[16], 4), 1);
        assert_eq!(other.join().unwrap(), 1);
        assert_eq!(scene.used(), 32);
    })
}

/// A claim that learns of a shared reset from the cursor alone comes after all accesses of the last
/// generation.
pub fn a_claim_after_a_shared_reset_sees_that_the_last_generation_ended<F: Fault>() -> Model {
    Model::unbounded("shared reset against the next generation's claim", || {
        let scene = Arc::new((Scene::<LoomMemory<F>>::new(64, Start::Zeroed), AtomicU32::new(0)));
        let other = spawn(&scene, |(scene, reset)| {
            scene.claims(&[16], 1);
            // SAFETY: the other thread waits for the flag before it calls.
            unsafe { scene.reset_shared() };
            // ORDERING: Relaxed on purpose: the flag only says when, and the cursor must order the
            // accesses.
            reset.store(1, Relaxed);
        });
        let (scene, reset) = &*scene;
        // ORDERING: as above.
        if reset.load(Relaxed) == 1 {
            assert_eq!(scene.claims(&[16], 2), 1);
        }
        other.join().unwrap();
    })
}

/// Claims through two arenas over one header share no byte.
pub fn claims_through_two_attached_arenas_are_disjoint<F: Fault>() -> Model {
    Model::unbounded("claims through two arenas over one header", || {
        let memory = SharedMemory::<F>::new(LoomMemory::new(128 + 64, 0));
        let witness = Witness::of(&memory);
        // SAFETY: no arena uses the memory yet.
        let first = unsafe { Arena::format(memory.clone()) }.unwrap();
        let first = Arc::new(Scene::with_witness(first, Arc::clone(&witness)));
        let claims = spawn(&first, |scene| scene.claims(&[8, 16], 1));
        // SAFETY: the header was formatted above, and the region is used only through arenas over
        // it.
        let second = unsafe { Arena::attach(memory) }.unwrap();
        let second = Scene::with_witness(second, witness);
        assert!(second.used() <= 24);
        let foreign = second.claim(16, 2).unwrap().publish();
        assert_eq!(first.view(foreign), None, "another arena's handle");
        assert_eq!(second.claims(&[8], 3), 1);
        assert_eq!(claims.join().unwrap(), 2);
        assert_eq!((first.used(), second.used()), (48, 48));
    })
}

/// Another core that waits for the magic finds either no arena or a complete one.
pub fn an_attach_while_the_region_is_formatted_finds_all_or_nothing<F: Fault>() -> Model {
    Model::unbounded("attach against format", || {
        let memory = SharedMemory::<F>::new(LoomMemory::new(128 + 64, 0));
        let shared = Arc::new(memory);
        let other = spawn(&shared, |memory| {
            // SAFETY: the other thread only looks at the header, and claims when it is whole.
            unsafe { Arena::format(memory.clone()) }.unwrap().capacity()
        });
        // SAFETY: the header's words are initialised, and the region is used only through arenas
        // over it.
        match unsafe { Arena::attach((*shared).clone()) } {
            Ok(arena) => assert_eq!((arena.used(), arena.allocate(8).unwrap().len()), (0, 8)),
            Err(error) => assert_eq!(error, AttachError::NotAnArena),
        }
        assert_eq!(other.join().unwrap(), 192);
        assert_eq!(shared.region().len(), 192);
    })
}
