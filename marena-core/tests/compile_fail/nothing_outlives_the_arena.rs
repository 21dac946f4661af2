//! Everything that an arena hands out borrows the arena.

use std::mem::MaybeUninit;

use marena_core::{Arena, BorrowedMemory};

type Borrowed<'m> = Arena<BorrowedMemory<'m>>;

fn block(arena: Borrowed<'_>) {
    let block = arena.allocate(8).unwrap();
    drop(arena); //~ E0505
    println!("{block:?}");
}

fn bytes_of_a_block(arena: Borrowed<'_>) {
    let bytes = arena.allocate(8).unwrap().into_mut();
    drop(arena); //~ E0505
    bytes[0] = 1;
}

fn value(arena: Borrowed<'_>) {
    let value = arena.alloc(1).unwrap();
    drop(arena); //~ E0505
    *value = 2;
}

fn several(arena: Borrowed<'_>) {
    let [one, two] = arena.allocate_multiple([1, 2]).unwrap();
    drop(arena); //~ E0505
    println!("{one:?} {two:?}");
}

fn uninitialised(arena: Borrowed<'_>) {
    let bytes = arena.allocate_uninit(8, 8).unwrap();
    drop(arena); //~ E0505
    bytes[0].write(1);
}

fn text(arena: Borrowed<'_>) {
    let text = arena.alloc_fmt(format_args!("{}", 1)).unwrap();
    drop(arena); //~ E0505
    text.make_ascii_uppercase();
}

fn view(arena: Borrowed<'_>) {
    let bytes = arena.view(arena.allocate(8).unwrap().publish()).unwrap();
    drop(arena); //~ E0505
    println!("{bytes:?}");
}

fn lease(arena: Borrowed<'_>) {
    let lease = arena.lease(64);
    drop(arena); //~ E0505
    drop(lease);
}

fn value_of_a_lease(arena: Borrowed<'_>) {
    let value = arena.lease(64).alloc(1).unwrap();
    drop(arena); //~ E0505
    *value = 2;
}

fn memory(arena: Borrowed<'_>) {
    let block = arena.allocate(8).unwrap();
    let memory = arena.into_memory(); //~ E0505
    println!("{block:?}");
}

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    for run in [block, bytes_of_a_block, value, several, uninitialised, text, view, lease, value_of_a_lease, memory] {
        run(Arena::borrowed(&mut bytes).unwrap());
    }
}
