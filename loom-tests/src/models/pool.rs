//! Models of a pool: guards share an arena, and the last guard recycles it.

use std::sync::Arc;

use loom::thread;
use marena_core::{Pool, PoolGuard};

use crate::{Fault, LoomMemory, Model, Witness};

/// A pool of one arena with room for 64 bytes, and the witness of its bytes.
struct Pond<F: Fault> {
    pool: Pool<LoomMemory<F>, 1>,
    witness: Arc<Witness>,
}

type Guard<F> = PoolGuard<'static, LoomMemory<F>>;

impl<F: Fault> Pond<F> {
    /// Runs threads over one pond. Loom has no scoped threads, and guards borrow their pool.
    fn stage(run: impl FnOnce(&'static Self)) {
        let memory = LoomMemory::new(128 + 64, 0);
        let witness = Witness::of(&memory);
        let pond = Box::into_raw(Box::new(Self { pool: Pool::new([memory]).unwrap(), witness }));
        // SAFETY: allocated above. Every scenario below joins its threads and drops its guards
        // before it returns, so the reference is not used after the end of this function; where a
        // scenario panics, the pond is never freed.
        run(unsafe { &*pond });
        // SAFETY: from `Box::into_raw`, and not used any more.
        drop(unsafe { Box::from_raw(pond) });
    }

    /// Claims, writes and checks bytes, as one of an arena's owners.
    fn use_arena(&self, guard: &Guard<F>, mark: u8) {
        let mut block = guard.allocate(16).unwrap();
        self.witness.written(block.as_ptr(), 16);
        assert_eq!(*block, [0; 16]);
        block.fill(mark);
        self.witness.written(block.as_ptr(), 16);
        assert_eq!(*block, [mark; 16]);
    }

    /// Acquires the arena if it is free, and uses it for one generation. The arena is empty at
    /// first, and its bytes have no other owner. Returns 1 if it was free, else 0.
    fn live(&'static self, mark: u8) -> usize {
        let Some(guard) = self.pool.acquire() else { return 0 };
        assert_eq!(guard.used(), 0);
        self.use_arena(&guard, mark);
        1
    }
}

/// Two threads acquire one arena. Only one of them has it at a time.
pub fn two_threads_never_have_one_arena_at_once<F: Fault>() -> Model {
    Model::unbounded("acquire against acquire", || {
        Pond::<F>::stage(|pond| {
            let other = thread::spawn(|| pond.live(1) + pond.live(1));
            let generations = pond.live(2) + pond.live(2);
            assert!(generations + other.join().unwrap() >= 2, "a thread found no arena although none was in use");
            assert_eq!((pond.pool.available(), pond.live(3)), (1, 1));
        });
    })
}

/// Two guards of one arena are dropped at once. The last one recycles the arena, after all accesses
/// through both.
pub fn one_of_two_guards_is_the_last<F: Fault>() -> Model {
    Model::unbounded("last guard against last guard", || {
        Pond::<F>::stage(|pond| {
            let guard = pond.pool.acquire().unwrap();
            let share = guard.clone();
            let other = thread::spawn(move || pond.use_arena(&share, 1));
            pond.use_arena(&guard, 2);
            drop(guard);
            other.join().unwrap();
            assert_eq!((pond.pool.available(), pond.live(3)), (1, 1));
        });
    })
}

/// A generation begins after all accesses of the previous one, because it begins after the last
/// guard is dropped.
pub fn a_new_generation_begins_after_all_guards_of_the_old_one<F: Fault>() -> Model {
    Model::bounded("two guards against acquire, 3 threads", 3, || {
        Pond::<F>::stage(|pond| {
            let guard = pond.pool.acquire().unwrap();
            let others = [(guard.clone(), 1), (guard, 2)]
                .map(|(guard, mark)| thread::spawn(move || pond.use_arena(&guard, mark)));
            pond.live(3);
            pond.live(4);
            for other in others {
                other.join().unwrap();
            }
            assert_eq!((pond.pool.available(), pond.live(5)), (1, 1));
        });
    })
}

/// A guard that is cloned while another is dropped keeps the arena, and no count is lost.
pub fn a_clone_keeps_the_arena_against_a_drop<F: Fault>() -> Model {
    Model::unbounded("clone against clone and drop", || {
        Pond::<F>::stage(|pond| {
            let guard = pond.pool.acquire().unwrap();
            let share = guard.clone();
            let other = thread::spawn(move || {
                let clone = share.clone();
                drop(share);
                pond.use_arena(&clone, 1);
            });
            let clone = guard.clone();
            drop(guard);
            pond.use_arena(&clone, 2);
            drop(clone);
            other.join().unwrap();
            assert_eq!((pond.pool.available(), pond.live(3)), (1, 1));
        });
    })
}
