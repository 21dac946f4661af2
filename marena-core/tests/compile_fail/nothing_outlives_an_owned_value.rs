//! An owned value keeps its guard. A reference to the value borrows the owned value.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::thread;

use marena_core::{AllocError, Arena, BorrowedMemory, Owned, Pool};

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

fn built_value_outside_of_its_owner(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    let mut kept: Option<&mut u8> = None;
    let owned = Owned::build(guard, |arena| {
        kept = arena.alloc(1).ok(); //~ E0521
        Ok::<_, AllocError>(&1)
    });
    drop(owned);
    println!("{kept:?}");
}

fn built_value_with_references_into_its_arena(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    // They would have to name a lifetime that only the guard knows.
    let owned = Owned::build(guard, |arena| arena.alloc(arena.alloc_str("text")?).map(|text| &*text)); //~ lifetime
}

fn built_from_a_local_value(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    let local = Cell::new(1);
    let owned = Owned::build(guard, |_| Ok::<_, AllocError>(&local)); //~ E0597
    local.set(2);
}

fn built_from_what_a_parameter_names(pool: Borrowed<'_>) {
    type Takes<'l> = fn(&'l u8);
    fn build<'g, 'l>(takes: &'g Takes<'l>, value: &'l u8) -> Owned<&'g Takes<'l>, u8> {
        Owned::build(takes, |_| Ok::<_, AllocError>(value)).unwrap()
    }
    // A parameter's lifetime may become longer elsewhere. Here the value would outlive it.
    fn longer_in_the_guard<'l>(owned: Owned<&Takes<'l>, u8>) {
        let longer: Owned<&Takes<'static>, u8> = owned; //~ lifetime
    }
    fn longer_in_the_value<'l>(owned: Owned<&u8, Takes<'l>>) {
        let longer: Owned<&u8, Takes<'static>> = owned; //~ lifetime
    }
    drop(pool);
    let (takes, local): (Takes<'_>, _) = (|_| (), Box::new(1));
    let owned = build(&takes, &local);
    drop(local); //~ E0505
    longer_in_the_guard(owned);
    longer_in_the_value(Owned::build(&1, |_| Ok::<_, AllocError>(&takes)).unwrap());
}

fn built_guard_in_another_thread(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    let owned = Owned::build(guard, |arena| arena.alloc(Cell::new(1)).map(|cell| &*cell)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| owned.set(2)); //~ E0277
    });
    owned.set(3);
}

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    for run in [reference, guard, pool, arena, thread, by_value, built_value_outside_of_its_owner, built_value_with_references_into_its_arena, built_from_a_local_value, built_from_what_a_parameter_names, built_guard_in_another_thread] {
        run(Pool::new([BorrowedMemory::new(&mut bytes).unwrap()]).unwrap());
    }
}
