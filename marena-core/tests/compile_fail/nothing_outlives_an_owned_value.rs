//! An owned value keeps its guard. A reference to the value borrows the owned value.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::thread;

use marena_core::{Arena, BorrowedMemory, Owned, Pool};

type Borrowed<'m> = Pool<BorrowedMemory<'m>, 1>;

fn reference(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    let handle = guard.insert(1).unwrap();
    let owned = Owned::new(guard, handle).unwrap();
    let value = &*owned;
    drop(owned); //~ E0505
    assert_eq!(*value, 1);
}

fn guard(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    let handle = guard.insert(1).unwrap();
    let owned = Owned::new(guard, handle).unwrap();
    let value = Owned::guard(&owned).alloc(1).unwrap();
    drop(Owned::into_guard(owned)); //~ E0505
    *value = 2;
}

fn pool(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    let handle = guard.insert(1).unwrap();
    let owned = Owned::new(guard, handle).unwrap();
    drop(pool); //~ E0505
    drop(owned);
}

fn arena(pool: Borrowed<'_>) {
    drop(pool);
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    let handle = arena.insert(Cell::new(1)).unwrap();
    let owned = Owned::new(&arena, handle).unwrap();
    arena.reset(); //~ E0502
    owned.set(3);
}

fn thread(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    let handle = guard.insert(Cell::new(1)).unwrap();
    let owned = Owned::new(guard, handle).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| owned.set(2)); //~ E0277
    });
    owned.set(3);
}

fn by_value(pool: Borrowed<'_>) {
    drop(pool);
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    let handle = arena.insert(1).unwrap();
    // A plain arena may move, so it is no guard.
    let owned = Owned::new(arena, handle); //~ E0277
    let _ = handle;
}

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    for run in [reference, guard, pool, arena, thread, by_value] {
        run(Pool::new([BorrowedMemory::new(&mut bytes).unwrap()]).unwrap());
    }
}
