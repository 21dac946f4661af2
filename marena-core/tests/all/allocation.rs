//! Allocating bytes: every form, at the edges of sizes and alignments.

use std::alloc::Layout;
use std::ptr::NonNull;

use marena_core::{ARENA_MAX_ALLOC_SIZE, Address, AllocError, Arena, Memory};

use crate::owned::{Buffer, Owned, zeroed_arena};

type Form = (&'static str, fn(&Arena<Owned>, usize) -> Result<usize, AllocError>);

/// Every form that takes a size in bytes. Each returns the length that it got.
const FORMS: [Form; 12] = [
    ("allocate", |arena, size| arena.allocate(size).map(|block| block.len())),
    ("allocate_aligned", |arena, size| arena.allocate_aligned(size, 1).map(|block| block.len())),
    ("allocate_multiple", |arena, size| arena.allocate_multiple([size]).map(|[block]| block.len())),
    ("allocate_bounded", |arena, size| arena.allocate_bounded(size, 3).map(|block| block.len())),
    ("allocate_uninit", |arena, size| arena.allocate_uninit(size, 8).map(|bytes| bytes.len())),
    ("allocate_layout", |arena, size| match Layout::from_size_align(size, 8) {
        Ok(layout) => arena.allocate_layout(layout).map(NonNull::len),
        // No layout can have this size.
        Err(_) => arena.allocate_uninit(size, 8).map(|bytes| bytes.len()),
    }),
    ("allocate_address", |arena, size| arena.allocate_address(size).map(|address| address.size() as usize)),
    ("allocate_addresses", |arena, size| {
        let mut sizes = [size as u64];
        arena.allocate_addresses(&mut sizes)?;
        Ok(Address::from_raw(sizes[0]).unwrap().size() as usize)
    }),
    ("alloc_slice_uninit", |arena, size| arena.alloc_slice_uninit::<u8>(size).map(|bytes| bytes.len())),
    ("lease", |arena, size| arena.lease(4096).allocate(size).map(|block| block.len())),
    ("lease of no chunk", |arena, size| arena.lease(0).allocate(size).map(|block| block.len())),
    ("lease, layout", |arena, size| arena.lease(512).allocate_uninit(size, 8).map(|bytes| bytes.len())),
];

/// Returns sizes around 0, a step, 2^31, 2^32 and the largest integer.
fn edge_sizes() -> Vec<usize> {
    let mut sizes = Vec::new();
    for center in [0, 8, 128, 1024, 1 << 31, usize::MAX / 2, usize::MAX] {
        for distance in 0..=9_usize {
            sizes.extend(center.checked_sub(distance));
            sizes.extend(center.checked_add(distance));
        }
    }
    if let Some(center) = 1_usize.checked_shl(32) {
        sizes.extend(center - 9..=center + 9);
    }
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

#[test]
fn every_form_gives_exactly_the_size_or_an_error_that_names_it_at_every_edge() {
    for (name, form) in FORMS {
        for size in edge_sizes() {
            let arena = zeroed_arena(1024);
            let room = arena.remaining();
            match form(&arena, size) {
                Ok(len) => {
                    assert!(len == size && size <= room, "{name} of {size} gave {len}");
                    assert!(arena.used() >= size && arena.used() <= room, "{name} of {size}: {} used", arena.used());
                }
                Err(AllocError::TooLarge { requested }) => {
                    assert!(requested == size && size > ARENA_MAX_ALLOC_SIZE, "{name} of {size}: {requested}");
                }
                Err(AllocError::Full { requested, remaining }) => {
                    assert!(requested >= size && requested - size < 8, "{name} of {size}: {requested}");
                    assert!(
                        size > room && size <= ARENA_MAX_ALLOC_SIZE,
                        "{name} of {size} failed with {remaining} left"
                    );
                    assert_eq!(remaining, room, "{name} of {size}");
                }
                Err(error) => panic!("{name} of {size}: {error}"),
            }
        }
    }
}

#[test]
fn a_failed_request_changes_nothing_and_a_smaller_one_succeeds_afterwards() {
    for (name, form) in FORMS {
        let arena = zeroed_arena(1024);
        form(&arena, 104).unwrap();
        let mut before = arena.stats();
        for size in edge_sizes().into_iter().filter(|&size| size > before.remaining) {
            form(&arena, size).expect_err(name);
            // The failure is counted, unless the size is an error before the arena looks for room.
            before.failed = arena.stats().failed;
            assert_eq!(arena.stats(), before, "{name} of {size}");
        }
        assert_eq!(form(&arena, before.remaining), Ok(before.remaining), "{name}");
        assert_eq!(arena.remaining(), 0, "{name}");
        form(&arena, 1).expect_err(name);
    }
}

#[test]
fn steps_are_eight_bytes_and_offsets_start_behind_the_header() {
    let arena = zeroed_arena(4096);
    for (size, used) in [(200, 200), (201, 408), (1, 416), (8, 424), (7, 432)] {
        let block = arena.allocate(size).unwrap();
        assert_eq!(arena.used(), used);
        assert_eq!(block.address().offset() as usize + size.next_multiple_of(8), 128 + used);
        assert!(block.as_ptr().addr().is_multiple_of(8));
    }
}

/// Allocates in every way that takes an alignment, and checks the alignment of the result.
fn check_alignment<M: Memory>(arena: &Arena<M>, align: usize, size: usize) -> Option<AllocError> {
    let layout = Layout::from_size_align(size, align).unwrap();
    let starts = [
        arena.allocate_aligned(size, align).map(|block| block.as_ptr().addr()),
        arena.allocate_uninit(size, align).map(|bytes| bytes.as_ptr().addr()),
        arena.allocate_layout(layout).map(|bytes| bytes.addr().get()),
        arena.lease(256).allocate_aligned(size, align).map(|block| block.as_ptr().addr()),
    ];
    for start in starts.iter().flatten() {
        assert!(start.is_multiple_of(align), "{start:#x} for {align}");
    }
    starts.into_iter().find_map(Result::err)
}

#[test]
fn every_alignment_holds_at_every_skew_of_the_buffer() {
    let skews: &[usize] = if cfg!(miri) { &[0, 1, 127] } else { &[0, 1, 3, 7, 8, 15, 31, 63, 64, 65, 100, 127] };
    for &skew in skews {
        let mut buffer = Buffer::new(40_000);
        for size in [0, 1, 9, 64] {
            let mut served = 0;
            for shift in 0..usize::BITS - 1 {
                let arena = Arena::borrowed(buffer.skewed(skew, 40_000)).unwrap();
                // This block keeps the cursor from being aligned by chance.
                arena.allocate(8).unwrap();
                let error = check_alignment(&arena, 1 << shift, size);
                served += usize::from(error.is_none());
                if let Some(error) = error {
                    assert!(matches!(error, AllocError::Full { requested, .. } if requested == size), "{error}");
                }
            }
            assert!(served >= 12, "alignments up to 2048 fit four times into 40,000 bytes: {served}");
        }
    }
}

#[test]
fn an_alignment_that_is_no_power_of_two_is_an_error_that_names_it() {
    let arena = zeroed_arena(1024);
    for align in [0, 3, 5, 6, 7, 12, 100, (1 << 20) + 1, usize::MAX] {
        for size in [0, 1, 8] {
            let named = |requested| requested == align;
            let error = arena.allocate_aligned(size, align).unwrap_err();
            assert!(matches!(error, AllocError::Alignment { requested, .. } if named(requested)), "{align}: {error}");
            let error = arena.allocate_uninit(size, align).unwrap_err();
            assert!(matches!(error, AllocError::Alignment { requested, .. } if named(requested)), "{align}: {error}");
        }
    }
    assert_eq!(arena.used(), 0);
}

#[test]
fn an_alignment_that_another_mapping_would_not_keep_is_an_error() {
    let arena = Arena::new(Owned::<4096>::new(32_768)).unwrap();
    for align in [1, 8, 128, 2048, 4096] {
        let block = arena.allocate_aligned(8, align).unwrap();
        // Aligned in the region, and so at every base that is aligned to 4,096.
        assert_eq!(block.address().offset() as usize % align, 0);
    }
    let before = arena.used();
    for align in [8192, 1 << 20, 1 << 30] {
        let expected = AllocError::Alignment { requested: align, supported: 4096 };
        assert_eq!(arena.allocate_aligned(8, align).unwrap_err(), expected);
        assert_eq!(arena.allocate_uninit(8, align).unwrap_err(), expected);
        assert_eq!(arena.allocate_layout(Layout::from_size_align(8, align).unwrap()).unwrap_err(), expected);
        assert_eq!(arena.lease(64).allocate_aligned(8, align).unwrap_err(), expected);
    }
    assert_eq!(arena.used(), before);
}

#[test]
fn a_zero_sized_request_always_succeeds_and_takes_no_bytes() {
    #[repr(align(4096))]
    #[derive(Debug, PartialEq)]
    struct Aligned;

    let arena = zeroed_arena(136);
    arena.allocate(8).unwrap();
    assert_eq!(arena.remaining(), 0);

    assert!(arena.allocate(0).unwrap().is_empty());
    assert!(arena.allocate_bounded(0, 0).unwrap().is_empty());
    assert!(arena.allocate_aligned(0, 4096).unwrap().as_ptr().addr().is_multiple_of(4096));
    assert!(arena.allocate_uninit(0, 4096).unwrap().as_ptr().addr().is_multiple_of(4096));
    assert_eq!(arena.allocate_multiple([0, 0]).unwrap().map(|block| block.len()), [0, 0]);
    assert!(arena.allocate_multiple([]).is_ok());
    assert!(arena.allocate_addresses(&mut []).is_ok());
    let mut none = [0; 3];
    arena.allocate_addresses(&mut none).unwrap();
    assert!(none.iter().all(|&raw| Address::from_raw(raw).is_some_and(|address| address.size() == 0)));
    assert_eq!(arena.allocate_address(0).unwrap().size(), 0);

    assert!(std::ptr::from_ref(&*arena.alloc(Aligned).unwrap()).addr().is_multiple_of(4096));
    assert_eq!(arena.get(arena.insert(Aligned).unwrap()), Some(&Aligned));
    assert_eq!(arena.alloc_slice_fill_with(1000, |_| Aligned).unwrap().len(), 1000);
    assert_eq!(arena.alloc_slice_from_iter([(), ()]).unwrap(), [(), ()]);
    assert_eq!(arena.alloc_slice_uninit::<()>(usize::MAX).unwrap().len(), usize::MAX);
    assert!(arena.alloc_slice_copy::<u64>(&[]).unwrap().is_empty());
    assert_eq!(arena.alloc_str("").unwrap(), "");
    assert_eq!(arena.alloc_fmt(format_args!("{}", "")).unwrap(), "");
    assert_eq!(arena.view(arena.allocate(0).unwrap().publish()), Some(&[][..]));
    assert_eq!(arena.remaining(), 0);
}

#[test]
fn several_blocks_at_once_lie_side_by_side_in_order_with_exact_sizes() {
    let arena = zeroed_arena(4096);
    let blocks = arena.allocate_multiple([24, 5, 0, 100]).unwrap();
    let addresses = blocks.each_ref().map(|block| (block.address().offset(), block.address().size()));
    assert_eq!(addresses, [(128, 24), (152, 5), (160, 0), (160, 100)]);
    let mut sizes = [3, 0, 16];
    arena.allocate_addresses(&mut sizes).unwrap();
    let addresses = sizes.map(|raw| Address::from_raw(raw).unwrap()).map(|address| (address.offset(), address.size()));
    assert_eq!(addresses, [(264, 3), (272, 0), (272, 16)]);
    assert_eq!(arena.used(), 272 + 16 - 128);
}

#[test]
fn several_blocks_at_once_are_all_or_none_and_a_failure_keeps_the_sizes() {
    let arena = zeroed_arena(1024);
    let room = arena.remaining() as u64;
    let too_large: [&[u64]; 8] = [
        &[room, 1],
        &[1, room],
        &[8, 1 << 31],
        &[u64::MAX],
        &[u64::MAX, u64::MAX, 24],
        &[1 << 32, 8],
        &[(1 << 31) - 1; 5],
        &[u64::from(u32::MAX), u64::from(u32::MAX)],
    ];
    for sizes in too_large {
        let mut given = sizes.to_vec();
        arena.allocate_addresses(&mut given).unwrap_err();
        assert_eq!(given, sizes);
        assert_eq!(arena.used(), 0);
    }
    assert!(matches!(arena.allocate_multiple([usize::MAX; 3]), Err(AllocError::TooLarge { requested: usize::MAX })));
    let most = [ARENA_MAX_ALLOC_SIZE; 3];
    assert!(matches!(arena.allocate_multiple(most), Err(AllocError::Full { requested, .. }) if requested > 1 << 31));
    let mut exact = [8, room - 16, 8];
    arena.allocate_addresses(&mut exact).unwrap();
    assert_eq!(arena.remaining(), 0);
}

#[test]
fn a_hundred_million_failed_requests_leave_the_cursor_where_it_was() {
    let failures = match () {
        () if cfg!(miri) => 1_000,
        () if cfg!(debug_assertions) => 1_000_000,
        () => 100_000_000,
    };
    let arena = zeroed_arena(1024);
    arena.allocate(800).unwrap();
    let mut before = arena.stats();
    let layout = Layout::from_size_align(1 << 20, 8).unwrap();
    for _ in 0..failures {
        assert!(std::hint::black_box(&arena).allocate_layout(std::hint::black_box(layout)).is_err());
    }
    before.failed = failures;
    assert_eq!(arena.stats(), before);
    assert!(arena.allocate(before.remaining).is_ok());
}

#[test]
fn a_bounded_allocation_without_rivals_needs_no_retry() {
    let arena = zeroed_arena(1024);
    assert_eq!(*arena.allocate_bounded(16, 0).unwrap(), [0; 16]);
    assert_eq!(arena.allocate_bounded(2048, 0).unwrap_err(), AllocError::Full { requested: 2048, remaining: 880 });
}
