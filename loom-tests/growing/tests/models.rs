//! Models of threads that need the next segment of a growing arena at once.

// Loom's coroutines are written in assembly, which Miri cannot run.
#![cfg(not(miri))]

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};

use loom::sync::atomic::AtomicBool;
use loom::thread::{self, JoinHandle};
use loom_growing::{GrowingArena, Handle, LoomHeap, Model};

type Growing = GrowingArena<LoomHeap>;

/// Creates an arena whose only segment is nearly full. Uses each word that its threads will share,
/// because loom's atomics begin with their first use.
fn nearly_full() -> Arc<Growing> {
    let arena = GrowingArena::builder().first_segment(1024).max_segment(1024).build().unwrap();
    arena.allocate(600).unwrap();
    assert_eq!((arena.segments().count(), arena.limit()), (1, usize::MAX));
    Arc::new(arena)
}

fn spawn<R: 'static>(arena: &Arc<Growing>, run: impl FnOnce(&Growing) -> R + 'static) -> JoinHandle<R> {
    let arena = Arc::clone(arena);
    thread::spawn(move || run(&arena))
}

/// Allocates zeroed bytes, writes them, and checks that nobody else does.
fn claim(arena: &Growing, size: usize, mark: u8) {
    let mut block = arena.allocate(size).unwrap();
    assert!(block.iter().all(|&byte| byte == 0));
    block.fill(mark);
    thread::yield_now();
    assert!(block.iter().all(|&byte| byte == mark));
}

#[test]
fn two_threads_that_need_a_segment_make_one() {
    Model::unbounded("growth against growth, room for both", || {
        let arena = nearly_full();
        let other = spawn(&arena, |arena| claim(arena, 300, 1));
        claim(&arena, 300, 2);
        other.join().unwrap();
        assert_eq!((arena.segments().count(), arena.stats().used), (2, 1208));
        // A reset keeps the memory, and begins with the first segment.
        let mut arena = Arc::into_inner(arena).unwrap();
        arena.reset();
        claim(&arena, 600, 3);
        claim(&arena, 600, 4);
        assert_eq!((arena.segments().count(), arena.stats().used), (2, 1200));
    })
    .holds(900);
}

#[test]
fn each_thread_gets_a_segment_where_one_has_no_room_for_both() {
    Model::unbounded("growth against growth, room for one", || {
        let arena = nearly_full();
        let other = spawn(&arena, |arena| claim(arena, 600, 1));
        claim(&arena, 600, 2);
        other.join().unwrap();
        assert_eq!((arena.segments().count(), arena.stats().used), (3, 1800));
    })
    .holds(800);
}

#[test]
fn three_threads_that_need_a_segment_make_one() {
    Model::bounded("growth against growth, 3 threads", 2, || {
        let arena = nearly_full();
        let others = [1, 2].map(|mark| spawn(&arena, move |arena| claim(arena, 200, mark)));
        claim(&arena, 300, 3);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(arena.segments().count(), 2);
    })
    .holds(1300);
}

#[test]
fn a_handle_to_another_threads_segment_is_found() {
    Model::unbounded("growth against a look-up", || {
        let arena = nearly_full();
        let place: Arc<(AtomicBool, std::sync::OnceLock<Handle<[u8; 300]>>)> = Arc::default();
        let filled = Arc::clone(&place);
        let other = spawn(&arena, move |arena| {
            filled.1.set(arena.insert([7_u8; 300]).unwrap()).unwrap();
            // ORDERING: Release pairs with the load below.
            filled.0.store(true, Release);
        });
        // ORDERING: Acquire pairs with the store above.
        if place.0.load(Acquire) {
            assert_eq!(arena.get(*place.1.get().unwrap()), Some(&[7; 300]));
        }
        claim(&arena, 50, 2);
        other.join().unwrap();
    })
    .holds(24);
}
