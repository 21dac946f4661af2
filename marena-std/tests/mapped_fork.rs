//! A child inherits the mapping. The test has a program of its own, because the child would hold
//! the locks of other tests' files for a while.
#![cfg(all(unix, target_has_atomic = "64", not(miri)))]

use std::sync::atomic::Ordering::Relaxed;

use marena_std::MappedArena;

#[test]
fn parent_and_child_go_on_in_an_inherited_mapping() {
    let directory = tempfile::tempdir().unwrap();
    // SAFETY: the file is this test's.
    let arena = unsafe { MappedArena::create(directory.path().join("arena"), 1 << 16) }.unwrap();
    let counter = arena.allocate_address(8).unwrap();
    let append = |who: u64| {
        for _ in 0..500 {
            let address = arena.allocate_address(16).unwrap();
            arena.write_from(address, &[who as u8; 16]).unwrap();
            arena.atomic_u64_at(counter).unwrap().fetch_add(who, Relaxed);
            let mut bytes = [0; 16];
            arena.read_into(address, &mut bytes).unwrap();
            assert_eq!(bytes, [who as u8; 16]);
        }
    };
    // SAFETY: the child calls no function whose lock another thread of this process could hold. It
    // does not allocate, and prints only if it fails.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| append(1 << 32)));
        // SAFETY: ends the child without running the parent's destructors and test harness.
        unsafe { libc::_exit(i32::from(outcome.is_err())) }
    }
    append(1);
    let mut status = -1;
    // SAFETY: `status` is a valid place for the result.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
    assert_eq!(arena.atomic_u64_at(counter).unwrap().load(Relaxed), 500 << 32 | 500);
    assert_eq!(arena.used(), 8 + 1000 * 16);
}
