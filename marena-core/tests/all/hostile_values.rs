//! Everything that allocates, against values that do their worst: of no bytes or with the largest
//! alignment, with initialisers, clones, destructors and iterators that panic, lie, or allocate in
//! the same place, and requests that no memory holds.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use marena_core::{AllocError, Allocate, GrowingArena, Pool, Regions, TryAllocError};

use crate::owned::{Owned, zeroed_arena};

/// Runs a check on every type that allocates, with room for some 100,000 bytes at least. `$source`
/// is what allocates, and `$name` its name.
macro_rules! everywhere {
    ($check:path) => {
        let mut arena = zeroed_arena(1 << 17);
        $check("arena", &arena);
        arena.reset();
        $check("scratch", &arena.scratch());
        $check("inner scratch", &arena.scratch().scratch());
        arena.scoped(|scope| {
            $check("scope", &*scope);
            scope.scoped(|inner| $check("inner scope", &*inner));
        });
        for chunk in [0, 64, 1000, 100_000] {
            let arena = zeroed_arena(1 << 17);
            let mut lease = arena.lease(chunk);
            $check("lease", &lease);
            $check("scratch of a lease", &lease.scratch());
            lease.scoped(|scope| $check("scope of a lease", &*scope));
            $check("leases", &arena.leases(chunk));
        }
        let mut regions = Regions::<_, 3>::new();
        for len in [256, 1024, 1 << 17] {
            regions.push(zeroed_arena(len)).unwrap();
        }
        $check("regions", &regions);
        let pool = Pool::<_, 1>::new([Owned::<0>::new(1 << 17)]).unwrap();
        $check("guard", &pool.acquire().unwrap());
        let mut growing = GrowingArena::<Owned>::builder().first_segment(1024).max_segment(8192).build().unwrap();
        $check("growing arena", &growing);
        $check("growing lease", &growing.lease(500));
        $check("leases of a growing arena", &growing.leases(500));
        growing.reset();
        $check("growing scratch", &growing.scratch());
        $check("inner growing scratch", &growing.scratch().scratch());
        growing.scoped(|scope| {
            $check("growing scope", &*scope);
            scope.scoped(|inner| $check("inner growing scope", &*inner));
        });
    };
}

fn panics<T>(run: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
}

fn panic_on_purpose() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// Blocks full of numbers, which nothing else may change.
struct Canaries<'a>(Vec<(&'a mut [u64], u64)>);

impl<'a> Canaries<'a> {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn add(&mut self, source: impl Allocate<'a>) {
        let number = self.0.len() as u64 * 0x0101_0101;
        self.0.push((source.alloc_slice_fill_copy(3, number).unwrap(), number));
    }

    fn live(&self, name: &str) {
        for (block, number) in &self.0 {
            assert_eq!(**block, [*number; 3], "{name}");
        }
    }
}

thread_local! {
    static MADE: Cell<u32> = const { Cell::new(0) };
    static DROPPED: Cell<u32> = const { Cell::new(0) };
    static ALIVE: Cell<usize> = const { Cell::new(0) };
}

/// A value of no bytes that counts how many were made and dropped.
#[repr(align(4096))]
struct Ghost;

impl Ghost {
    fn new() -> Self {
        MADE.set(MADE.get() + 1);
        Self
    }
}

impl Clone for Ghost {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl Default for Ghost {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Ghost {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

/// Runs `f`, which makes and drops so many ghosts.
fn ghosts<T>(made: u32, dropped: u32, f: impl FnOnce() -> T) -> T {
    let before = (MADE.get(), DROPPED.get());
    let result = f();
    assert_eq!((MADE.get() - before.0, DROPPED.get() - before.1), (made, dropped));
    result
}

fn values_of_no_bytes<'a>(name: &str, source: impl Allocate<'a>) {
    let remaining = source.remaining();
    ghosts(1, 0, || source.alloc(Ghost::new()).unwrap());
    ghosts(1, 0, || source.alloc_with(Ghost::new).unwrap());
    ghosts(1, 0, || source.alloc_try_with(|| Ok::<_, ()>(Ghost::new())).unwrap());
    let failed = ghosts(1, 1, || {
        source.alloc_try_with(|| {
            let _lost = Ghost::new();
            Err::<Ghost, _>(7)
        })
    });
    assert!(matches!(failed, Err(TryAllocError::Init(7))), "{name}");
    ghosts(1, 1, || drop(source.alloc_box(Ghost::new()).unwrap()));
    ghosts(1, 0, || source.insert(Ghost::new()).unwrap());
    ghosts(0, 0, || drop(source.alloc_slot::<Ghost>().unwrap()));
    ghosts(1, 1, || drop(source.alloc_slot().unwrap().write_box(Ghost::new())));
    ghosts(3, 0, || source.alloc_slice_fill_with(3, |_| Ghost::new()).unwrap());
    ghosts(3, 0, || source.alloc_slice_fill_default::<Ghost>(3).unwrap());
    ghosts(4, 1, || source.alloc_slice_fill_clone(3, &Ghost::new()).unwrap());
    ghosts(4, 2, || source.alloc_slice_clone(&[Ghost::new(), Ghost::new()]).unwrap());
    ghosts(3, 0, || source.alloc_slice_from_iter(iter::repeat_with(Ghost::new).take(3)).unwrap());
    ghosts(3, 3, || drop(source.alloc_box_slice(iter::repeat_with(Ghost::new).take(3)).unwrap()));
    ghosts(9, 9, || {
        let mut vec = source.alloc_vec(1).unwrap();
        vec.extend(iter::repeat_with(Ghost::new).take(8)).unwrap();
        let mut turn = 0;
        vec.retain(|_| {
            turn += 1;
            turn % 2 == 0
        });
        assert_eq!((vec.len(), vec.as_ptr().addr() % 4096), (4, 0), "{name}");
        drop((vec.remove(2), vec.swap_remove(0), vec.remove(2)));
        vec.push(Ghost::new()).unwrap();
        let mut values = vec.into_iter();
        assert!(values.next_back().is_some() && values.len() == 2, "{name}");
    });
    assert_eq!(source.alloc_slice_uninit::<Ghost>(usize::MAX).unwrap().len(), usize::MAX, "{name}");
    assert!(source.alloc_slice_copy(&[[0_u64; 0]; 9]).unwrap().len() == 9 && source.alloc_str("").unwrap().is_empty());
    assert_eq!(source.remaining(), remaining, "{name}: no bytes were taken");
}

/// One byte at a multiple of 1,024.
#[repr(align(1024))]
#[derive(Clone, Debug, PartialEq)]
struct Wide(u8);

fn values_with_a_large_alignment<'a>(name: &str, source: impl Allocate<'a>) {
    let mut canaries = Canaries::new();
    let aligned = |value: &Wide| assert_eq!(std::ptr::from_ref(value).addr() % 1024, 0, "{name}");
    canaries.add(source);
    let one = source.alloc(Wide(1)).unwrap();
    canaries.add(source);
    let boxed = source.alloc_box(Wide(2)).unwrap();
    canaries.add(source);
    let mut vec = source.alloc_vec(0).unwrap();
    for number in 3..6 {
        vec.push(Wide(number)).unwrap();
        canaries.add(source);
    }
    assert_eq!((&*one, &*boxed, &*vec), (&Wide(1), &Wide(2), &[Wide(3), Wide(4), Wide(5)][..]), "{name}");
    assert_eq!(vec.remove(0), Some(Wide(3)));
    vec.shrink_to_fit();
    let slice = source.alloc_slice_clone(&vec).unwrap();
    assert_eq!(slice, vec.finish(), "{name}");
    [&*one, &*boxed].into_iter().chain(&*slice).for_each(aligned);
    for align in [1, 2, 8, 64, 4096] {
        let block = source.allocate_aligned(9, align).unwrap();
        assert!(block.as_ptr().addr() % align == 0 && *block == [0; 9], "{name}: {align}");
        canaries.add(source);
    }
    for align in [0, 3, 4097, usize::MAX] {
        assert!(matches!(source.allocate_aligned(1, align), Err(AllocError::Alignment { .. })), "{name}: {align}");
    }
    assert!(source.allocate_aligned(1, 1 << (usize::BITS - 1)).is_err(), "{name}");
    canaries.live(name);
}

/// A value that counts how many of its kind are alive.
struct Counted([u64; 2]);

impl Counted {
    fn new() -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self([7; 2])
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert_eq!(self.0, [7; 2]);
        ALIVE.set(ALIVE.get() - 1);
    }
}

fn initialisers_that_panic<'a>(name: &str, source: impl Allocate<'a>) {
    let mut canaries = Canaries::new();
    for at in 0..5 {
        canaries.add(source);
        let values = || (0..5).map(|i| if i == at { panic_on_purpose() } else { Counted::new() });
        let value = |i| if i == at { panic_on_purpose() } else { Counted::new() };
        panics(|| source.alloc_with(|| -> Counted { panic_on_purpose() }).is_ok());
        panics(|| source.alloc_try_with(|| -> Result<Counted, ()> { panic_on_purpose() }).is_ok());
        panics(|| source.alloc_slice_fill_with(5, value).is_ok());
        panics(|| source.alloc_slice_try_fill_with(5, |i| Ok::<_, ()>(value(i))).is_ok());
        panics(|| source.alloc_slice_from_iter(values()).is_ok());
        panics(|| source.alloc_slice_from_iter(values().filter(|_| true)).is_ok());
        panics(|| source.alloc_slice_try_from_iter(values().map(Ok::<_, ()>)).is_ok());
        panics(|| source.alloc_box_slice(values()).is_ok());
        assert_eq!(ALIVE.get(), 0, "{name}");
        let mut vec = source.alloc_vec(0).unwrap();
        panics(|| vec.extend(values()));
        assert_eq!((vec.len(), ALIVE.get()), (at, at), "{name}");
        vec.extend((0..3).map(|_| Counted::new())).unwrap();
        panics(|| vec.retain(|_| panic_on_purpose()));
        let mut values = vec.into_iter();
        panics(|| values.by_ref().all(|value| if value.0 == [7; 2] { panic_on_purpose() } else { true }));
        assert_eq!((values.len(), ALIVE.get()), (at + 2, at + 2), "{name}");
        drop(values);
        assert_eq!(ALIVE.get(), 0, "{name}");
    }
    canaries.live(name);
}

/// An iterator whose `size_hint` is what it is told to say.
struct Liar<I>(I, (usize, Option<usize>));

impl<I: Iterator> Iterator for Liar<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.1
    }
}

impl<I: Iterator> ExactSizeIterator for Liar<I> {
    fn len(&self) -> usize {
        self.1.0
    }
}

fn iterators_that_lie<'a>(name: &str, source: impl Allocate<'a>) {
    let mut canaries = Canaries::new();
    for hint in [(0, None), (0, Some(0)), (1, Some(0)), (2, Some(1)), (5, Some(5)), (40, Some(3))] {
        canaries.add(source);
        let numbers = || Liar(10..15_u32, hint);
        assert_eq!(source.alloc_slice_from_iter(numbers()).unwrap(), [10, 11, 12, 13, 14], "{name}");
        assert_eq!(source.alloc_slice_try_from_iter(numbers().map(Ok::<_, ()>)).unwrap().len(), 5, "{name}");
        canaries.add(source);
        assert_eq!(*source.alloc_box_slice(numbers()).unwrap(), [10, 11, 12, 13, 14], "{name}");
        let mut vec = source.alloc_vec(0).unwrap();
        vec.extend(numbers()).unwrap();
        canaries.add(source);
        vec.extend(numbers()).unwrap();
        assert_eq!((vec.len(), vec[9]), (10, 14), "{name}");
    }
    let remaining = source.remaining();
    for least in [1 << 31, usize::MAX / 4, usize::MAX / 4 + 1, usize::MAX] {
        let numbers = || Liar(iter::from_fn(|| -> Option<u32> { panic!("{name}: nothing is taken") }), (least, None));
        assert!(source.alloc_slice_from_iter(numbers()).is_err() && source.alloc_box_slice(numbers()).is_err());
        let mut vec = source.alloc_vec(0).unwrap();
        assert!(vec.extend(numbers()).is_err() && vec.is_empty(), "{name}");
    }
    assert_eq!(source.remaining(), remaining, "{name}");
    canaries.live(name);
}

fn requests_that_no_memory_holds<'a>(name: &str, source: impl Allocate<'a>) {
    source.alloc(1_u64).unwrap();
    let remaining = source.remaining();
    for size in [1 << 31, (1 << 31) + 1, usize::MAX / 4 * 3, usize::MAX - 7, usize::MAX] {
        let too_large = |error: Option<AllocError>| {
            assert!(matches!(error, Some(AllocError::TooLarge { .. })), "{name}: {size}: {error:?}");
        };
        too_large(source.allocate(size).err());
        too_large(source.allocate_bounded(size, 3).err());
        too_large(source.allocate_aligned(size, 64).err());
        too_large(source.allocate_uninit(size, 1).err());
        too_large(source.allocate_address(size).err());
        too_large(source.allocate_multiple([8, size, size]).err());
        let mut sizes = [8, size as u64, u64::MAX];
        too_large(source.allocate_addresses(&mut sizes).err());
        assert_eq!(sizes, [8, size as u64, u64::MAX], "{name}");
        too_large(source.alloc_slice_uninit::<u8>(size).err());
        too_large(source.alloc_slice_fill_copy(size, [7_u64; 4]).err());
        too_large(source.alloc_slice_fill_with(size, |_| -> u64 { panic!("{name}: nothing is made") }).err());
        too_large(source.alloc_slice_fill_default::<String>(size).err());
        too_large(source.alloc_vec::<u16>(size).err());
        too_large(source.alloc_string(size).err());
        let mut vec = source.alloc_vec(0).unwrap();
        vec.push(5_u16).unwrap();
        too_large(vec.reserve(size).err());
        too_large(vec.resize(size, 6).err());
        assert_eq!(vec, [5], "{name}");
    }
    assert_eq!(source.remaining(), remaining, "{name}: nothing changed");
}

/// Allocates in `source` whenever it is cloned, dropped or printed.
struct Busy<'b, 'a, A: Allocate<'a>>(A, &'b RefCell<Canaries<'a>>, u64);

impl<'a, A: Allocate<'a>> Clone for Busy<'_, 'a, A> {
    fn clone(&self) -> Self {
        self.1.borrow_mut().add(self.0);
        Self(self.0, self.1, self.2)
    }
}

impl<'a, A: Allocate<'a>> Drop for Busy<'_, 'a, A> {
    fn drop(&mut self) {
        self.1.borrow_mut().add(self.0);
    }
}

impl<'a, A: Allocate<'a>> fmt::Display for Busy<'_, 'a, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1.borrow_mut().add(self.0);
        write!(f, "<{}>", self.2)
    }
}

fn values_that_allocate_where_they_are<'a>(name: &str, source: impl Allocate<'a>) {
    let canaries = RefCell::new(Canaries::new());
    let busy = |number| {
        canaries.borrow_mut().add(source);
        Busy(source, &canaries, number)
    };
    let numbers = |values: &[Busy<'_, 'a, _>]| values.iter().map(|value| value.2).collect::<Vec<_>>();
    assert_eq!(source.alloc_slot().unwrap().write_box(busy(1)).2, 1, "{name}");
    assert!(source.alloc_try_with(|| Err::<u64, _>(busy(2))).is_err(), "{name}");
    let mut vec = source.alloc_vec(0).unwrap();
    vec.extend((0..5).map(busy)).unwrap();
    vec.resize(7, busy(9)).unwrap();
    assert_eq!(numbers(&vec), [0, 1, 2, 3, 4, 9, 9], "{name}");
    vec.retain(|value| {
        canaries.borrow_mut().add(source);
        value.2 % 2 == 1
    });
    assert_eq!(numbers(&vec), [1, 3, 9, 9], "{name}");
    vec.truncate(3);
    drop(vec.remove(0));
    vec.shrink_to_fit();
    let copies = source.alloc_box_slice(vec.iter().cloned()).unwrap();
    assert_eq!((numbers(&copies), numbers(&vec)), (vec![3, 9], vec![3, 9]), "{name}");
    let filled = source.alloc_box_slice((0..4).map(busy)).unwrap();
    assert_eq!(numbers(&filled), [0, 1, 2, 3], "{name}");
    drop(filled);
    assert_eq!(source.alloc_fmt(format_args!("{} {}", vec[0], vec[1])).unwrap(), "<3> <9>", "{name}");
    let mut text = source.alloc_string(0).unwrap();
    for value in vec {
        write!(text, "{value}").unwrap();
        text.retain(|character| {
            canaries.borrow_mut().add(source);
            character != '<'
        });
    }
    assert_eq!(text.finish(), "3>9>", "{name}");
    canaries.borrow().live(name);
}

#[test]
fn values_of_no_bytes_take_none_and_live_as_others_do() {
    everywhere!(values_of_no_bytes);
}

#[test]
fn values_with_a_large_alignment_lie_where_they_must() {
    everywhere!(values_with_a_large_alignment);
}

#[test]
fn initialisers_that_panic_lose_no_value_and_no_neighbour() {
    everywhere!(initialisers_that_panic);
}

#[test]
fn iterators_that_lie_get_what_they_have() {
    everywhere!(iterators_that_lie);
}

#[test]
fn requests_that_no_memory_holds_change_nothing() {
    everywhere!(requests_that_no_memory_holds);
}

#[test]
fn values_that_allocate_where_they_are_get_bytes_of_their_own() {
    everywhere!(values_that_allocate_where_they_are);
}
