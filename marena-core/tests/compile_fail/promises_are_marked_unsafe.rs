//! Every function and trait that needs a promise is `unsafe` to call or to implement.

use std::ptr::NonNull;

use marena_core::{Allocate, Arena, Block, ExclusiveMemory, Memory, RawMemory, StaticMemory};

struct Careless;

unsafe impl Memory for Careless {
    type Word = portable_atomic::AtomicU32;

    fn region(&self) -> NonNull<[u8]> {
        unreachable!()
    }
}

impl ExclusiveMemory for Careless {} //~ E0200

static MEMORY: StaticMemory<1024> = StaticMemory::new();

fn shared() {
    Arena::format(&MEMORY); //~ E0133
    Arena::attach(&MEMORY); //~ E0133
    Arena::from_static(&MEMORY).reset_shared(); //~ E0133
}

fn raw() {
    RawMemory::from_raw_parts(NonNull::dangling(), 0); //~ E0133
}

fn claimed(memory: impl Allocate<'static>) {
    memory.claim(8, 3, None); //~ E0133
    memory.epoch(); //~ E0133
}

fn given_back(memory: impl Allocate<'static>, block: Block<'static>) {
    memory.give_back(NonNull::from(&block[0]), 8); //~ E0133
    memory.extend(NonNull::from(&block[0]), 8, 16); //~ E0133
}

fn forged(memory: impl Allocate<'static>) {
    memory.address_of(NonNull::dangling(), usize::MAX); //~ E0599
    memory.zero(NonNull::dangling(), 8); //~ E0599
    memory.base(); //~ E0599
}

fn main() {}
