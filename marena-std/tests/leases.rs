//! `Leases`: one value through which all threads allocate, each from its own lease.

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use marena_std::{
    AllocError, Allocate, Arena, GrowingArena, GrowingLease, GrowingScope, GrowingScratch, Leases, OwnedMemory,
    TryAllocError,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

const CHUNK: usize = 4096;

assert_impl_all!(Leases<'static>: Send, Sync);
assert_impl_all!(Leases<'static, GrowingArena>: Send, Sync);
assert_impl_all!(GrowingArena: Send, Sync);
assert_impl_all!(GrowingLease<'static, OwnedMemory>: Send);
assert_not_impl_any!(GrowingLease<'static, OwnedMemory>: Sync);
assert_impl_all!(GrowingScratch<'static, OwnedMemory>: Send);
assert_not_impl_any!(GrowingScratch<'static, OwnedMemory>: Sync);
assert_not_impl_any!(GrowingScope<'static, OwnedMemory>: Sync);

/// Runs `work` on `threads` threads at once.
fn on_threads<R: Send>(threads: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        let (work, barrier) = (&work, &barrier);
        let run = move |thread| {
            barrier.wait();
            work(thread)
        };
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Allocates numbers that rise by one. One thread writes them and another checks them.
fn count_up<'a>(memory: impl Allocate<'a>, from: usize, count: usize) -> Vec<&'a mut usize> {
    (from..from + count).map(|number| memory.alloc(number).unwrap()).collect()
}

#[test]
fn blocks_of_many_threads_are_disjoint_and_outlive_the_leases() {
    let (threads, each) = if cfg!(miri) { (3, 20) } else { (64, 2_000) };
    let arena = Arena::with_capacity(8 << 20).unwrap();
    let leases = arena.leases(CHUNK);
    let numbers = on_threads(threads, |thread| count_up(&leases, thread * each, each));
    drop(leases);
    for (index, number) in numbers.into_iter().flatten().enumerate() {
        assert_eq!(*number, index);
    }
}

#[test]
fn leases_have_every_way_to_allocate() {
    let arena = Arena::with_capacity(1 << 20).unwrap();
    let leases = arena.leases(CHUNK);
    assert_eq!(*leases.allocate(9).unwrap(), [0; 9]);
    assert!(leases.allocate_aligned(9, 4096).unwrap().as_ptr().addr().is_multiple_of(4096));
    assert_eq!(leases.allocate_bounded(9, 1).unwrap().len(), 9);
    assert_eq!(leases.allocate_multiple([1, 0, 3]).unwrap().map(|block| block.len()), [1, 0, 3]);
    assert_eq!(leases.allocate_uninit(5, 64).unwrap().len(), 5);
    assert_eq!(leases.allocate_address(24).unwrap().size(), 24);
    assert_eq!(*leases.alloc(7).unwrap(), 7);
    assert_eq!(*leases.alloc_with(|| 7).unwrap(), 7);
    assert_eq!(leases.alloc_slice_copy(&[1, 2]).unwrap(), [1, 2]);
    assert_eq!(leases.alloc_slice_fill_with(3, |index| index).unwrap(), [0, 1, 2]);
    assert_eq!(leases.alloc_str("text").unwrap(), "text");
    assert_eq!(leases.alloc_fmt(format_args!("{}", 7)).unwrap(), "7");
    let (handle, nothing) = (leases.insert([7; 3]).unwrap(), leases.insert(()).unwrap());
    assert_eq!((leases.arena().get(handle), arena.get(nothing)), (Some(&[7; 3]), Some(&())));
    let published = leases.allocate(2).unwrap().publish();
    assert_eq!(arena.view(published), Some(&[0, 0][..]));
}

#[test]
fn the_next_thread_goes_on_with_the_lease_of_one_that_ended() {
    let threads = if cfg!(miri) { 20 } else { 10_000 };
    let arena = Arena::with_capacity(1 << 20).unwrap();
    let leases = arena.leases(CHUNK);
    // The threads run one at a time. Other tests of this process can take thread numbers in
    // between, so there are a few leases.
    for number in 0..threads {
        thread::scope(|scope| scope.spawn(|| *leases.alloc(number).unwrap()).join().unwrap());
    }
    let used = threads * 8;
    assert!(arena.used() < used + 100 * CHUNK, "{} used for {used}", arena.used());
    drop(leases);
    assert!(arena.stats().stranded < 100 * CHUNK, "{}", arena.stats());
}

#[test]
fn threads_that_come_and_go_by_the_ten_thousand_strand_next_to_nothing() {
    let (rounds, at_once, each) = if cfg!(miri) { (3, 3, 4) } else { (1_500, 16, 25) };
    let arena = Arena::with_capacity(64 << 20).unwrap();
    let leases = arena.leases(CHUNK);
    for round in 0..rounds {
        on_threads(at_once, |thread| {
            let first = (round * at_once + thread) * each;
            for (index, number) in count_up(&leases, first, each).into_iter().enumerate() {
                assert_eq!(*number, first + index);
            }
        });
    }
    let used = rounds * at_once * each * 8;
    assert!(arena.used() <= used + 200 * CHUNK, "{} used for {used}", arena.used());
}

#[test]
fn dropping_the_leases_gives_the_last_chunk_back() {
    let arena = Arena::with_capacity(1 << 20).unwrap();
    let leases = arena.leases(65_536);
    for _ in 0..1_000 {
        leases.alloc(1_u64).unwrap();
    }
    assert!(arena.used() > 8_000);
    drop(leases);
    assert_eq!(arena.used(), 8_000);
    assert_eq!(arena.stats().stranded, 0);
}

#[test]
fn an_initialiser_may_allocate_fail_and_panic() {
    let arena = Arena::with_capacity(1 << 20).unwrap();
    let leases = arena.leases(CHUNK);
    // Also when it is the first use of this thread.
    let outer = leases.alloc_with(|| leases.alloc_with(|| *leases.alloc(1).unwrap() + 1).unwrap().to_string()).unwrap();
    assert_eq!(outer, "2");
    let failed = leases.alloc_try_with(|| leases.alloc(3).map_err(|_| ()).and(Err::<u64, _>(())));
    assert!(matches!(failed, Err(TryAllocError::Init(()))));
    let panicked = catch_unwind(AssertUnwindSafe(|| leases.alloc_with(|| -> u64 { panic!("on purpose") }).map(drop)));
    assert!(panicked.is_err());
    let mut ends = HashSet::new();
    for _ in 0..100 {
        assert!(ends.insert(std::ptr::from_ref(leases.alloc(4_u64).unwrap()).addr()));
    }
}

#[test]
fn a_thread_that_panics_leaves_its_lease_to_the_next() {
    let arena = Arena::with_capacity(1 << 20).unwrap();
    let leases = arena.leases(CHUNK);
    thread::scope(|scope| {
        let panicked = scope.spawn(|| {
            leases.alloc(1).unwrap();
            panic!("on purpose")
        });
        assert!(panicked.join().is_err());
        assert_eq!(scope.spawn(|| *leases.alloc(2).unwrap()).join().unwrap(), 2);
    });
    assert_eq!(*leases.alloc(3).unwrap(), 3);
}

#[test]
fn many_leases_at_once_find_each_threads_own() {
    let (threads, arenas, rounds) = if cfg!(miri) { (2, 3, 3) } else { (4, 100, 50) };
    let arenas: Vec<_> = (0..arenas).map(|_| Arena::with_capacity(1 << 18).unwrap()).collect();
    let leases: Vec<_> = arenas.iter().map(|arena| arena.leases(256)).collect();
    let handles = on_threads(threads, |thread| {
        let all =
            (0..rounds).flat_map(|round| leases.iter().enumerate().map(move |(index, leases)| (round, index, leases)));
        all.map(|(round, index, leases)| ((thread, round, index), leases.insert((thread, round, index)).unwrap()))
            .collect::<Vec<_>>()
    });
    for (value, handle) in handles.into_iter().flatten() {
        assert_eq!(arenas[value.2].get(handle), Some(&value));
    }
}

#[test]
fn leases_that_were_leaked_or_dropped_are_not_found_again() {
    let mut arena = Arena::with_capacity(1 << 18).unwrap();
    for round in 0..100_usize {
        let leases = arena.leases(CHUNK);
        let number = leases.alloc(round).unwrap();
        assert_eq!(*number, round);
        if round % 2 == 0 {
            std::mem::forget(leases);
        } else {
            drop(leases);
        }
        // After the reset, a stale lease would hand out bytes of another block.
        arena.reset();
        assert_eq!(arena.used(), 0);
    }
}

#[test]
fn leases_can_be_made_on_one_thread_used_on_others_and_dropped_on_another() {
    let arena = Arena::with_capacity(1 << 18).unwrap();
    let leases = thread::scope(|scope| scope.spawn(|| arena.leases(CHUNK)).join().unwrap());
    on_threads(2, |thread| *leases.alloc(thread).unwrap());
    thread::scope(|scope| scope.spawn(move || drop(leases)).join().unwrap());
    assert!(arena.used() >= 16);
}

#[test]
fn a_full_arena_is_an_error_on_every_thread_and_loses_nothing() {
    let arena = Arena::with_capacity(65_536).unwrap();
    let leases = arena.leases(CHUNK);
    let blocks: usize = on_threads(8, |_| std::iter::from_fn(|| leases.alloc(0_u64).ok()).count()).into_iter().sum();
    let error = leases.allocate(8 * CHUNK).unwrap_err();
    assert!(matches!(error, AllocError::Full { requested: 32_768, .. }), "{error:?}");
    // Only the rest of each thread's chunk is not allocated when the arena is full.
    assert!(blocks * 8 + 8 * CHUNK >= arena.capacity() - 128, "{blocks} blocks");
    assert!(blocks * 8 <= arena.used());
}

#[test]
fn leases_work_with_a_chunk_of_any_size() {
    for chunk in [0, 1, 8, 1 << 31, usize::MAX] {
        let arena = Arena::with_capacity(1 << 18).unwrap();
        let leases = arena.leases(chunk);
        let numbers = on_threads(2, |thread| count_up(&leases, thread * 1_000, 1_000));
        assert!(numbers.iter().flatten().enumerate().all(|(index, number)| **number == index), "{chunk}");
        drop(numbers);
        assert!(leases.allocate(usize::MAX).is_err());
        assert!(leases.allocate(1 << 17).is_ok(), "{chunk}: a chunk takes no more than a share of the rest");
    }
}

thread_local! {
    /// Allocates when the thread ends.
    static AT_END: RefCell<Vec<AtEnd>> = const { RefCell::new(Vec::new()) };
    static LATER: RefCell<Vec<AtEnd>> = const { RefCell::new(Vec::new()) };
}

struct AtEnd(&'static Leases<'static>, &'static AtomicUsize);

impl Drop for AtEnd {
    fn drop(&mut self) {
        for number in 0..100 {
            assert_eq!(*self.0.alloc(number).unwrap(), number);
        }
        let block = self.0.allocate(100).unwrap();
        assert_eq!(*block, [0; 100]);
        self.1.fetch_add(1, Relaxed);
    }
}

#[test]
fn destructors_of_thread_locals_may_allocate() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    let rounds = if cfg!(miri) { 2 } else { 100 };
    let arena: &'static Arena = Box::leak(Box::new(Arena::with_capacity(64 << 20).unwrap()));
    let leases: &'static Leases<'static> = Box::leak(Box::new(arena.leases(CHUNK)));
    for _ in 0..rounds {
        // One value is registered before the thread has a lease and one afterwards. So in any
        // order, one of them is destroyed after the lease went to another thread. Other threads
        // allocate meanwhile.
        on_threads(4, |thread| {
            AT_END.with_borrow_mut(|values| values.push(AtEnd(leases, &ENDED)));
            if thread % 2 == 0 {
                leases.alloc(thread).unwrap();
            }
            LATER.with_borrow_mut(|values| values.push(AtEnd(leases, &ENDED)));
            leases.alloc(thread).unwrap();
        });
    }
    // A joined thread has run its destructors.
    let ended = ENDED.load(Relaxed);
    assert_eq!(ended, rounds * 8);
    let used = rounds * 8 * (100 * 8 + 104) + rounds * 6 * 8;
    assert!(arena.used() <= used + 200 * CHUNK, "{} used for {used}", arena.used());
}

#[test]
fn leases_of_a_growing_arena_go_on_in_the_next_segment_on_every_thread() {
    let (threads, each) = if cfg!(miri) { (2, 300) } else { (8, 50_000) };
    let arena = GrowingArena::new();
    let leases = arena.leases(65_536);
    let numbers = on_threads(threads, |thread| count_up(&leases, thread * each, each));
    assert!(numbers.iter().flatten().enumerate().all(|(index, number)| **number == index));
    assert!(cfg!(miri) || arena.segments().count() > 4, "{arena:?}");
}
