//! Vectors and texts: where their values lie, and exactly how much room they take.

#[cfg(feature = "allocator-api2")]
use std::alloc::Layout;
use std::cell::RefCell;
use std::fmt;
use std::iter;

#[cfg(feature = "allocator-api2")]
use allocator_api2::alloc::Allocator;
use marena_core::AllocError;

use crate::owned::zeroed_arena;

#[test]
fn a_vector_takes_values_away_where_a_list_does() {
    let arena = zeroed_arena(4096);
    let mut vec = arena.alloc_vec(0).unwrap();
    let mut list = Vec::new();
    for round in 0..20_u32 {
        for value in 0..round % 7 {
            vec.push(100 * round + value).unwrap();
            list.push(100 * round + value);
        }
        assert_eq!(*vec, *list);
        if round % 3 == 0 {
            let keep = list.len() * round as usize / 20;
            vec.truncate(keep);
            list.truncate(keep);
            assert_eq!(*vec, *list);
        } else {
            assert_eq!(vec.pop(), list.pop());
        }
    }
    assert!(list.len() > 5, "{list:?}");
    while let Some(last) = list.pop() {
        assert_eq!(vec.pop(), Some(last));
    }
    assert_eq!(vec.pop(), None);
}

#[test]
fn truncating_drops_the_values_behind_the_new_end_in_their_order() {
    struct Named<'a>(u32, &'a RefCell<Vec<u32>>);
    impl Drop for Named<'_> {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let arena = zeroed_arena(1024);
    let dropped = RefCell::new(Vec::new());
    let mut vec = arena.alloc_vec(0).unwrap();
    vec.extend((0..5).map(|name| Named(name, &dropped))).unwrap();
    vec.truncate(5);
    assert!(dropped.borrow().is_empty());
    vec.truncate(2);
    assert_eq!(*dropped.borrow(), [2, 3, 4]);
    drop(vec);
    assert_eq!(*dropped.borrow(), [2, 3, 4, 0, 1]);
}

#[test]
fn a_vector_grows_to_four_steps_then_to_twice_its_room_and_to_no_more_than_it_must() {
    let arena = zeroed_arena(4096);
    let mut capacities = Vec::new();
    let mut vec = arena.alloc_vec(0).unwrap();
    for value in 0..17_u64 {
        vec.push(value).unwrap();
        capacities.push(vec.capacity());
    }
    assert_eq!(capacities, [4, 4, 4, 4, 8, 8, 8, 8, 16, 16, 16, 16, 16, 16, 16, 16, 32]);
    assert_eq!(arena.used(), 32 * 8);
    drop(vec);

    // What is reserved is there already, up to the last value.
    let mut vec = arena.alloc_vec::<u64>(10).unwrap();
    vec.push(1).unwrap();
    vec.reserve(9).unwrap();
    assert_eq!((vec.capacity(), arena.used()), (10, 80));
    vec.reserve(10).unwrap();
    assert_eq!((vec.capacity(), arena.used()), (20, 160));
    drop(vec);

    // An iterator that knows its length is given exactly as much, and so is a slice.
    let mut vec = arena.alloc_vec(0).unwrap();
    vec.extend([7_u64; 100]).unwrap();
    assert_eq!((vec.capacity(), arena.used()), (100, 800));
    vec.extend_from_slice_copy(&[8; 101]).unwrap();
    assert_eq!((vec.len(), vec.capacity(), arena.used()), (201, 201, 1608));
    drop(vec);
    assert_eq!(arena.used(), 0);
}

#[test]
fn a_vector_uses_the_last_bytes_of_its_arena() {
    for room in 1..40 {
        let arena = zeroed_arena(128 + 8 * room);
        let mut vec = arena.alloc_vec(0).unwrap();
        let pushed = iter::repeat_with(|| vec.push(0_u64)).take_while(Result::is_ok).count();
        assert_eq!((pushed, vec.len(), arena.remaining()), (room, room, 0));
    }
}

#[test]
fn a_vector_fills_its_last_step_before_it_asks_for_more() {
    for (capacity, most) in [(1, 8), (5, 8), (7, 8), (8, 8), (9, 16), (16, 16)] {
        // The vector and one number fill the arena.
        let arena = zeroed_arena(128 + most + 8);
        let mut vec = arena.alloc_vec::<u8>(capacity).unwrap();
        let behind = arena.alloc(0_u64).unwrap();
        let pushed = iter::repeat_with(|| vec.push(0xEE)).take_while(Result::is_ok).count();
        assert_eq!((pushed, vec.len(), *behind), (most, most, 0));
        assert_eq!(vec.reserve(1), Err(AllocError::Full { requested: most + 1, remaining: 0 }));
    }
}

#[test]
fn a_vector_that_must_double_fails_once() {
    let arena = zeroed_arena(128 + 8 * 7);
    let mut vec = arena.alloc_vec::<u64>(4).unwrap();
    assert_eq!(vec.reserve(8), Err(AllocError::Full { requested: 64, remaining: 24 }));
    assert_eq!((vec.capacity(), arena.stats().failed), (4, 1));
}

#[test]
fn a_c_string_claims_its_bytes_and_one_more_at_once() {
    let text = "0123456789abcdefghijklmnopqrstuvwxyz";
    for len in 0..=text.len() {
        let needed = (len + 1).next_multiple_of(8);
        let exact = zeroed_arena(128 + needed);
        let string = exact.alloc_cstr_from_str(&text[..len]).unwrap();
        assert_eq!(string.to_bytes_with_nul(), [&text.as_bytes()[..len], &[0]].concat());
        // No attempt failed, and nothing was claimed and given back.
        assert_eq!((exact.used(), exact.stats().failed), (needed, 0));
        let roomy = zeroed_arena(1024);
        roomy.alloc_cstr_from_str(&text[..len]).unwrap();
        assert_eq!((roomy.used(), roomy.stats().high_water), (needed, needed));
        if needed > 8 {
            let short = zeroed_arena(128 + needed - 8);
            short.alloc_cstr_from_str(&text[..len]).unwrap_err();
            assert_eq!(short.used(), 0);
        }
    }
}

#[test]
fn a_text_reserves_reads_and_takes_nothing_after_an_error() {
    let arena = zeroed_arena(128 + 64);
    let mut text = arena.alloc_string(0).unwrap();
    text.reserve(40).unwrap();
    assert_eq!((text.capacity(), arena.used()), (40, 40));
    assert_eq!(text.reserve(65), Err(AllocError::Full { requested: 65, remaining: 24 }));
    text.push_str("before").unwrap();
    assert_eq!(AsRef::<str>::as_ref(&text), "before");

    /// Writes a piece that does not fit, goes on with one that would, and reports no error.
    struct Careless;
    impl fmt::Display for Careless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let _ = f.write_str(&"long ".repeat(20));
            let _ = f.write_str("short");
            Ok(())
        }
    }
    assert!(matches!(write!(text, "{Careless}"), Err(AllocError::Full { .. })));
    assert_eq!(&*text, "before");
    text.clear();
    write!(text, "{}", 12).unwrap();
    assert_eq!(text.finish(), "12");
    assert_eq!(arena.used(), 8);
}

#[test]
fn blocks_of_no_bytes_are_at_the_empty_address_wherever_the_arena_is() {
    let arena = zeroed_arena(1024);
    arena.alloc(1_u64).unwrap();
    for block in arena.allocate_multiple([0, 0]).unwrap() {
        assert_eq!((block.address().offset(), block.address().size()), (128, 0));
    }
    let mut addresses = [0; 3];
    arena.allocate_addresses(&mut addresses).unwrap();
    assert_eq!(addresses, [128 << 32; 3]);
    assert_eq!(u64::from(arena.allocate_address(0).unwrap()), 128 << 32);
    assert_eq!(arena.used(), 8);
}

#[test]
fn values_of_no_bytes_take_none_however_they_are_aligned() {
    #[repr(align(4096))]
    struct Nothing;
    let arena = zeroed_arena(136);
    arena.alloc(0_u64).unwrap();
    assert!(std::ptr::from_ref(arena.alloc(Nothing).unwrap()).is_aligned());
    assert!(std::ptr::from_ref(&*arena.alloc_box(Nothing).unwrap()).is_aligned());
    assert_eq!(arena.alloc_slice_fill_with(3, |_| Nothing).unwrap().len(), 3);
    assert_eq!((arena.used(), arena.remaining()), (8, 0));
}

#[test]
#[cfg(feature = "allocator-api2")]
fn a_block_that_grows_by_a_few_zeroed_bytes_keeps_what_it_had() {
    let layout = |size| Layout::from_size_align(size, 1).unwrap();
    for old in 1..20 {
        for new in old..old + 20 {
            let mut arena = zeroed_arena(1024);
            arena.allocate(400).unwrap().fill(0xEE);
            arena.reset();
            let start = arena.allocate_layout(layout(old)).unwrap().cast::<u8>();
            // SAFETY: just allocated.
            unsafe { start.write_bytes(0xEE, old) };
            // In place, or behind another block.
            let behind = (new % 3 == 0).then(|| arena.alloc(1_u64).unwrap());
            // SAFETY: the block, which is not used any more and becomes no less.
            let grown = unsafe { Allocator::grow_zeroed(&&arena, start, layout(old), layout(new)) }.unwrap();
            // SAFETY: the first bytes were written, and the others are zeroed.
            let bytes = unsafe { &grown.as_ref()[..new] };
            assert!(bytes[..old].iter().all(|&byte| byte == 0xEE), "{old} to {new}");
            assert!(bytes[old..].iter().all(|&byte| byte == 0), "{old} to {new}");
            assert!(behind.is_none_or(|number| *number == 1));
        }
    }
}
