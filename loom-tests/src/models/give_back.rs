//! Models of bytes that are given back while other threads claim.

use std::alloc::Layout;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::Arc;

use marena_core::{AllocError, Claim};

use crate::{Fault, LoomMemory, Model, Scene, Start, Witness, spawn};

type Owned<F> = Scene<LoomMemory<F>>;

fn scene<F: Fault>(room: usize, start: Start) -> Arc<Owned<F>> {
    Arc::new(Scene::new(room, start))
}

/// A value that notes an access to its bytes when it is dropped in the arena. That is the last
/// access to an initialiser's slot before it is given back.
struct Noted {
    witness: Arc<Witness>,
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.witness.written((&raw const *self).cast(), size_of::<Self>());
    }
}

/// Makes one value and panics. The value is dropped in place, and its place is given back.
fn initialiser_that_panics<F: Fault>(scene: &Owned<F>) {
    let witness = scene.witness();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let made = scene.alloc_slice_fill_with(2, |index| {
            if index == 1 {
                // Unwinds as a panic does, without the message.
                resume_unwind(Box::new(()));
            }
            Noted { witness: Arc::clone(witness) }
        });
        made.map(|slice| slice.len())
    }));
    assert!(!matches!(outcome, Ok(Ok(_))), "an initialiser that panics makes no slice");
}

/// Claims `size` bytes, which is not 0, as every allocation does.
pub(super) fn claim<'a>(memory: impl Claim<'a>, size: usize) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: 8 is a power of two, and no model claims 0 bytes.
    unsafe { memory.claim(size, 8, None) }.map(|claimed| claimed.start())
}

/// Claims, dirties and gives back `size` bytes.
pub(super) fn claim_and_give_back<F: Fault>(scene: &Owned<F>, size: usize) {
    let Ok(start) = claim(&**scene, size) else { return };
    scene.witness().written(start.as_ptr(), size);
    // SAFETY: just claimed.
    unsafe { start.write_bytes(0xEE, size) };
    // SAFETY: the whole claim, never published, not used again.
    unsafe { Claim::give_back(&**scene, start, size) };
}

/// The values that an initialiser made before it panicked are dropped, and their bytes are zero for
/// the next claim.
pub fn a_panicking_initialiser_gives_back_against_a_claim<F: Fault>() -> Model {
    Model::unbounded("panicking initialiser against claim", || {
        let scene = scene::<F>(64, Start::Zeroed);
        let other = spawn(&scene, |scene| scene.claims(&[16, 8], 1));
        initialiser_that_panics(&scene);
        assert_eq!(other.join().unwrap(), 2);
        assert!(scene.used() == 24 || scene.used() == 40, "{} used", scene.used());
        let rest = scene.remaining();
        assert_eq!(scene.claims(&[rest], 2), 1);
    })
}

/// The slot of an initialiser that fails goes back only if no claim lies behind it.
pub fn a_failing_initialiser_gives_back_against_a_claim<F: Fault>() -> Model {
    Model::unbounded("failing initialiser against claim", || {
        let scene = scene::<F>(64, Start::Zeroed);
        let other = spawn(&scene, |scene| scene.claims(&[8, 8], 1));
        let failed = scene.alloc_try_with(|| Err::<u64, _>("no value"));
        assert!(failed.is_err());
        assert_eq!(other.join().unwrap(), 2);
        assert!(scene.used() == 16 || scene.used() == 24, "{} used", scene.used());
    })
}

/// An initialiser that fails without another thread leaves the arena as it was.
pub fn a_failing_initialiser_after_a_join_leaves_nothing<F: Fault>() -> Model {
    Model::unbounded("failing initialiser after claims", || {
        let scene = scene::<F>(64, Start::Zeroed);
        let other = spawn(&scene, |scene| scene.claims(&[8], 1));
        scene.claims(&[8], 2);
        other.join().unwrap();
        let failed = scene.alloc_try_with(|| Err::<u64, _>("no value"));
        assert!(failed.is_err());
        assert_eq!(scene.used(), 16);
    })
}

/// An initialiser that allocates and then fails keeps what it allocated.
pub fn a_reentrant_failing_initialiser_keeps_what_it_allocated<F: Fault>() -> Model {
    Model::unbounded("re-entrant failing initialiser against claim", || {
        let scene = scene::<F>(64, Start::Zeroed);
        let other = spawn(&scene, |scene| scene.claims(&[8], 1));
        let mut inner = None;
        let failed = scene.alloc_try_with(|| {
            inner = scene.claim(8, 2);
            Err::<u64, _>("no value")
        });
        assert!(failed.is_err());
        scene.keeps(inner.as_ref().unwrap(), 2);
        assert_eq!(other.join().unwrap(), 1);
        assert_eq!(scene.used(), 24, "another block lies behind the slot, so the slot stays");
    })
}

/// Bytes that come back dirty are zero in the next block, although the memory started zeroed.
pub fn dirty_bytes_given_back_are_zero_for_the_next_claim<F: Fault>() -> Model {
    Model::unbounded("dirty give-back against claim of zeroed memory", || {
        let scene = scene::<F>(64, Start::Zeroed);
        let other = spawn(&scene, |scene| scene.claims(&[8, 16], 1));
        claim_and_give_back(&scene, 16);
        assert_eq!(other.join().unwrap(), 2);
        let rest = scene.remaining();
        assert_eq!(scene.claims(&[rest], 2), 1);
    })
}

/// The same in memory where every block is zeroed.
pub fn bytes_of_garbage_memory_given_back_are_zero_too<F: Fault>() -> Model {
    Model::unbounded("dirty give-back against claim of garbage", || {
        let scene = scene::<F>(64, Start::Dirty);
        let other = spawn(&scene, |scene| scene.claims(&[8, 16], 1));
        claim_and_give_back(&scene, 16);
        assert_eq!(other.join().unwrap(), 2);
    })
}

/// Two threads give bytes back. Neither gives back bytes of the other, and the high-water mark
/// covers both.
pub fn two_give_backs_take_only_their_own<F: Fault>() -> Model {
    Model::unbounded("give-back against give-back", || {
        let scene = scene::<F>(64, Start::Zeroed);
        let other = spawn(&scene, |scene| claim_and_give_back(scene, 24));
        claim_and_give_back(&scene, 8);
        other.join().unwrap();
        assert!([0, 8, 24].contains(&scene.used()), "{} used", scene.used());
        let rest = scene.remaining();
        assert_eq!(scene.claims(&[rest], 2), 1, "the rest is zero");
    })
}

/// Bytes are given back and claimed again while a slow claim still holds the old cursor. The cursor
/// returns to the value that the claim saw, and no bytes overlap (ABA).
pub fn a_cursor_that_comes_back_harms_no_claim<F: Fault>() -> Model {
    Model::bounded("give-back and claim of the same size against claim", 3, || {
        let scene = scene::<F>(64, Start::Zeroed);
        let one = spawn(&scene, |scene| {
            claim_and_give_back(scene, 8);
            scene.claims(&[8], 1)
        });
        let two = spawn(&scene, |scene| scene.claims(&[8], 2));
        assert_eq!(scene.claims(&[8], 3), 1);
        assert_eq!(one.join().unwrap() + two.join().unwrap(), 2);
        let rest = scene.remaining();
        assert_eq!(scene.claims(&[rest], 4), 1);
    })
}

/// A claim synchronises with every give-back before it, not only with the last.
pub fn a_claim_sees_every_give_back_before_it<F: Fault>() -> Model {
    Model::bounded("two give-backs against claim, 3 threads", 3, || {
        let scene = scene::<F>(64, Start::Zeroed);
        let others = [16, 8].map(|size| spawn(&scene, move |scene| claim_and_give_back(scene, size)));
        assert_eq!(scene.claims(&[24], 3), 1);
        for other in others {
            other.join().unwrap();
        }
        let rest = scene.remaining();
        assert_eq!(scene.claims(&[rest], 4), 1);
    })
}

/// The values of an iterator that was too short stay, and only the room behind them goes back.
pub fn a_short_iterator_keeps_its_values_against_a_claim<F: Fault>() -> Model {
    /// An iterator that announces one value more than it has.
    struct Boastful(std::ops::Range<u64>);
    impl Iterator for Boastful {
        type Item = u64;
        fn next(&mut self) -> Option<u64> {
            self.0.next()
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            let len = (self.0.end - self.0.start) as usize + 1;
            (len, Some(len))
        }
    }
    impl ExactSizeIterator for Boastful {}

    Model::unbounded("short iterator against claim", || {
        let scene = scene::<F>(64, Start::Zeroed);
        let other = spawn(&scene, |scene| scene.claims(&[16], 1));
        let values = scene.alloc_slice_from_iter(Boastful(5..7)).unwrap();
        scene.witness().written(values.as_ptr().cast(), 16);
        assert_eq!(values, [5, 6]);
        assert_eq!(other.join().unwrap(), 1);
        assert!(scene.used() == 32 || scene.used() == 40, "{} used", scene.used());
    })
}

/// A bounded claim comes after the use of the bytes that it gets, as any claim does.
pub fn a_bounded_claim_sees_every_give_back_before_it<F: Fault>() -> Model {
    Model::unbounded("give-back against bounded claim", || {
        let scene = scene::<F>(64, Start::Zeroed);
        let other = spawn(&scene, |scene| claim_and_give_back(scene, 16));
        let block = scene.own(scene.allocate_bounded(16, 2).unwrap(), 1);
        other.join().unwrap();
        scene.keeps(&block, 1);
        let rest = scene.remaining();
        assert_eq!(scene.claims(&[rest], 2), 1);
    })
}

/// An uninitialised claim gets bytes that came back as they are, and is their only owner.
pub fn an_uninitialised_claim_owns_bytes_that_came_back<F: Fault>() -> Model {
    Model::unbounded("give-back against uninitialised claim", || {
        let scene = scene::<F>(64, Start::Zeroed);
        let other = spawn(&scene, |scene| {
            claim_and_give_back(scene, 16);
            claim_and_give_back(scene, 8);
        });
        let bytes = scene.allocate_layout(Layout::new::<[u64; 2]>()).unwrap();
        scene.witness().written(bytes.cast().as_ptr(), 16);
        // SAFETY: just claimed.
        unsafe { bytes.cast::<[u64; 2]>().write([7, 7]) };
        other.join().unwrap();
        scene.witness().written(bytes.cast().as_ptr(), 16);
        // SAFETY: written above.
        assert_eq!(unsafe { bytes.cast::<[u64; 2]>().read() }, [7, 7]);
    })
}
