//! Growing arenas over small segments: random programs that check every byte again.

mod heap;

use std::sync::Arc;
use std::thread;

use allocator_api2::vec::Vec as ArenaVec;
use marena_core::{AllocError, Allocate, Arena, GrowingArena, Reserve};

use heap::REGIONS;

/// Bytes that are not zero at first.
type Heap = heap::Heap<0xA5>;

/// A random generator that gives the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// The slices that a program holds, each filled with its own mark.
#[derive(Default)]
struct Held<'a> {
    blocks: Vec<(&'a mut [u8], u8)>,
    mark: u8,
}

impl<'a> Held<'a> {
    fn keep(&mut self, block: &'a mut [u8], zeroed: bool) {
        assert!(!zeroed || block.iter().all(|&byte| byte == 0), "dirty bytes");
        self.mark = self.mark.wrapping_add(1);
        block.fill(self.mark);
        self.blocks.push((block, self.mark));
    }

    fn check(&self) {
        for (block, mark) in &self.blocks {
            assert!(block.iter().all(|byte| byte == mark), "bytes have two owners");
        }
    }
}

/// Allocates in many ways from two sources over one arena.
fn run<'a>(random: &mut Random, one: impl Allocate<'a>, other: impl Allocate<'a>, steps: usize) {
    let mut held = Held::default();
    for _ in 0..steps {
        let size = if random.below(8) == 0 { random.below(6_000) } else { random.below(100) };
        if random.below(2) == 0 {
            step(random, one, &mut held, size);
        } else {
            step(random, other, &mut held, size);
        }
        held.check();
    }
}

fn step<'a>(random: &mut Random, memory: impl Allocate<'a>, held: &mut Held<'a>, size: usize) {
    match random.below(6) {
        0 | 1 => held.keep(memory.allocate(size).unwrap().into_mut(), true),
        2 => {
            let align = 1 << random.below(9);
            let block = memory.allocate_aligned(size, align).unwrap().into_mut();
            assert!(block.as_ptr().addr().is_multiple_of(align));
            held.keep(block, true);
        }
        3 => {
            for block in memory.allocate_multiple([size, 3, size / 2]).unwrap() {
                held.keep(block.into_mut(), true);
            }
        }
        4 => held.keep(memory.alloc_slice_fill_with(size, |_| 1_u8).unwrap(), false),
        // The iterator has fewer values than it announced, so the rest goes back.
        _ => {
            let failed = memory.alloc_try_with(|| Err::<[u64; 20], _>(()));
            assert!(failed.is_err());
        }
    }
}

#[test]
fn random_programs_get_disjoint_zeroed_bytes_in_every_way_to_allocate() {
    let programs = if cfg!(miri) { 3 } else { 300 };
    let mut largest = 0;
    for seed in 0..programs {
        let mut random = Random(seed);
        let builder = GrowingArena::<Heap>::builder().first_segment(1024).max_segment(1024 << random.below(4));
        let mut arena = builder.build().unwrap();
        for _ in 0..4 {
            let steps = random.below(60);
            let way = random.below(5);
            if way < 4 {
                let (lease, second) = (arena.lease(random.below(3_000)), arena.lease(random.below(100)));
                let leases = arena.leases(100);
                match way {
                    0 => run(&mut random, &arena, &lease, steps),
                    1 => run(&mut random, &lease, &second, steps),
                    2 => run(&mut random, &leases, &second, steps),
                    _ => run(&mut random, &arena, &leases, steps),
                }
            } else {
                {
                    let mut outer = arena.scratch();
                    run(&mut random, &outer, &outer, steps / 2);
                    {
                        let inner = outer.scratch();
                        run(&mut random, &inner, &inner, steps);
                    }
                    run(&mut random, &outer, &outer, steps / 2);
                }
            }
            largest = largest.max(arena.segments().count());
            match random.below(3) {
                0 => arena.reset(),
                1 => {
                    arena.reset();
                    arena.trim().unwrap();
                    assert_eq!(arena.segments().count(), 0);
                }
                _ => {
                    arena.trim().unwrap();
                }
            }
        }
    }
    assert!(cfg!(miri) || largest > 20, "{largest} segments at most");
}

#[test]
fn a_scope_has_its_segment_to_itself_and_gives_it_back() {
    let mut arena: GrowingArena<Heap> = GrowingArena::builder().first_segment(4096).limit(4096).build().unwrap();
    arena.allocate(8).unwrap();
    let used = arena.stats().used;
    for _ in 0..3 {
        let mut outer = arena.scratch();
        let most = outer.allocate(usize::MAX).unwrap_err();
        let held = outer.allocate(2000).unwrap().into_mut();
        held.fill(1);
        assert!(outer.allocate(3000).is_err(), "{most}");
        assert!(held.iter().all(|&byte| byte == 1));
        assert!(outer.scratch().allocate(3000).is_err());
        outer.scratch().allocate(1000).unwrap().fill(2);
        drop(outer);
        assert_eq!(arena.stats().used, used);
    }
}

#[test]
fn collections_on_two_leases_and_the_arena_keep_their_values() {
    let rounds = if cfg!(miri) { 2 } else { 50 };
    for seed in 0..rounds {
        let mut random = Random(seed);
        let arena: GrowingArena<Heap> = GrowingArena::builder().first_segment(1024).max_segment(4096).build().unwrap();
        let (lease, leases) = (arena.lease(512), arena.leases(512));
        let mut leased: Vec<ArenaVec<usize, _>> = (0..3).map(|_| ArenaVec::new_in(&lease)).collect();
        let mut shared: Vec<ArenaVec<usize, _>> = (0..3).map(|_| ArenaVec::new_in(&leases)).collect();
        for _ in 0..300 {
            let (index, count) = (random.below(3), random.below(30));
            let vectors: [&mut dyn FnMut(); 2] =
                [&mut || change(&mut leased[index], count), &mut || change(&mut shared[index], count)];
            for change in vectors {
                change();
            }
        }
        for vector in &leased {
            assert!(vector.iter().enumerate().all(|(index, &number)| number == index));
        }
        for vector in &shared {
            assert!(vector.iter().enumerate().all(|(index, &number)| number == index));
        }
    }
}

/// Makes a vector longer or shorter. Each value is its index.
fn change<A: allocator_api2::alloc::Allocator>(vector: &mut ArenaVec<usize, A>, count: usize) {
    if count < 10 {
        vector.truncate(vector.len().saturating_sub(3 * count));
        vector.shrink_to_fit();
    } else {
        let from = vector.len();
        vector.extend(from..from + count);
    }
    assert!(vector.iter().enumerate().all(|(index, &number)| number == index));
}

#[test]
fn without_threads_leases_are_the_arena_itself() {
    let memory = Heap::reserve(4096).unwrap();
    let arena = Arena::new(memory).unwrap();
    let leases = arena.leases(1024);
    for number in 0..10_u64 {
        assert_eq!(*leases.alloc(number).unwrap(), number);
    }
    let handle = leases.insert("text").unwrap();
    assert_eq!((arena.used(), arena.get(handle)), (10 * 8 + size_of::<&str>(), Some(&"text")));
    assert!(matches!(leases.allocate(8192), Err(AllocError::Full { requested: 8192, .. })));
}

/// Returns how many regions there are that this thread made.
fn regions() -> usize {
    REGIONS.with(Arc::strong_count) - 1
}

#[test]
fn every_segment_goes_back_when_the_arena_is_dropped_or_trimmed() {
    let mut arena: GrowingArena<Heap> = GrowingArena::builder().first_segment(1024).max_segment(1024).build().unwrap();
    for _ in 0..100 {
        arena.allocate(700).unwrap();
    }
    assert_eq!((arena.segments().count(), regions()), (100, 100));
    arena.reset();
    arena.allocate(700).unwrap();
    arena.trim().unwrap();
    assert_eq!((arena.segments().count(), regions()), (1, 1));
    arena.allocate(700).unwrap();
    // On whatever thread.
    thread::spawn(move || drop(arena)).join().unwrap();
    assert_eq!(regions(), 0);
}

#[test]
fn an_aligned_request_passes_over_a_tighter_segment_where_it_has_no_place() {
    let builder = GrowingArena::<Heap>::builder().first_segment(1024).max_segment(1024).limit(3 * 1024);
    let arena = builder.build().unwrap();
    for left in [120, 256, 0] {
        // The segment before has no room for this.
        arena.allocate(400).unwrap();
        let last = arena.segments().last().unwrap();
        arena.allocate(last.remaining() - left).unwrap();
    }
    let remaining: Vec<_> = arena.segments().map(Arena::remaining).collect();
    assert_eq!(remaining, [120, 256, 0]);
    // Regions end at a multiple of 128, so the 120 bytes lie behind the last such address.
    let block = arena.allocate_aligned(120, 128).unwrap();
    assert!(block.as_ptr().addr().is_multiple_of(128));
    assert_eq!(arena.segments().map(Arena::remaining).collect::<Vec<_>>(), [120, 128 + 8, 0]);
}

#[test]
fn all_of_a_growing_arena_is_one_piece_for_each_segment() {
    let mut arena = GrowingArena::<Heap>::builder().first_segment(1024).max_segment(4096).build().unwrap();
    assert_eq!(arena.allocated().count(), 0);
    for number in 0..1000_u64 {
        arena.alloc(number).unwrap();
    }
    let pieces = arena.allocated();
    assert!(pieces.clone().count() > 2);
    // SAFETY: nothing but numbers is there, and they have no padding.
    let numbers = pieces.flat_map(|piece| unsafe { piece.align_to::<u64>() }.1);
    assert!(numbers.copied().eq(0..1000));
    arena.reset();
    assert!(arena.allocated().count() > 2 && arena.allocated().all(<[_]>::is_empty));
}
