//! Many threads on one arena: each block keeps its content.

use std::sync::mpsc;
use std::thread;

use marena_std::{AllocError, Arena, Block, Handle};

const THREADS: usize = if cfg!(miri) { 2 } else { 4 };

/// Returns a size that differs between blocks and between threads, and is not 0.
fn size(thread: usize, index: usize) -> usize {
    1 + (thread * 37 + index * 101) % 300
}

/// Returns the bytes of a block, which differ between blocks.
fn pattern(thread: usize, index: usize) -> impl Iterator<Item = u8> {
    (0..size(thread, index)).map(move |position| (thread * 89 + index * 31 + position) as u8)
}

/// Allocates until the arena is full, and writes a new pattern in each block. Returns the blocks.
fn fill(arena: &Arena, thread: usize) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    loop {
        match arena.allocate(size(thread, blocks.len())) {
            Ok(mut block) => {
                assert!(block.iter().all(|&byte| byte == 0), "thread {thread} block {}", blocks.len());
                block.iter_mut().zip(pattern(thread, blocks.len())).for_each(|(byte, value)| *byte = value);
                blocks.push(block);
            }
            Err(AllocError::Full { requested, remaining }) => {
                assert!(requested > remaining, "{requested} of {remaining}");
                return blocks;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn threads_that_fill_an_arena_get_zeroed_disjoint_blocks_in_every_generation() {
    let mut arena = Arena::with_capacity(if cfg!(miri) { 1 << 16 } else { 2 << 20 }).unwrap();
    // No arena is smaller than a page, and a page is much for Miri.
    let set_aside = if cfg!(miri) { 60 << 10 } else { 0 };
    for generation in 0..3 {
        arena.allocate(set_aside).unwrap();
        let mut spans = Vec::new();
        let shared = &arena;
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|id| scope.spawn(move || fill(shared, id))).collect();
            for (id, thread) in threads.into_iter().enumerate() {
                for (index, block) in thread.join().unwrap().into_iter().enumerate() {
                    assert!(
                        block.iter().copied().eq(pattern(id, index)),
                        "generation {generation} thread {id} block {index}"
                    );
                    spans.push((block.address().offset() as usize, block.len()));
                }
            }
        });
        spans.sort_unstable();
        assert!(
            spans.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0),
            "blocks overlap in generation {generation}"
        );
        let taken: usize = spans.iter().map(|&(_, size)| size.next_multiple_of(8)).sum();
        assert_eq!(arena.used(), set_aside + taken, "some used bytes are in no block, in generation {generation}");
        arena.reset();
    }
}

#[test]
fn a_reader_sees_the_bytes_of_each_handle_that_reaches_it() {
    let arena = Arena::with_capacity(1 << 20).unwrap();
    let blocks = if cfg!(miri) { 10 } else { 1000 };
    let (published, received) = mpsc::channel::<(usize, usize, Handle)>();
    let shared = &arena;
    let seen = thread::scope(|scope| {
        let reader = scope.spawn(move || {
            received
                .into_iter()
                .map(|(id, index, handle)| assert!(shared.view(handle).unwrap().iter().copied().eq(pattern(id, index))))
                .count()
        });
        for id in 0..THREADS {
            let published = published.clone();
            scope.spawn(move || {
                for index in 0..blocks {
                    let mut block = shared.allocate(size(id, index)).unwrap();
                    block.iter_mut().zip(pattern(id, index)).for_each(|(byte, value)| *byte = value);
                    published.send((id, index, block.publish())).unwrap();
                }
            });
        }
        drop(published);
        reader.join().unwrap()
    });
    assert_eq!(seen, THREADS * blocks);
}

#[test]
fn an_arena_moves_to_another_thread_and_back_with_everything_in_it() {
    let arena = Arena::with_capacity(1024).unwrap();
    let handle = arena.insert("in the arena").unwrap();
    let arena = thread::spawn(move || {
        assert_eq!(arena.get(handle), Some(&"in the arena"));
        arena
    })
    .join()
    .unwrap();
    assert_eq!(arena.get(handle), Some(&"in the arena"));
}
