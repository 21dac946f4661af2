//! A reset, a wipe and a scratch need exclusive access to the arena.

use std::mem::MaybeUninit;

use marena_core::{Arena, BorrowedMemory};

type Borrowed<'m> = Arena<BorrowedMemory<'m>>;

fn block(arena: &mut Borrowed<'_>) {
    let block = arena.allocate(8).unwrap();
    arena.reset(); //~ E0502
    println!("{block:?}");
}

fn block_at_a_wipe(arena: &mut Borrowed<'_>) {
    let block = arena.allocate(8).unwrap();
    arena.wipe(); //~ E0502
    println!("{block:?}");
}

fn block_at_a_scratch(arena: &mut Borrowed<'_>) {
    let block = arena.allocate(8).unwrap();
    arena.scratch(); //~ E0502
    println!("{block:?}");
}

fn value(arena: &mut Borrowed<'_>) {
    let value = arena.alloc(1).unwrap();
    arena.reset(); //~ E0502
    *value = 2;
}

fn view(arena: &mut Borrowed<'_>) {
    let handle = arena.insert(1).unwrap();
    let value = arena.get(handle).unwrap();
    arena.reset(); //~ E0502
    println!("{value}");
}

fn bytes(arena: &mut Borrowed<'_>) {
    let handle = arena.allocate(8).unwrap().publish();
    let bytes = arena.view(handle).unwrap();
    arena.reset(); //~ E0502
    println!("{bytes:?}");
}

fn lease(arena: &mut Borrowed<'_>) {
    let lease = arena.lease(64);
    arena.reset(); //~ E0502
    println!("{lease:?}");
}

fn value_of_an_ended_lease(arena: &mut Borrowed<'_>) {
    let value = arena.lease(64).alloc(1).unwrap();
    arena.reset(); //~ E0502
    *value = 2;
}

fn inside_an_initialiser(arena: &mut Borrowed<'_>) {
    arena.alloc_with(|| arena.reset()); //~ E0500
}

fn in_a_shared_arena(arena: &Borrowed<'_>) {
    arena.reset(); //~ E0596
    arena.wipe(); //~ E0596
    arena.scratch(); //~ E0596
}

fn main() {
    let mut bytes_ = [MaybeUninit::uninit(); 1024];
    let mut arena = Arena::borrowed(&mut bytes_).unwrap();
    for run in [block, block_at_a_wipe, block_at_a_scratch, value, view, bytes, lease, value_of_an_ended_lease] {
        run(&mut arena);
    }
    inside_an_initialiser(&mut arena);
    in_a_shared_arena(&arena);
}
