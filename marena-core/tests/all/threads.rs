//! Several real threads on one arena.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;

use marena_core::{Address, AllocError, Arena, StaticMemory};

use crate::owned::zeroed_arena;

const THREADS: u8 = 4;

fn rounds() -> usize {
    if cfg!(miri) { 20 } else { 2_000 }
}

/// Returns a size that varies widely and is the same in every run.
fn size(thread: u8, round: usize) -> usize {
    (usize::from(thread) * 31 + round * 17) % 97 + 1
}

fn mark(thread: u8, round: usize) -> u8 {
    (round as u8).wrapping_mul(THREADS).wrapping_add(thread)
}

#[test]
fn blocks_of_several_threads_keep_what_each_thread_wrote() {
    let arena = zeroed_arena(1 << 20);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let arena = &arena;
            scope.spawn(move || {
                let lease = arena.lease(1024);
                let mut blocks = Vec::new();
                for round in 0..rounds() {
                    let size = size(thread, round);
                    let mut block = match round % 4 {
                        0 => arena.allocate(size).unwrap(),
                        1 => arena.allocate_aligned(size, 32).unwrap(),
                        2 => lease.allocate(size).unwrap(),
                        _ => {
                            let [one, two] = arena.allocate_multiple([size, 8]).unwrap();
                            assert_eq!(*two, [0; 8]);
                            one
                        }
                    };
                    assert!(block.iter().all(|&byte| byte == 0));
                    block.fill(mark(thread, round));
                    blocks.push(block);
                }
                for (round, block) in blocks.iter().enumerate() {
                    assert_eq!(block.len(), size(thread, round));
                    assert!(block.iter().all(|&byte| byte == mark(thread, round)), "{thread}: {block:?}");
                }
            });
        }
    });
}

#[test]
fn threads_that_fill_the_arena_get_all_of_it_and_not_a_byte_twice() {
    let arena = zeroed_arena(if cfg!(miri) { 2048 } else { 128 + 80_000 });
    let mut all = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let mut offsets = Vec::new();
                    loop {
                        match arena.allocate_address(8) {
                            Ok(address) => offsets.push(address.offset() as usize),
                            Err(error) => {
                                assert_eq!(error, AllocError::Full { requested: 8, remaining: 0 });
                                return offsets;
                            }
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    all.sort_unstable();
    assert_eq!(all, (128..arena.capacity()).step_by(8).collect::<Vec<_>>());
}

/// One claim as its thread saw it: the clock before and after, and the result.
struct Claim {
    begun: usize,
    ended: usize,
    address: Address,
}

#[test]
fn a_claim_that_ended_before_another_began_lies_below_it() {
    let arena = zeroed_arena(if cfg!(miri) { 16_384 } else { 8 << 20 });
    let clock = AtomicUsize::new(0);
    // ORDERING: AcqRel: a claim that ended at one tick happens before every claim that began at a
    // later one.
    let tick = || clock.fetch_add(1, AcqRel);
    let mut history = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (arena, tick) = (&arena, &tick);
                scope.spawn(move || {
                    let claim = |round| {
                        let begun = tick();
                        let address = arena.allocate_address(size(thread, round)).unwrap();
                        Claim { begun, ended: tick(), address }
                    };
                    (0..rounds()).map(claim).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    history.sort_unstable_by_key(|claim| claim.address.offset());
    for pair in history.windows(2) {
        let end = pair[0].address.offset() + pair[0].address.size();
        assert!(end <= pair[1].address.offset(), "{:?} overlaps {:?}", pair[0].address, pair[1].address);
    }
    // No claim may have ended before a claim below it began.
    let mut latest_begin = 0;
    for claim in &history {
        assert!(claim.ended > latest_begin, "{:?} ended at {} before a lower claim began", claim.address, claim.ended);
        latest_begin = latest_begin.max(claim.begun);
    }
    assert_eq!(history.len(), usize::from(THREADS) * rounds());
}

#[test]
fn give_backs_and_claims_of_several_threads_leave_zero_blocks_and_no_overlap() {
    let arena = zeroed_arena(1 << 20);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let arena = &arena;
            scope.spawn(move || {
                let mut blocks = Vec::new();
                for round in 0..rounds() / 2 {
                    let failed = arena.alloc_try_with(|| Err::<[u64; 4], _>(()));
                    assert!(failed.is_err());
                    let text = arena.alloc_fmt(format_args!("{thread}-{round}")).unwrap();
                    let mut block = arena.allocate(size(thread, round)).unwrap();
                    assert!(block.iter().all(|&byte| byte == 0));
                    block.fill(mark(thread, round));
                    blocks.push((round, block, text));
                }
                for (round, block, text) in &blocks {
                    assert!(block.iter().all(|&byte| byte == mark(thread, *round)));
                    assert_eq!(**text, format!("{thread}-{round}"));
                }
            });
        }
    });
}

#[test]
fn handles_sent_to_other_threads_read_what_was_published() {
    static MEMORY: StaticMemory<{ 1 << 20 }> = StaticMemory::new();
    static ARENA: Arena<&'static StaticMemory<{ 1 << 20 }>> = Arena::from_static(&MEMORY);
    let (sender, receiver) = mpsc::channel();
    let writers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let sender = sender.clone();
            thread::spawn(move || {
                for round in 0..rounds() {
                    let mut block = ARENA.allocate(size(thread, round)).unwrap();
                    block.fill(mark(thread, round));
                    sender.send((thread, round, block.publish(), ARENA.insert(round).unwrap())).unwrap();
                }
            })
        })
        .collect();
    drop(sender);
    let mut received = 0;
    for (thread, round, bytes, value) in receiver {
        assert_eq!(ARENA.view(bytes), Some(&vec![mark(thread, round); size(thread, round)][..]));
        assert_eq!(ARENA.get(value), Some(&round));
        received += 1;
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(received, usize::from(THREADS) * rounds());
}

#[test]
fn an_arena_and_its_blocks_move_between_threads() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    for _ in 0..3 {
        arena = thread::scope(|scope| {
            let moved = scope.spawn(move || {
                arena.allocate(16).unwrap().fill(1);
                arena
            });
            moved.join().unwrap()
        });
    }
    assert_eq!(arena.used(), 48);
    let mut block = arena.allocate(8).unwrap();
    thread::scope(|scope| scope.spawn(|| block.fill(2)).join().unwrap());
    assert_eq!(*block, [2; 8]);
}

#[test]
fn a_pool_under_threads_has_one_generation_of_an_arena_at_a_time() {
    let mut buffers: Vec<_> = (0..2).map(|_| crate::owned::Buffer::new(4096)).collect();
    let memories = buffers.iter_mut().map(|buffer| marena_core::BorrowedMemory::new(buffer.skewed(0, 4096)).unwrap());
    let memories: [_; 2] = memories.collect::<Vec<_>>().try_into().unwrap();
    let pool = marena_core::Pool::new(memories).unwrap();
    let generations = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (pool, generations) = (&pool, &generations);
            scope.spawn(move || {
                let mut done = 0;
                while done < rounds() / 4 {
                    let Some(guard) = pool.acquire() else {
                        thread::yield_now();
                        continue;
                    };
                    assert_eq!(guard.used(), 0);
                    let mut block = guard.allocate(64).unwrap();
                    assert_eq!(*block, [0; 64]);
                    block.fill(mark(thread, done));
                    let share = guard.clone();
                    assert!(block.iter().all(|&byte| byte == mark(thread, done)));
                    drop(guard);
                    assert_eq!(share.used(), 64);
                    done += 1;
                    // ORDERING: Relaxed: a count, read after the threads are joined.
                    generations.fetch_add(1, Relaxed);
                }
            });
        }
    });
    assert_eq!((pool.available(), generations.into_inner()), (2, usize::from(THREADS) * (rounds() / 4)));
}
