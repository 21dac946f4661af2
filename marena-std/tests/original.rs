//! The behaviour of the package that this one is based on, case by case.

use marena_std::{ARENA_INVALID_ADDRESS, ARENA_MAX_ALLOC_SIZE, ARENA_PAGESIZE, Address, AllocError, Arena};

fn arena() -> Arena {
    Arena::with_capacity(1024).unwrap()
}

#[test]
fn a_new_arena_of_1024_bytes_has_a_page_less_its_header() {
    let arena = arena();
    assert_eq!(arena.capacity(), ARENA_PAGESIZE);
    assert_eq!(arena.remaining(), 65_536 - 128);
    assert_eq!(arena.used(), 0);
}

#[test]
fn a_block_takes_its_size_rounded_up_to_a_multiple_of_eight() {
    let arena = arena();
    let before = arena.remaining();
    arena.allocate(200).unwrap();
    assert_eq!(before - arena.remaining(), 200);
    arena.allocate(201).unwrap();
    assert_eq!(before - arena.remaining(), 200 + 208);
}

#[test]
fn a_size_that_no_allocation_can_have_is_an_error_that_changes_nothing() {
    let arena = arena();
    for requested in [ARENA_MAX_ALLOC_SIZE + 1, u32::MAX as usize, usize::MAX] {
        assert_eq!(arena.allocate(requested).unwrap_err(), AllocError::TooLarge { requested });
    }
    assert_eq!(arena.used(), 0);
}

#[test]
fn more_than_remains_is_an_error_that_changes_nothing_and_all_that_remains_fits() {
    let arena = arena();
    arena.allocate(200).unwrap();
    let remaining = arena.remaining();
    for requested in [remaining + 1, 1 << 20, ARENA_MAX_ALLOC_SIZE] {
        assert_eq!(arena.allocate(requested).unwrap_err(), AllocError::Full { requested, remaining });
        assert_eq!(arena.remaining(), remaining);
    }
    arena.allocate(remaining).unwrap();
    assert_eq!(arena.remaining(), 0);
    assert_eq!(arena.allocate(1).unwrap_err(), AllocError::Full { requested: 1, remaining: 0 });
}

#[test]
fn three_blocks_at_once_get_addresses_of_exactly_the_sizes_asked_for() {
    let arena = arena();
    let mut blocks = [24, 5, 100];
    arena.allocate_addresses(&mut blocks).unwrap();
    let addresses = blocks.map(|raw| Address::from_raw(raw).unwrap());
    assert_eq!(addresses.map(Address::size), [24, 5, 100]);
    assert_eq!(addresses.map(Address::offset), [128, 128 + 24, 128 + 24 + 8]);

    let typed = arena.allocate_multiple([24, 5, 100]).unwrap();
    assert_eq!(typed.map(|block| block.address().size()), [24, 5, 100]);
    assert_eq!(arena.used(), 2 * (24 + 8 + 104));
}

#[test]
fn three_blocks_of_which_one_does_not_fit_change_nothing() {
    let arena = arena();
    let remaining = arena.remaining();
    for wish in [[24, remaining as u64, 100], [24, u64::MAX, 100], [1 << 30, 1 << 30, 1 << 30]] {
        let mut blocks = wish;
        assert!(arena.allocate_addresses(&mut blocks).is_err());
        assert_eq!(blocks, wish);
        assert_eq!(arena.remaining(), remaining);
    }
    assert!(arena.allocate_multiple([24, remaining, 100]).is_err());
    assert_eq!(arena.remaining(), remaining);
}

#[test]
fn a_view_has_the_blocks_length_and_shows_what_was_written() {
    let arena = arena();
    let mut block = arena.allocate(201).unwrap();
    let written: Vec<u8> = (0..201).collect();
    block.copy_from_slice(&written);
    let address = block.address();
    assert_eq!(arena.view_ptr(address).unwrap().len(), 201);

    let handle = block.publish();
    assert_eq!(arena.view(handle), Some(&written[..]));
    // SAFETY: initialised above and published, so it is not written any more.
    assert_eq!(unsafe { arena.view_address(address) }, Some(&written[..]));
}

#[test]
fn address_zero_and_addresses_that_were_never_handed_out_view_as_none() {
    let arena = arena();
    assert_eq!(Address::from_raw(ARENA_INVALID_ADDRESS), None);
    assert_eq!(Address::from_raw(64 << 32 | 8), None, "the header is no block");

    let last = arena.allocate_address(201).unwrap();
    assert!(arena.view_ptr(last).is_some());
    let past = last.offset() + 208;
    for (offset, size) in [(past, 1), (past - 8, 9), (last.offset(), 209), (65_536, 1), (1 << 30, 8)] {
        let address = Address::new(offset, size).unwrap();
        assert_eq!(arena.view_ptr(address), None, "{address:?}");
    }
}

#[test]
fn after_a_reset_allocation_starts_over_and_blocks_are_zero() {
    let mut arena = arena();
    let remaining = arena.remaining();
    let mut block = arena.allocate(remaining).unwrap();
    block.fill(0xA5);
    let first = block.address();
    let handle = block.publish();

    arena.reset();
    assert_eq!(arena.remaining(), remaining);
    assert_eq!(arena.view(handle), None);
    assert_eq!(arena.view_ptr(first), None);
    let again = arena.allocate(remaining).unwrap();
    assert_eq!(again.address(), first);
    assert!(again.iter().all(|&byte| byte == 0));
}
