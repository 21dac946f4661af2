//! Growing arenas where the system has no memory. Each test runs in a process of its own with a
//! limited address space.
// Emulators of other processors do not limit the address space.
#![cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]

use std::thread;
use std::{env, fs, hint};

use marena_std::{AllocError, GrowingArena};

mod child;

const CHILD: &str = "MARENA_TEST_CHILD";

/// Runs the test `name` again in a process of its own, which runs `work`.
fn in_a_process_of_its_own(name: &str, work: impl FnOnce()) {
    if env::var_os(CHILD).is_some() {
        work();
        return;
    }
    if !child::starts_itself() {
        return;
    }
    let mut child = child::command(env::current_exe().unwrap(), name);
    let output = child.arg("--nocapture").env(CHILD, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
}

/// Limits this process to `bytes` more bytes of address space than it has now.
fn leave_address_space(bytes: usize) {
    let status = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split(' ').next().unwrap().parse().unwrap();
    // SAFETY: asking for a number has no precondition.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap();
    let most = libc::rlim_t::try_from(pages * page + bytes).unwrap();
    let limit = libc::rlimit { rlim_cur: most, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the structure is valid for the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

#[test]
fn no_memory_at_the_first_allocation_is_an_error_and_the_next_one_may_succeed() {
    in_a_process_of_its_own("no_memory_at_the_first_allocation_is_an_error_and_the_next_one_may_succeed", || {
        let arena = GrowingArena::builder().first_segment(1 << 30).build().unwrap();
        leave_address_space(64 << 20);
        for _ in 0..100 {
            assert_eq!(arena.alloc(1_u64).unwrap_err(), AllocError::Full { requested: 8, remaining: 0 });
            let lease = arena.lease(4096);
            assert!(matches!(lease.alloc(1_u64), Err(AllocError::Full { requested: 8, remaining: 0 })));
        }
        // A zero-sized request needs no memory.
        assert_eq!(arena.allocate(0).unwrap().len(), 0);
        assert_eq!(arena.segments().count(), 0);
        leave_address_space(4 << 30);
        assert_eq!(*arena.alloc(2_u64).unwrap(), 2);
    });
}

#[test]
fn where_the_system_has_no_more_memory_the_arena_is_full_and_nothing_is_lost() {
    in_a_process_of_its_own("where_the_system_has_no_more_memory_the_arena_is_full_and_nothing_is_lost", || {
        let mut arena = GrowingArena::new();
        let first = arena.insert(7).unwrap();
        leave_address_space(100 << 20);
        let mut blocks = Vec::with_capacity(1 << 20);
        let error = loop {
            match arena.alloc([blocks.len(); 100]) {
                Ok(block) => blocks.push(block),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AllocError::Full { requested: 800, remaining } if remaining < 800), "{error:?}");
        assert!(blocks.len() * 800 > 40 << 20, "{} blocks", blocks.len());
        assert!(blocks.iter().enumerate().all(|(index, block)| **block == [index; 100]));
        let used = arena.stats().used;
        assert!(arena.allocate(1 << 20).is_err());
        assert_eq!((arena.stats().used, arena.get(first)), (used, Some(&7)));
        // A request for the remaining bytes fits, also after a reset.
        assert!(arena.alloc(1_u64).is_ok());
        arena.reset();
        assert!((0..blocks_of(used)).all(|_| arena.allocate(800).is_ok()));
        leave_address_space(1 << 30);
        assert!(arena.allocate(200 << 20).is_ok());
    });
}

fn blocks_of(used: usize) -> usize {
    used / 800 - 1
}

#[test]
fn threads_that_run_out_of_memory_together_all_get_an_error() {
    in_a_process_of_its_own("threads_that_run_out_of_memory_together_all_get_an_error", || {
        let arena = GrowingArena::new();
        let fill = |thread| {
            let leases = arena.leases(4096);
            let mut count = 0;
            while let Ok(block) = leases.alloc([thread; 50]) {
                assert_eq!(*block, [thread; 50]);
                count += 1;
            }
            count
        };
        let barrier = std::sync::Barrier::new(9);
        let blocks: usize = thread::scope(|scope| {
            let (fill, barrier) = (&fill, &barrier);
            let start = move |thread| {
                // What the system's allocator reserves for the thread is there, and its stacks are.
                drop(hint::black_box(vec![0_u8; 100]));
                barrier.wait();
                // Here the limit is set.
                barrier.wait();
                fill(thread)
            };
            let threads: Vec<_> = (0..8_usize).map(|thread| scope.spawn(move || start(thread))).collect();
            barrier.wait();
            leave_address_space(32 << 20);
            barrier.wait();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(blocks * 400 > 4 << 20, "{blocks} blocks");
    });
}
