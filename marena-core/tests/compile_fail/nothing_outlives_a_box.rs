//! A box outlives neither its arena nor what its value borrows, and it is the only owner of the
//! value.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::thread;

use marena_core::{Arena, ArenaBox, BorrowedMemory, StaticMemory};

type Borrowed<'m> = Arena<BorrowedMemory<'m>>;

fn reset(mut arena: Borrowed<'_>) {
    let boxed = arena.alloc_box(1).unwrap();
    arena.reset(); //~ E0502
    drop(boxed);
}

fn unused_after_a_reset(mut arena: Borrowed<'_>) {
    // The destructor of the box runs at the end of the function.
    let boxed = arena.alloc_box(String::new()).unwrap();
    arena.reset(); //~ E0502
    let _ = &boxed;
}

fn two_owners(arena: Borrowed<'_>) {
    let boxed = arena.alloc_box(1).unwrap();
    drop(boxed);
    drop(boxed); //~ E0382
}

fn value_that_borrows(arena: Borrowed<'_>) {
    let outer = Cell::new(0);
    let mut boxed = arena.alloc_box(&outer).unwrap();
    boxed.set(1);
    {
        let local = Cell::new(1);
        boxed = arena.alloc_box(&local).unwrap(); //~ E0597
        boxed.set(2);
    }
    boxed.set(3);
}

fn value_left_in_a_slice(arena: Borrowed<'_>) {
    let mut texts = ["static"];
    {
        let local = String::from("local");
        let mut boxed: ArenaBox<'_, [&str]> = arena.alloc_box_slice([""]).unwrap();
        // A box of a longer lifetime can be used as one of a shorter one.
        boxed = ArenaBox::from(&mut texts[..]); //~ E0277
        boxed[0] = &local;
    }
    assert_eq!(texts, ["static"]);
}

fn vector(mut arena: Borrowed<'_>) {
    let mut vec = arena.alloc_vec(1).unwrap();
    vec.push(1).unwrap();
    let slice = vec.finish();
    arena.reset(); //~ E0502
    slice[0] = 2;
}

fn finished(arena: Borrowed<'_>) {
    let mut vec = arena.alloc_vec(1).unwrap();
    vec.push(1).unwrap();
    let first = &vec[0];
    vec.push(2).unwrap(); //~ E0502
    assert_eq!(*first, 1);
}

fn thread(arena: Borrowed<'_>) {
    let boxed = arena.alloc_box(Rc::new(1)).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || drop(boxed)); //~ E0277
    });
}

fn pinned(_: Borrowed<'_>) {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    let arena = Arena::from_static(&MEMORY);
    // If the box were forgotten, its memory could be used again without a drop.
    drop(ArenaBox::into_pin(arena.alloc_box(PhantomPinned).unwrap())); //~ E0597
    let _ = &arena;
}

fn another_value(arena: Borrowed<'_>) {
    let mut captured = [1_u32];
    let boxed = arena.alloc_box([2_u32]).unwrap();
    // A coercion must return the value itself.
    drop(boxed.unsize::<[u32]>(|_| &mut captured)); //~ E0308
    captured[0] = 3;
}

fn a_part_of_the_value(arena: Borrowed<'_>) {
    let boxed = arena.alloc_box((1_u32, String::new())).unwrap();
    drop(boxed.unsize::<String>(|value| &mut value.1)); //~ E0609
}

fn a_coercion_that_captures(arena: Borrowed<'_>) {
    let boxed = arena.alloc_box([1_u32]).unwrap();
    let captured = arena.used();
    // Within another coercion it could capture what that one got, and return it in place of its
    // own: two boxes of one value.
    drop(boxed.unsize::<[u32]>(|value| if captured == 0 { panic!() } else { value })); //~ E0308
}

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    for run in [
        reset,
        unused_after_a_reset,
        two_owners,
        value_that_borrows,
        value_left_in_a_slice,
        vector,
        finished,
        thread,
        pinned,
        another_value,
        a_part_of_the_value,
        a_coercion_that_captures,
    ] {
        run(Arena::borrowed(&mut bytes).unwrap());
    }
}
