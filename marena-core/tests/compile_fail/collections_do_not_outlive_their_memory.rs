//! A collection borrows its allocator, so no reset and no end of a scope happens while the
//! collection exists.

use std::mem::MaybeUninit;

use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use marena_core::{Arena, BorrowedMemory};

type Borrowed<'m> = Arena<BorrowedMemory<'m>>;

fn at_a_reset(arena: &mut Borrowed<'_>) {
    let numbers: Vec<u8, _> = Vec::new_in(&*arena);
    arena.reset(); //~ E0502
    drop(numbers);
}

fn its_allocators_copy_at_a_reset(arena: &mut Borrowed<'_>) {
    let numbers: Vec<u8, _> = Vec::new_in(&*arena);
    let copy = *numbers.allocator();
    drop(numbers);
    arena.reset(); //~ E0502
    let again: Vec<u8, _> = Vec::new_in(copy);
}

fn leaked_at_a_reset(arena: &mut Borrowed<'_>) {
    let leaked = Box::leak(Box::new_in(1, &*arena));
    arena.reset(); //~ E0502
    *leaked = 2;
}

fn of_a_lease_that_ended(arena: &mut Borrowed<'_>) {
    let lease = arena.lease(64);
    let numbers: Vec<u8, _> = Vec::new_in(&lease);
    drop(lease); //~ E0505
    drop(numbers);
}

fn of_a_scratch_that_ended(arena: &mut Borrowed<'_>) {
    let scratch = arena.scratch();
    let numbers: Vec<u8, _> = Vec::new_in(&scratch);
    drop(scratch); //~ E0505
    drop(numbers);
}

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    for run in
        [at_a_reset, its_allocators_copy_at_a_reset, leaked_at_a_reset, of_a_lease_that_ended, of_a_scratch_that_ended]
    {
        run(&mut arena);
    }
}
