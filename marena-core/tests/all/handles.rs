//! Handles and addresses: one that is stale, foreign or forged reads as `None`.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ptr::NonNull;

use marena_core::{ARENA_INVALID_ADDRESS, ARENA_MAX_ALLOC_SIZE, ARENA_MIN_ADDRESS, Address, Arena, Memory};

use crate::owned::{Buffer, zeroed_arena};

#[test]
fn a_published_block_reads_as_it_was_written_with_its_exact_length() {
    let arena = zeroed_arena(4096);
    let handles = [0, 1, 7, 8, 9, 100].map(|size| {
        let mut block = arena.allocate(size).unwrap();
        block.fill(size as u8);
        (size, block.publish())
    });
    for (size, handle) in handles {
        assert_eq!(arena.view(handle), Some(&vec![size as u8; size][..]));
        assert_eq!(handle.address().size() as usize, size);
    }
}

#[test]
fn a_handle_from_before_a_reset_or_a_wipe_is_stale_even_where_the_same_bytes_are_used_again() {
    let mut arena = zeroed_arena(1024);
    let block = arena.allocate(8).unwrap().publish();
    let value = arena.insert(7_u64).unwrap();
    let nothing = arena.insert(()).unwrap();
    arena.reset();
    assert_eq!((arena.view(block), arena.get(value), arena.get(nothing)), (None, None, None));
    let again = (arena.allocate(8).unwrap().publish(), arena.insert(8_u64).unwrap());
    assert_eq!((again.0.address(), again.1.address()), (block.address(), value.address()));
    assert_eq!((arena.view(block), arena.get(value)), (None, None));
    arena.wipe();
    assert_eq!((arena.view(again.0), arena.get(again.1)), (None, None));
}

#[test]
fn a_handle_is_foreign_to_every_other_arena() {
    let (arena, other) = (zeroed_arena(1024), zeroed_arena(1024));
    let (mine, theirs) = (arena.insert(1).unwrap(), other.insert(2).unwrap());
    assert_eq!(mine.address(), theirs.address());
    assert_ne!(mine, theirs);
    assert_eq!((arena.get(theirs), other.get(mine)), (None, None));
    assert_eq!((arena.get(mine), other.get(theirs)), (Some(&1), Some(&2)));
}

#[test]
fn a_handle_is_foreign_to_a_later_arena_in_the_same_memory() {
    let arena = zeroed_arena(1024);
    let handle = arena.insert(1).unwrap();
    let again = Arena::new(arena.into_memory()).unwrap();
    again.insert(2).unwrap();
    assert_eq!(again.get(handle), None);
}

#[test]
fn a_handle_of_a_scratch_is_foreign_elsewhere_and_ends_with_the_scratch() {
    let mut arena = zeroed_arena(4096);
    let (kept, bytes) = (arena.insert(1).unwrap(), arena.allocate(8).unwrap().publish());
    let mut outer = arena.scratch();
    assert_eq!((outer.get(kept), outer.view(bytes)), (None, None));
    let (block, value) = (outer.allocate(8).unwrap().publish(), outer.insert(2).unwrap());
    assert_eq!((outer.view(block), outer.get(value)), (Some(&[0; 8][..]), Some(&2)));

    let inner = outer.scratch();
    let inside = inner.insert(3).unwrap();
    assert_eq!((inner.get(inside), inner.get(value)), (Some(&3), None));
    drop(inner);
    assert_eq!((outer.get(inside), outer.get(value)), (None, Some(&2)));
    drop(outer);

    assert_eq!((arena.view(block), arena.get(value), arena.get(inside), arena.get(kept)), (None, None, None, Some(&1)));
    let next = arena.scratch();
    next.insert(4).unwrap();
    assert_eq!((next.view(block), next.get(value)), (None, None));
}

#[test]
fn handles_made_through_a_lease_are_the_arenas_and_outlive_the_lease() {
    let arena = zeroed_arena(4096);
    let lease = arena.lease(512);
    let (block, value) = (lease.allocate(3).unwrap().publish(), lease.insert([1, 2]).unwrap());
    drop(lease);
    assert_eq!((arena.view(block), arena.get(value)), (Some(&[0; 3][..]), Some(&[1, 2])));
}

#[test]
fn inserted_values_of_every_size_and_alignment_read_back() {
    #[repr(align(1024))]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Wide(u8);

    let arena = zeroed_arena(16_384);
    arena.allocate(1).unwrap();
    let (byte, wide, text) =
        (arena.insert(9_u8).unwrap(), arena.insert(Wide(5)).unwrap(), arena.insert("text").unwrap());
    assert_eq!((arena.get(byte), arena.get(wide), arena.get(text)), (Some(&9), Some(&Wide(5)), Some(&"text")));
    assert!(std::ptr::from_ref(arena.get(wide).unwrap()).addr().is_multiple_of(1024));
}

#[test]
fn handles_compare_order_and_hash_by_address_and_epoch() {
    use std::collections::{BTreeSet, HashSet};
    let (arena, other) = (zeroed_arena(1024), zeroed_arena(1024));
    let handles = [arena.insert(1).unwrap(), arena.insert(2).unwrap(), other.insert(1).unwrap()];
    assert_eq!(handles.iter().collect::<HashSet<_>>().len(), 3);
    assert_eq!(handles.iter().collect::<BTreeSet<_>>().len(), 3);
    assert!(handles[0] < handles[1]);
    for (i, one) in handles.iter().enumerate() {
        for (j, other) in handles.iter().enumerate() {
            assert_eq!((one == other, hash_of(one) == hash_of(other)), (i == j, i == j));
        }
    }
    assert_eq!(size_of::<Option<marena_core::Handle>>(), 16);
}

/// A standard hash that is the same in every run.
fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[repr(align(256))]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Wide(u8);

#[repr(align(128))]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line(u8);

#[repr(align(256))]
struct Nothing;

#[test]
fn values_of_no_bytes_are_aligned_even_where_no_byte_of_the_arena_is() {
    // Of two regions of this length side by side, one starts its bytes at an odd multiple of 128.
    let mut misaligned = 0;
    let mut buffer = Buffer::new(2 * 1152);
    for bytes in buffer.skewed(0, 2 * 1152).chunks_exact_mut(1152) {
        let arena = Arena::borrowed(bytes).unwrap();
        let first = arena.memory().region().addr().get() + 128;
        misaligned += usize::from(first % 256 != 0);

        let nothing = arena.insert(Nothing).unwrap();
        assert!(std::ptr::from_ref(arena.get(nothing).unwrap()).is_aligned());
        let none = arena.insert_slice::<Wide>(&[]).unwrap();
        assert!(arena.get(none).unwrap().is_empty());
        assert!(arena.get(none).unwrap().as_ptr().is_aligned());
        // Up to the header's alignment, they lie at the first byte.
        let none = arena.insert_slice::<Line>(&[]).unwrap();
        assert_eq!(arena.get(none).unwrap().as_ptr().addr(), first);
        let none = arena.insert_str("").unwrap();
        assert_eq!(arena.get(none).unwrap().as_ptr().addr(), first);

        let some = arena.insert_slice(&[Wide(3), Wide(4)]).unwrap();
        assert_eq!(arena.get(some), Some(&[Wide(3), Wide(4)][..]));
        let some = arena.insert_slice(&[Line(5)]).unwrap();
        assert_eq!(arena.get(some), Some(&[Line(5)][..]));
    }
    assert_eq!(misaligned, 1);
}

/// Returns whether the documentation calls this number an address, in wide arithmetic.
fn is_address(raw: u64) -> bool {
    let (offset, size) = (u128::from(raw >> 32), u128::from(raw as u32));
    offset >= 128 && size <= ARENA_MAX_ALLOC_SIZE as u128 && offset + size <= 1 << 31
}

fn edge_addresses() -> Vec<u64> {
    let edges = |center: u64| (0..3_u64).flat_map(move |d| [center.wrapping_sub(d), center.wrapping_add(d)]);
    let offsets: Vec<u64> =
        [0, 128, 136, 1024, 1152, 1 << 30, 1 << 31, u64::from(u32::MAX)].into_iter().flat_map(edges).collect();
    let sizes = [0, 8, 896, 1 << 30, (1 << 31) - 128, 1 << 31, u64::from(u32::MAX)];
    let mut all = vec![ARENA_INVALID_ADDRESS, u64::MAX, 1, 1 << 63];
    for offset in offsets {
        all.extend(sizes.into_iter().flat_map(edges).map(|size| offset << 32 | (size & u64::from(u32::MAX))));
    }
    all
}

#[test]
fn a_raw_number_is_an_address_exactly_if_some_region_can_have_it() {
    let mut valid = 0;
    for raw in edge_addresses() {
        let address = Address::from_raw(raw);
        assert_eq!(address.is_some(), is_address(raw), "{raw:#x}");
        assert_eq!(address, Address::new((raw >> 32) as u32, raw as u32));
        if let Some(address) = address {
            assert_eq!((address.to_raw(), address.offset(), address.size()), (raw, (raw >> 32) as u32, raw as u32));
            valid += 1;
        }
    }
    assert!(valid > 10, "{valid}");
}

#[test]
fn a_forged_address_is_in_view_exactly_within_the_bytes_that_are_used() {
    let arena = zeroed_arena(1024);
    for _ in 0..2 {
        let used = arena.used() as u64;
        for raw in edge_addresses().into_iter().chain([(128 + used) << 32, 128 << 32 | used, 128 << 32 | (used + 1)]) {
            let Some(address) = Address::from_raw(raw) else { continue };
            let inside = u64::from(address.offset()) + u64::from(address.size()) <= 128 + used;
            let view = arena.view_ptr(address);
            assert_eq!(view.is_some(), inside, "{address:?} with {used} used");
            assert!(view.is_none_or(|bytes| bytes.len() == address.size() as usize));
        }
        arena.allocate(400).unwrap();
    }
}

#[test]
fn an_address_reads_and_writes_the_bytes_that_a_block_has_there() {
    let arena = zeroed_arena(1024);
    let address = arena.allocate_address(5).unwrap();
    // SAFETY: just allocated and zeroed, and no other code has the address.
    unsafe { arena.view_address_mut(address) }.unwrap().copy_from_slice(b"bytes");
    // SAFETY: written above, and the reference is gone.
    assert_eq!(unsafe { arena.view_address(address) }, Some(&b"bytes"[..]));
    let beyond = Address::new(address.offset() + 8, 1).unwrap();
    // SAFETY: out of range, so nothing is read.
    assert_eq!(unsafe { arena.view_address(beyond) }, None);
    // SAFETY: as above.
    assert_eq!(unsafe { arena.view_address_mut(beyond) }, None);
}

#[test]
fn an_address_is_out_of_view_after_a_reset() {
    let mut arena = zeroed_arena(1024);
    let address = arena.allocate_address(8).unwrap();
    arena.reset();
    assert_eq!(arena.view_ptr(address), None);
    assert!(arena.view_ptr(Address::new(ARENA_MIN_ADDRESS, 0).unwrap()).is_some_and(NonNull::is_empty));
}

#[test]
fn a_block_reads_and_writes_as_the_slice_it_is() {
    let arena = zeroed_arena(1024);
    let mut block = arena.allocate(4).unwrap();
    block[1] = 2;
    block.as_mut()[2] = 3;
    assert_eq!((block.as_ref(), &block[..]), (&[0, 2, 3, 0][..], &[0, 2, 3, 0][..]));
    let bytes = block.into_mut();
    bytes[0] = 1;
    assert_eq!(bytes, [1, 2, 3, 0]);
}
