//! An arena borrows its buffer exclusively.

use std::mem::MaybeUninit;

use marena_core::{Arena, BorrowedMemory, StaticMemory};

fn dropped(mut buffer: Vec<MaybeUninit<u8>>) {
    let arena = Arena::borrowed(&mut buffer).unwrap();
    drop(buffer); //~ E0505
    println!("{}", arena.used());
}

fn returned<'a>() -> Option<Arena<BorrowedMemory<'a>>> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 1024];
    return Arena::borrowed(&mut buffer).ok(); //~ E0515
    None
}

fn written(mut buffer: Vec<MaybeUninit<u8>>) {
    let arena = Arena::borrowed(&mut buffer).unwrap();
    buffer[0] = MaybeUninit::new(1); //~ E0499
    println!("{}", arena.used());
}

fn shared_by_two(mut buffer: Vec<MaybeUninit<u8>>) {
    let arena = Arena::borrowed(&mut buffer).unwrap();
    let other = Arena::borrowed(&mut buffer).unwrap(); //~ E0499
    println!("{}", arena.used());
}

fn memory_in_two_arenas(mut buffer: Vec<MaybeUninit<u8>>) {
    let memory = BorrowedMemory::new(&mut buffer).unwrap();
    let arena = Arena::new(memory).unwrap();
    let other = Arena::new(memory).unwrap(); //~ E0382
    println!("{}", arena.used());
}

fn static_memory_of_a_function() {
    let mut memory = StaticMemory::<1024>::new();
    let bytes = memory.as_uninit_mut(); //~ E0597
}

fn static_arena_of_a_local() {
    let memory = StaticMemory::<1024>::new();
    let arena = Arena::from_static(&memory); //~ E0597
}

fn main() {
    let buffer = vec![MaybeUninit::uninit(); 1024];
    for run in [dropped, written, shared_by_two, memory_in_two_arenas] {
        run(buffer.clone());
    }
    returned();
    static_memory_of_a_function();
    static_arena_of_a_local();
}
