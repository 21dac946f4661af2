//! All code can reach a static, so no call that ends a generation is safe there.

use marena_core::{Arena, Pool, StaticMemory};

static MEMORY: StaticMemory<1024> = StaticMemory::new();

fn main() {
    let mut arena = Arena::from_static(&MEMORY);
    arena.reset(); //~ E0277
    arena.wipe(); //~ E0277
    Arena::new(&MEMORY); //~ E0277
    arena.into_memory(); //~ E0277
    Pool::new([&MEMORY]); //~ E0277
}
