//! Models of leases, scopes and growth that race with claims and with each other.

use std::sync::Arc;

use marena_core::{Arena, Claim, Lease};

use crate::models::give_back::{claim, claim_and_give_back};
use crate::{Fault, LoomMemory, Model, Scene, SharedMemory, Start, Witness, spawn};

type Owned<F> = Scene<LoomMemory<F>>;

fn scene<F: Fault>(room: usize) -> Arc<Owned<F>> {
    Arc::new(Scene::new(room, Start::Zeroed))
}

/// Claims each size from a lease of the scene, ends the lease, and checks all blocks again.
fn lease_and_claim<F: Fault>(scene: &Owned<F>, sizes: &[usize], mark: u8) {
    let lease = scene.lease(32);
    let blocks: Vec<_> = sizes.iter().map(|&size| scene.own(lease.allocate(size).unwrap(), mark)).collect();
    drop(lease);
    for block in &blocks {
        scene.keeps(block, mark);
    }
}

/// Claims bytes from a lease, dirties them and gives them back to it.
fn dirty_lease<F: Fault>(scene: &Owned<F>, lease: &Lease<'_, LoomMemory<F>>, size: usize) {
    let start = claim(lease, size).unwrap();
    scene.witness().written(start.as_ptr(), size);
    // SAFETY: just claimed.
    unsafe { start.write_bytes(0xEE, size) };
    // SAFETY: the whole claim, never published, not used again.
    unsafe { Claim::give_back(lease, start, size) };
}

/// Checks that all that is left is zero and has no owner.
fn assert_rest_is_free<F: Fault>(scene: &Owned<F>) {
    let rest = scene.remaining();
    assert_eq!(scene.claims(&[rest], 0xFF), 1);
}

/// A lease extends its chunk if it can, else takes another, and gives the rest back at its end. A
/// claim in between shares no byte with the lease.
pub fn a_lease_is_disjoint_from_claims<F: Fault>() -> Model {
    Model::unbounded("lease against claims", || {
        let scene = scene::<F>(256);
        let other = spawn(&scene, |scene| scene.claims(&[8, 16], 1));
        lease_and_claim(&scene, &[8, 40], 2);
        assert_eq!(other.join().unwrap(), 2);
        assert_rest_is_free(&scene);
    })
}

/// Two leases share no byte.
pub fn two_leases_are_disjoint<F: Fault>() -> Model {
    Model::unbounded("lease against lease", || {
        let scene = scene::<F>(256);
        let other = spawn(&scene, |scene| lease_and_claim(scene, &[8, 24], 1));
        lease_and_claim(&scene, &[16, 8], 2);
        other.join().unwrap();
        assert_rest_is_free(&scene);
    })
}

/// Three leases share no byte.
pub fn three_leases_are_disjoint<F: Fault>() -> Model {
    Model::bounded("lease against lease, 3 threads", 6, || {
        let scene = scene::<F>(512);
        let others = [1, 2].map(|mark| spawn(&scene, move |scene| lease_and_claim(scene, &[8, 24], mark)));
        lease_and_claim(&scene, &[16], 3);
        for other in others {
            other.join().unwrap();
        }
        assert_rest_is_free(&scene);
    })
}

/// A lease hands out zeros where another thread dirtied bytes and gave them back.
pub fn a_lease_of_dirtied_bytes_hands_out_zeros<F: Fault>() -> Model {
    Model::unbounded("lease against dirty give-back", || {
        let scene = scene::<F>(256);
        let other = spawn(&scene, |scene| claim_and_give_back(scene, 24));
        lease_and_claim(&scene, &[8, 24, 8], 2);
        other.join().unwrap();
        assert_rest_is_free(&scene);
    })
}

/// Bytes that a lease handed out, took back and gave to the arena at its end are zero in the next
/// block.
pub fn the_dirty_tail_of_a_lease_is_zero_for_the_next_claim<F: Fault>() -> Model {
    Model::unbounded("dirty lease's end against claim", || {
        let scene = scene::<F>(256);
        let other = spawn(&scene, |scene| scene.claims(&[16, 8], 1));
        let lease = scene.lease(32);
        dirty_lease(&scene, &lease, 24);
        drop(lease);
        assert_eq!(other.join().unwrap(), 2);
        assert_rest_is_free(&scene);
    })
}

/// Bytes that two leases leave behind at once are all counted.
pub fn stranded_bytes_of_two_leases_are_all_counted<F: Fault>() -> Model {
    Model::unbounded("stranding against stranding", || {
        let scene = scene::<F>(512);
        let strand = |scene: &Owned<F>| {
            let lease = scene.lease(32);
            lease.allocate(8).unwrap();
            // This claim lies behind the lease when the lease ends.
            scene.allocate(8).unwrap();
        };
        let other = spawn(&scene, move |scene| strand(scene));
        strand(&scene);
        other.join().unwrap();
        let stats = scene.stats();
        assert_eq!(stats.used, 4 * 8 + stats.stranded, "a used byte is in a block or is stranded");
    })
}

/// A block that grows in place takes the bytes behind it in one step.
pub fn growing_in_place_is_disjoint_from_a_claim<F: Fault>() -> Model {
    Model::unbounded("growth against claim", || {
        let scene = scene::<F>(64);
        let other = spawn(&scene, |scene| scene.claims(&[8, 8], 1));
        let start = claim(&**scene, 8).unwrap();
        // SAFETY: the whole claim, never published.
        let grown = unsafe { scene.extend(start, 8, 24) }.is_some();
        let len = if grown { 24 } else { 8 };
        scene.witness().written(start.as_ptr(), len);
        // SAFETY: claimed above.
        unsafe { start.write_bytes(2, len) };
        assert_eq!(other.join().unwrap(), 2);
        scene.witness().written(start.as_ptr(), len);
        assert_eq!(scene.used(), 16 + len);
    })
}

/// Two blocks grow. Only the last can grow in place.
pub fn two_growing_blocks_stay_disjoint<F: Fault>() -> Model {
    Model::unbounded("growth against growth", || {
        let scene = scene::<F>(64);
        let grow = |scene: &Owned<F>| {
            let start = claim(&**scene, 8).unwrap();
            // SAFETY: the whole claim, never published.
            let grown = unsafe { scene.extend(start, 8, 16) }.is_some();
            let len = if grown { 16 } else { 8 };
            scene.witness().written(start.as_ptr(), len);
            scene.witness().written(start.as_ptr(), len);
            len
        };
        let other = spawn(&scene, move |scene| grow(scene));
        let lens = grow(&scene) + other.join().unwrap();
        assert_eq!(scene.used(), lens);
    })
}

/// A block that grows over bytes which another thread used and gave back does so after that use.
pub fn growth_acquires_what_was_given_back_behind_it<F: Fault>() -> Model {
    Model::unbounded("growth against give-back", || {
        let scene = scene::<F>(64);
        let start = claim(&**scene, 8).unwrap();
        let other = spawn(&scene, |scene| claim_and_give_back(scene, 16));
        // SAFETY: the whole claim, never published.
        if unsafe { scene.extend(start, 8, 24) }.is_some() {
            scene.witness().written(start.as_ptr(), 24);
        }
        other.join().unwrap();
    })
}

/// A lease that extends its chunk over such bytes does so after their use, and knows that they are
/// dirty.
pub fn an_extended_lease_acquires_what_was_given_back_behind_it<F: Fault>() -> Model {
    Model::unbounded("lease's extension against give-back", || {
        let scene = scene::<F>(256);
        let lease = scene.lease(16);
        scene.own(lease.allocate(8).unwrap(), 1);
        let other = spawn(&scene, |scene| claim_and_give_back(scene, 48));
        let block = scene.own(lease.allocate(32).unwrap(), 2);
        other.join().unwrap();
        scene.keeps(&block, 2);
        drop(lease);
        assert_rest_is_free(&scene);
    })
}

/// A scope of a lease continues in another run if another thread claimed behind the first.
pub fn a_leases_scope_is_disjoint_from_claims<F: Fault>() -> Model {
    Model::unbounded("scope of a lease against claims", || {
        let scene = scene::<F>(512);
        let other = spawn(&scene, |scene| scene.claims(&[8, 8], 1));
        let mut lease = scene.lease(32);
        let scope = lease.scratch();
        let blocks = [8, 40].map(|size| scene.own(scope.allocate(size).unwrap(), 2));
        for block in &blocks {
            scene.keeps(block, 2);
        }
        drop(scope);
        scene.own(lease.allocate(16).unwrap(), 3);
        drop(lease);
        assert_eq!(other.join().unwrap(), 2);
        assert_rest_is_free(&scene);
    })
}

/// Scopes of a lease follow each other and keep nothing. The later ones use the runs that the first
/// ones took, whenever another thread claims behind them.
pub fn scopes_of_a_lease_reuse_what_they_got_against_claims<F: Fault>() -> Model {
    Model::unbounded("scopes of a lease, one after another, against claims", || {
        let scene = scene::<F>(512);
        let other = spawn(&scene, |scene| scene.claims(&[8, 8, 8], 1));
        let mut lease = scene.lease(0);
        for mark in 2..6 {
            let scope = lease.scratch();
            let blocks = [8, 16].map(|size| scene.own(scope.allocate(size).unwrap(), mark));
            for block in &blocks {
                scene.keeps(block, mark);
            }
        }
        let kept = scene.own(lease.allocate(24).unwrap(), 6);
        assert_eq!(other.join().unwrap(), 3);
        scene.keeps(&kept, 6);
        // The scopes need 24 bytes, and the block needs 24 too, so no shorter run has room for it.
        assert!(scene.used() <= 3 * 8 + 24 + 24, "{}", scene.used());
        drop(lease);
        assert_rest_is_free(&scene);
    })
}

/// Two leases whose scopes come and go at once.
pub fn scopes_of_two_leases_stay_bounded_and_disjoint<F: Fault>() -> Model {
    Model::unbounded("scopes of a lease against scopes of a lease", || {
        let scene = scene::<F>(512);
        let serve = |scene: &Owned<F>, mark| {
            let mut lease = scene.lease(0);
            for _ in 0..3 {
                let mut outer = lease.scratch();
                {
                    let inner = outer.scratch();
                    scene.own(inner.allocate(16).unwrap(), mark);
                }
                let blocks = [8, 16].map(|size| scene.own(outer.allocate(size).unwrap(), mark));
                for block in &blocks {
                    scene.keeps(block, mark);
                }
            }
            scene.used()
        };
        let other = spawn(&scene, move |scene| serve(scene, 1));
        let used = serve(&scene, 2).max(other.join().unwrap());
        assert!(used <= 2 * (16 + 24), "{used}");
    })
}

/// A scope has all that an arena has left. Another arena over the same header finds it full
/// meanwhile, and gets zeros afterwards.
pub fn a_scope_over_the_rest_is_disjoint_from_another_arenas_claims<F: Fault>() -> Model {
    Model::unbounded("scope over the rest against another arena's claims", || {
        let memory = SharedMemory::<F>::new(LoomMemory::new(128 + 64, 0));
        let witness = Witness::of(&memory);
        // SAFETY: no arena uses the memory yet.
        let mut first = unsafe { Arena::format(memory.clone()) }.unwrap();
        // SAFETY: formatted above, and the region is used only through arenas over this header.
        let second = unsafe { Arena::attach(memory) }.unwrap();
        let second = Arc::new(Scene::with_witness(second, Arc::clone(&witness)));
        let other = spawn(&second, |scene| scene.claims(&[8, 8], 1));
        let scope = first.scratch();
        if let Ok(mut block) = scope.allocate(24) {
            witness.written(block.as_ptr(), 24);
            assert_eq!(*block, [0; 24]);
            block.fill(2);
            witness.written(block.as_ptr(), 24);
        }
        drop(scope);
        let served = other.join().unwrap();
        assert_eq!(first.used(), 8 * served);
        assert_eq!(second.claims(&[64 - 8 * served], 3), 1);
    })
}
