//! Values of a closure's scope stay in the closure, and no scope can take the place of another.

use std::cell::RefCell;
use std::mem::{self, MaybeUninit};
use std::thread;

use allocator_api2::vec::Vec as ArenaVec;
use marena_core::{Arena, ArenaBox, Block, BorrowedMemory, Scope};

type Memory<'m> = BorrowedMemory<'m>;
type Borrowed<'m> = Arena<Memory<'m>>;

fn returned(arena: &mut Borrowed<'_>) {
    arena.scoped(|scope| scope.alloc(1).unwrap()); //~ lifetime
}

fn returned_in_a_struct(arena: &mut Borrowed<'_>) {
    arena.scoped(|scope| Some(vec![scope.allocate(8)])); //~ lifetime
}

fn assigned(arena: &mut Borrowed<'_>) {
    let mut kept: Option<&mut u32> = None;
    arena.scoped(|scope| {
        kept = Some(scope.alloc(1).unwrap()); //~ E0521
    });
    println!("{kept:?}");
}

fn pushed_through_a_cell(arena: &mut Borrowed<'_>) {
    let kept: RefCell<Vec<&str>> = RefCell::default();
    arena.scoped(|scope| {
        kept.borrow_mut().push(scope.alloc_str("text").unwrap()); //~ E0521
    });
    println!("{kept:?}");
}

fn read_by_a_handle(arena: &mut Borrowed<'_>) {
    let mut kept: Option<&[u8]> = None;
    arena.scoped(|scope| {
        let handle = scope.allocate(8).unwrap().publish();
        kept = scope.view(handle); //~ E0521
    });
    println!("{kept:?}");
}

fn boxed(arena: &mut Borrowed<'_>) {
    let mut kept: Option<ArenaBox<'_, u32>> = None;
    arena.scoped(|scope| {
        kept = scope.alloc_box(1).ok(); //~ E0521
    });
    println!("{}", kept.is_some());
}

fn from_an_inner_scope_to_its_outer(arena: &mut Borrowed<'_>) {
    arena.scoped(|outer| {
        let mut longest = outer.alloc_str("short").unwrap();
        outer.scoped(|inner| {
            longest = inner.alloc_str("longer").unwrap(); //~ E0521
        });
        println!("{longest}");
    });
}

fn from_an_inner_scope_into_a_value_of_its_outer(arena: &mut Borrowed<'_>) {
    arena.scoped(|outer| {
        let slot = outer.alloc(None::<&mut u32>).unwrap();
        outer.scoped(|inner| {
            *slot = inner.alloc(1).ok(); //~ E0521
        });
        println!("{slot:?}");
    });
}

fn outer_in_its_inner_scope(arena: &mut Borrowed<'_>) {
    arena.scoped(|outer| {
        outer.scoped(|inner| (outer.alloc(1).is_ok(), inner.alloc(1).is_ok())); //~ E0502
    });
}

fn arena_in_its_scope(arena: &mut Borrowed<'_>) {
    arena.scoped(|scope| (arena.alloc(1).is_ok(), scope.alloc(1).is_ok())); //~ E0502
}

fn lease_in_its_scope(arena: &mut Borrowed<'_>) {
    let mut lease = arena.lease(64);
    lease.scoped(|scope| (lease.alloc(1).is_ok(), scope.alloc(1).is_ok())); //~ E0502
}

fn collection_that_could_grow_over_an_inner_scope(arena: &mut Borrowed<'_>) {
    arena.scoped(|outer| {
        let mut numbers = ArenaVec::new_in(&*outer);
        outer.scoped(|inner| inner.alloc(1).is_ok()); //~ E0502
        numbers.push(1);
    });
}

fn slot_that_could_grow_over_an_inner_scope(arena: &mut Borrowed<'_>) {
    arena.scoped(|outer| {
        let mut numbers = outer.alloc_vec::<u32>(1).unwrap();
        outer.scoped(|inner| inner.alloc(1).is_ok()); //~ E0502
        numbers.push(1).unwrap();
    });
}

fn two_arenas_change_places<'m>(one: &mut Borrowed<'m>, other: &mut Borrowed<'m>) {
    one.scoped(|of_one| {
        other.scoped(|of_other| mem::swap(of_one, of_other)); //~ E0521
    });
}

fn a_function_for_two_scopes_of_one_lifetime<'m>(one: &mut Borrowed<'m>, other: &mut Borrowed<'m>) {
    fn swap<'x, 'm>(one: &mut Scope<'x, Memory<'m>>, other: &mut Scope<'x, Memory<'m>>) {
        mem::swap(one, other);
    }
    one.scoped(|of_one| {
        other.scoped(|of_other| swap(of_one, of_other)); //~ E0521
    });
}

fn moved_out(arena: &mut Borrowed<'_>) {
    arena.scoped(|scope| {
        mem::forget(*scope); //~ E0507
    });
}

fn copied(arena: &mut Borrowed<'_>) {
    arena.scoped(|scope| {
        let copy: Scope<'_, _> = scope.clone(); //~ E0599
    });
}

fn kept_itself(arena: &mut Borrowed<'_>) {
    let mut kept: Option<&mut Scope<'_, Memory<'_>>> = None;
    arena.scoped(|scope| {
        kept = Some(scope); //~ E0521
    });
    println!("{}", kept.is_some());
}

fn shared_by_threads(arena: &mut Borrowed<'_>) {
    arena.scoped(|scope| {
        let scope = &*scope;
        thread::scope(|threads| {
            threads.spawn(|| scope.alloc(1).is_ok()); //~ E0277
        });
    });
}

fn for_a_thread_that_may_live_longer(arena: &mut Borrowed<'_>) {
    arena.scoped(|scope| {
        let number = scope.alloc(1).unwrap();
        thread::spawn(move || println!("{number}")); //~ E0521
    });
}

fn in_a_panic(arena: &mut Borrowed<'_>) {
    arena.scoped(|scope| {
        let text = scope.alloc_str("text").unwrap();
        std::panic::panic_any(&*text); //~ E0521
    });
}

fn block_of_its_own_lifetime(arena: &mut Borrowed<'_>) {
    fn longest<'a>(one: Block<'a>, _: &Block<'a>) -> Block<'a> {
        one
    }
    arena.scoped(|outer| {
        let mut kept = outer.allocate(8).unwrap();
        outer.scoped(|inner| {
            let block = inner.allocate(8).unwrap();
            kept = longest(block, &kept); //~ E0521
        });
        println!("{kept:?}");
    });
}

fn main() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    let mut arena = Arena::borrowed(&mut bytes).unwrap();
    for run in [
        returned,
        returned_in_a_struct,
        assigned,
        pushed_through_a_cell,
        read_by_a_handle,
        boxed,
        from_an_inner_scope_to_its_outer,
        from_an_inner_scope_into_a_value_of_its_outer,
        outer_in_its_inner_scope,
        arena_in_its_scope,
        lease_in_its_scope,
        collection_that_could_grow_over_an_inner_scope,
        slot_that_could_grow_over_an_inner_scope,
        moved_out,
        copied,
        kept_itself,
        shared_by_threads,
        for_a_thread_that_may_live_longer,
        in_a_panic,
        block_of_its_own_lifetime,
    ] {
        run(&mut arena);
    }
    let mut more = [MaybeUninit::uninit(); 1024];
    let mut other = Arena::borrowed(&mut more).unwrap();
    two_arenas_change_places(&mut arena, &mut other);
    a_function_for_two_scopes_of_one_lifetime(&mut arena, &mut other);
}
