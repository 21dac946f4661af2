//! Vectors and texts that are edited, taken apart, compared and serialized; and all of an arena at
//! once.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use marena_core::{Allocate, Arena, ArenaIntoIter, ArenaVec, Lease};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::owned::{Owned as Memory, zeroed_arena};

type Ref = &'static Arena<Memory>;

assert_impl_all!(ArenaIntoIter<'static, Ref, u8>: Send, Sync);
assert_not_impl_any!(ArenaIntoIter<'static, Ref, Rc<u8>>: Send, Sync);
assert_not_impl_any!(ArenaIntoIter<'static, Ref, Cell<u8>>: Sync);
assert_not_impl_any!(ArenaIntoIter<'static, &'static Lease<'static, Memory>, u8>: Send, Sync);

/// Notes its name when it is dropped.
#[derive(Clone)]
struct Named<'d>(u32, &'d RefCell<Vec<u32>>);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

fn names(values: &[Named<'_>]) -> Vec<u32> {
    values.iter().map(|value| value.0).collect()
}

fn sorted(mut names: Vec<u32>) -> Vec<u32> {
    names.sort_unstable();
    names
}

fn panics<T>(run: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
}

/// The first `count` names, in a vector.
fn named<'a, 'd, A: Allocate<'a>>(memory: A, count: u32, dropped: &'d RefCell<Vec<u32>>) -> ArenaVec<'a, A, Named<'d>> {
    let mut vec = memory.alloc_vec(0).unwrap();
    vec.extend((0..count).map(|name| Named(name, dropped))).unwrap();
    vec
}

/// Pseudo-random numbers.
fn numbers(seed: u32) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    }
}

#[test]
fn edits_of_a_vector_do_what_those_of_a_list_do() {
    let rounds = if cfg!(miri) { 2 } else { 200 };
    for seed in 0..rounds {
        let mut next = numbers(seed);
        let (dropped, expected) = (RefCell::default(), RefCell::default());
        let arena = zeroed_arena(1 << 16);
        let lease = arena.lease(1024);
        let (mut vec, mut list) = (lease.alloc_vec(0).unwrap(), Vec::new());
        for name in 0..60 {
            let index = next() as usize % (list.len() + 2);
            match next() % 9 {
                0..=2 => {
                    vec.push(Named(name, &dropped)).unwrap();
                    list.push(Named(name, &expected));
                }
                3 => {
                    let found = (index < list.len()).then(|| list.remove(index));
                    assert_eq!(vec.remove(index).map(|value| value.0), found.as_ref().map(|value| value.0));
                }
                4 => {
                    let found = (index < list.len()).then(|| list.swap_remove(index));
                    assert_eq!(vec.swap_remove(index).map(|value| value.0), found.as_ref().map(|value| value.0));
                }
                5 => {
                    let divisor = next() % 5 + 1;
                    vec.retain(|value| value.0 % divisor != 0);
                    list.retain(|value| value.0 % divisor != 0);
                }
                6 => {
                    vec.resize(index, Named(name, &dropped)).unwrap();
                    list.resize(index, Named(name, &expected));
                }
                7 => {
                    vec.shrink_to_fit();
                    assert_eq!(vec.capacity(), vec.len());
                    // Sometimes something lies behind it.
                    if index.is_multiple_of(2) {
                        lease.alloc(name).unwrap();
                    }
                }
                _ if index == 0 => {
                    vec.clear();
                    list.clear();
                }
                _ => {}
            }
            assert_eq!(names(&vec), names(&list));
            assert!(vec.capacity() >= vec.len());
            assert_eq!(sorted(dropped.take()), sorted(expected.take()));
        }
        let left: Vec<u32> = vec.into_iter().map(|value| value.0).collect();
        assert_eq!(left, names(&list));
        drop(list);
        assert_eq!(sorted(dropped.take()), sorted(expected.take()));
    }
}

#[test]
fn a_vector_that_shrinks_gives_its_room_back_and_grows_again() {
    let arena = zeroed_arena(1024);
    let mut vec = arena.alloc_vec(50).unwrap();
    vec.extend([1_u32, 2, 3]).unwrap();
    vec.shrink_to_fit();
    assert_eq!((vec.capacity(), arena.used()), (3, 16));
    vec.push(4).unwrap();
    assert_eq!((&*vec, arena.used() >= 16), (&[1, 2, 3, 4][..], true));
    let start = vec.as_ptr();
    vec.clear();
    vec.shrink_to_fit();
    assert_eq!((vec.capacity(), arena.used()), (0, 0));
    // What is there now is another's.
    let other = arena.alloc(7_u64).unwrap();
    vec.extend([5, 6]).unwrap();
    assert_eq!((*other, &*vec), (7, &[5, 6][..]));
    assert_ne!(vec.as_ptr(), start);
    // With something behind it, only the capacity shrinks.
    vec.reserve(30).unwrap();
    arena.alloc(8_u64).unwrap();
    let used = arena.used();
    vec.shrink_to_fit();
    assert_eq!((vec.capacity(), arena.used()), (2, used));
    vec.push(7).unwrap();
    assert_eq!(vec, [5, 6, 7]);

    let mut units = arena.alloc_vec(3).unwrap();
    units.resize(4, ()).unwrap();
    units.shrink_to_fit();
    assert_eq!((units.len(), units.capacity(), units.remove(4), units.remove(0)), (4, usize::MAX, None, Some(())));
    assert_eq!(units.into_iter().count(), 3);
}

#[test]
fn a_vector_that_finds_no_room_for_its_new_length_stays_as_it_is() {
    let arena = zeroed_arena(256);
    let mut vec = arena.alloc_vec(0).unwrap();
    vec.extend([1_u64, 2]).unwrap();
    assert!(vec.resize(1000, 3).is_err() && vec.resize(usize::MAX, 3).is_err());
    assert_eq!(vec, [1, 2]);
    vec.resize(16, 3).unwrap();
    assert_eq!((vec.len(), arena.remaining()), (16, 0));
}

#[test]
fn a_predicate_or_a_clone_that_panics_leaves_each_value_with_one_owner() {
    for at in 0..6 {
        let (arena, dropped) = (zeroed_arena(4096), RefCell::default());
        let mut vec = named(&arena, 6, &dropped);
        panics(|| {
            vec.retain(|value| if value.0 == at { resume_unwind(Box::new("on purpose")) } else { value.0 % 2 == 0 });
        });
        assert!(dropped.borrow().is_empty());
        assert_eq!(sorted(names(&vec)), [0, 1, 2, 3, 4, 5]);
        drop(vec);
        assert_eq!(sorted(dropped.take()), [0, 1, 2, 3, 4, 5]);

        struct Fragile<'c>(Named<'c>, &'c Cell<u32>);
        impl Clone for Fragile<'_> {
            fn clone(&self) -> Self {
                if self.1.replace(self.1.get().wrapping_sub(1)) == 0 {
                    resume_unwind(Box::new("on purpose"));
                }
                Self(self.0.clone(), self.1)
            }
        }
        let left = Cell::new(at);
        let mut vec = arena.alloc_vec(0).unwrap();
        panics(|| vec.resize(10, Fragile(Named(7, &dropped), &left)));
        assert_eq!((vec.len(), dropped.take().len()), (at as usize, 1));
        drop(vec);
        assert_eq!(dropped.take().len(), at as usize);
    }
}

#[test]
fn values_are_taken_from_both_ends_and_what_is_left_is_dropped() {
    let (arena, dropped) = (zeroed_arena(4096), RefCell::default());
    for (front, back) in [(0, 0), (1, 0), (0, 1), (2, 1), (5, 0), (0, 5), (3, 2)] {
        let mut values = named(&arena, 5, &dropped).into_iter();
        for taken in 0..front {
            assert_eq!(values.next().unwrap().0, taken);
        }
        for taken in 0..back {
            assert_eq!(values.next_back().unwrap().0, 4 - taken);
        }
        dropped.take();
        assert_eq!(
            (values.len(), names(values.as_slice())),
            ((5 - front - back) as usize, (front..5 - back).collect())
        );
        assert!(values.len() > 0 || (values.next().is_none() && values.next_back().is_none()));
        drop(values);
        assert_eq!((dropped.take(), arena.used()), ((front..5 - back).collect(), 0));
    }
    // A destructor that panics: the others run, and the room comes back.
    struct Bomb<'d>(Named<'d>);
    impl Drop for Bomb<'_> {
        fn drop(&mut self) {
            if self.0.0 == 1 {
                resume_unwind(Box::new("on purpose"));
            }
        }
    }
    let mut vec = arena.alloc_vec(0).unwrap();
    vec.extend((0..4).map(|name| Bomb(Named(name, &dropped)))).unwrap();
    let values = vec.into_iter();
    panics(|| drop(values));
    assert_eq!((sorted(dropped.take()), arena.used()), (vec![0, 1, 2, 3], 0));
    // A forgotten one keeps its room, and drops nothing.
    let values = named(&arena, 3, &dropped).into_iter();
    std::mem::forget(values);
    assert!(dropped.borrow().is_empty() && arena.used() > 0);
}

#[test]
fn loops_over_a_vector_borrow_it() {
    let arena = zeroed_arena(1024);
    let mut vec = arena.alloc_vec(0).unwrap();
    vec.extend(1..4).unwrap();
    for number in &mut vec {
        *number *= 10;
    }
    let mut sum = 0;
    for number in &vec {
        sum += number;
    }
    assert_eq!((sum, format!("{:?}", vec.into_iter())), (60, String::from("ArenaIntoIter([10, 20, 30])")));
}

#[test]
fn vectors_and_texts_are_compared_with_what_they_look_like() {
    let arena = zeroed_arena(1024);
    let (mut vec, mut other) = (arena.alloc_vec(0).unwrap(), arena.alloc_vec(9).unwrap());
    vec.extend([1, 2]).unwrap();
    other.extend([1, 2]).unwrap();
    let list = Vec::from([1, 2]);
    assert!(vec == other && vec == [1, 2] && vec == list[..] && vec == list);
    assert_ne!(vec, [2, 1]);
    let mut text = arena.alloc_string(0).unwrap();
    text.push_str("é").unwrap();
    let owned = String::from("é");
    assert!(text == "é" && text == *"é" && text == owned);
    assert_ne!(text, "e");
}

#[test]
fn a_text_keeps_the_characters_that_it_is_told_to_keep() {
    let arena = zeroed_arena(1024);
    let whole = "_få_b €🦀_é";
    for at in 0..=whole.chars().count() {
        let mut text = arena.alloc_string(0).unwrap();
        text.push_str(whole).unwrap();
        let capacity = text.capacity();
        let mut seen = 0;
        let kept: String = whole.chars().take(at).filter(char::is_ascii).collect();
        let keep = |character: char| {
            seen += 1;
            if seen > at { resume_unwind(Box::new("on purpose")) } else { character.is_ascii() }
        };
        if at < whole.chars().count() {
            panics(|| text.retain(keep));
        } else {
            text.retain(keep);
        }
        assert_eq!((&*text, text.capacity()), (&*kept, capacity), "stopped at {at}");
        assert!(std::str::from_utf8(text.as_bytes()).is_ok());
        text.shrink_to_fit();
        assert_eq!(text.capacity(), kept.len());
        text.push_str(whole).unwrap();
        assert_eq!(text, kept + whole);
    }
}

#[cfg(feature = "serde")]
#[test]
fn what_is_built_in_place_is_serialized_as_what_it_looks_like() {
    let arena = zeroed_arena(1024);
    let mut vec = arena.alloc_vec(0).unwrap();
    vec.extend(["a", "b"]).unwrap();
    let mut text = arena.alloc_string(0).unwrap();
    text.push_str("\"c\"").unwrap();
    let boxed = arena.alloc_box((1, vec, text)).unwrap();
    assert_eq!(serde_json::to_string(&boxed).unwrap(), r#"[1,["a","b"],"\"c\""]"#);
    let slice = arena.alloc_box_slice([1, 2]).unwrap();
    assert_eq!(serde_json::to_string(&slice).unwrap(), "[1,2]");
}

#[test]
fn all_of_an_arena_is_what_was_handed_out_in_order() {
    let mut arena = zeroed_arena(4096);
    assert!(arena.allocated().is_empty());
    for size in 1..30 {
        arena.allocate(size).unwrap().fill(size as u8);
    }
    let used = arena.used();
    let all = arena.allocated();
    assert_eq!(all.len(), used);
    let mut rest = all;
    for size in 1..30_usize {
        let (block, behind) = rest.split_at(size.next_multiple_of(8));
        // SAFETY: the memory started zeroed, so even what no block has is initialised.
        assert!(block.iter().take(size).all(|byte| unsafe { byte.assume_init() } == size as u8));
        rest = behind;
    }
    assert!(rest.is_empty());
    drop(arena.lease(512));
    assert_eq!(arena.allocated().len(), used);
    std::mem::forget(arena.lease(512));
    assert_eq!(arena.allocated().len(), arena.used());
    arena.reset();
    assert!(arena.allocated().is_empty());
    arena.allocate(arena.remaining()).unwrap();
    assert_eq!(arena.allocated().len(), 4096 - 128);
}
