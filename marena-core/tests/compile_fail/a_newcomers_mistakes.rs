//! The mistakes of `guide::mistakes` that do not compile. Where this crate explains the error, its
//! words are checked.

use std::mem::MaybeUninit;
use std::thread;

use marena_core::{Arena, BorrowedMemory, StaticMemory};

type Borrowed<'m> = Arena<BorrowedMemory<'m>>;

static MEMORY: StaticMemory<1024> = StaticMemory::new();

fn resetting_while_something_is_borrowed(arena: &mut Borrowed<'_>) {
    let name = arena.alloc_str("name").unwrap();
    arena.reset(); //~ E0502
    println!("{name}");
}

fn resetting_a_static_arena() {
    let mut arena = Arena::from_static(&MEMORY);
    arena.reset(); //~ E0277 so no safe call may reset its arena
}

fn an_arena_over_what_is_no_memory() {
    Arena::new([0_u8; 1024]); //~ E0277 `[u8; 1024]` is no memory for an arena
}

fn keeping_a_value_longer_than_its_arena() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let mut text = "";
    {
        let arena = Arena::borrowed(&mut bytes).unwrap();
        text = arena.alloc_str("text").unwrap(); //~ E0597
    }
    println!("{text}");
}

fn keeping_an_arena_longer_than_its_buffer() {
    let mut arena: Option<Borrowed<'_>> = None;
    {
        let mut bytes = [MaybeUninit::<u8>::uninit(); 1024];
        arena = Arena::borrowed(&mut bytes).ok(); //~ E0597
    }
    println!("{arena:?}");
}

fn sharing_a_lease_between_threads(arena: &Borrowed<'_>) {
    let lease = arena.lease(256);
    thread::scope(|scope| {
        scope.spawn(|| drop(lease.alloc(1))); //~ E0277 cannot be shared between threads safely
    });
}

fn writing_after_publishing(arena: &Borrowed<'_>) {
    let mut block = arena.allocate(4).unwrap();
    let handle = block.publish();
    block[0] = 1; //~ E0382
    println!("{handle:?}");
}

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    resetting_while_something_is_borrowed(&mut arena);
    resetting_a_static_arena();
    an_arena_over_what_is_no_memory();
    keeping_a_value_longer_than_its_arena();
    keeping_an_arena_longer_than_its_buffer();
    sharing_a_lease_between_threads(&arena);
    writing_after_publishing(&arena);
}
