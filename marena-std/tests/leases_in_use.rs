//! Leases as programs use them: in collections, in a `rayon` loop and in a `tokio` runtime.
#![cfg(all(feature = "allocator-api2", not(miri)))]

use std::thread;

use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec as ArenaVec;
use hashbrown::HashMap;
use marena_std::{Arena, GrowingArena};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

#[test]
fn a_collection_that_goes_to_another_thread_grows_shrinks_and_is_dropped_there() {
    let arena = Arena::with_capacity(64 << 20).unwrap();
    let leases = arena.leases(4096);
    thread::scope(|scope| {
        let (send, receive) = std::sync::mpsc::channel::<ArenaVec<usize, _>>();
        // Two threads fill each vector in turn. Both allocate blocks of their own in between.
        let other = scope.spawn({
            let leases = &leases;
            move || {
                let mut kept = Vec::new();
                for (round, mut numbers) in receive.iter().enumerate() {
                    kept.push(leases.alloc(round).unwrap());
                    let length = numbers.len();
                    numbers.extend(length..3 * length);
                    numbers.shrink_to_fit();
                    assert!(numbers.iter().enumerate().all(|(index, &number)| number == index));
                    if round % 3 == 0 {
                        std::mem::forget(numbers);
                    }
                }
                assert!(kept.into_iter().enumerate().all(|(round, number)| *number == round));
            }
        });
        let mut kept = Vec::new();
        for round in 0..2_000_usize {
            let mut numbers = ArenaVec::new_in(&leases);
            numbers.extend(0..=round % 50);
            send.send(numbers).unwrap();
            kept.push(leases.alloc(round).unwrap());
        }
        drop(send);
        other.join().unwrap();
        assert!(kept.into_iter().enumerate().all(|(round, number)| *number == round));
    });
}

#[test]
fn the_last_block_grows_in_place_and_comes_back_when_it_is_dropped() {
    let arena = GrowingArena::new();
    let leases = arena.leases(65_536);
    let first = leases.alloc(0_u64).unwrap();
    let mut numbers = ArenaVec::with_capacity_in(4, &leases);
    numbers.extend(0..4_u64);
    let start = numbers.as_ptr();
    numbers.extend(4..1_000);
    assert_eq!(numbers.as_ptr(), start);
    drop(numbers);
    let next = leases.alloc(1_u64).unwrap();
    assert_eq!(std::ptr::from_ref(next), start);
    assert_eq!((*first, *next), (0, 1));
}

#[test]
fn a_vector_outgrows_its_segments() {
    let arena = GrowingArena::new();
    let lease = arena.lease(4096);
    let (mut shared, mut leased) = (ArenaVec::new_in(&arena), ArenaVec::new_in(&lease));
    for number in 0..500_000_u32 {
        shared.push(number);
        leased.push(number);
    }
    assert!((0..).zip(&shared).all(|(index, number)| index == *number));
    assert!((0..).zip(&leased).all(|(index, number)| index == *number));
    assert!(arena.segments().count() > 3);
    let mut zeros: Box<[u8], _> = allocator_api2::vec![in &arena; 0; 1 << 20].into_boxed_slice();
    assert!(zeros.iter().all(|&byte| byte == 0));
    zeros.fill(1);
}

#[test]
fn each_thread_has_a_hash_map_in_its_own_lease() {
    let arena = GrowingArena::new();
    let leases = arena.leases(65_536);
    let words = thread::scope(|scope| {
        let threads: Vec<_> = (0..4_usize)
            .map(|thread| {
                let leases = &leases;
                scope.spawn(move || {
                    let mut counts = HashMap::new_in(leases);
                    for number in 0..20_000 {
                        let word = &*leases.alloc_fmt(format_args!("{}", number % (1_000 + thread))).unwrap();
                        *counts.entry(word).or_insert(0_usize) += 1;
                    }
                    assert_eq!(counts.values().sum::<usize>(), 20_000);
                    counts.len()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(words, [1_000, 1_001, 1_002, 1_003]);
}

#[test]
fn a_rayon_loop_allocates_from_one_value() {
    let arena = GrowingArena::new();
    let leases = arena.leases(65_536);
    // There are more threads than most machines have cores, and nested uses make more leases.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().unwrap();
    let texts: Vec<&str> = pool.install(|| {
        (0..100_000_u32)
            .into_par_iter()
            .map(|number| &*leases.alloc_with(|| leases.alloc_fmt(format_args!("{number}")).unwrap()).unwrap())
            .map(|text| &**text)
            .collect()
    });
    drop(leases);
    assert!((0..).zip(texts).all(|(number, text): (u32, _)| text == number.to_string()));
}

#[test]
fn tasks_of_a_tokio_runtime_allocate_from_one_value_wherever_they_run() {
    let arena: &'static GrowingArena = std::boxed::Box::leak(std::boxed::Box::new(GrowingArena::new()));
    let leases: &'static _ = std::boxed::Box::leak(std::boxed::Box::new(arena.leases(4096)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let tasks: Vec<_> = (0..500_usize)
        .map(|task| {
            runtime.spawn(async move {
                // A task continues on another thread, and takes its collection along.
                let mut numbers = ArenaVec::new_in(leases);
                for number in 0..100 {
                    numbers.push(task + number);
                    tokio::task::yield_now().await;
                }
                numbers.iter().enumerate().all(|(index, &number)| number == task + index)
            })
        })
        .collect();
    for task in tasks {
        assert!(runtime.block_on(task).unwrap());
    }
}
