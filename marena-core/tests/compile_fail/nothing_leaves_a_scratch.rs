//! When a scope ends, no reference into it is in use.

use std::mem::MaybeUninit;

use marena_core::{Arena, BorrowedMemory};

type Borrowed<'m> = Arena<BorrowedMemory<'m>>;

fn block(arena: &mut Borrowed<'_>) {
    let scratch = arena.scratch();
    let block = scratch.allocate(8).unwrap();
    drop(scratch); //~ E0505
    println!("{block:?}");
}

fn value(arena: &mut Borrowed<'_>) {
    let mut kept = &mut 1;
    {
        let scratch = arena.scratch();
        kept = scratch.alloc(2).unwrap(); //~ E0597
    }
    println!("{kept}");
}

fn forgotten(arena: &mut Borrowed<'_>) {
    let scratch = arena.scratch();
    let view = scratch.view(scratch.allocate(8).unwrap().publish()).unwrap();
    std::mem::forget(scratch); //~ E0505
    println!("{view:?}");
}

fn beside_its_arena(arena: &mut Borrowed<'_>) {
    let scratch = arena.scratch();
    arena.allocate(8).unwrap(); //~ E0502
    drop(scratch);
}

fn beside_its_lease(arena: &mut Borrowed<'_>) {
    let mut lease = arena.lease(64);
    let scratch = lease.scratch();
    lease.allocate(8).unwrap(); //~ E0502
    drop(scratch);
}

fn of_a_lease_that_ended(arena: &mut Borrowed<'_>) {
    let mut lease = arena.lease(64);
    let scratch = lease.scratch();
    drop(lease); //~ E0505
    drop(scratch);
}

fn inner_under_a_block(arena: &mut Borrowed<'_>) {
    let mut outer = arena.scratch();
    let block = outer.allocate(8).unwrap();
    outer.scratch(); //~ E0502
    println!("{block:?}");
}

fn outer_beside_its_inner(arena: &mut Borrowed<'_>) {
    let mut outer = arena.scratch();
    let inner = outer.scratch();
    outer.allocate(8).unwrap(); //~ E0502
    drop(inner);
}

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    for run in [
        block,
        value,
        forgotten,
        beside_its_arena,
        beside_its_lease,
        of_a_lease_that_ended,
        inner_under_a_block,
        outer_beside_its_inner,
    ] {
        run(&mut arena);
    }
}
