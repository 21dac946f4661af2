//! Blocks are zero, whatever their bytes held before.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use marena_core::{Arena, ExclusiveMemory};

use crate::owned::{Buffer, Owned, raw_bytes, zeroed_arena};

/// Asserts that a block of all bytes that the arena has left is zero.
fn assert_rest_is_zero<M: ExclusiveMemory>(arena: &Arena<M>, after: &str) {
    let rest = arena.remaining();
    let block = arena.allocate(rest).unwrap();
    assert!(block.iter().all(|&byte| byte == 0), "not zero after {after}");
}

/// A way to leave dirty bytes behind, with its description.
type Dirtying<M> = (&'static str, fn(&mut Arena<M>));

fn ways_to_dirty<M: ExclusiveMemory>() -> [Dirtying<M>; 14] {
    [
        ("a reset of written blocks", |arena| {
            arena.allocate(600).unwrap().fill(0xEE);
            arena.reset();
        }),
        ("a reset of uninitialised bytes that were written", |arena| {
            arena.allocate_uninit(600, 8).unwrap().fill(mem::MaybeUninit::new(0xEE));
            arena.reset();
        }),
        ("two resets", |arena| {
            arena.allocate(600).unwrap().fill(0xEE);
            arena.reset();
            arena.allocate(8).unwrap().fill(0xEE);
            arena.reset();
        }),
        ("a shared reset", |arena| {
            arena.allocate(600).unwrap().fill(0xEE);
            // SAFETY: the block is gone, and the arena is mutably borrowed.
            unsafe { arena.reset_shared() };
        }),
        ("an initialiser that panicked", |arena| {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let filled =
                    arena.alloc_slice_fill_with(600, |i| if i == 599 { resume_unwind(Box::new(())) } else { 0xEE_u8 });
                filled.map(|slice| slice.len())
            }));
            outcome.unwrap_err();
        }),
        ("a slice that became shorter", |arena| {
            struct Short(u32);
            impl Iterator for Short {
                type Item = u8;
                fn next(&mut self) -> Option<u8> {
                    self.0 = self.0.checked_sub(1)?;
                    Some(0xEE)
                }
                fn size_hint(&self) -> (usize, Option<usize>) {
                    (600, Some(600))
                }
            }
            impl ExactSizeIterator for Short {}
            assert_eq!(arena.alloc_slice_from_iter(Short(3)).unwrap(), [0xEE; 3]);
        }),
        ("a scratch", |arena| {
            let scratch = arena.scratch();
            scratch.allocate(600).unwrap().fill(0xEE);
        }),
        ("a scratch in a scratch", |arena| {
            let mut outer = arena.scratch();
            outer.allocate(40).unwrap().fill(0xEE);
            let inner = outer.scratch();
            inner.allocate(600).unwrap().fill(0xEE);
        }),
        ("a forgotten scratch and a reset", |arena| {
            let scratch = arena.scratch();
            scratch.allocate(600).unwrap().fill(0xEE);
            mem::forget(scratch);
            arena.reset();
        }),
        ("a scratch of a lease", |arena| {
            let mut lease = arena.lease(256);
            let scratch = lease.scratch();
            scratch.allocate(600).unwrap().fill(0xEE);
        }),
        ("a forgotten scratch of a lease", |arena| {
            let mut lease = arena.lease(256);
            let scratch = lease.scratch();
            scratch.allocate(600).unwrap().fill(0xEE);
            mem::forget(scratch);
        }),
        ("a scratch in the chunk that its lease had already", |arena| {
            let mut lease = arena.lease(512);
            lease.allocate(8).unwrap();
            let scratch = lease.scratch();
            scratch.allocate(40).unwrap().fill(0xEE);
        }),
        ("a forgotten scratch in the chunk that its lease had already", |arena| {
            let mut lease = arena.lease(512);
            lease.allocate(8).unwrap();
            let scratch = lease.scratch();
            scratch.allocate(40).unwrap().fill(0xEE);
            mem::forget(scratch);
            assert_eq!(*lease.allocate(40).unwrap(), [0; 40]);
        }),
        ("a forgotten lease and a reset", |arena| {
            let lease = arena.lease(256);
            lease.allocate(600).unwrap().fill(0xEE);
            mem::forget(lease);
            arena.reset();
        }),
    ]
}

#[test]
fn blocks_of_zeroed_memory_are_zero_after_everything_that_dirties_bytes() {
    for (after, dirty) in ways_to_dirty() {
        let mut arena = zeroed_arena(1024);
        dirty(&mut arena);
        assert_rest_is_zero(&arena, after);
    }
}

#[test]
fn blocks_of_dirty_memory_are_zero_after_everything_that_dirties_bytes() {
    for case in 0..ways_to_dirty::<Owned>().len() {
        let mut buffer = Buffer::filled(1024, 0xFF);
        let (after, dirty) = ways_to_dirty()[case];
        let mut arena = Arena::borrowed(buffer.skewed(0, 1024)).unwrap();
        dirty(&mut arena);
        assert_rest_is_zero(&arena, after);
    }
}

#[test]
fn blocks_are_zero_after_any_two_ways_to_dirty_bytes() {
    for (number, (first, dirty)) in ways_to_dirty().into_iter().enumerate() {
        for (second_number, (second, dirty_again)) in ways_to_dirty().into_iter().enumerate() {
            // Under Miri, all pairs take minutes.
            if cfg!(miri) && second_number != (number + 1) % ways_to_dirty::<Owned>().len() {
                continue;
            }
            let mut arena = zeroed_arena(2048);
            dirty(&mut arena);
            dirty_again(&mut arena);
            assert_rest_is_zero(&arena, &format!("{first}, then {second}"));
        }
    }
}

#[test]
fn blocks_of_a_lease_are_zero_after_everything_that_dirties_bytes() {
    for (after, dirty) in ways_to_dirty() {
        let mut arena = zeroed_arena(1024);
        dirty(&mut arena);
        let lease = arena.lease(512);
        while let Ok(block) = lease.allocate(24) {
            assert_eq!(*block, [0; 24], "after {after}");
        }
    }
}

#[test]
fn bytes_that_come_back_to_a_lease_are_zero_when_it_hands_them_out_again() {
    let arena = zeroed_arena(1024);
    let lease = arena.lease(256);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let filled = lease.alloc_slice_fill_with(100, |i| if i == 99 { resume_unwind(Box::new(())) } else { 0xEE_u8 });
        filled.map(|slice| slice.len())
    }));
    outcome.unwrap_err();
    assert_eq!(*lease.allocate(100).unwrap(), [0; 100]);
    drop(lease);
    assert_rest_is_zero(&arena, "a lease that took bytes back");
}

#[test]
fn a_second_arena_in_the_same_zeroed_memory_starts_with_zero_blocks() {
    let mut memory = Owned::<0>::new(1024);
    for _ in 0..3 {
        let arena = Arena::new(memory).unwrap();
        let mut block = arena.allocate(arena.remaining()).unwrap();
        assert!(block.iter().all(|&byte| byte == 0));
        block.fill(0xEE);
        memory = arena.into_memory();
    }
}

#[test]
fn several_blocks_at_once_and_addresses_are_zero_in_dirty_memory() {
    let mut buffer = Buffer::filled(1024, 0xFF);
    let arena = Arena::borrowed(buffer.skewed(5, 900)).unwrap();
    for block in arena.allocate_multiple([3, 0, 17, 64]).unwrap() {
        assert!(block.iter().all(|&byte| byte == 0));
    }
    let mut raw = [7, 200];
    arena.allocate_addresses(&mut raw).unwrap();
    for raw in raw {
        let address = marena_core::Address::from_raw(raw).unwrap();
        // SAFETY: just allocated and zeroed, and no other code has the address.
        assert!(unsafe { arena.view_address(address) }.unwrap().iter().all(|&byte| byte == 0));
    }
    assert!(arena.allocate_aligned(100, 64).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn a_wipe_leaves_no_byte_of_any_earlier_generation() {
    for (after, dirty) in ways_to_dirty() {
        let mut arena = zeroed_arena(1024);
        dirty(&mut arena);
        arena.wipe();
        assert!(raw_bytes(&mut arena).iter().all(|&byte| byte == 0), "bytes left after {after} and a wipe");
        assert_eq!(arena.stats().high_water, 0);
        assert_rest_is_zero(&arena, after);
    }
}

#[test]
fn a_reset_without_a_wipe_leaves_the_bytes() {
    let mut arena = zeroed_arena(1024);
    arena.alloc_str("secret").unwrap();
    arena.reset();
    assert!(raw_bytes(&mut arena).starts_with(b"secret"));
}
