//! Arenas in files: another mapping, another process and a child find what was published.
#![cfg(all(any(unix, windows), target_has_atomic = "64", not(miri)))]
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise covers all that a test does with its own file")]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Barrier};
use std::thread;

use marena_std::marena_core::AttachError;
use marena_std::{
    ARENA_MAX_ALLOC_SIZE, AccessError, Address, AllocError, Durability, MapError, MappedArena, PublishError,
};
use tempfile::TempDir;
use zerocopy::{FromBytes, Immutable, IntoBytes};

const CAPACITY: usize = 1 << 16;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    (directory, path)
}

fn create(path: &PathBuf) -> MappedArena {
    // SAFETY: tests have their files to themselves.
    unsafe { MappedArena::create(path, CAPACITY) }.unwrap()
}

fn open(path: &PathBuf) -> Result<MappedArena, MapError> {
    // SAFETY: as in `create`.
    unsafe { MappedArena::open(path) }
}

fn copy(arena: &MappedArena, address: Address) -> Vec<u8> {
    let mut bytes = vec![0; address.size() as usize];
    arena.read_into(address, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_block_that_a_root_names_is_found_after_a_restart() {
    let (_directory, path) = place();
    let arena = create(&path);
    let text = arena.allocate_copy(b"published").unwrap();
    arena.publish_root(2, text).unwrap();
    let used = arena.used();
    drop(arena);

    let again = open(&path).unwrap();
    assert_eq!((again.root(2), again.root(0), again.root(4)), (Some(text), None, None));
    assert_eq!(copy(&again, text), b"published");
    assert_eq!((again.used(), again.capacity()), (used, CAPACITY));
    // No byte is handed out twice.
    assert!(again.allocate_address(8).unwrap().offset() >= text.offset() + text.size());
}

#[test]
fn two_mappings_of_one_file_are_one_arena() {
    let (_directory, path) = place();
    let one = create(&path);
    let two = open(&path).unwrap();
    let (a, b) = (one.allocate_address(24).unwrap(), two.allocate_address(24).unwrap());
    assert_ne!(a.offset(), b.offset());
    assert_eq!(one.used(), two.used());

    two.write_from(a, b"from the other mapping").unwrap();
    assert_eq!(copy(&one, a), *b"from the other mapping\0\0");
    one.atomic_u64_at(b).unwrap().store(7, Release);
    assert_eq!(two.atomic_u64_at(b).unwrap().load(Acquire), 7);
}

#[test]
fn blocks_are_zero_even_over_bytes_from_before_a_power_loss() {
    let (_directory, path) = place();
    drop(create(&path));
    let mut bytes = fs::read(&path).unwrap();
    bytes[128..].fill(0xA5);
    fs::write(&path, bytes).unwrap();

    let arena = open(&path).unwrap();
    for size in [1, 7, 8, 9, 100] {
        let address = arena.allocate_address(size).unwrap();
        assert_eq!(copy(&arena, address), vec![0; size]);
        let padded = Address::new(address.offset(), size.next_multiple_of(8) as u32).unwrap();
        assert_eq!(copy(&arena, padded), vec![0; size.next_multiple_of(8)]);
        let address = arena.allocate_copy(&vec![1; size]).unwrap();
        assert_eq!(copy(&arena, address), vec![1; size]);
    }
    let [a, b] = arena.allocate_address_array([3, 30]).unwrap();
    assert_eq!((copy(&arena, a), copy(&arena, b)), (vec![0; 3], vec![0; 30]));
    assert_eq!(b.offset(), a.offset() + 8);
}

#[test]
fn blocks_that_are_not_zeroed_hold_what_the_file_holds() {
    let (_directory, path) = place();
    let arena = create(&path);
    let before = arena.allocate_copy(b"from an earlier use").unwrap();
    // SAFETY: no block from before is used.
    unsafe { arena.reset_shared() }.unwrap();
    let block = arena.allocate_address_uninit(before.size() as usize).unwrap();
    assert_eq!(copy(&arena, block), b"from an earlier use");
    assert_eq!(arena.used(), 24);
    assert_eq!(arena.allocate_address_uninit(0).unwrap().size(), 0);
    assert_eq!(arena.allocate_address_uninit(1 << 31), Err(AllocError::TooLarge { requested: 1 << 31 }));
    assert!(matches!(arena.allocate_address_uninit(CAPACITY), Err(AllocError::Full { .. })));
    assert_eq!(arena.used(), 24, "a failure changes nothing");
}

#[test]
fn copies_of_every_offset_and_length_touch_their_bytes_alone() {
    let (_directory, path) = place();
    let arena = create(&path);
    let block = arena.allocate_address(40).unwrap();
    for start in 0..16_u32 {
        for len in 0..20_u32 {
            arena.write_from(block, &[0xEE; 40]).unwrap();
            let part = Address::new(block.offset() + start, len).unwrap();
            let bytes: Vec<u8> = (1..=len as u8).collect();
            arena.write_from(part, &bytes).unwrap();
            assert_eq!(copy(&arena, part), bytes);
            let mut expected = vec![0xEE; 40];
            expected[start as usize..][..len as usize].copy_from_slice(&bytes);
            assert_eq!(copy(&arena, block), expected, "{len} bytes at {start}");
        }
    }
}

#[test]
fn accesses_outside_of_the_used_bytes_are_errors() {
    let (_directory, path) = place();
    let arena = create(&path);
    let block = arena.allocate_address(16).unwrap();
    let used = arena.used();
    let past = Address::new(block.offset() + 8, 9).unwrap();
    let end = Address::new(1 << 30, 1 << 30).unwrap();
    for outside in [past, end, Address::new(u32::try_from(CAPACITY).unwrap(), 0).unwrap()] {
        let unused = AccessError::Unused { address: outside, used };
        assert_eq!(arena.read_into(outside, &mut []), Err(unused));
        assert_eq!(arena.write_from(outside, &[]), Err(unused));
        assert_eq!(arena.atomic_u64_at(outside).unwrap_err(), unused);
        assert!(matches!(arena.publish_root(0, outside), Err(PublishError::Access(error)) if error == unused));
        assert!(matches!(arena.flush_range(outside), Err(PublishError::Access(_))));
    }
    assert_eq!(arena.root(0), None);
    assert_eq!(arena.read_into(block, &mut [0; 17]), Err(AccessError::Size { address: block, requested: 17 }));
    let odd = Address::new(block.offset() + 4, 12).unwrap();
    assert_eq!(arena.atomic_u64_at(odd).unwrap_err(), AccessError::Misaligned { address: odd, required: 8 });
    // SAFETY: these eight bytes have no wider accesses.
    unsafe {
        assert!(arena.atomic_u32_at(odd).is_ok());
        let odd = Address::new(block.offset() + 2, 12).unwrap();
        assert_eq!(arena.atomic_u32_at(odd).unwrap_err(), AccessError::Misaligned { address: odd, required: 4 });
    }
    assert!(matches!(arena.publish_root(4, block), Err(PublishError::Slot { slot: 4 })));
}

#[derive(FromBytes, IntoBytes, Immutable, Debug, PartialEq, Clone, Copy)]
#[repr(C)]
struct Record {
    key: u64,
    value: [u32; 2],
}

#[test]
fn values_of_any_bytes_are_read_as_copies_and_when_published_in_place() {
    let (_directory, path) = place();
    let arena = create(&path);
    let record = Record { key: 7, value: [1, u32::MAX] };
    let address = arena.allocate_address(size_of::<Record>()).unwrap();
    arena.write_value(address, &record).unwrap();
    assert_eq!(arena.read_value::<Record>(address), Ok(record));
    arena.publish_root(0, address).unwrap();
    // SAFETY: written above and never again.
    unsafe {
        assert_eq!(arena.value_at::<Record>(arena.root(0).unwrap()), Ok(&record));
        assert_eq!(arena.bytes_at(address), Ok(record.as_bytes()));
        let odd = Address::new(address.offset() + 1, 8).unwrap();
        let misaligned = AccessError::Misaligned { address: odd, required: align_of::<u64>() };
        assert_eq!(arena.value_at::<u64>(odd), Err(misaligned));
        assert!(matches!(arena.value_at::<[Record; 2]>(address), Err(AccessError::Size { .. })));
    }
}

#[test]
fn alignments_hold_in_every_mapping_and_larger_ones_are_errors() {
    let (_directory, path) = place();
    let arena = create(&path);
    for align in [1, 8, 64, 1024, 4096] {
        let address = arena.allocate_address_aligned(8, align).unwrap();
        assert!((address.offset() as usize).is_multiple_of(align.max(8)), "{address:?}");
    }
    for align in [0, 3, 8192, 1 << 20, 1 << (usize::BITS - 1)] {
        let expected = AllocError::Alignment { requested: align, supported: 4096 };
        assert_eq!(arena.allocate_address_aligned(8, align), Err(expected));
    }
    for size in [usize::MAX, usize::MAX / 2 + 1, 1 << 31] {
        assert_eq!(arena.allocate_address(size), Err(AllocError::TooLarge { requested: size }));
        assert_eq!(arena.allocate_address_array([8, size]), Err(AllocError::TooLarge { requested: size }));
    }
    let remaining = arena.remaining();
    for align in [1, 4096] {
        let expected = AllocError::Full { requested: ARENA_MAX_ALLOC_SIZE, remaining };
        assert_eq!(arena.allocate_address_aligned(ARENA_MAX_ALLOC_SIZE, align), Err(expected));
    }
    let error = arena.allocate_address_array([ARENA_MAX_ALLOC_SIZE; 4]).unwrap_err();
    assert!(matches!(error, AllocError::Full { .. }), "{error}");
    assert!(arena.allocate_address(arena.remaining()).is_ok());
}

#[test]
fn threads_that_create_or_open_a_file_at_once_all_get_one_arena() {
    for _ in 0..50 {
        let (directory, path) = place();
        let barrier = Arc::new(Barrier::new(4));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (path, barrier) = (path.clone(), Arc::clone(&barrier));
                thread::spawn(move || {
                    barrier.wait();
                    // SAFETY: as in `create`.
                    let arena = unsafe { MappedArena::open_or_create(&path, CAPACITY) }.unwrap();
                    (arena.allocate_address(8).unwrap(), arena)
                })
            })
            .collect();
        let mut arenas: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        arenas.sort_by_key(|(address, _)| *address);
        arenas.dedup_by_key(|(address, _)| *address);
        assert_eq!(arenas.len(), 4);
        assert!(arenas.iter().all(|(_, arena)| arena.used() == 32));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "no temporary file is left");
    }
}

#[test]
fn a_file_that_exists_is_never_made_again_or_given_another_length() {
    let (_directory, path) = place();
    let arena = create(&path);
    let kept = arena.allocate_copy(b"kept").unwrap();
    // SAFETY: as in `create`, here and below.
    unsafe {
        assert!(matches!(MappedArena::create(&path, CAPACITY), Err(MapError::Exists { .. })));
        for capacity in [CAPACITY / 2 - 1, 2 * CAPACITY] {
            let builder = MappedArena::builder().page_alignment(4096).capacity(capacity);
            assert!(matches!(builder.open(&path), Err(MapError::OtherCapacity { found: CAPACITY, .. })));
            assert!(matches!(builder.open_or_create(&path), Err(MapError::OtherCapacity { .. })));
            assert!(matches!(builder.open_read_only(&path), Err(MapError::OtherCapacity { .. })));
        }
        assert!(matches!(MappedArena::builder().capacity(CAPACITY).replace(&path), Err(MapError::InUse { .. })));
    }
    assert_eq!(fs::metadata(&path).unwrap().len(), CAPACITY as u64);
    assert_eq!(copy(&arena, kept), b"kept");
    drop(arena);

    // SAFETY: no process has the file open any more.
    let larger = unsafe { MappedArena::builder().capacity(2 * CAPACITY).replace(&path) }.unwrap();
    assert_eq!((larger.capacity(), larger.used()), (2 * CAPACITY, 0));
    assert_eq!(open(&path).unwrap().capacity(), 2 * CAPACITY);
}

#[test]
fn a_reader_keeps_a_file_from_being_replaced() {
    let (_directory, path) = place();
    drop(create(&path));
    // SAFETY: as in `create`.
    unsafe {
        let view = MappedArena::open_read_only(&path).unwrap();
        assert!(matches!(MappedArena::builder().capacity(CAPACITY).replace(&path), Err(MapError::InUse { .. })));
        drop(view);
        assert!(MappedArena::builder().capacity(CAPACITY).replace(&path).is_ok());
    }
}

#[test]
fn capacities_and_paths_that_cannot_be_are_errors() {
    let (directory, path) = place();
    let builder = MappedArena::builder();
    // SAFETY: as in `create`.
    unsafe {
        assert!(matches!(builder.create(&path), Err(MapError::Capacity { requested: 0, .. })));
        for capacity in [(1 << 31) + 1, usize::MAX] {
            assert!(matches!(builder.capacity(capacity).create(&path), Err(MapError::Capacity { .. })));
        }
        for align in [0, 1, 4095, 2048, 12288, 1 << 31] {
            let result = builder.capacity(1).page_alignment(align).create(&path);
            assert!(matches!(result, Err(MapError::PageAlignment { requested }) if requested == align));
        }
        assert!(matches!(MappedArena::open(&path), Err(MapError::Io { action: "open", .. })));
        let folder = directory.path();
        let results = [
            MappedArena::open(folder).map(drop),
            MappedArena::open_read_only(folder).map(drop),
            builder.capacity(CAPACITY).replace(folder).map(drop),
        ];
        for result in results {
            // Windows opens no folders at all.
            assert!(matches!(result, Err(MapError::NotAFile { .. })) || cfg!(windows) && result.is_err(), "{result:?}");
        }
        let nowhere = directory.path().join("none").join("arena");
        assert!(matches!(MappedArena::create(nowhere, CAPACITY), Err(MapError::Io { action: "create", .. })));
    }
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "a failure leaves nothing behind");
    // SAFETY: as in `create`.
    let small =
        unsafe { builder.page_alignment(4096).capacity(1).reserve(false).populate(true).create(&path) }.unwrap();
    assert_eq!(small.capacity(), 4096);
}

#[test]
fn the_debug_output_of_an_arena_says_how_full_it_is() {
    let (_directory, path) = place();
    let arena = create(&path);
    arena.allocate_address(1000).unwrap();
    // SAFETY: as in `create`.
    let view = unsafe { MappedArena::open_read_only(&path) }.unwrap();
    // SAFETY: the arena is used only to print its memory.
    let memory = format!("{:?}", unsafe { arena.plain() }.memory());
    let (arena, view) = (format!("{arena:?}"), format!("{view:?}"));
    assert_eq!(view, "MappedView { capacity: 65536, used: 1000, .. }");
    assert!(arena.starts_with("MappedArena { core: Arena {") && arena.contains("used: 1000"), "{arena}");
    assert!(memory.starts_with("MappedMemory { region: "), "{memory}");
}

#[test]
fn a_view_has_the_statistics_of_the_arena() {
    let (_directory, path) = place();
    let arena = create(&path);
    arena.allocate_address(1000).unwrap();
    // SAFETY: no block is used any more.
    unsafe { arena.reset_shared() }.unwrap();
    arena.allocate_address(100).unwrap();
    // SAFETY: as in `create`.
    let view = unsafe { MappedArena::open_read_only(&path) }.unwrap();
    assert_eq!(view.stats(), arena.stats());
    assert_eq!((view.stats().used, view.stats().high_water), (104, 1000));
}

#[test]
fn an_arena_can_be_opened_at_any_moment_of_its_peers_publications() {
    let (_directory, path) = place();
    // SAFETY: as in `create`.
    let arena = unsafe { MappedArena::create(&path, 8 << 20) }.unwrap();
    let start = Barrier::new(2);
    thread::scope(|scope| {
        let publishing = scope.spawn(|| {
            start.wait();
            // Each root names the arena's last bytes, so an older value of the cursor does not
            // cover them.
            while let Ok(address) = arena.allocate_address(8) {
                arena.publish_root(3, address).unwrap();
            }
        });
        start.wait();
        while !publishing.is_finished() {
            open(&path).unwrap();
            // SAFETY: as in `create`.
            unsafe { MappedArena::open_read_only(&path) }.unwrap();
        }
    });
}

#[test]
fn a_view_sees_no_root_that_was_never_published() {
    let (_directory, path) = place();
    // SAFETY: as in `create`.
    let arena = unsafe { MappedArena::create(&path, 8 << 20) }.unwrap();
    // SAFETY: as in `create`.
    let view = unsafe { MappedArena::open_read_only(&path) }.unwrap();
    // The offset determines the size, so the test notices an address that is mixed from two roots.
    let sizes = [8, 16];
    thread::scope(|scope| {
        let publishing = scope.spawn(|| {
            while let Ok(addresses) = arena.allocate_address_array(sizes) {
                for address in addresses {
                    arena.publish_root(1, address).unwrap();
                }
            }
        });
        while !publishing.is_finished() {
            let Some(found) = view.root(1) else { continue };
            let size = if (found.offset() - 128).is_multiple_of(24) { 8 } else { 16 };
            assert_eq!(found.size(), size, "{found:?}");
        }
    });
}

#[test]
fn exactly_one_of_many_threads_sets_up_a_root() {
    let (_directory, path) = place();
    let arena = create(&path);
    let winners = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mine = arena.allocate_address(8).unwrap();
                    arena.publish_root_if(1, None, mine).unwrap().then_some(mine)
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(winners.len(), 1);
    assert_eq!(arena.root(1), Some(winners[0]));
    let next = arena.allocate_address(8).unwrap();
    assert!(arena.publish_root_if(1, arena.root(1), next).unwrap());
    assert_eq!(arena.root(1), Some(next));
}

#[test]
fn a_view_follows_an_arena_that_it_cannot_write() {
    let (_directory, path) = place();
    let arena = create(&path);
    #[cfg(unix)]
    {
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
    }
    // SAFETY: as in `create`.
    let view = unsafe { MappedArena::open_read_only(&path) }.unwrap();
    assert_eq!((view.capacity(), view.used(), view.root(0)), (CAPACITY, 0, None));

    let link = arena.allocate_address(8).unwrap();
    let record = Record { key: 1, value: [2, 3] };
    let address = arena.allocate_copy(record.as_bytes()).unwrap();
    arena.atomic_u64_at(link).unwrap().store(address.to_raw(), Release);
    arena.publish_root(0, link).unwrap();

    let link = view.root(0).unwrap();
    let found = Address::from_raw(view.load_u64(link).unwrap()).unwrap();
    assert_eq!(view.read_value::<Record>(found), Ok(record));
    // SAFETY: never written again.
    assert_eq!(unsafe { view.value_at::<Record>(found) }, Ok(&record));
    // SAFETY: as above.
    assert_eq!(unsafe { view.bytes_at(found) }, Ok(record.as_bytes()));
    assert_eq!(view.remaining(), arena.remaining());
    let past = Address::new(128 + arena.used() as u32, 8).unwrap();
    assert!(matches!(view.load_u64(past), Err(AccessError::Unused { .. })));
    assert!(matches!(view.read_into(found, &mut [0; 17]), Err(AccessError::Size { .. })));
}

#[test]
fn a_reader_of_another_mapping_sees_whole_records_in_order() {
    let (_directory, path) = place();
    let arena = create(&path);
    let link = arena.allocate_address(8).unwrap();
    arena.publish_root(0, link).unwrap();
    // SAFETY: as in `create`.
    let view = unsafe { MappedArena::open_read_only(&path) }.unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut seen = 0;
            while seen < 1000 {
                let Some(found) = Address::from_raw(view.load_u64(view.root(0).unwrap()).unwrap()) else { continue };
                let record = view.read_value::<[u64; 4]>(found).unwrap();
                assert!(record[0] >= seen && record == [record[0]; 4], "{record:?} after {seen}");
                seen = record[0];
            }
        });
        for number in 1..=1000_u64 {
            let record = arena.allocate_copy([number; 4].as_bytes()).unwrap();
            arena.atomic_u64_at(link).unwrap().store(record.to_raw(), Release);
        }
    });
}

#[test]
fn the_core_arena_works_over_a_file() {
    let (_directory, path) = place();
    let arena = create(&path);
    // SAFETY: the file is this test's, and its blocks are used through the core alone.
    let plain = unsafe { arena.plain() };
    let handle = plain.insert(7_u64).unwrap();
    assert_eq!(plain.get(handle), Some(&7));
    let lease = plain.lease(4096);
    let blocks: Vec<_> = (0..10_u8).map(|value| lease.alloc([value; 20]).unwrap()).collect();
    assert!(blocks.iter().enumerate().all(|(index, block)| **block == [index as u8; 20]));
    arena.publish_root(0, handle.address()).unwrap();
    assert_eq!(open(&path).unwrap().read_value::<u64>(handle.address()), Ok(7));
}

#[test]
fn a_reset_empties_the_arena_and_its_roots() {
    let (_directory, path) = place();
    let arena = create(&path);
    arena.publish_root(3, arena.allocate_copy(&[1; 100]).unwrap()).unwrap();
    // SAFETY: no other process has the file, and no block from before is used.
    unsafe { arena.reset_shared() }.unwrap();
    assert_eq!((arena.used(), arena.root(3)), (0, None));
    drop(arena);
    let again = open(&path).unwrap();
    assert_eq!(copy(&again, again.allocate_address(100).unwrap()), [0; 100]);
}

#[test]
fn a_reset_through_the_cores_arena_leaves_a_file_that_can_be_opened() {
    let (_directory, path) = place();
    let arena = create(&path);
    for slot in 0..4 {
        arena.publish_root(slot, arena.allocate_copy(&[1; 100]).unwrap()).unwrap();
    }
    // SAFETY: no other process has the file, and no block from before is used.
    unsafe { arena.plain().reset_shared() };
    assert_eq!([0, 1, 2, 3].map(|slot| arena.root(slot)), [None; 4]);
    drop(arena);
    let again = open(&path).unwrap();
    assert_eq!((again.used(), again.stats().high_water), (0, 4 * 104));
}

#[test]
fn one_root_is_cleared_and_the_others_stay() {
    let (_directory, path) = place();
    let arena = create(&path);
    let text = arena.allocate_copy(b"text").unwrap();
    [0, 1, 3].into_iter().for_each(|slot| arena.publish_root(slot, text).unwrap());
    arena.clear_root(1).unwrap();
    arena.clear_root(2).unwrap();
    let expected = [Some(text), None, None, Some(text)];
    assert_eq!([0, 1, 2, 3].map(|slot| arena.root(slot)), expected);
    assert!(matches!(arena.clear_root(4), Err(PublishError::Slot { slot: 4 })));
    assert!(arena.publish_root_if(1, None, text).unwrap());
    arena.clear_root(1).unwrap();
    drop(arena);
    assert_eq!([0, 1, 2, 3].map(|slot| open(&path).unwrap().root(slot)), expected);
}

#[test]
fn a_durable_arena_works_as_any_other() {
    let (_directory, path) = place();
    let builder = MappedArena::builder().capacity(CAPACITY).durability(Durability::FlushOnPublish);
    // SAFETY: as in `create`.
    let arena = unsafe { builder.create(&path) }.unwrap();
    let address = arena.allocate_copy(b"durable").unwrap();
    arena.flush_range(address).unwrap();
    arena.flush().unwrap();
    arena.publish_root(0, address).unwrap();
    assert!(!arena.publish_root_if(0, None, address).unwrap());
    assert_eq!(fs::read(&path).unwrap()[address.offset() as usize..][..7], *b"durable");
}

#[test]
fn opening_a_file_that_is_no_arena_is_an_error_that_says_so() {
    let (_directory, path) = place();
    fs::write(&path, vec![0xFF; CAPACITY]).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, MapError::Attach { source: AttachError::NotAnArena, .. }), "{error}");
    assert!(error.to_string().contains("arena"), "{error}");
}

#[test]
#[cfg(all(unix, target_pointer_width = "64"))]
fn two_gibibytes_are_made_and_opened_without_touching_more_than_the_first_page() {
    use std::os::unix::fs::MetadataExt;

    let (_directory, path) = place();
    // SAFETY: as in `create`.
    let made = unsafe { MappedArena::builder().capacity(1 << 31).reserve(false).create(&path) };
    assert_eq!(made.unwrap().capacity(), 1 << 31);
    // SAFETY: as in `create`.
    let arena = unsafe { MappedArena::builder().reserve(false).open(&path) }.unwrap();
    assert_eq!(arena.allocate_address(8).map(Address::offset), Ok(128));
    // Bytes that were never touched take no space on the disk.
    assert!(fs::metadata(&path).unwrap().blocks() * 512 <= 1 << 20);
}
