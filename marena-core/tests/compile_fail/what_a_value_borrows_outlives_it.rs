//! Values in the arena may borrow, and must not outlive what they borrow.

use std::cell::Cell;
use std::mem::MaybeUninit;

use marena_core::{Arena, BorrowedMemory, Handle};

type Borrowed<'m> = Arena<BorrowedMemory<'m>>;

fn by_reference(arena: &Borrowed<'_>) {
    let text = String::from("text");
    let value = arena.alloc(text.as_str()).unwrap();
    drop(text); //~ E0505
    println!("{value}");
}

fn by_handle(arena: &Borrowed<'_>) {
    let text = String::from("text");
    let handle = arena.insert(text.as_str()).unwrap();
    drop(text); //~ E0505
    println!("{:?}", arena.get(handle));
}

fn by_the_handle_of_a_cell(arena: &Borrowed<'_>) {
    let handle: Handle<Cell<&str>> = arena.insert(Cell::new("static")).unwrap();
    let text = String::from("text");
    arena.get(handle).unwrap().set(&text);
    drop(text); //~ E0505
    println!("{:?}", arena.get(handle));
}

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    for run in [by_reference, by_handle, by_the_handle_of_a_cell] {
        run(&arena);
    }
}
