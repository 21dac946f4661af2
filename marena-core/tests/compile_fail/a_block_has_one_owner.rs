//! Exclusive bytes stay exclusive, and published bytes do not change.

use std::mem::MaybeUninit;

use marena_core::{Arena, BorrowedMemory};

type Borrowed<'m> = Arena<BorrowedMemory<'m>>;

fn written_after_publishing(arena: &Borrowed<'_>) {
    let mut block = arena.allocate(8).unwrap();
    let handle = block.publish();
    block[0] = 1; //~ E0382
    println!("{handle:?}");
}

fn published_twice(arena: &Borrowed<'_>) {
    let block = arena.allocate(8).unwrap();
    let handle = block.publish();
    let again = block.publish(); //~ E0382
    println!("{handle:?}");
}

fn published_under_a_borrow(arena: &Borrowed<'_>) {
    let mut block = arena.allocate(8).unwrap();
    let bytes = &mut block[..];
    let handle = block.publish(); //~ E0505
    bytes[0] = 1;
}

fn two_mutable_slices(arena: &Borrowed<'_>) {
    let block = arena.allocate(8).unwrap();
    let one = block.into_mut();
    let two = block.into_mut(); //~ E0382
    one[0] = 1;
}

fn two_mutable_borrows(arena: &Borrowed<'_>) {
    let mut block = arena.allocate(8).unwrap();
    let one = &mut block[..];
    let two = &mut block[..]; //~ E0499
    one[0] = 1;
}

fn cloned(arena: &Borrowed<'_>) {
    let block = arena.allocate(8).unwrap();
    let other: marena_core::Block<'_> = block.clone(); //~ E0599
    println!("{block:?}");
}

fn view_written(arena: &Borrowed<'_>) {
    let handle = arena.allocate(8).unwrap().publish();
    arena.view(handle).unwrap()[0] = 1; //~ E0594
}

fn value_written(arena: &Borrowed<'_>) {
    let handle = arena.insert(1).unwrap();
    *arena.get(handle).unwrap() = 2; //~ E0594
}

fn by_address_without_a_promise(arena: &Borrowed<'_>) {
    let address = arena.allocate_address(8).unwrap();
    arena.view_address(address); //~ E0133
    arena.view_address_mut(address); //~ E0133
    arena.reset_shared(); //~ E0133
}

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let arena = Arena::borrowed(&mut bytes).unwrap();
    for run in [
        written_after_publishing,
        published_twice,
        published_under_a_borrow,
        two_mutable_slices,
        two_mutable_borrows,
        cloned,
        view_written,
        value_written,
        by_address_without_a_promise,
    ] {
        run(&arena);
    }
}
