//! Placing values: initialisers that panic, fail or allocate, and iterators and formatters that
//! lie.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use marena_core::{AllocError, Arena, TryAllocError};

use crate::owned::{Owned, zeroed_arena};

/// Unwinds as a panic does, without a message.
fn panic_quietly() -> ! {
    resume_unwind(Box::new("on purpose"))
}

fn panics<T>(run: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
}

/// A value that counts how many of its kind are alive.
#[derive(Debug)]
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

#[test]
fn values_of_every_form_are_where_they_were_put() {
    let arena = zeroed_arena(4096);
    let number = arena.alloc(1_u64).unwrap();
    let made = arena.alloc_with(|| [2_u16; 3]).unwrap();
    let tried = arena.alloc_try_with(|| Ok::<_, ()>(3_i8)).unwrap();
    let written = arena.alloc_uninit::<u32>().unwrap().write(4);
    let copied = arena.alloc_slice_copy(&[5_u8; 5]).unwrap();
    let cloned = arena.alloc_slice_clone(&[Cell::new(6)]).unwrap();
    let filled = arena.alloc_slice_fill_with(3, |i| i as u32).unwrap();
    let collected = arena.alloc_slice_from_iter("abc".bytes()).unwrap();
    let text = arena.alloc_str("text").unwrap();
    let formatted = arena.alloc_fmt(format_args!("{}-{:?}", 7, "x")).unwrap();
    *number += 10;
    text.make_ascii_uppercase();
    assert_eq!((*number, *made, *tried, *written), (11, [2; 3], 3, 4));
    assert_eq!((&*copied, cloned[0].get(), &*filled, &*collected), (&[5; 5][..], 6, &[0, 1, 2][..], &b"abc"[..]));
    assert_eq!((&*text, &*formatted), ("TEXT", "7-\"x\""));
}

#[test]
fn a_value_in_the_arena_is_never_dropped_and_one_without_room_is() {
    let alive = Cell::new(0);
    let mut arena = zeroed_arena(136);
    arena.alloc(Counted::new(&alive)).unwrap();
    assert_eq!(alive.get(), 1);
    arena.alloc(Counted::new(&alive)).unwrap_err();
    assert_eq!(alive.get(), 1, "the one that found no room is dropped");
    arena.insert(Counted::new(&alive)).unwrap_err();
    assert_eq!(alive.get(), 1);
    arena.reset();
    drop(arena);
    assert_eq!(alive.get(), 1);
}

#[test]
fn an_initialiser_is_not_called_when_there_is_no_room() {
    let arena = zeroed_arena(136);
    let never = || -> [u64; 2] { unreachable!("there is no room, so no call") };
    arena.alloc_with(never).unwrap_err();
    assert!(matches!(
        arena.alloc_try_with(|| Ok::<_, ()>(never())),
        Err(TryAllocError::Alloc(AllocError::Full { .. }))
    ));
    arena.alloc_slice_fill_with(2, |_| never()).unwrap_err();
    assert_eq!(arena.used(), 0);
}

#[test]
fn an_initialiser_that_panics_or_fails_leaves_the_arena_as_it_was() {
    let arena = zeroed_arena(1024);
    arena.allocate(8).unwrap();
    panics(|| arena.alloc_with(|| -> u64 { panic_quietly() }).map(|value| *value));
    assert_eq!(arena.used(), 8);
    let failed = arena.alloc_try_with(|| Err::<[u64; 8], _>("reason"));
    assert_eq!(failed, Err(TryAllocError::Init("reason")));
    assert_eq!(arena.used(), 8);
}

#[test]
fn an_initialiser_may_allocate_in_the_same_arena_and_keeps_what_it_allocated() {
    let arena = zeroed_arena(1024);
    let mut inner = None;
    let outer = arena.alloc_with(|| {
        inner = arena.alloc_str("inner").ok();
        inner.as_ref().unwrap().len()
    });
    assert_eq!((*outer.unwrap(), inner.as_deref()), (5, Some("inner")));

    let kept = Cell::new(None);
    let failed = arena.alloc_try_with(|| {
        kept.set(arena.insert(9_u64).ok());
        Err::<u64, _>(())
    });
    assert!(failed.is_err());
    assert_eq!(arena.used(), 8 + 8 + 8 + 8, "the failed slot is not the last, so it stays");
    arena.allocate(8).unwrap().fill(0xFF);
    assert_eq!(arena.get(kept.get().unwrap()), Some(&9));
}

#[test]
fn initialisers_nested_in_initialisers_give_back_in_order() {
    let arena = zeroed_arena(1024);
    let failed = arena.alloc_try_with(|| {
        let failed = arena.alloc_try_with(|| {
            panics(|| arena.alloc_with(|| -> u64 { panic_quietly() }).map(|value| *value));
            Err::<u64, _>(1)
        });
        assert_eq!(failed, Err(TryAllocError::Init(1)));
        Err::<u64, _>(2)
    });
    assert_eq!(failed, Err(TryAllocError::Init(2)));
    assert_eq!(arena.used(), 0);
}

#[test]
fn an_initialiser_that_fills_the_arena_gets_full_and_nothing_worse() {
    let arena = zeroed_arena(256);
    let outer = arena.alloc_with(|| {
        let mut blocks = 0_u64;
        while arena.allocate(8).is_ok() {
            blocks += 1;
        }
        blocks
    });
    assert_eq!(*outer.unwrap(), 15);
}

/// Builds a slice of 10 elements in a way that panics at element `at`. Checks that each earlier
/// element was dropped once and that the room is back.
fn check_panic_at(at: usize, form: impl Fn(&Arena<Owned>, &mut dyn FnMut(usize) -> usize)) {
    let arena = zeroed_arena(1024);
    let mut made = 0;
    panics(|| {
        form(&arena, &mut |index| {
            if index == at {
                panic_quietly();
            }
            made += 1;
            index
        });
    });
    assert_eq!((made, arena.used()), (at, 0));
}

#[test]
fn a_slice_whose_initialiser_panics_at_any_element_drops_the_elements_before_it() {
    for at in 0..10 {
        let alive = Cell::new(0);
        check_panic_at(at, |arena, make| {
            let make = |index| {
                make(index);
                Counted::new(&alive)
            };
            let _ = arena.alloc_slice_fill_with(10, make);
        });
        assert_eq!(alive.get(), 0, "at {at}");

        check_panic_at(at, |arena, make| {
            let values = (0..10).map(|index| {
                make(index);
                Counted::new(&alive)
            });
            let _ = arena.alloc_slice_from_iter(values);
        });
        assert_eq!(alive.get(), 0, "at {at}");
    }
}

#[test]
fn a_slice_whose_clone_panics_drops_the_clones_made_before() {
    struct Fragile<'c>(Counted<'c>, &'c Cell<u32>);
    impl Clone for Fragile<'_> {
        fn clone(&self) -> Self {
            match self.1.get().checked_sub(1) {
                Some(left) => self.1.set(left),
                None => panic_quietly(),
            }
            Self(Counted::new(self.0.0), self.1)
        }
    }

    for clones in 0..4 {
        let (alive, left) = (Cell::new(0), Cell::new(clones));
        let source: Vec<_> = (0..4).map(|_| Fragile(Counted::new(&alive), &left)).collect();
        let arena = zeroed_arena(1024);
        panics(|| arena.alloc_slice_clone(&source).map(|slice| slice.len()));
        assert_eq!((alive.get(), arena.used()), (4, 0), "after {clones} clones");
    }
}

#[test]
fn a_destructor_that_panics_during_the_clean_up_leaks_and_corrupts_nothing() {
    struct Bad(bool);
    impl Drop for Bad {
        fn drop(&mut self) {
            if self.0 && !std::thread::panicking() {
                panic_quietly();
            }
        }
    }

    let arena = zeroed_arena(1024);
    panics(|| {
        let iter = (0..3).map(|index| if index == 2 { panic_quietly() } else { Bad(true) });
        arena.alloc_slice_from_iter(iter).map(|slice| slice.len())
    });
    let block = arena.allocate(16).unwrap();
    assert_eq!(*block, [0; 16]);
}

/// An iterator that announces one length and has another.
struct Liar {
    says: usize,
    has: usize,
    taken: usize,
}

impl Iterator for Liar {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        (self.taken < self.has).then(|| {
            self.taken += 1;
            self.taken as u64
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.says, Some(self.says))
    }
}

impl ExactSizeIterator for Liar {
    fn len(&self) -> usize {
        self.says
    }
}

#[test]
fn an_iterator_that_lies_about_its_length_gives_what_it_has() {
    for says in 0..6 {
        for has in 0..6 {
            let arena = zeroed_arena(1024);
            let mut liar = Liar { says, has, taken: 0 };
            let slice = arena.alloc_slice_from_iter(&mut liar).unwrap();
            let expected: Vec<u64> = (1..=has as u64).collect();
            assert_eq!(slice, expected, "says {says}, has {has}");
            assert_eq!(arena.used(), 8 * expected.len(), "says {says}, has {has}");
        }
    }
}

#[test]
fn an_iterator_that_says_it_is_endless_is_an_error_before_a_value_is_taken() {
    let arena = zeroed_arena(1024);
    for says in [1 << 28, usize::MAX / 8, usize::MAX / 8 + 1, usize::MAX] {
        let mut liar = Liar { says, has: 3, taken: 0 };
        assert!(arena.alloc_slice_from_iter(&mut liar).is_err());
        assert_eq!((liar.taken, arena.used()), (0, 0));
    }
}

#[test]
fn a_slice_whose_size_no_integer_holds_is_too_large() {
    let arena = zeroed_arena(1024);
    for len in [usize::MAX, usize::MAX / 2, usize::MAX / 8 + 1] {
        assert!(matches!(arena.alloc_slice_uninit::<[u64; 2]>(len), Err(AllocError::TooLarge { .. })), "{len}");
        assert!(matches!(arena.alloc_slice_fill_with(len, |_| [0_u64; 2]), Err(AllocError::TooLarge { .. })), "{len}");
    }
}

#[test]
fn an_iterator_that_allocates_in_the_same_arena_gets_bytes_of_its_own() {
    let arena = zeroed_arena(1024);
    let texts =
        arena.alloc_slice_from_iter((0..4).map(|i| &*arena.alloc_fmt(format_args!("text {i}")).unwrap())).unwrap();
    assert_eq!(texts, ["text 0", "text 1", "text 2", "text 3"]);
}

#[test]
fn an_iterator_of_unknown_length_fills_the_arena_and_no_more() {
    let arena = zeroed_arena(1024);
    let odd = arena.alloc_slice_from_iter((0..20_u64).filter(|number| number % 2 == 1)).unwrap();
    assert_eq!((odd.iter().sum::<u64>(), arena.used()), (100, 80));
    let alive = Cell::new(0);
    let error = arena.alloc_slice_from_iter(std::iter::from_fn(|| Some(Counted::new(&alive)))).unwrap_err();
    assert!(matches!(error, AllocError::Full { .. }), "{error}");
    assert_eq!((alive.get(), arena.used()), (0, 80));
}

/// A value that formats differently each time.
struct Fickle<'a> {
    outputs: &'a [&'a [&'a str]],
    calls: Cell<usize>,
    fails: bool,
}

impl fmt::Display for Fickle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.calls.get();
        self.calls.set(call + 1);
        for part in self.outputs[call.min(self.outputs.len() - 1)] {
            f.write_str(part)?;
        }
        if self.fails { Err(fmt::Error) } else { Ok(()) }
    }
}

fn format_fickle(arena: &Arena<Owned>, outputs: &[&[&str]], fails: bool) -> Result<String, AllocError> {
    let value = Fickle { outputs, calls: Cell::new(0), fails };
    arena.alloc_fmt(format_args!("{value}")).map(|text| text.to_owned())
}

#[test]
fn a_value_that_formats_differently_the_second_time_is_taken_as_it_is_then() {
    let arena = zeroed_arena(1024);
    assert_eq!(format_fickle(&arena, &[&["ab", "cd"], &["ab", "cdef"]], false).unwrap(), "abcdef");
    assert_eq!(format_fickle(&arena, &[&["äö"], &["ä", "öü"]], false).unwrap(), "äöü");
    assert_eq!(format_fickle(&arena, &[&["long text"], &["short"]], false).unwrap(), "short");
    assert_eq!(format_fickle(&arena, &[&[], &["anything"]], false).unwrap(), "anything");
    assert_eq!(arena.used(), 8 * 4, "room that was not used went back");
}

#[test]
fn a_value_that_reports_an_error_while_it_is_formatted_is_an_error() {
    let arena = zeroed_arena(1024);
    assert_eq!(format_fickle(&arena, &[&["so far"]], true), Err(AllocError::Format));
    assert_eq!(arena.used(), 0);
}

/// The value formats well when it is measured, and reports an error when it is written.
#[test]
fn a_value_that_reports_an_error_at_the_second_pass_is_an_error() {
    struct Late(Cell<u32>);
    impl fmt::Display for Late {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(self.0.get() + 1);
            f.write_str("begun")?;
            if self.0.get() == 2 { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let arena = zeroed_arena(1024);
    let error = arena.alloc_fmt(format_args!("{}", Late(Cell::new(0)))).unwrap_err();
    assert_eq!((error, arena.used()), (AllocError::Format, 0));
}

#[test]
fn a_value_that_allocates_or_panics_while_it_is_formatted_does_no_harm() {
    struct Allocating<'a>(&'a Arena<Owned>);
    impl fmt::Display for Allocating<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0.alloc_str("inner ").map_err(|_| fmt::Error)?)
        }
    }
    struct Panicking(Cell<u32>);
    impl fmt::Display for Panicking {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("begun")?;
            match self.0.get().checked_sub(1) {
                Some(left) => self.0.set(left),
                None => panic_quietly(),
            }
            Ok(())
        }
    }

    let arena = zeroed_arena(1024);
    let text = arena.alloc_fmt(format_args!("{}{}", Allocating(&arena), Allocating(&arena))).unwrap();
    assert_eq!(text, "inner inner ");
    let before = arena.used();
    for calls in 0..2 {
        panics(|| arena.alloc_fmt(format_args!("{}", Panicking(Cell::new(calls)))).map(|text| text.len()));
        assert_eq!(arena.used(), before, "panicked at call {calls}");
    }
}

#[test]
fn a_text_that_does_not_fit_is_an_error_and_takes_no_bytes() {
    let arena = zeroed_arena(144);
    assert_eq!(
        arena.alloc_fmt(format_args!("{:100}", 1)).unwrap_err(),
        AllocError::Full { requested: 100, remaining: 16 }
    );
    assert_eq!(arena.alloc_str("twenty bytes of text").unwrap_err(), AllocError::Full { requested: 20, remaining: 16 });
    assert_eq!(arena.alloc_fmt(format_args!("{:16}", 1)).unwrap().len(), 16);
}
