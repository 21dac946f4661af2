//! Arenas over disjoint memory that allocate as one.

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::LazyLock;

use marena_core::{
    AllocError, Arena, AtomicU32, BorrowedMemory, Claim, Header, Memory, PushError, Regions, StaticMemory, Stats,
};

type Bytes = [MaybeUninit<u8>];

fn bytes(len: usize) -> Vec<MaybeUninit<u8>> {
    // Alignment may cost up to 127 bytes at the front.
    vec![MaybeUninit::uninit(); len + 127]
}

fn regions<'m, const N: usize>(memories: [&'m mut Bytes; N]) -> Regions<BorrowedMemory<'m>, N> {
    let mut regions = Regions::new();
    for memory in memories {
        regions.push(Arena::borrowed(memory).unwrap()).unwrap();
    }
    regions
}

#[test]
fn a_request_is_served_by_the_first_arena_that_has_room_for_all_of_it() {
    let (mut first, mut second) = (bytes(256), bytes(1024));
    let regions = regions([&mut first, &mut second]);
    let small = regions.insert([1_u8; 64]).unwrap();
    let large = regions.insert([2_u8; 512]).unwrap();
    let behind = regions.insert([3_u8; 8]).unwrap();
    let [first, second] = regions.arenas() else { panic!("two arenas") };
    assert_eq!((first.get(small), second.get(small)), (Some(&[1; 64]), None));
    assert_eq!((first.get(large), second.get(large)), (None, Some(&[2; 512])));
    assert_eq!(first.get(behind), Some(&[3; 8]));
    assert_eq!(first.used(), 72);
}

#[test]
fn handles_find_their_own_arena_and_are_stale_after_a_reset() {
    let (mut first, mut second, mut third) = (bytes(256), bytes(256), bytes(256));
    let mut regions = regions([&mut first, &mut second, &mut third]);
    let mut handles = Vec::new();
    while let Ok(handle) = regions.insert(handles.len()) {
        handles.push(handle);
    }
    assert!(regions.arenas().iter().all(|arena| arena.used() > 0), "every arena served something");
    for (number, &handle) in handles.iter().enumerate() {
        assert_eq!(regions.get(handle), Some(&number));
        assert_eq!(regions.arenas().iter().filter(|arena| arena.get(handle).is_some()).count(), 1);
    }
    regions.reset();
    assert!(handles.iter().all(|&handle| regions.get(handle).is_none()));
    assert_eq!(regions.stats().used, 0);
}

#[test]
fn all_blocks_of_one_request_lie_in_one_arena_and_are_zero() {
    let (mut first, mut second) = (bytes(256), bytes(512));
    let mut regions = regions([&mut first, &mut second]);
    regions.alloc_slice_fill_with(16, |_| u64::MAX).unwrap();
    regions.alloc_slice_fill_with(40, |_| u64::MAX).unwrap();
    regions.reset();
    // More than the first arena has, whatever the alignment of its buffer.
    let blocks = regions.allocate_multiple([100, 0, 150]).unwrap();
    assert!(blocks.iter().all(|block| block.iter().all(|&byte| byte == 0)));
    let [left, none, right] = blocks.map(marena_core::Block::publish);
    let large = &regions.arenas()[1];
    assert_eq!((large.view(left), large.view(right)), (Some(&[0; 100][..]), Some(&[0; 150][..])));
    assert_eq!(regions.view(none), Some(&[][..]));
    assert_eq!(regions.arenas()[0].used(), 0);
}

#[test]
fn a_failure_names_the_most_that_one_arena_has_left_and_changes_nothing() {
    let (mut first, mut second, mut third) = (bytes(256), bytes(1024), bytes(512));
    let regions = regions([&mut first, &mut second, &mut third]);
    let most = regions.arenas()[1].remaining();
    assert_eq!(regions.allocate(2048).unwrap_err(), AllocError::Full { requested: 2048, remaining: most });
    assert_eq!(regions.allocate_bounded(2048, 3).unwrap_err(), AllocError::Full { requested: 2048, remaining: most });
    assert_eq!(
        regions.allocate_multiple([1 << 30, 1 << 30]).unwrap_err(),
        AllocError::Full { requested: 1 << 31, remaining: most }
    );
    assert_eq!(regions.allocate(1 << 31).unwrap_err(), AllocError::TooLarge { requested: 1 << 31 });
    assert!(matches!(regions.allocate_aligned(8, 3), Err(AllocError::Alignment { requested: 3, .. })));
    assert_eq!(regions.stats().used, 0);
    assert!(regions.allocate(most).is_ok());
}

#[test]
fn a_failed_initialiser_gives_its_slot_back_to_the_arena_it_came_from() {
    let (mut first, mut second) = (bytes(256), bytes(1024));
    let regions = regions([&mut first, &mut second]);
    let failed = regions.alloc_try_with(|| Err::<[u8; 512], _>("no"));
    assert!(failed.is_err());
    assert_eq!(regions.stats().used, 0);
    assert_eq!(regions.stats().high_water, 512);
}

#[test]
fn without_arenas_only_zero_sized_requests_succeed() {
    let regions: Regions<BorrowedMemory<'_>, 2> = Regions::new();
    assert_eq!(regions.allocate(1).unwrap_err(), AllocError::Full { requested: 1, remaining: 0 });
    assert!(regions.allocate(0).unwrap().is_empty());
    let nothing = regions.insert(()).unwrap();
    assert_eq!(regions.get(nothing), None);
}

#[test]
fn statics_can_be_regions_and_push_returns_an_arena_that_has_no_place() {
    static FAST: StaticMemory<256> = StaticMemory::new();
    static SLOW: StaticMemory<256> = StaticMemory::new();
    let mut regions: Regions<_, 1> = Regions::new();
    regions.push(Arena::from_static(&FAST)).unwrap();
    let returned = regions.push(Arena::from_static(&SLOW)).unwrap_err().into_arena();
    assert_eq!(returned.remaining(), 128);
    let handle = regions.insert(5).unwrap();
    assert_eq!((regions.get(handle), returned.get(handle)), (Some(&5), None));
}

#[test]
fn threads_that_allocate_at_once_get_disjoint_bytes() {
    let (threads, each) = if cfg!(miri) { (2, 20) } else { (4, 200) };
    let (mut first, mut second) = (bytes(128 + threads * each * 4), bytes(128 + threads * each * 8));
    let regions = regions([&mut first, &mut second]);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let regions = &regions;
            scope.spawn(move || {
                let numbers: Vec<_> = (0..each).map(|number| regions.alloc(thread * each + number).unwrap()).collect();
                for (number, value) in numbers.into_iter().enumerate() {
                    assert_eq!(*value, thread * each + number);
                }
            });
        }
    });
    assert_eq!(regions.stats().used, threads * each * size_of::<usize>().next_multiple_of(8));
}

/// Two kinds of memory under one type.
enum Either {
    Static(&'static StaticMemory<4096>),
    Borrowed(BorrowedMemory<'static>),
}

// SAFETY: each method is that of a memory of the crate.
unsafe impl Memory for Either {
    type Word = AtomicU32;

    fn region(&self) -> NonNull<[u8]> {
        match self {
            Self::Static(memory) => memory.region(),
            Self::Borrowed(memory) => memory.region(),
        }
    }

    fn header(&self) -> NonNull<Header<AtomicU32>> {
        match self {
            Self::Static(memory) => memory.header(),
            Self::Borrowed(memory) => memory.header(),
        }
    }

    fn is_zeroed(&self) -> bool {
        match self {
            Self::Static(memory) => memory.is_zeroed(),
            Self::Borrowed(memory) => memory.is_zeroed(),
        }
    }
}

/// Returns two arenas. The memory of the second is a block of the first.
fn outer_and_inner() -> (Arena<Either>, Arena<Either>) {
    static MEMORY: StaticMemory<4096> = StaticMemory::new();
    static ARENA: LazyLock<Arena<&'static StaticMemory<4096>>> = LazyLock::new(|| {
        // SAFETY: the first use of the static.
        unsafe { Arena::format(&MEMORY) }.unwrap()
    });
    let buffer = ARENA.alloc_slice_uninit(1024).unwrap();
    buffer.fill(MaybeUninit::new(0xFF));
    // SAFETY: the memory is exclusive.
    let inner = unsafe { Arena::format(Either::Borrowed(BorrowedMemory::new(buffer).unwrap())) };
    // SAFETY: formatted above, and all users of the static's bytes go through its header.
    let outer = unsafe { Arena::attach(Either::Static(&MEMORY)) };
    (outer.unwrap(), inner.unwrap())
}

#[test]
fn an_arena_whose_memory_overlaps_anothers_comes_back_from_push() {
    for inner_first in [false, true] {
        let (outer, inner) = outer_and_inner();
        let [first, second] = if inner_first { [inner, outer] } else { [outer, inner] };
        let capacity = second.capacity();
        let mut regions: Regions<Either, 3> = Regions::new();
        regions.push(first).unwrap();
        let Err(PushError::Overlap(second)) = regions.push(second) else { panic!("the memories overlap") };
        assert_eq!(second.capacity(), capacity);
        assert_eq!(regions.arenas().len(), 1);
    }
}

#[test]
fn one_static_is_one_region_however_many_arenas_there_are_over_it() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    let mut regions: Regions<_, 2> = Regions::new();
    regions.push(Arena::from_static(&MEMORY)).unwrap();
    assert!(matches!(regions.push(Arena::from_static(&MEMORY)), Err(PushError::Overlap(_))));
    assert_eq!(regions.stats().remaining, 1024 - 128);
}

#[test]
fn memories_side_by_side_do_not_overlap() {
    let mut all = bytes(4 * 512);
    let skip = all.as_ptr().addr().wrapping_neg() % 128;
    let mut regions: Regions<_, 4> = Regions::new();
    for part in all[skip..][..4 * 512].chunks_mut(512) {
        regions.push(Arena::borrowed(part).unwrap()).unwrap();
    }
    assert_eq!(regions.stats().capacity, 4 * 512);
}

#[test]
fn a_region_may_begin_where_another_ends_whichever_comes_first() {
    for reversed in [false, true] {
        let mut memory = bytes(512);
        let skipped = memory.as_ptr().addr().wrapping_neg() & 127;
        let (front, back) = memory[skipped..].split_at_mut(256);
        let mut pair = [front, &mut back[..256]].map(|half| Arena::borrowed(half).unwrap());
        if reversed {
            pair.reverse();
        }
        let mut regions: Regions<_, 2> = Regions::new();
        for arena in pair {
            regions.push(arena).unwrap();
        }
        assert_eq!(regions.stats().capacity, 512);
    }
}

fn numbers(stats: Stats) -> [usize; 8] {
    let Stats { capacity, used, remaining, high_water, high_water_since_reset, stranded, leased, failed, .. } = stats;
    [capacity, used, remaining, high_water, high_water_since_reset, stranded, leased, failed]
}

#[test]
fn every_statistic_is_the_sum_of_those_of_the_arenas() {
    let (mut first, mut second, mut third) = (bytes(4096), bytes(8192), bytes(16_384));
    let mut regions = regions([&mut first, &mut second, &mut third]);
    // Each arena gets other numbers, none of which is 0.
    for (round, arena) in regions.arenas().iter().enumerate() {
        let lease = arena.lease(2048 << round);
        lease.allocate(16).unwrap();
        arena.allocate(8 << round).unwrap();
        drop(lease);
        let lease = arena.lease(2048 << round);
        lease.allocate(1500).unwrap();
        std::mem::forget(lease);
        arena.alloc_vec::<u64>(4 << round).unwrap();
        for _ in 0..=round {
            arena.allocate(1 << 20).unwrap_err();
        }
    }
    let sum = |regions: &Regions<BorrowedMemory<'_>, 3>| {
        let each = regions.arenas().iter().map(|arena| numbers(arena.stats()));
        each.fold([0; 8], |sum, one| std::array::from_fn(|i| sum[i] + one[i]))
    };
    assert_eq!(numbers(regions.stats()), sum(&regions));
    for arena in regions.arenas() {
        assert!(numbers(arena.stats()).iter().all(|&number| number > 0), "{:?}", arena.stats());
    }
    regions.reset();
    assert_eq!(numbers(regions.stats()), sum(&regions));
    assert_eq!(regions.stats().failed, 6);
}

#[test]
fn regions_without_arenas_have_nothing_left_for_a_request() {
    let regions = Regions::<BorrowedMemory<'_>, 2>::new();
    assert_eq!(Claim::remaining(&regions), 0);
    assert_eq!(regions.stats(), Stats::default());
    let most = regions.allocate(1).unwrap_err();
    assert_eq!(most, AllocError::Full { requested: 1, remaining: 0 });
}

#[test]
fn an_arena_that_has_no_place_is_told_why() {
    static ONE: StaticMemory<256> = StaticMemory::new();
    static OTHER: StaticMemory<256> = StaticMemory::new();
    let mut regions: Regions<_, 1> = Regions::new();
    regions.push(Arena::from_static(&ONE)).unwrap();
    let full = regions.push(Arena::from_static(&OTHER)).unwrap_err();
    assert!(full.to_string().contains("larger `N`"), "{full}");
    let overlap = regions.push(Arena::from_static(&ONE)).unwrap_err();
    assert!(overlap.to_string().starts_with("256 bytes at 0x"), "{overlap}");
}
