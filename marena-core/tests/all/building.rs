//! Values that are built in place: slots, vectors, strings, slices, C strings, and slices and texts
//! behind handles.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use marena_core::{
    AllocError, Allocate, Arena, ArenaString, ArenaVec, InteriorNul, Lease, Owned, Regions, Slot, TryAllocError,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::owned::{Owned as Memory, zeroed_arena};

type Ref = &'static Arena<Memory>;
type LeaseRef = &'static Lease<'static, Memory>;

assert_impl_all!(ArenaVec<'static, Ref, u8>: Send, Sync);
assert_impl_all!(ArenaString<'static, Ref>: Send, Sync);
assert_impl_all!(Slot<'static, Ref, u8>: Send, Sync);
// The values move with the vector, and a lease belongs to one thread.
assert_not_impl_any!(ArenaVec<'static, Ref, Rc<u8>>: Send, Sync);
assert_not_impl_any!(ArenaVec<'static, Ref, Cell<u8>>: Sync);
assert_not_impl_any!(ArenaVec<'static, LeaseRef, u8>: Send, Sync);
assert_not_impl_any!(Slot<'static, LeaseRef, u8>: Send, Sync);
assert_not_impl_any!(ArenaString<'static, LeaseRef>: Send, Sync);
// A value moves into a slot, but nothing is reached through a shared one.
assert_not_impl_any!(Slot<'static, Ref, Rc<u8>>: Send);
assert_impl_all!(Slot<'static, Ref, Rc<u8>>: Sync);

/// A value that counts how many of its kind are alive.
struct Counted<'c>(&'c Cell<i32>);

impl<'c> Counted<'c> {
    fn new(alive: &'c Cell<i32>) -> Self {
        alive.set(alive.get() + 1);
        Self(alive)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn panics<T>(run: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
}

/// Runs `check` on every type that allocates, with room for some 3,800 bytes.
fn on_everything(check: impl Fn(&dyn Fn() -> usize, Everything<'_>)) {
    let arena = zeroed_arena(4096);
    check(&|| arena.used(), Everything::Arena(&arena));
    let arena = zeroed_arena(4096);
    check(&|| arena.used(), Everything::Lease(&arena.lease(1024)));
    let mut arena = zeroed_arena(4096);
    let scratch = arena.scratch();
    check(&|| 3968 - scratch.remaining(), Everything::Scratch(&scratch));
    let mut regions: Regions<_, 2> = Regions::new();
    assert!(regions.push(zeroed_arena(512)).is_ok() && regions.push(zeroed_arena(4096)).is_ok());
    check(&|| regions.stats().used, Everything::Regions(&regions));
}

#[derive(Clone, Copy)]
enum Everything<'a> {
    Arena(&'a Arena<Memory>),
    Lease(&'a Lease<'a, Memory>),
    Scratch(&'a marena_core::Scratch<'a, Memory>),
    Regions(&'a Regions<Memory, 2>),
}

/// Calls a generic function with the type inside.
macro_rules! with {
    ($everything:expr, $memory:ident => $body:expr) => {
        match $everything {
            Everything::Arena($memory) => $body,
            Everything::Lease($memory) => $body,
            Everything::Scratch($memory) => $body,
            Everything::Regions($memory) => $body,
        }
    };
}

fn squares<'a>(memory: impl Allocate<'a>, len: u64) -> &'a mut [u64] {
    let mut squares = memory.alloc_vec(0).unwrap();
    for number in 0..len {
        squares.push(number * number).unwrap();
    }
    squares.finish()
}

#[test]
fn a_vector_grows_on_every_type_that_allocates_and_keeps_its_values() {
    on_everything(|_, everything| {
        let (first, second) = with!(everything, memory => (squares(memory, 40), squares(memory, 90)));
        for (slice, len) in [(first, 40), (second, 90)] {
            assert!(slice.iter().copied().eq((0..len).map(|number| number * number)));
        }
    });
}

#[test]
fn a_vector_takes_no_more_than_its_values_when_it_is_finished() {
    for len in 0..40_u8 {
        let arena = zeroed_arena(1024);
        let mut vec = arena.alloc_vec(usize::from(len) / 2).unwrap();
        vec.extend(0..len).unwrap();
        assert!(vec.capacity() >= vec.len());
        assert_eq!(vec.finish().len(), usize::from(len));
        assert_eq!(arena.used(), usize::from(len).next_multiple_of(8));
    }
}

#[test]
fn a_vector_that_others_overtake_moves_with_its_values() {
    let arena = zeroed_arena(1 << 16);
    let mut vec = arena.alloc_vec(1).unwrap();
    let mut moves = 0;
    for number in 0..100_u32 {
        arena.alloc(number).unwrap();
        let before = vec.as_ptr();
        vec.push(number.to_string()).unwrap();
        moves += u32::from(before != vec.as_ptr());
    }
    assert!((4..=8).contains(&moves), "moved {moves} times");
    assert!(vec.iter().zip(0..).all(|(text, number)| *text == u32::to_string(&number)));
}

#[test]
fn a_vector_that_moves_to_another_region_gives_its_old_room_back() {
    let mut regions: Regions<_, 2> = Regions::new();
    assert!(regions.push(zeroed_arena(384)).is_ok() && regions.push(zeroed_arena(4096)).is_ok());
    assert_eq!(squares(&regions, 40).len(), 40);
    let [small, large] = regions.arenas() else { panic!("two arenas") };
    assert_eq!((small.used(), large.used()), (0, 320));
    assert!(small.stats().high_water > 0, "the vector began in the small arena");
}

#[test]
fn a_vector_in_a_full_arena_is_an_error_that_changes_nothing() {
    on_everything(|used, everything| {
        with!(everything, memory => {
            let mut vec = Allocate::alloc_vec(memory, 0).unwrap();
            let alive = Cell::new(0);
            let error = loop {
                if let Err(error) = vec.push(Counted::new(&alive)) {
                    break error;
                }
            };
            assert!(matches!(error, AllocError::Full { .. }), "{error}");
            assert!(vec.len() >= 400, "{}", vec.len());
            assert_eq!((alive.get(), vec.capacity()), (vec.len() as i32, vec.len()), "the last one was dropped");
            let full = used();
            assert!(vec.reserve(1).is_err() && vec.extend([Counted::new(&alive)]).is_err());
            assert_eq!((alive.get(), used()), (vec.len() as i32, full));
            drop(vec.pop());
            vec.push(Counted::new(&alive)).unwrap();
            drop(vec);
            assert_eq!(alive.get(), 0);
            Allocate::alloc(memory, [0_u64; 32]).expect("the room of the dropped vector came back");
        });
    });
}

#[test]
fn a_vector_of_zero_sized_values_takes_no_room() {
    let arena = zeroed_arena(1024);
    let alive = Cell::new(0);
    #[repr(align(4096))]
    #[derive(Clone, Copy)]
    struct Aligned;
    let mut units = arena.alloc_vec(0).unwrap();
    units.extend([Aligned; 1000]).unwrap();
    assert_eq!((units.len(), units.capacity(), units.as_ptr().addr() % 4096), (1000, usize::MAX, 0));
    assert_eq!(units.reserve(usize::MAX), Err(AllocError::TooLarge { requested: usize::MAX }));
    assert_eq!(units.finish().len(), 1000);

    struct Ghost<'c>(std::marker::PhantomData<&'c ()>);
    impl Drop for Ghost<'_> {
        fn drop(&mut self) {
            GHOSTS.with(|ghosts| ghosts.set(ghosts.get() + 1));
        }
    }
    thread_local!(static GHOSTS: Cell<u32> = const { Cell::new(0) });
    let mut ghosts = arena.alloc_vec(10).unwrap();
    ghosts.extend([const { Ghost(std::marker::PhantomData) }; 3]).unwrap();
    drop(ghosts.pop());
    drop(ghosts);
    assert_eq!((GHOSTS.get(), arena.used(), alive.get()), (3, 0, 0));
}

#[test]
fn a_vector_of_more_than_any_arena_holds_is_too_large() {
    let arena = zeroed_arena(1024);
    for len in [usize::MAX, usize::MAX / 8 + 1, usize::MAX / 8, 1 << 31] {
        assert!(matches!(arena.alloc_vec::<u64>(len), Err(AllocError::TooLarge { .. })), "{len}");
        let mut vec = arena.alloc_vec::<u64>(2).unwrap();
        vec.push(1).unwrap();
        assert!(matches!(vec.reserve(len), Err(AllocError::TooLarge { .. })), "{len}");
        assert_eq!(*vec, [1]);
    }
    assert_eq!(arena.used(), 0);
}

#[test]
fn a_vector_pops_truncates_and_drops_each_value_once() {
    let arena = zeroed_arena(1024);
    let alive = Cell::new(0);
    let mut vec = arena.alloc_vec(0).unwrap();
    vec.extend((0..10).map(|_| Counted::new(&alive))).unwrap();
    drop(vec.pop());
    assert_eq!((vec.len(), alive.get()), (9, 9));
    vec.truncate(20);
    vec.truncate(4);
    assert_eq!((vec.len(), alive.get()), (4, 4));
    let slice = vec.finish();
    assert_eq!((slice.len(), alive.get()), (4, 4), "a finished slice is not dropped");
    let boxed = arena.alloc_box_slice((0..5).map(|_| Counted::new(&alive))).unwrap();
    assert_eq!((boxed.len(), alive.get()), (5, 9));
    drop(boxed);
    assert_eq!(alive.get(), 4);
}

#[test]
fn a_destructor_that_panics_in_a_vector_drops_no_value_twice() {
    struct Bomb<'c> {
        _counted: Counted<'c>,
        armed: bool,
    }
    impl Drop for Bomb<'_> {
        fn drop(&mut self) {
            if self.armed {
                resume_unwind(Box::new("on purpose"));
            }
        }
    }
    for at in 0..5 {
        let arena = zeroed_arena(1024);
        let alive = Cell::new(0);
        let bombs = || (0..5).map(|i| Bomb { _counted: Counted::new(&alive), armed: i == at });
        let mut vec = arena.alloc_vec(0).unwrap();
        vec.extend(bombs()).unwrap();
        panics(|| vec.truncate(0));
        assert_eq!((vec.len(), alive.get()), (0, 0), "panicked at {at}");
        vec.extend(bombs()).unwrap();
        panics(|| drop(vec));
        panics(|| drop(arena.alloc_box_slice(bombs()).unwrap()));
        assert_eq!(alive.get(), 0, "panicked at {at}");
    }
}

#[test]
fn an_iterator_that_panics_at_any_element_leaves_nothing_behind() {
    on_everything(|used, everything| {
        with!(everything, memory => {
            let before = used();
            for at in 0..10 {
                let alive = Cell::new(0);
                let values = || (0..10).filter(|_| true).map(|i| {
                    if i == at { resume_unwind(Box::new("on purpose")) }
                    Counted::new(&alive)
                });
                panics(|| Allocate::alloc_slice_from_iter(memory, values()).map(|slice| slice.len()));
                panics(|| Allocate::alloc_box_slice(memory, values()).map(|slice| slice.len()));
                panics(|| Allocate::alloc_slice_try_from_iter(memory, values().map(Ok::<_, ()>)).map(|slice| slice.len()));
                let mut vec = Allocate::alloc_vec(memory, 0).unwrap();
                panics(|| vec.extend(values()));
                assert_eq!((vec.len(), alive.get()), (at, at as i32), "what was appended before stays");
                drop(vec);
                assert_eq!(alive.get(), 0);
                assert!(used() - before <= 256, "{} used, {before} before", used());
            }
        });
    });
}

#[test]
fn a_failing_iterator_or_initialiser_leaves_nothing_behind() {
    on_everything(|_, everything| {
        with!(everything, memory => {
            let alive = Cell::new(0);
            for at in 0..10 {
                let value = |i| if i == at { Err(i) } else { Ok(Counted::new(&alive)) };
                let error = Allocate::alloc_slice_try_from_iter(memory, (0..10).map(value)).map(|slice| slice.len());
                assert_eq!(error, Err(TryAllocError::Init(at)));
                let error = Allocate::alloc_slice_try_fill_with(memory, 10, value).map(|slice| slice.len());
                assert_eq!((error, alive.get()), (Err(TryAllocError::Init(at)), 0));
            }
            let fine = Allocate::alloc_slice_try_fill_with(memory, 3, Ok::<_, ()>).unwrap();
            assert_eq!(fine, [0, 1, 2]);
            let full = Allocate::alloc_slice_try_from_iter(memory, (0..10_000).filter(|_| true).map(Ok::<u64, ()>));
            assert!(matches!(full, Err(TryAllocError::Alloc(AllocError::Full { .. }))), "{full:?}");
        });
    });
}

#[test]
fn values_that_allocate_while_a_vector_grows_get_bytes_of_their_own() {
    on_everything(|_, everything| {
        with!(everything, memory => {
            let texts = Allocate::alloc_slice_from_iter(
                memory,
                (0..20).filter(|_| true).map(|i| &*Allocate::alloc_fmt(memory, format_args!("text {i}")).unwrap()),
            );
            assert!(texts.unwrap().iter().zip(0..).all(|(text, i)| *text == format!("text {i}")));
        });
    });
}

#[test]
fn two_vectors_that_grow_in_turn_take_at_most_four_times_their_values() {
    for values in [100, 1000, 5000] {
        let arena = zeroed_arena(1 << 20);
        let (mut a, mut b) = (arena.alloc_vec(0).unwrap(), arena.alloc_vec(0).unwrap());
        for number in 0..values {
            a.push(number).unwrap();
            b.push(number).unwrap();
        }
        let bytes = 2 * size_of_val(a.finish());
        drop(b);
        assert!(arena.stats().high_water <= 4 * bytes + 64, "{} for {bytes}", arena.stats().high_water);
    }
}

#[test]
fn a_slot_takes_a_value_or_gives_its_room_back() {
    on_everything(|_, everything| {
        with!(everything, memory => {
            let slot = Allocate::alloc_slot::<[u64; 4]>(memory).unwrap();
            let mut other = Allocate::alloc_slot::<u64>(memory).unwrap();
            other.as_uninit_mut().write(7);
            // SAFETY: written just now.
            let other = unsafe { other.assume_init() };
            let first = slot.write([1; 4]);
            assert_eq!((*first, *other), ([1; 4], 7));
            drop(Allocate::alloc_slot::<()>(memory).unwrap());
            Allocate::alloc_slot::<()>(memory).unwrap().write(());
        });
    });
    let arena = zeroed_arena(1024);
    drop(arena.alloc_slot::<[u64; 4]>().unwrap());
    assert_eq!(arena.used(), 0);
    let early = arena.alloc_slot::<[u64; 4]>().unwrap();
    arena.alloc(1_u64).unwrap();
    drop(early);
    assert_eq!(arena.used(), 40, "another block lies behind the slot");
}

#[test]
fn a_slot_keeps_a_value_that_finds_no_room_with_its_owner() {
    let arena = zeroed_arena(136);
    let value = String::from("kept");
    arena.alloc(0_u64).unwrap();
    let Err(error) = arena.alloc_slot::<String>() else { panic!("no room") };
    assert!(matches!(error, AllocError::Full { .. }));
    assert_eq!(value, "kept");
}

#[test]
fn slices_are_filled_with_copies_clones_and_defaults() {
    on_everything(|_, everything| {
        with!(everything, memory => {
            assert_eq!(Allocate::alloc_slice_fill_copy(memory, 3, 7_u16).unwrap(), [7; 3]);
            // Has no memory of its own, which would leak: values in an arena are not dropped.
            #[derive(Clone, Debug, PartialEq)]
            struct Text(&'static str);
            let texts = Allocate::alloc_slice_fill_clone(memory, 2, &Text("text")).unwrap();
            assert_eq!(texts, [Text("text"), Text("text")]);
            assert_eq!(Allocate::alloc_slice_fill_default::<Option<u32>>(memory, 4).unwrap(), [None; 4]);
            assert!(Allocate::alloc_slice_fill_copy(memory, 0, 1_u8).unwrap().is_empty());
            assert!(Allocate::alloc_slice_fill_default::<u64>(memory, 1 << 20).is_err());
        });
    });
}

#[test]
fn c_strings_end_with_their_only_zero() {
    on_everything(|_, everything| {
        with!(everything, memory => {
            for text in ["", "n", "seven  ", "eight   ", "umlaut ö"] {
                let copy = Allocate::alloc_cstr_from_str(memory, text).unwrap();
                assert_eq!(copy.to_str(), Ok(text));
                assert_eq!(Allocate::alloc_cstr(memory, copy).unwrap(), copy);
            }
            for (text, position) in [("\0", 0), ("ab\0c", 2), ("abc\0", 3)] {
                let error = Allocate::alloc_cstr_from_str(memory, text).unwrap_err();
                assert_eq!(error, TryAllocError::Init(InteriorNul { position }));
            }
        });
    });
    let message = InteriorNul { position: 3 }.to_string();
    assert!(message.contains("byte 3"), "{message}");
}

#[test]
fn a_string_is_written_pushed_and_cleared() {
    on_everything(|_, everything| {
        with!(everything, memory => {
            let mut text = Allocate::alloc_string(memory, 0).unwrap();
            text.push('ä').unwrap();
            text.push_str("bc").unwrap();
            text.write_fmt(format_args!("{:>3}", 7)).unwrap();
            Write::write_str(&mut text, "!").unwrap();
            text.make_ascii_uppercase();
            assert_eq!((&*text, text.to_string()), ("äBC  7!", String::from("äBC  7!")));
            text.clear();
            text.reserve(10).unwrap();
            assert!(text.is_empty() && text.capacity() >= 10);
            text.push_str("again").unwrap();
            assert_eq!(&*text.into_box(), "again");
        });
    });
}

#[test]
fn a_string_is_shortened_between_characters() {
    let arena = zeroed_arena(1024);
    let mut text = arena.alloc_string(0).unwrap();
    assert_eq!(text.pop(), None);
    text.truncate(5);
    let whole = "aé€🦀";
    text.push_str(whole).unwrap();
    let capacity = text.capacity();
    for len in (0..12).rev() {
        text.truncate(len);
        let end = (0..=len).rev().find(|&end| whole.is_char_boundary(end)).unwrap();
        assert_eq!(&*text, &whole[..end]);
    }
    text.push_str(whole).unwrap();
    let popped: Vec<char> = std::iter::from_fn(|| text.pop()).collect();
    assert_eq!(popped, ['🦀', '€', 'é', 'a']);
    assert_eq!((text.len(), text.capacity()), (0, capacity));
    text.push('b').unwrap();
    assert_eq!(text.finish(), "b");
}

#[test]
fn a_value_that_ignores_an_error_leaves_no_gap_in_a_text() {
    /// Writes more than there is room for, ignores the error, and then writes less.
    struct Careless;
    impl fmt::Display for Careless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("head ")?;
            let _ = f.write_str(&"long".repeat(100));
            f.write_str(" tail").or(Ok(()))
        }
    }
    let arena = zeroed_arena(256);
    assert!(matches!(arena.alloc_fmt(format_args!("{Careless}")), Err(AllocError::Full { .. })));
    let mut text = arena.alloc_string(0).unwrap();
    text.push_str("before").unwrap();
    assert!(matches!(write!(text, "{Careless}"), Err(AllocError::Full { .. })));
    assert_eq!(&*text, "before", "all of it or nothing");
    assert!(Write::write_fmt(&mut text, format_args!("{:1000}", 1)).is_err());
}

#[test]
fn a_value_that_reports_an_error_leaves_a_text_as_it_was() {
    struct Failing;
    impl fmt::Display for Failing {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            Err(fmt::Error)
        }
    }
    let arena = zeroed_arena(1024);
    let mut text = arena.alloc_string(0).unwrap();
    text.push_str("before").unwrap();
    assert_eq!(write!(text, " {Failing}"), Err(AllocError::Format));
    assert_eq!(&*text, "before");
    assert!(AllocError::Format.to_string().contains("formatted"));
}

#[test]
fn a_value_that_uses_the_arena_while_it_is_written_moves_the_text_and_no_more() {
    struct Busy<'a>(&'a Arena<Memory>, RefCell<Vec<&'a mut u64>>);
    impl fmt::Display for Busy<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for number in 0..20 {
                self.1.borrow_mut().push(self.0.alloc(number).unwrap());
                write!(f, "{number} ")?;
            }
            Ok(())
        }
    }
    let arena = zeroed_arena(1 << 14);
    let busy = Busy(&arena, RefCell::default());
    let mut text = arena.alloc_string(1).unwrap();
    write!(text, "{busy}").unwrap();
    let expected: String = (0..20).map(|number| format!("{number} ")).collect();
    assert_eq!(&*text, expected);
    assert!(busy.1.borrow().iter().zip(0..).all(|(number, i)| **number == i));
}

#[test]
fn slices_and_texts_behind_handles_are_shared_and_stale_after_a_reset() {
    let mut arena = zeroed_arena(1024);
    let numbers = arena.insert_slice(&[1_u64, 2, 3]).unwrap();
    let text = arena.insert_str("text").unwrap();
    let none = (arena.insert_slice::<u64>(&[]).unwrap(), arena.insert_str("").unwrap());
    #[repr(align(256))]
    #[derive(Clone, Copy)]
    struct Wide(#[allow(dead_code)] u8);
    let wide = arena.insert_slice::<Wide>(&[]).unwrap();
    assert_eq!((arena.get(numbers), arena.get(text)), (Some(&[1, 2, 3][..]), Some("text")));
    assert_eq!((arena.get(none.0), arena.get(none.1)), (Some(&[][..]), Some("")));
    assert!(arena.get(wide).is_some_and(|slice| slice.is_empty() && slice.as_ptr().addr() % 256 == 0));
    assert_eq!((numbers.address().size(), text.address().size(), arena.used()), (24, 4, 32));
    assert_eq!(&*Owned::new(&arena, text).unwrap(), "text");
    let other = zeroed_arena(1024);
    assert_eq!((other.get(numbers), other.get(text)), (None, None));
    arena.reset();
    assert_eq!((arena.get(numbers), arena.get(text), arena.get(none.1)), (None, None, None));
    arena.insert_str(&"long".repeat(400)).unwrap_err();
}

#[test]
fn handles_to_slices_and_texts_are_read_in_every_kind_of_memory() {
    let mut regions: Regions<_, 2> = Regions::new();
    assert!(regions.push(zeroed_arena(256)).is_ok() && regions.push(zeroed_arena(1024)).is_ok());
    let handles: Vec<_> = (0..20).map(|i| regions.insert_str(&format!("text number {i}")).unwrap()).collect();
    for (i, handle) in handles.into_iter().enumerate() {
        assert_eq!(regions.get(handle), Some(&*format!("text number {i}")));
    }
    let mut arena = zeroed_arena(4096);
    let lease = arena.lease(512);
    let in_lease = lease.insert_slice(&[1_u16; 9]).unwrap();
    assert_eq!((lease.get(in_lease), arena.get(in_lease)), (Some(&[1; 9][..]), Some(&[1; 9][..])));
    drop(lease);
    let scratch = arena.scratch();
    let in_scratch = scratch.insert_str("of the scope").unwrap();
    assert_eq!(scratch.get(in_scratch), Some("of the scope"));
}
