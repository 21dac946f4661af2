//! System calls that fail while an arena in a file is made, opened, published and reset.
//!
//! The tests do not run on s390x, where the kernel takes the arguments of `mmap` by a pointer.
#![cfg(all(target_os = "linux", target_pointer_width = "64", not(any(miri, target_arch = "s390x"))))]
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise covers all that a test does with its own file")]

mod calls;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;

use libc::off64_t;
use marena_std::{Durability, MapError, MappedArena, PublishError};

use calls::{INTERRUPTS, KILLS, RESERVED, SEEN, UNSUPPORTED, failing_after};

const PAGE: usize = 4096;
const CAPACITY: usize = 16 * PAGE;

fn durable() -> marena_std::MappedBuilder {
    MappedArena::builder().capacity(CAPACITY).durability(Durability::FlushOnPublish)
}

/// A lock of the test that forks and of the test that needs exclusive access to a file: the child
/// holds the locks of all open files.
static FORK: Mutex<()> = Mutex::new(());

fn entries(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn a_creation_that_fails_at_any_call_leaves_no_file_or_a_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let mut failures = 0;
    loop {
        // SAFETY: the file is this test's, here and below.
        let (outcome, failed) = failing_after(failures, || unsafe { durable().create(&path) });
        match outcome {
            Ok(_) => break assert_eq!(failed, 0),
            Err(error) => assert!(matches!(error, MapError::Io { .. }), "{error}"),
        }
        failures += 1;
        // Only the directory is synced after the file has its name.
        if entries(directory.path()) > 0 {
            assert_eq!(entries(directory.path()), 1);
            // SAFETY: as above.
            drop(unsafe { MappedArena::open(&path) }.unwrap());
            fs::remove_file(&path).unwrap();
        }
    }
    assert!(failures >= 7, "size, space, map, flush, sync of the file and of the directory, link: {failures}");
}

#[test]
fn a_creator_that_is_killed_at_any_call_leaves_no_file_or_a_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let unnamed = File::options().write(true).custom_flags(libc::O_TMPFILE).open(&directory).is_ok();
    let _alone = FORK.lock();
    let mut killed = 0;
    for calls in 0.. {
        // SAFETY: the child calls the C library and the arena. These take no lock that another
        // thread may hold, except the allocator's, which is free in a child.
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
        // On file systems without unnamed files, a temporary file is left.
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
        let (result, failed) = failing_after(0, || MappedArena::open(&path).map(|_| ()));
        assert!(matches!(result, Err(MapError::Io { action: "map", .. })) && failed > 0);
        let (result, _) = failing_after(0, || MappedArena::open_read_only(&path).map(|_| ()));
        assert!(matches!(result, Err(MapError::Io { action: "map", .. })));
        let (result, _) = failing_after(0, || durable().open_or_create(&path).map(|_| ()));
        assert!(matches!(result, Err(MapError::Io { action: "map", .. })));
        for calls in 0..4 {
            let (result, failed) = failing_after(calls, || durable().replace(&path).map(|_| ()));
            assert!(result.is_err() && failed > 0, "{calls}");
        }
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(entries(directory.path()), 1);
    }
}

#[test]
fn a_flush_that_fails_publishes_nothing_and_later_flushes_are_errors_too() {
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
    // After the failure the system may count the pages as written.
    assert!(matches!(arena.publish_root(0, second), Err(PublishError::Undurable)));
    assert!(matches!(arena.publish_root_if(0, Some(first), second), Err(PublishError::Undurable)));
    assert!(matches!(arena.flush(), Err(PublishError::Undurable)));
    assert_eq!(arena.root(0), Some(first));

    // SAFETY: as above.
    let again = unsafe { durable().open(&path) }.unwrap();
    let mut bytes = [0; 6];
    again.read_into(second, &mut bytes).unwrap();
    assert_eq!(&bytes, b"second");
    // The data reaches the disk and the slot does not. Running processes see it as published
    // anyway.
    let (outcome, failed) = failing_after(1, || again.publish_root(0, second));
    assert!(matches!(outcome, Err(PublishError::Flush { .. })) && failed == 1);
    assert_eq!(again.root(0), Some(second));
}

#[test]
fn calls_that_signals_interrupt_are_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let unnamed = File::options().write(true).custom_flags(libc::O_TMPFILE).open(&directory).is_ok();
    INTERRUPTS.set(3);
    // SAFETY: the file is this test's, here and below.
    let outcome = unsafe { durable().create(&path) }.map(|arena| {
        let address = arena.allocate_copy(b"through signals").unwrap();
        arena.publish_root(0, address).unwrap();
        arena.flush().unwrap();
    });
    INTERRUPTS.set(0);
    outcome.unwrap();
    let seen = SEEN.take();
    let expected = if unnamed { &["fallocate", "msync", "linkat"][..] } else { &["fallocate", "msync"] };
    for call in expected {
        assert!(seen.iter().filter(|name| *name == call).count() >= 3, "{call} of {seen:?}");
    }
    // SAFETY: as above.
    assert!(unsafe { MappedArena::open(&path) }.unwrap().root(0).is_some());
}

/// A timer interrupts more often than the whole file can be reserved. Each call reserves less, and
/// together they reserve everything.
#[test]
fn a_large_file_is_reserved_however_often_a_signal_arrives() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    INTERRUPTS.set(40);
    // SAFETY: as above.
    let outcome = unsafe { MappedArena::builder().capacity(CAPACITY).create(&path) };
    INTERRUPTS.set(0);
    SEEN.take();
    outcome.unwrap();
    assert_eq!(RESERVED.get(), PAGE as off64_t, "a page is soon done");
    assert!(fs::metadata(&path).unwrap().blocks() * 512 >= CAPACITY as u64);
}

#[test]
fn without_reservations_a_new_file_is_filled_and_an_old_one_is_opened_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    UNSUPPORTED.set(true);
    // SAFETY: as above, here and below.
    let made = unsafe { MappedArena::builder().capacity(3 << 20).populate(true).create(&path) }.map(drop);
    let blocks = fs::metadata(&path).map(|found| found.blocks() * 512);
    let holes = directory.path().join("holes");
    // SAFETY: as above.
    let sparse = unsafe { MappedArena::builder().capacity(CAPACITY).reserve(false).create(&holes) }.map(drop);
    // SAFETY: as above.
    let opened = unsafe { MappedArena::builder().populate(true).open(&holes) }.map(drop);
    UNSUPPORTED.set(false);
    SEEN.take();
    [made, sparse, opened].into_iter().for_each(Result::unwrap);
    assert!(blocks.unwrap() >= 3 << 20);
    assert!(fs::metadata(&holes).unwrap().blocks() * 512 < CAPACITY as u64);
}

#[test]
fn only_an_arena_is_populated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let builder = MappedArena::builder().populate(true);
    let populated = || SEEN.take().iter().filter(|name| **name == "populate").count();
    // A file that is no arena, of an arena's size and larger than any arena.
    for len in [CAPACITY as u64, 3 << 30] {
        File::create(&path).unwrap().set_len(len).unwrap();
        // SAFETY: as above, here and below.
        let result = unsafe { (builder.open(&path).map(drop), builder.open_read_only(&path).map(drop)) };
        assert!(matches!(result, (Err(MapError::Attach { .. }), Err(MapError::Attach { .. }))), "{result:?}");
        assert_eq!(populated(), 0, "{len}");
        let blocks = fs::metadata(&path).unwrap().blocks();
        assert_eq!(blocks, 0, "no space is reserved for what is no arena");
    }
    fs::remove_file(&path).unwrap();
    // SAFETY: as above.
    unsafe {
        drop(builder.capacity(CAPACITY).create(&path).unwrap());
        assert_eq!(populated(), 1);
        drop((builder.open(&path).unwrap(), builder.open_read_only(&path).unwrap()));
        assert_eq!(populated(), 2);
        assert!(matches!(builder.capacity(2 * CAPACITY).open(&path), Err(MapError::OtherCapacity { .. })));
        assert_eq!(populated(), 0);
        drop(MappedArena::builder().open(&path).unwrap());
        assert_eq!(populated(), 0, "without `populate` no call populates");
        let (result, _) = failing_after(1, || builder.open_read_only(&path).map(drop));
        assert!(matches!(result, Err(MapError::Io { action: "populate", .. })), "{result:?}");
    }
}

#[test]
fn a_reset_that_cannot_be_flushed_hands_no_byte_out_again() {
    let directory = tempfile::tempdir().unwrap();
    // SAFETY: the file is this test's, here and below.
    let arena = unsafe { durable().create(directory.path().join("arena")) }.unwrap();
    let text = arena.allocate_copy(b"on the disk").unwrap();
    arena.publish_root(0, text).unwrap();
    // SAFETY: no other process has the file.
    let (outcome, failed) = failing_after(0, || unsafe { arena.reset_shared() });
    assert!(matches!(outcome, Err(PublishError::Flush { .. })) && failed == 1);
    assert_eq!((arena.root(0), arena.used()), (None, 16));
    assert!(arena.allocate_address(8).unwrap().offset() >= text.offset() + 16);
    // SAFETY: as above.
    assert!(matches!(unsafe { arena.reset_shared() }, Err(PublishError::Undurable)));
    assert!(matches!(arena.clear_root(0), Err(PublishError::Undurable)));
    assert!(matches!(arena.clear_root(4), Err(PublishError::Slot { slot: 4 })));
}
