//! `Owned`: a published value that moves with the guard of its arena.

use std::cell::Cell;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use marena_core::{AllocError, Arena, BorrowedMemory, CloneStableDeref, Handle, Owned, Pool, PoolGuard, StableDeref};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};

type Borrowed<'m> = Arena<BorrowedMemory<'m>>;
type Guard = PoolGuard<'static, BorrowedMemory<'static>>;

assert_impl_all!(Owned<Guard>: Send, Sync, Clone);
assert_impl_all!(Owned<Arc<Borrowed<'static>>, str>: Send, Sync, Clone);
assert_impl_all!(Owned<Box<Borrowed<'static>>, u8>: Send, Sync);
// There is one box, so there is one `Owned`.
assert_not_impl_any!(Owned<Box<Borrowed<'static>>, u8>: Clone);
assert_not_impl_any!(Owned<&'static mut Borrowed<'static>, u8>: Clone);
// The thread that has the `Owned` reads the value and drops the guard, so both must allow it.
assert_not_impl_any!(Owned<Guard, Cell<u8>>: Send, Sync);
assert_not_impl_any!(Owned<Rc<Borrowed<'static>>, u8>: Send, Sync);
const_assert!(size_of::<Option<Owned<Guard>>>() == 3 * size_of::<usize>());

fn publish(arena: &Borrowed<'_>, text: &[u8]) -> Handle {
    let mut block = arena.allocate(text.len()).unwrap();
    block.copy_from_slice(text);
    block.publish()
}

/// Moves an owned value to several places and reads it there.
fn move_about<G>(owned: Owned<G>) -> Owned<G> {
    assert_eq!(*owned, *b"moved");
    let boxed = Box::new(owned);
    assert_eq!(**boxed, *b"moved");
    let mut pair = [Some(*boxed), None];
    pair.swap(0, 1);
    pair[1].take().unwrap()
}

#[test]
fn every_kind_of_guard_keeps_its_value_wherever_it_is_moved() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    let handle = publish(&arena, b"moved");

    assert_eq!(*move_about(Owned::new(&arena, handle).unwrap()), *b"moved");
    let owned = move_about(Owned::new(&mut arena, handle).unwrap());
    Owned::into_guard(owned).alloc_str("behind it").unwrap();

    let boxed = Owned::into_guard(move_about(Owned::new(Box::new(arena), handle).unwrap()));
    let counted = Owned::into_guard(move_about(Owned::new(Rc::<Borrowed<'_>>::from(boxed), handle).unwrap()));
    let arena = Rc::into_inner(counted).unwrap();
    let shared = Owned::into_guard(move_about(Owned::new(Arc::new(arena), handle).unwrap()));
    assert_eq!(shared.view(handle), Some(&b"moved"[..]));
}

#[test]
fn an_owned_value_of_a_pool_recycles_its_arena_with_its_last_clone() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let pool = Pool::new([BorrowedMemory::new(&mut bytes).unwrap()]).unwrap();
    let guard = pool.acquire().unwrap();
    let handle = guard.insert(7_u32).unwrap();
    let owned = Owned::new(guard, handle).unwrap();
    let clone = owned.clone();
    assert!(std::ptr::eq(&raw const *owned, &raw const *clone));
    drop(owned);
    assert_eq!((pool.available(), *clone), (0, 7));
    // Meanwhile more can be allocated behind the value.
    let more = Owned::guard(&clone).insert(8_u32).unwrap();
    let more = Owned::new(Owned::guard(&clone).clone(), more).unwrap();
    drop(clone);
    assert_eq!((pool.available(), *more), (0, 8));
    drop(more);
    assert_eq!(pool.available(), 1);
}

#[test]
fn a_stale_or_foreign_handle_makes_no_owned_value_and_drops_the_guard() {
    let (mut a, mut b) = ([MaybeUninit::uninit(); 1024], [MaybeUninit::uninit(); 1024]);
    let memories = [BorrowedMemory::new(&mut a).unwrap(), BorrowedMemory::new(&mut b).unwrap()];
    let pool = Pool::new(memories).unwrap();
    let first = pool.acquire().unwrap();
    let handle = publish(&first, b"of the first");
    assert!(Owned::new(pool.acquire().unwrap(), handle).is_none());
    assert_eq!(pool.available(), 1);
    drop(first);
    assert!(Owned::new(pool.acquire().unwrap(), handle).is_none());
    assert_eq!(pool.available(), 2);
}

#[test]
fn an_owned_value_prevents_exclusive_access_to_its_arena() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let mut arena = Arc::new(Arena::borrowed(&mut bytes).unwrap());
    let handle = publish(&arena, b"kept");
    let owned = Owned::new(Arc::clone(&arena), handle).unwrap();
    assert!(Arc::get_mut(&mut arena).is_none());
    let arena = Arc::try_unwrap(arena).unwrap_err();
    drop(arena);
    assert_eq!(*owned, *b"kept");
    let mut arena = Owned::into_guard(owned);
    Arc::get_mut(&mut arena).unwrap().reset();
    assert!(Owned::new(arena, handle).is_none());
}

#[test]
fn an_owned_value_is_read_and_dropped_on_other_threads() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let pool = Pool::new([BorrowedMemory::new(&mut bytes).unwrap()]).unwrap();
    for round in 0..if cfg!(miri) { 5 } else { 200 } {
        let guard = pool.acquire().expect("the threads of the previous round have dropped their guards");
        let handle = guard.insert(round).unwrap();
        let owned = Owned::new(guard, handle).unwrap();
        thread::scope(|scope| {
            for _ in 0..3 {
                let owned = owned.clone();
                scope.spawn(move || assert_eq!(*owned, round));
            }
            drop(owned);
        });
    }
    assert_eq!(pool.available(), 1);
}

/// A guard that a user defines. It counts its drops.
struct Counted<'a> {
    arena: Box<Borrowed<'a>>,
    drops: &'a AtomicUsize,
}

impl<'a> Deref for Counted<'a> {
    type Target = Borrowed<'a>;

    fn deref(&self) -> &Self::Target {
        &self.arena
    }
}

// SAFETY: the arena lies in a box that nothing replaces.
unsafe impl StableDeref for Counted<'_> {}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_guard_is_dropped_once_with_its_owned_value_or_handed_back() {
    let drops = AtomicUsize::new(0);
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let guard = Counted { arena: Box::new(Arena::borrowed(&mut bytes).unwrap()), drops: &drops };
    let handle = guard.insert(1).unwrap();
    let guard = Owned::into_guard(Owned::new(guard, handle).unwrap());
    assert_eq!(drops.load(Relaxed), 0);
    drop(Owned::new(guard, handle).unwrap());
    assert_eq!(drops.load(Relaxed), 1);
}

#[test]
fn owned_values_compare_hash_and_print_as_their_values_do() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let own = |number: u32| Owned::new(&arena, arena.insert(number).unwrap()).unwrap();
    let (one, two, again) = (own(1), own(2), own(1));
    assert!(one == again && one != two && one < two && one.max(two.clone()) == two);
    assert_eq!(format!("{two} {two:?}"), "2 2");
    let hasher = std::hash::RandomState::new();
    assert_eq!(hasher.hash_one(&again), hasher.hash_one(1_u32));
    let set: HashSet<_> = [again, two].into_iter().collect();
    // `Borrow` finds the entry by the value itself.
    assert!(set.contains(&2_u32) && !set.contains(&3));
}

#[test]
fn an_owned_value_is_a_stable_reference_itself() {
    fn stable<T: CloneStableDeref>(value: &T) -> *const T::Target {
        let clone = value.clone();
        assert!(std::ptr::eq(&raw const *clone, &raw const **value));
        &raw const *clone
    }

    let mut bytes = [MaybeUninit::uninit(); 1024];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let owned = Owned::new(&arena, publish(&arena, b"here")).unwrap();
    assert_eq!(stable(&owned), &raw const *owned);
}

#[test]
fn what_is_built_in_a_guards_arena_moves_with_the_guard() {
    let mut bytes = [MaybeUninit::uninit(); 4096];
    let pool = Pool::new([BorrowedMemory::new(&mut bytes).unwrap()]).unwrap();
    let owned = Owned::build(pool.acquire().unwrap(), |arena| {
        let lease = arena.lease(256);
        let mut text = lease.alloc_string(0)?;
        (0..100).try_for_each(|number| write!(text, "{number} "))?;
        Ok::<_, AllocError>(text.finish().as_bytes())
    });
    let owned = owned.unwrap();
    let clone = owned.clone();
    let moved = thread::scope(|scope| scope.spawn(move || Box::new(owned)).join().unwrap());
    assert!(moved.starts_with(b"0 1 2 ") && moved.ends_with(b"98 99 "));
    // What came back of the lease's last chunk, and the text itself, and nothing else.
    assert_eq!(Owned::guard(&moved).used(), moved.len().next_multiple_of(8));
    drop(moved);
    assert_eq!((clone.len(), pool.available()), (290, 0));
    drop(clone);
    assert_eq!(pool.available(), 1);
}

#[test]
fn a_builder_that_fails_or_panics_lets_go_of_its_guard() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let pool = Pool::new([BorrowedMemory::new(&mut bytes).unwrap()]).unwrap();
    let error = Owned::build(pool.acquire().unwrap(), |arena| arena.alloc([0_u64; 200]).map(|words| &*words));
    assert!(matches!(error, Err(AllocError::Full { requested: 1600, .. })));
    assert_eq!(pool.available(), 1);
    let panics = || Owned::build(pool.acquire().unwrap(), |_| -> Result<&u8, AllocError> { panic!("meant to") });
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(pool.available(), 1);
}

fn cell<'x>(arena: &'x Borrowed<'_>) -> Result<&'x Cell<u8>, AllocError> {
    Ok(arena.alloc(Cell::new(1))?)
}

#[test]
fn what_is_built_for_any_kind_of_guard_can_be_moved() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    let owned = Owned::build(&mut arena, cell).unwrap();
    owned.set(2);
    let owned = Box::new(owned);
    assert_eq!(owned.get(), 2);
    drop(owned);
    let owned = Owned::build(Box::new(arena), cell).unwrap();
    let owned = Box::new(owned);
    owned.set(3);
    assert_eq!(owned.get(), 3);
}
