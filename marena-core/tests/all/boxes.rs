//! Boxes: values in an arena whose destructors run.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::{Debug, Display};
use std::future::{Future, Ready, ready};
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use marena_core::{AllocError, Arena, ArenaBox, StaticMemory, TryAllocError};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};

use crate::owned::zeroed_arena;

assert_impl_all!(ArenaBox<'static, u8>: Send, Sync, Unpin);
assert_impl_all!(ArenaBox<'static, PhantomPinned>: Unpin);
assert_impl_all!(ArenaBox<'static, dyn Any + Send>: Send);
assert_not_impl_any!(ArenaBox<'static, u8>: Clone, Copy);
assert_not_impl_any!(ArenaBox<'static, Rc<u8>>: Send, Sync);
assert_not_impl_any!(ArenaBox<'static, Cell<u8>>: Sync);
assert_not_impl_any!(ArenaBox<'static, dyn Any>: Send, Sync);
const_assert!(size_of::<ArenaBox<'_, [u64; 100]>>() == size_of::<usize>());
const_assert!(size_of::<Option<ArenaBox<'_, dyn Any>>>() == 2 * size_of::<usize>());

/// Adds its name to a list when it is dropped.
struct Noisy<'l>(&'static str, &'l RefCell<Vec<&'static str>>);

impl Drop for Noisy<'_> {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

trait Name {
    fn name(&self) -> &'static str;
}

impl Name for Noisy<'_> {
    fn name(&self) -> &'static str {
        self.0
    }
}

#[test]
fn a_box_drops_its_value_once_however_it_ends() {
    let dropped = RefCell::new(Vec::new());
    let mut arena = zeroed_arena(4096);
    drop(arena.alloc_box(Noisy("dropped", &dropped)).unwrap());
    let inner = ArenaBox::into_inner(arena.alloc_box(Noisy("moved out", &dropped)).unwrap());
    assert_eq!(*dropped.borrow(), ["dropped"]);
    drop(inner);
    assert_eq!(ArenaBox::leak(arena.alloc_box(Noisy("leaked", &dropped)).unwrap()).name(), "leaked");
    let raw = ArenaBox::into_raw(arena.alloc_box(Noisy("raw", &dropped)).unwrap());
    assert_eq!(*dropped.borrow(), ["dropped", "moved out"]);
    // SAFETY: from `into_raw` just now.
    drop(unsafe { ArenaBox::from_raw(raw) });
    drop(arena.alloc_slot().unwrap().write_box(Noisy("from a slot", &dropped)));
    let mut vec = arena.alloc_vec(2).unwrap();
    vec.extend([Noisy("first", &dropped), Noisy("second", &dropped)]).unwrap();
    drop(vec.into_box());
    assert_eq!(*dropped.borrow(), ["dropped", "moved out", "raw", "from a slot", "first", "second"]);
    arena.reset();
    assert_eq!(dropped.borrow().len(), 6);
}

#[test]
fn a_box_that_finds_no_room_drops_its_value() {
    let dropped = RefCell::new(Vec::new());
    let arena = zeroed_arena(136);
    assert!(arena.alloc_box(Noisy("without room", &dropped)).is_err());
    assert_eq!((arena.used(), dropped.borrow().len()), (0, 1));
}

#[test]
fn a_box_gives_no_memory_back_and_forgetting_it_is_harmless() {
    let dropped = RefCell::new(Vec::new());
    let mut arena = zeroed_arena(4096);
    std::mem::forget(arena.alloc_box(Noisy("forgotten", &dropped)).unwrap());
    let used = arena.used();
    drop(arena.alloc_box(7_u64).unwrap());
    assert_eq!(arena.used(), used + 8);
    arena.reset();
    assert!(dropped.borrow().is_empty());
}

#[test]
fn a_box_becomes_one_of_a_trait_object_or_a_slice() {
    let dropped = RefCell::new(Vec::new());
    let arena = zeroed_arena(4096);
    let named = arena.alloc_box(Noisy("a", &dropped)).unwrap().unsize::<dyn Name>(|value| value);
    assert_eq!(named.name(), "a");
    drop(named);
    assert_eq!(*dropped.borrow(), ["a"]);
    let mut slice = arena.alloc_box([Noisy("b", &dropped), Noisy("c", &dropped)]).unwrap().unsize::<[_]>(|value| value);
    slice.swap(0, 1);
    drop(slice);
    assert_eq!(*dropped.borrow(), ["a", "c", "b"]);
    // A type without bytes has a destructor too.
    struct Ghost;
    impl Drop for Ghost {
        fn drop(&mut self) {
            GHOSTS.with(|ghosts| ghosts.set(ghosts.get() + 1));
        }
    }
    thread_local!(static GHOSTS: Cell<u32> = const { Cell::new(0) });
    let ghost = arena.alloc_box(Ghost).unwrap().unsize::<dyn Any>(|value| value);
    assert!(ghost.is::<Ghost>());
    drop(ghost);
    assert_eq!(GHOSTS.get(), 1);
}

#[test]
fn a_box_of_any_value_becomes_one_of_its_type_and_of_no_other() {
    let arena = zeroed_arena(1024);
    thread_local! { static DROPS: Cell<u32> = const { Cell::new(0) } }
    struct Counted(u64);
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.set(DROPS.get() + 1);
        }
    }
    let any: ArenaBox<'_, dyn Any> = arena.alloc_box(Counted(7)).unwrap().unsize::<dyn Any>(|value| value);
    let any = any.downcast::<u64>().unwrap_err();
    let counted = any.downcast::<Counted>().unwrap();
    assert_eq!((counted.0, DROPS.get()), (7, 0));
    let sent = counted.unsize::<dyn Any + Send>(|value| value).downcast::<String>().unwrap_err();
    assert_eq!((sent.downcast::<Counted>().map(|counted| counted.0).ok(), DROPS.get()), (Some(7), 1));
    drop(arena.alloc_box(Counted(8)).unwrap().unsize::<dyn Any>(|value| value).downcast::<u8>());
    assert_eq!(DROPS.get(), 2);
}

#[test]
fn a_box_whose_coercion_panics_drops_its_value() {
    let dropped = RefCell::new(Vec::new());
    let arena = zeroed_arena(4096);
    let boxed = arena.alloc_box(Noisy("a", &dropped)).unwrap();
    let coerced = catch_unwind(AssertUnwindSafe(|| {
        drop(boxed.unsize::<dyn Name>(|_| resume_unwind(Box::new("on purpose"))));
    }));
    assert!(coerced.is_err());
    assert_eq!(*dropped.borrow(), ["a"]);
}

#[test]
fn boxed_closures_and_iterators_are_used_through_their_boxes() {
    let arena = zeroed_arena(4096);
    let offset = 10;
    let functions = [
        arena.alloc_box(move |x| x + offset).unwrap().unsize::<dyn Fn(i32) -> i32>(|value| value),
        arena.alloc_box(|x: i32| x * x).unwrap().unsize::<dyn Fn(i32) -> i32>(|value| value),
    ];
    assert_eq!(functions.iter().map(|function| function(3)).collect::<Vec<_>>(), [13, 9]);
    let numbers = arena.alloc_box(0..10_u32).unwrap().unsize::<dyn Iterator<Item = u32>>(|value| value);
    assert_eq!(numbers.filter(|number| number % 3 == 0).collect::<Vec<_>>(), [0, 3, 6, 9]);
    let range = arena.alloc_box(0..10_u32).unwrap();
    assert_eq!((range.len(), range.rev().nth(2)), (10, Some(7)));
    let mut numbers = arena.alloc_box(0..10_u32).unwrap().unsize::<dyn Iterator<Item = u32>>(|value| value);
    assert_eq!((numbers.size_hint(), numbers.nth(3), numbers.size_hint()), ((10, Some(10)), Some(3), (6, Some(6))));
    let error = arena.alloc_box(TryAllocError::Init(AllocError::Format)).unwrap();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), AllocError::Format.to_string());
    let error = arena.alloc_box(AllocError::Format).unwrap().unsize::<dyn std::error::Error>(|value| value);
    assert!(std::error::Error::source(&error).is_none() && error.to_string().contains("formatted"));
}

#[test]
fn a_box_in_an_arena_that_lives_for_ever_can_be_pinned() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    static ARENA: Arena<&'static StaticMemory<1024>> = Arena::from_static(&MEMORY);
    let future = ArenaBox::into_pin(ARENA.alloc_box(async { 7 }).unwrap());
    let context = &mut Context::from_waker(Waker::noop());
    let future: std::pin::Pin<ArenaBox<'static, _>> = future;
    assert_eq!(pin!(future).as_mut().as_mut().poll(context), Poll::Ready(7));
    // Futures that may move are polled in their boxes.
    let arena = zeroed_arena(1024);
    let mut ready: ArenaBox<'_, Ready<u32>> = arena.alloc_box(ready(8)).unwrap();
    assert_eq!(pin!(&mut ready).poll(context), Poll::Ready(8));
}

#[test]
fn texts_and_copied_slices_are_boxed_as_they_are() {
    let arena = zeroed_arena(1024);
    let text: ArenaBox<'_, str> = arena.alloc_str("text").unwrap().into();
    let numbers: ArenaBox<'_, [u8]> = arena.alloc_slice_copy(&[3, 1, 2]).unwrap().into();
    assert_eq!((&*text, &*numbers), ("text", &[3, 1, 2][..]));
    assert!(ArenaBox::<'_, str>::default().is_empty() && ArenaBox::<'_, [String]>::default().is_empty());
}

#[test]
fn boxes_compare_hash_and_print_as_their_values_do() {
    fn print(value: impl Display + Debug) -> String {
        format!("{value} {value:?}")
    }
    let arena = zeroed_arena(1024);
    let own = |text| arena.alloc_box(text).unwrap();
    assert!(own("a") == own("a") && own("a") != own("b") && own("a") < own("b"));
    assert_eq!(own("b").max(own("a")), own("b"));
    assert_eq!(print(own("a")), "a \"a\"");
    let set: HashSet<_> = [own("a"), own("b")].into();
    assert!(set.contains(&"a") && !set.contains(&"c"));
    let mut text = own("a");
    *text.as_mut() = "c";
    assert_eq!((*text.as_ref(), *text), ("c", "c"));
}

/// This compiles only if boxes are covariant, as `Box` is.
#[test]
fn a_box_of_a_longer_lifetime_can_be_used_as_one_of_a_shorter_lifetime() {
    fn shorter<'a, 'b: 'a>(boxed: ArenaBox<'b, &'static str>, _: &'a str) -> ArenaBox<'a, &'a str> {
        boxed
    }
    let local = String::from("local");
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    assert_eq!(*shorter(arena.alloc_box("static").unwrap(), &local), "static");
}
