//! A system that refuses, and power that fails: the calls to it are recorded, and fail when a test says so.
//!
//! The functions below take the place of the C library's for the whole program, since a program's own symbols come first. So nothing in
//! the arena is made for these tests. Not on s390x, where the kernel takes the arguments of `mmap` by a pointer.
#![cfg(all(target_os = "linux", target_pointer_width = "64", not(any(miri, target_arch = "s390x"))))]
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise covers all that a test does with its own file")]

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;

use libc::{c_int, c_void, off64_t, size_t};
use marena_std::{Address, Durability, MapError, MappedArena, PublishError};

/// What reached the disk by one call.
struct Flush {
    /// Of the file.
    offset: usize,
    bytes: Vec<u8>,
    /// The whole file in memory when it was called.
    state: Vec<u8>,
}

thread_local! {
    /// Calls of this thread that still succeed; `None`: all do. Not dropped at the thread's end, when the runtime still makes calls.
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    static FAILED: Cell<u32> = const { Cell::new(0) };
    /// Whether a call that is to fail kills the process instead.
    static KILLS: Cell<bool> = const { Cell::new(false) };
    /// Where the arena is mapped that is recorded.
    static BASE: Cell<usize> = const { Cell::new(0) };
    static LOG: RefCell<Vec<Flush>> = const { RefCell::new(Vec::new()) };
}

/// Whether this call is to fail.
fn fails(error: c_int) -> bool {
    let Some(left) = LEFT.get() else { return false };
    if left > 0 {
        LEFT.set(Some(left - 1));
        return false;
    }
    if KILLS.get() {
        // SAFETY: no pointers.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
    FAILED.set(FAILED.get() + 1);
    // SAFETY: the C library's error number of this thread is a valid place.
    unsafe { *libc::__errno_location() = error };
    true
}

// SAFETY: takes the place of the C library's function of this name, and does the same or fails.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap64(
    at: *mut c_void,
    len: size_t,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    offset: off64_t,
) -> *mut c_void {
    if fails(libc::ENOMEM) {
        return libc::MAP_FAILED;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_mmap, at, len, prot, flags, fd, offset) as *mut c_void }
}

// SAFETY: as for `mmap64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(fd: c_int, len: off64_t) -> c_int {
    if fails(libc::ENOSPC) {
        return -1;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_ftruncate, fd, len) as c_int }
}

// SAFETY: as for `mmap64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    if fails(libc::EIO) {
        return -1;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_fsync, fd) as c_int }
}

// SAFETY: as for `mmap64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn msync(start: *mut c_void, len: size_t, flags: c_int) -> c_int {
    if fails(libc::EIO) {
        return -1;
    }
    if BASE.get() != 0 {
        let offset = start.addr() - BASE.get();
        // SAFETY: the arena is mapped, since the caller flushes it, and no other thread writes it.
        let state =
            unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(BASE.get()), CAPACITY) }.to_vec();
        // Whole pages reach the disk.
        let bytes = state[offset..offset + len.next_multiple_of(PAGE)].to_vec();
        LOG.with_borrow_mut(|log| log.push(Flush { offset, bytes, state }));
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_msync, start, len, flags) as c_int }
}

const PAGE: usize = 4096;
const CAPACITY: usize = 16 * PAGE;

/// `action` with the call that comes after `calls` others failing, and all after it; how many failed.
fn failing_after<T>(calls: u32, action: impl FnOnce() -> T) -> (T, u32) {
    FAILED.set(0);
    LEFT.set(Some(calls));
    let outcome = action();
    LEFT.set(None);
    (outcome, FAILED.get())
}

fn durable() -> marena_std::MappedBuilder {
    MappedArena::builder().capacity(CAPACITY).durability(Durability::FlushOnPublish)
}

/// Taken by the test that forks, whose child holds the locks of all files that are open then, and by the test that needs a file for itself.
static FORK: Mutex<()> = Mutex::new(());

fn entries(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn a_creation_that_fails_at_any_call_leaves_no_file_or_a_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let mut refusals = 0;
    loop {
        // SAFETY: the file is this test's, here and below.
        let (outcome, failed) = failing_after(refusals, || unsafe { durable().create(&path) });
        match outcome {
            Ok(_) => break assert_eq!(failed, 0),
            Err(error) => assert!(matches!(error, MapError::Io { .. }), "{error}"),
        }
        refusals += 1;
        // Only the directory is synced after the file has its name.
        if entries(directory.path()) > 0 {
            assert_eq!(entries(directory.path()), 1);
            // SAFETY: as above.
            drop(unsafe { MappedArena::open(&path) }.unwrap());
            fs::remove_file(&path).unwrap();
        }
    }
    assert!(refusals >= 5, "size, map, flush, sync of the file and of the directory: {refusals}");
}

#[test]
fn a_creator_that_is_killed_at_any_call_leaves_no_file_or_a_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let unnamed = File::options().write(true).custom_flags(libc::O_TMPFILE).open(&directory).is_ok();
    let _alone = FORK.lock();
    let mut killed = 0;
    for calls in 0.. {
        // SAFETY: the child calls the C library and the arena, which keep no lock of another thread's but the allocator's, and that one is free in a child.
        let child = unsafe { libc::fork() };
        if child == 0 {
            KILLS.set(true);
            // SAFETY: the file is this test's, here and below.
            let (outcome, _) = failing_after(calls, || unsafe { durable().create(&path) });
            // SAFETY: ends the child without the parent's destructors.
            unsafe { libc::_exit(i32::from(outcome.is_err())) }
        }
        let mut status = -1;
        // SAFETY: `status` is a valid place.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        let found = fs::exists(&path).unwrap();
        // Where files without names cannot be, a temporary one is left.
        assert!(!unnamed || entries(directory.path()) == usize::from(found));
        if found {
            // SAFETY: as above.
            drop(unsafe { MappedArena::open(&path) }.unwrap());
            fs::remove_file(&path).unwrap();
        }
        if libc::WIFEXITED(status) {
            assert_eq!((libc::WEXITSTATUS(status), found), (0, true));
            break;
        }
        killed += 1;
    }
    assert!(killed >= 3, "mapping, sizing and syncing");
}

#[test]
fn an_opening_that_fails_changes_nothing() {
    let _alone = FORK.lock();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    // SAFETY: the file is this test's, here and below.
    unsafe {
        let arena = durable().create(&path).unwrap();
        arena.publish_root(0, arena.allocate_copy(b"kept").unwrap()).unwrap();
        drop(arena);
        let before = fs::read(&path).unwrap();
        let (refused, failed) = failing_after(0, || MappedArena::open(&path).map(|_| ()));
        assert!(matches!(refused, Err(MapError::Io { action: "map", .. })) && failed > 0);
        let (refused, _) = failing_after(0, || MappedArena::open_read_only(&path).map(|_| ()));
        assert!(matches!(refused, Err(MapError::Io { action: "map", .. })));
        let (refused, _) = failing_after(0, || durable().open_or_create(&path).map(|_| ()));
        assert!(matches!(refused, Err(MapError::Io { action: "map", .. })));
        for calls in 0..4 {
            let (refused, failed) = failing_after(calls, || durable().replace(&path).map(|_| ()));
            assert!(refused.is_err() && failed > 0, "{calls}");
        }
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(entries(directory.path()), 1);
    }
}

#[test]
fn a_flush_that_fails_publishes_nothing_and_later_ones_do_not_pretend() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    // SAFETY: the file is this test's, here and below.
    let arena = unsafe { durable().create(&path) }.unwrap();
    let first = arena.allocate_copy(b"first").unwrap();
    arena.publish_root(0, first).unwrap();
    let second = arena.allocate_copy(b"second").unwrap();

    let (outcome, failed) = failing_after(0, || arena.publish_root(0, second));
    assert!(matches!(outcome, Err(PublishError::Flush { .. })) && failed == 1);
    assert_eq!(arena.root(0), Some(first));
    // The system may by now take the pages for written.
    assert!(matches!(arena.publish_root(0, second), Err(PublishError::Undurable)));
    assert!(matches!(arena.publish_root_if(0, Some(first), second), Err(PublishError::Undurable)));
    assert!(matches!(arena.flush(), Err(PublishError::Undurable)));
    assert_eq!(arena.root(0), Some(first));

    // SAFETY: as above.
    let again = unsafe { durable().open(&path) }.unwrap();
    let mut bytes = [0; 6];
    again.read_into(second, &mut bytes).unwrap();
    assert_eq!(&bytes, b"second");
    // The data reaches the disk, the slot does not: it is published to the living all the same.
    let (outcome, failed) = failing_after(1, || again.publish_root(0, second));
    assert!(matches!(outcome, Err(PublishError::Flush { .. })) && failed == 1);
    assert_eq!(again.root(0), Some(second));
}

/// The record that publication `number` names, spread over more than a page.
fn record(number: u64) -> Vec<u8> {
    (0..3000 + number * 700 % 3000).map(|index| (number * 31 + index * 7) as u8).collect()
}

/// Each page as it was at every step, and when it was last written to the disk for sure.
struct History {
    /// The file's bytes after each step of the program.
    states: Vec<Vec<u8>>,
    /// Flushes, each with the number of states there were when it ended.
    flushes: Vec<(usize, Flush)>,
}

/// Of each page, what the disk may hold if the power fails in state `now` when so many flushes have ended: what was last flushed, or any state
/// since.
fn versions(history: &History, flushed: usize, now: usize) -> Vec<Vec<&[u8]>> {
    let of_page = |page: usize| {
        let range = page..page + PAGE;
        let last = history.flushes[..flushed]
            .iter()
            .rev()
            .find(|(_, flush)| flush.offset <= range.start && range.end <= flush.offset + flush.bytes.len());
        let (since, durable) = match last {
            Some((state, flush)) => (*state, &flush.bytes[page - flush.offset..][..PAGE]),
            None => (0, &history.states[0][range.clone()]),
        };
        let mut versions = vec![durable];
        versions.extend(history.states[since..=now].iter().map(|state| &state[range.clone()]));
        versions.dedup();
        versions
    };
    (0..CAPACITY).step_by(PAGE).map(of_page).collect()
}

#[test]
fn whenever_the_power_fails_the_root_names_complete_data() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    // SAFETY: the file is this test's, here and below.
    let arena = unsafe { durable().create(&path) }.unwrap();
    // SAFETY: only the place is asked for.
    let base = marena_std::marena_core::Memory::region(unsafe { arena.plain() }.memory());
    BASE.set(base.cast::<u8>().as_ptr().expose_provenance());

    // Reading the file gives the pages that are mapped.
    let look = || fs::read(&path).unwrap();
    let mut history = History { states: vec![look()], flushes: Vec::new() };
    let mut published: Vec<(Address, Vec<u8>, usize)> = Vec::new();
    for number in 0..6 {
        let bytes = record(number);
        let address = arena.allocate_address(bytes.len()).unwrap();
        history.states.push(look());
        for (at, part) in bytes.chunks(1000).enumerate() {
            let part_address = Address::new(address.offset() + 1000 * at as u32, part.len() as u32).unwrap();
            arena.write_from(part_address, part).unwrap();
            history.states.push(look());
        }
        arena.publish_root(0, address).unwrap();
        for flush in LOG.take() {
            history.states.push(flush.state.clone());
            history.flushes.push((history.states.len() - 1, flush));
        }
        history.states.push(look());
        published.push((address, bytes, history.flushes.len()));
    }
    BASE.set(0);

    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |count: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % count
    };
    let crashed = directory.path().join("crashed");
    let disk = File::create(&crashed).unwrap();
    let (mut images, mut rooted) = (0, 0);
    // Every prefix of the log: states reached, and flushes that had ended by then.
    for now in 0..history.states.len() {
        let ended = history.flushes.iter().filter(|(state, _)| *state < now).count();
        // Those that end in this state may have ended or not.
        let ending = history.flushes.iter().filter(|(state, _)| *state == now).count();
        for flushed in ended..=ended + ending {
            let pages = versions(&history, flushed, now);
            // Only what was flushed; all that was written; each page alone lost, or alone written; and any mixture.
            for variant in 0..2 + 2 * pages.len() + 20 {
                let choose = |(page, versions): (usize, &Vec<&[u8]>)| {
                    let newest = versions.len() - 1;
                    let chosen = match variant.checked_sub(2) {
                        None => newest * variant,
                        Some(lost) if lost < pages.len() => {
                            if page == lost {
                                0
                            } else {
                                newest
                            }
                        }
                        Some(rest) if rest < 2 * pages.len() => {
                            if page == rest - pages.len() {
                                newest
                            } else {
                                0
                            }
                        }
                        Some(_) => next(versions.len()),
                    };
                    versions[chosen].to_vec()
                };
                let image: Vec<u8> = pages.iter().enumerate().flat_map(choose).collect();
                disk.write_all_at(&image, 0).unwrap();
                // SAFETY: as above.
                let after = unsafe { MappedArena::open(&crashed) }
                    .unwrap_or_else(|error| panic!("state {now}, {flushed} flushes, variant {variant}: {error}"));
                images += 1;
                let at_least = published.iter().filter(|(.., flushes)| *flushes <= flushed).count();
                let Some(root) = after.root(0) else {
                    assert_eq!(at_least, 0, "a durable root is lost at state {now}");
                    continue;
                };
                rooted += 1;
                let number =
                    published.iter().position(|(address, ..)| *address == root).expect("a root that was published");
                assert!(number + 1 >= at_least, "state {now}: root {number}, but {at_least} were durable");
                let mut bytes = vec![0; root.size() as usize];
                after.read_into(root, &mut bytes).unwrap();
                assert!(
                    bytes == published[number].1,
                    "state {now}, {flushed} flushes, variant {variant}: torn record {number}"
                );
            }
        }
    }
    assert!(images > 2000 && rooted > images / 2, "{images} images, {rooted} with a root");
    println!("{images} images of the disk, {rooted} with a root");
}
