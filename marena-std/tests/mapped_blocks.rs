//! Blocks of mapped arenas, to the byte: where they lie, how much they take, and what is in them.
#![cfg(all(any(unix, windows), target_has_atomic = "64", not(miri)))]
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise covers all that a test does with its own file")]

use std::fs;
use std::path::PathBuf;

use marena_std::marena_core::AttachError;
use marena_std::{Address, AllocError, Durability, MapError, MappedArena};
use tempfile::TempDir;

const CAPACITY: usize = 1 << 16;
const HEADER: usize = 128;
/// The largest alignment that every mapping has.
const ALIGN: usize = 4096;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    (directory, path)
}

fn arena() -> (TempDir, MappedArena) {
    let (directory, path) = place();
    // SAFETY: tests have their files to themselves, here and below.
    (directory, unsafe { MappedArena::create(path, CAPACITY) }.unwrap())
}

/// Returns an arena whose free bytes are all 0xFF, as blocks before a reset may leave them.
fn dirty_arena() -> (TempDir, MappedArena) {
    let (directory, arena) = arena();
    let all = arena.allocate_address_uninit(arena.remaining()).unwrap();
    arena.write_from(all, &vec![0xFF; all.size() as usize]).unwrap();
    // SAFETY: as in `arena`; the addresses from before are not used.
    unsafe { arena.reset_shared() }.unwrap();
    (directory, arena)
}

fn address(offset: usize, size: usize) -> Address {
    Address::new(u32::try_from(offset).unwrap(), u32::try_from(size).unwrap()).unwrap()
}

#[test]
fn no_bytes_lie_at_the_first_offset_and_take_no_room() {
    let (_directory, arena) = arena();
    let empty = address(HEADER, 0);
    for used in [0, 8] {
        assert_eq!(arena.allocate_address(0), Ok(empty));
        assert_eq!(arena.allocate_address_uninit(0), Ok(empty));
        assert_eq!(arena.allocate_copy(&[]), Ok(empty));
        // No bytes have any alignment that can be.
        for align in [1, ALIGN, 2 * ALIGN, 1 << 30] {
            assert_eq!(arena.allocate_address_aligned(0, align), Ok(empty), "{align}");
        }
        assert_eq!(arena.used(), used);
        arena.allocate_address(8 - used).unwrap();
    }
    // They can be published and flushed like any others.
    for (slot, published) in [(0, arena.publish_root(0, empty)), (1, arena.publish_root_if(1, None, empty).map(drop))] {
        published.unwrap();
        assert_eq!(arena.root(slot), Some(empty));
    }
    arena.flush_range(empty).unwrap();
}

#[test]
fn alignments_that_cannot_be_are_errors_that_name_the_largest() {
    let (_directory, arena) = arena();
    let error = |requested| Err(AllocError::Alignment { requested, supported: ALIGN });
    for align in [0, 3, 12, ALIGN + 8] {
        assert_eq!(arena.allocate_address_aligned(0, align), error(align));
        assert_eq!(arena.allocate_address_aligned(1, align), error(align));
    }
    for size in [1, 2, 8] {
        assert_eq!(arena.allocate_address_aligned(size, 2 * ALIGN), error(2 * ALIGN), "{size}");
    }
    assert_eq!(arena.used(), 0);
    assert_eq!(arena.allocate_address_aligned(1, ALIGN), Ok(address(ALIGN, 1)));
}

#[test]
fn each_block_takes_whole_words_whatever_its_alignment() {
    let (_directory, arena) = arena();
    let mut expected = HEADER;
    for align in [1, 2, 4, 8] {
        for size in [1, 5, 8, 9] {
            assert_eq!(arena.allocate_address_aligned(size, align), Ok(address(expected, size)), "{size} at {align}");
            expected += size.next_multiple_of(8);
            assert_eq!(arena.used(), expected - HEADER, "{size} at {align}");
        }
    }
}

#[test]
fn blocks_side_by_side_take_whole_words_each_and_may_fill_the_arena() {
    let (_directory, arena) = arena();
    let blocks = arena.allocate_address_array([1, 9, 0, 1]).unwrap();
    assert_eq!(blocks, [(128, 1), (136, 9), (152, 0), (152, 1)].map(|(offset, size)| address(offset, size)));
    assert_eq!(arena.used(), 8 + 16 + 8);
    let rest = arena.remaining();
    let full = Err(AllocError::Full { requested: rest + 8, remaining: rest });
    assert_eq!(arena.allocate_address_array([rest, 1]), full);
    assert_eq!(arena.allocate_address_array([rest - 8, 1]), Ok([address(160, rest - 8), address(CAPACITY - 8, 1)]));
    assert_eq!(arena.remaining(), 0);
    assert_eq!(arena.allocate_address_array([]), Ok([]));
}

#[test]
fn a_copy_writes_zeros_behind_it_to_the_end_of_its_word_and_no_further() {
    for len in [1, 7, 8, 9, 13, 16, 21, 31] {
        let (_directory, arena) = dirty_arena();
        let bytes: Vec<u8> = (1..=len).collect();
        let copy = arena.allocate_copy(&bytes).unwrap();
        assert_eq!(copy, address(HEADER, bytes.len()));
        let mut expected = bytes.clone();
        expected.resize(bytes.len().next_multiple_of(8), 0);
        assert_eq!(arena.used(), expected.len(), "{len}");
        expected.resize(expected.len() + 64, 0xFF);
        arena.allocate_address_uninit(64).unwrap();
        let mut found = vec![0; expected.len()];
        arena.read_into(address(HEADER, expected.len()), &mut found).unwrap();
        assert_eq!(found, expected, "{len}");
    }
}

#[test]
fn a_zeroed_block_leaves_the_bytes_behind_it_alone() {
    let (_directory, arena) = dirty_arena();
    let block = arena.allocate_address(9).unwrap();
    arena.allocate_address_uninit(8).unwrap();
    let found = arena.read_value::<[u8; 24]>(address(block.offset() as usize, 24)).unwrap();
    assert_eq!((&found[..16], &found[16..]), (&[0; 16][..], &[0xFF; 8][..]));
}

#[test]
fn blocks_of_the_cores_arena_are_zero_over_bytes_from_before_a_power_loss() {
    let (_directory, path) = place();
    // SAFETY: as in `arena`, here and below.
    drop(unsafe { MappedArena::create(&path, CAPACITY) }.unwrap());
    let mut bytes = fs::read(&path).unwrap();
    bytes[HEADER..].fill(0xFF);
    fs::write(&path, bytes).unwrap();
    // SAFETY: as above.
    let arena = unsafe { MappedArena::open(&path) }.unwrap();
    // SAFETY: as above, and nothing else accesses the blocks.
    let block = unsafe { arena.plain() }.allocate(1000).unwrap();
    assert_eq!(*block, [0; 1000]);
}

#[test]
fn there_are_four_root_slots_whatever_lies_behind_them() {
    let (_directory, path) = place();
    // SAFETY: as in `arena`, here and below.
    let block = unsafe { MappedArena::create(&path, CAPACITY) }.unwrap().allocate_address(8).unwrap();
    // What lies behind the slots looks like an address.
    let mut bytes = fs::read(&path).unwrap();
    bytes[56..64].copy_from_slice(&block.to_raw().to_ne_bytes());
    fs::write(&path, bytes).unwrap();
    // SAFETY: as above.
    let (arena, view) = unsafe { (MappedArena::open(&path).unwrap(), MappedArena::open_read_only(&path).unwrap()) };
    for slot in [4, 5, 9, CAPACITY, usize::MAX / 8, usize::MAX] {
        assert_eq!((arena.root(slot), view.root(slot)), (None, None), "{slot}");
    }
    arena.publish_root(3, block).unwrap();
    assert_eq!((arena.root(3), view.root(3)), (Some(block), Some(block)));
}

#[test]
fn an_arena_has_the_durability_that_it_was_built_with() {
    let directory = tempfile::tempdir().unwrap();
    for (name, durability) in [("none", Durability::None), ("flush", Durability::FlushOnPublish)] {
        let builder = MappedArena::builder().capacity(CAPACITY).durability(durability);
        // SAFETY: as in `arena`.
        assert_eq!(unsafe { builder.create(directory.path().join(name)) }.unwrap().durability(), durability);
    }
    // SAFETY: as in `arena`.
    assert_eq!(unsafe { MappedArena::open(directory.path().join("flush")) }.unwrap().durability(), Durability::None);
}

#[test]
fn a_wrong_capacity_is_an_error_before_anything_else() {
    let (_directory, path) = place();
    fs::write(&path, b"no arena").unwrap();
    // SAFETY: as in `arena`.
    let results = unsafe { [MappedArena::builder().create(&path), MappedArena::builder().replace(&path)] };
    for result in results {
        assert!(matches!(result, Err(MapError::Capacity { requested: 0, .. })), "{result:?}");
    }
    // SAFETY: as above.
    let result = unsafe { MappedArena::builder().capacity(1).replace(&path) };
    assert!(matches!(result, Err(MapError::Attach { source: AttachError::NotAnArena, .. })), "{result:?}");
    assert_eq!(fs::read(&path).unwrap(), b"no arena");
}

#[test]
#[cfg(target_pointer_width = "64")]
fn the_largest_page_alignment_is_a_gibibyte() {
    let (_directory, path) = place();
    let builder = MappedArena::builder().capacity(1).reserve(false);
    // SAFETY: as in `arena`, here and below. Most of the file is a hole.
    let result = unsafe { builder.page_alignment(1 << 31).create(&path) };
    assert!(matches!(result, Err(MapError::PageAlignment { requested }) if requested == 1 << 31), "{result:?}");
    // SAFETY: as above.
    assert_eq!(unsafe { builder.page_alignment(1 << 30).create(&path) }.unwrap().capacity(), 1 << 30);
}
