//! An arena lets no second thread reach a value that is not `Sync`.

use std::cell::{Cell, RefCell};
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::thread;

use marena_core::Arena;

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 4096];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    {
        let arena = &arena;
        let shared = RefCell::new(1);
        let cell = arena.insert(Cell::new(1_u8)).unwrap();
        let counted = arena.insert(Rc::new(1_u16)).unwrap();
        let reference = arena.insert(&shared).unwrap();
        let value = arena.alloc(Rc::new(1_u64)).unwrap();
        let lease = arena.lease(64);
        thread::scope(|scope| {
            scope.spawn(move || arena.get(cell).map(Cell::get)); //~ E0277
            scope.spawn(move || arena.get(counted).map(|value| **value)); //~ E0277
            scope.spawn(move || arena.get(reference).map(|value| *value.borrow())); //~ E0277
            scope.spawn(|| drop(value.clone())); //~ E0277
            scope.spawn(|| drop(lease.allocate(8))); //~ E0277
        });
    }
    let scratch = arena.scratch();
    thread::scope(|scope| {
        scope.spawn(|| drop(scratch.allocate(8))); //~ E0277
    });
}
