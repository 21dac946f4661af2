//! Nothing in a pool's arena outlives its guard, and no guard outlives the pool.

use std::mem::MaybeUninit;

use marena_core::{BorrowedMemory, Pool};

type Borrowed<'m> = Pool<BorrowedMemory<'m>, 1>;

fn value(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    let value = guard.alloc(1).unwrap();
    drop(guard); //~ E0505
    *value = 2;
}

fn value_behind_a_clone(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    let clone = guard.clone();
    let value = guard.alloc(1).unwrap();
    drop(guard); //~ E0505
    *value = 2;
    drop(clone);
}

fn lease(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    let lease = guard.lease(64);
    drop(guard); //~ E0505
    drop(lease);
}

fn guard(pool: Borrowed<'_>) {
    let guard = pool.acquire().unwrap();
    drop(pool); //~ E0505
    drop(guard);
}

fn reset(pool: Borrowed<'_>) {
    let mut guard = pool.acquire().unwrap();
    guard.reset(); //~ E0596
    guard.scratch(); //~ E0596
    drop(guard);
}

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    for run in [value, value_behind_a_clone, lease, guard, reset] {
        run(Pool::new([BorrowedMemory::new(&mut bytes).unwrap()]).unwrap());
    }
}
