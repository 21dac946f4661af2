//! Systems that commit memory for all writable bytes: reserving commits nothing, and used bytes are
//! committed in steps.
//!
//! For this program `vm.overcommit_memory` is 2. The functions below replace the C library's in the
//! whole program, because a program's own symbols come first. They count the writable bytes. The
//! tests do not run on s390x, where the kernel takes the arguments of `mmap` by a pointer.
#![cfg(all(target_os = "linux", target_pointer_width = "64", not(any(miri, target_arch = "s390x"))))]

use std::ffi::CStr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use libc::{c_char, c_int, c_uint, c_void, off64_t, size_t};
use marena_std::marena_core::Memory;
use marena_std::{AllocError, Arena, Error, Limit, OwnedMemory};

const MIB: usize = 1 << 20;
const PAGE: usize = 65_536;

/// The committed bytes of large mappings, and the most that there may be.
static COMMITTED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);
/// Calls that made bytes writable.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// The file whose setting says that a system commits no more memory than it has.
const STRICT: &CStr = c"/proc/sys/vm/overcommit_memory";

fn may_commit(len: usize) -> bool {
    CALLS.fetch_add(1, Relaxed);
    if COMMITTED.load(Relaxed) + len > MOST.load(Relaxed) {
        // SAFETY: a call without arguments.
        let error = unsafe { libc::__errno_location() };
        // SAFETY: the C library's error number of this thread is a valid place.
        unsafe { *error = libc::ENOMEM };
        return false;
    }
    COMMITTED.fetch_add(len, Relaxed);
    true
}

// SAFETY: replaces the C library's function of this name, and does the same or fails.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    at: *mut c_void,
    len: size_t,
    access: c_int,
    flags: c_int,
    fd: c_int,
    offset: off64_t,
) -> *mut c_void {
    // Only mappings as large as a step belong to arenas here. Smaller ones are stacks of threads,
    // for example.
    let counts = len > 8 * MIB && access & libc::PROT_WRITE != 0;
    if counts && !may_commit(len) {
        return libc::MAP_FAILED;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_mmap, at, len, access, flags, fd, offset) as *mut c_void }
}

// SAFETY: as for `mmap`.
#[unsafe(no_mangle)]
unsafe extern "C" fn mprotect(start: *mut c_void, len: size_t, access: c_int) -> c_int {
    if access & libc::PROT_WRITE != 0 && !may_commit(len) {
        return -1;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_mprotect, start, len, access) as c_int }
}

// SAFETY: as for `mmap`. The argument behind the flags is used only where the flags say that it
// exists. It is a number, which these targets pass in a register.
#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: paths end with a zero.
    if unsafe { CStr::from_ptr(path) } == STRICT {
        // SAFETY: the name ends with a zero.
        let file = unsafe { libc::memfd_create(c"overcommit".as_ptr(), 0) };
        // SAFETY: the two bytes are valid to read.
        unsafe { libc::pwrite64(file, c"2\n".as_ptr().cast(), 2, 0) };
        return file;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags, mode) as c_int }
}

/// Lets one test run at a time. Counts start at 0, and at most `most` bytes can be committed.
fn alone(most: usize) -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    COMMITTED.store(0, Relaxed);
    CALLS.store(0, Relaxed);
    MOST.store(most, Relaxed);
    alone
}

fn committed() -> usize {
    COMMITTED.load(Relaxed)
}

#[test]
fn two_gibibytes_take_one_step_and_more_as_they_are_used() {
    let _alone = alone(usize::MAX);
    for huge_pages in [false, true] {
        COMMITTED.store(0, Relaxed);
        let arena = Arena::builder().capacity(1 << 31).huge_pages(huge_pages).build().unwrap();
        assert_eq!((arena.remaining(), committed()), ((1 << 31) - 128, MIB));
        arena.allocate(MIB / 2).unwrap().fill(1);
        assert_eq!(committed(), MIB);
        let calls = CALLS.load(Relaxed);
        for _ in 0..1000 {
            arena.allocate(10_000).unwrap().fill(1);
        }
        // Not many more bytes than are used, and not a system call for each block.
        assert!((10 * MIB..13 * MIB).contains(&committed()), "{}", committed());
        assert!(CALLS.load(Relaxed) - calls <= 12, "{}", CALLS.load(Relaxed) - calls);
        // One large block at once.
        arena.allocate(100 * MIB).unwrap().fill(1);
        assert!((110 * MIB..113 * MIB).contains(&committed()), "{}", committed());
    }
}

#[test]
fn small_arenas_are_committed_whole() {
    let _alone = alone(usize::MAX);
    let arenas: Vec<Arena> = [1, PAGE, MIB].map(|capacity| Arena::with_capacity(capacity).unwrap()).into();
    for arena in &arenas {
        assert_eq!(arena.memory().ready(), arena.capacity());
        arena.allocate(arena.remaining()).unwrap().fill(1);
    }
    assert_eq!(CALLS.load(Relaxed), 0);
    assert_eq!(Arena::with_capacity(MIB + 1).unwrap().memory().ready(), MIB);
}

#[test]
fn an_arena_can_use_all_memory_of_the_system_and_is_full_afterwards() {
    // The limit is no multiple of a step, so the last step is smaller.
    let most = 5 * MIB + 3 * PAGE;
    let _alone = alone(most);
    let mut arena = Arena::with_capacity(64 * MIB).unwrap();
    let error = arena.allocate(6 * MIB).unwrap_err();
    let AllocError::Full { remaining, .. } = error else { panic!("{error}") };
    arena.allocate(remaining).unwrap().fill(1);
    while let Ok(mut block) = arena.allocate(1000) {
        block.fill(1);
    }
    assert_eq!((committed(), arena.memory().ready()), (most, most));
    assert!(arena.used() > most - 128 - 1008, "{}", arena.used());

    // The same arena uses memory that becomes free.
    MOST.store(usize::MAX, Relaxed);
    arena.allocate(40 * MIB).unwrap().fill(1);
    arena.reset();
    arena.trim().unwrap();
    assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn leases_and_scopes_use_all_that_the_system_has() {
    let most = 3 * MIB + 2 * PAGE;
    let _alone = alone(most);
    let mut arena = Arena::with_capacity(64 * MIB).unwrap();
    let scratch = arena.scratch();
    let mut taken = 0;
    while scratch.allocate(1000).is_ok_and(|mut block| {
        block.fill(1);
        true
    }) {
        taken += 1000;
    }
    assert!(taken > most - 128 - 1008, "{taken}");
    drop(scratch);
    let lease = arena.lease(5000);
    let mut taken = 0;
    while lease.allocate(1000).is_ok_and(|mut block| {
        block.fill(1);
        true
    }) {
        taken += 1000;
    }
    assert!(taken > most - 128 - 1008, "{taken}");
}

#[test]
fn threads_that_need_more_at_once_get_it() {
    let _alone = alone(usize::MAX);
    let arena = Arena::with_capacity(1 << 30).unwrap();
    thread::scope(|scope| {
        for id in 1..=4_u8 {
            let arena = &arena;
            scope.spawn(move || {
                let mut blocks = Vec::new();
                for _ in 0..500 {
                    let mut block = arena.allocate(10_000).unwrap();
                    assert!(block.iter().all(|&byte| byte == 0));
                    block.fill(id);
                    blocks.push(block);
                }
                assert!(blocks.iter().all(|block| block.iter().all(|&byte| byte == id)));
            });
        }
    });
    assert!((4 * 500 * 10_000..64 * MIB).contains(&arena.memory().ready()), "{}", arena.memory().ready());
}

#[test]
fn prefaulting_takes_everything_or_is_an_error() {
    let _alone = alone(20 * MIB);
    let arena = Arena::builder().capacity(10 * MIB).prefault(|_, _| ()).build().unwrap();
    assert_eq!((committed(), arena.memory().ready()), (10 * MIB, 10 * MIB));
    let result = Arena::builder().capacity(30 * MIB).prefault(|_, _| panic!("not touched")).build();
    let Err(Error::OutOfAddressSpace { requested, limit, .. }) = result else { panic!("{result:?}") };
    assert_eq!((requested, limit), (30 * MIB, None::<Limit>));
}

#[test]
fn without_memory_for_the_first_step_there_is_no_arena() {
    let _alone = alone(MIB - 1);
    let result = Arena::with_capacity(64 * MIB);
    assert!(matches!(result, Err(Error::OutOfAddressSpace { requested, .. }) if requested == 64 * MIB), "{result:?}");
    MOST.store(MIB, Relaxed);
    assert!(Arena::with_capacity(64 * MIB).is_ok());
}

#[test]
fn a_region_that_comes_back_from_its_raw_parts_knows_what_is_ready() {
    let _alone = alone(usize::MAX);
    let arena = Arena::with_capacity(64 * MIB).unwrap();
    arena.allocate(5 * MIB).unwrap().fill(1);
    let (region, ready) = arena.into_memory().into_raw_parts();
    assert!((5 * MIB..7 * MIB).contains(&ready) && region.len() == 64 * MIB, "{ready}");
    // SAFETY: the region came from `into_raw_parts` just now, and only an arena wrote it.
    let arena = Arena::new(unsafe { OwnedMemory::from_raw_parts(region, ready) }).unwrap();
    assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
}
