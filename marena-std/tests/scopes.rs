//! Scopes of an arena in memory that it alone can reach.

use marena_std::Arena;

#[test]
fn a_forgotten_scope_keeps_nothing_and_what_it_wrote_is_not_seen_again() {
    let mut arena = Arena::with_capacity(65_536).unwrap();
    let kept = arena.insert([7_u64; 10]).unwrap();
    let (used, left) = (arena.used(), arena.remaining());
    for size in [1, 100, 5_000, left] {
        let mut scratch = arena.scratch();
        scratch.allocate(size / 2).unwrap().fill(0xEE);
        let inner = scratch.scratch();
        inner.allocate(size / 2).unwrap().fill(0xEE);
        std::mem::forget(inner);
        std::mem::forget(scratch);
        assert_eq!((arena.used(), arena.remaining()), (used, left));
        assert_eq!(arena.scoped(|scope| scope.remaining()), left);
        let lease = arena.lease(1024);
        assert!(lease.allocate(size).unwrap().iter().all(|&byte| byte == 0), "{size} bytes in a lease");
        drop(lease);
        assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0), "after {size} bytes");
        arena.reset();
        assert_eq!(arena.get(kept), None);
        arena.allocate(used).unwrap();
    }
}

#[test]
fn a_panic_in_a_scope_and_a_scope_within_it_leave_the_arena_as_it_was() {
    let mut arena = Arena::with_capacity(65_536).unwrap();
    let kept = arena.insert(7).unwrap();
    let used = arena.used();
    for _ in 0..3 {
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            arena.scoped(|outer| {
                let value = outer.alloc([0xEE_u8; 500]).unwrap();
                outer.scoped(|inner| {
                    inner.alloc([0xEE_u8; 6000]).unwrap();
                    std::panic::resume_unwind(Box::new(value[499]));
                })
            })
        }));
        assert_eq!(*panicked.unwrap_err().downcast::<u8>().unwrap(), 0xEE);
        assert_eq!((arena.used(), arena.get(kept)), (used, Some(&7)));
        assert!(arena.scoped(|scope| scope.allocate(6500).unwrap().iter().all(|&byte| byte == 0)));
    }
}
