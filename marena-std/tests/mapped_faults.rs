//! System calls that fail, and power that fails. The calls are recorded, and fail when a test says
//! so.
//!
//! The functions below replace the C library's in the whole program, because a program's own
//! symbols come first. So the arena has no code for these tests. The tests do not run on s390x,
//! where the kernel takes the arguments of `mmap` by a pointer.
#![cfg(all(target_os = "linux", target_pointer_width = "64", not(any(miri, target_arch = "s390x"))))]
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise covers all that a test does with its own file")]

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use libc::{c_char, c_int, c_void, off64_t, size_t};
use marena_std::{Address, Durability, MapError, MappedArena, PublishError};

/// The bytes that one call wrote to the disk.
struct Flush {
    /// The offset in the file.
    offset: usize,
    bytes: Vec<u8>,
    /// The whole file in memory at the time of the call.
    state: Vec<u8>,
}

thread_local! {
    /// How many calls of this thread still succeed; `None` if all do. The value has no destructor,
    /// because the runtime still makes calls at the thread's end.
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    static FAILED: Cell<u32> = const { Cell::new(0) };
    /// How many calls in a row a signal interrupts before one succeeds.
    static INTERRUPTS: Cell<u32> = const { Cell::new(0) };
    static INTERRUPTED: Cell<u32> = const { Cell::new(0) };
    /// The fewest bytes that were reserved at once.
    static RESERVED: Cell<off64_t> = const { Cell::new(off64_t::MAX) };
    /// The names of interrupted calls and of advice.
    static SEEN: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    /// Whether a call that is to fail kills the process instead.
    static KILLS: Cell<bool> = const { Cell::new(false) };
    /// Whether the system knows neither reservations nor populating.
    static UNSUPPORTED: Cell<bool> = const { Cell::new(false) };
    /// The address of the recorded arena's mapping.
    static BASE: Cell<usize> = const { Cell::new(0) };
    static LOG: RefCell<Vec<Flush>> = const { RefCell::new(Vec::new()) };
}

/// Returns whether this call must fail.
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

/// Returns whether a signal interrupts this call. The caller then repeats it.
fn is_interrupted(call: &'static str) -> bool {
    let left = INTERRUPTED.get();
    if INTERRUPTS.get() == 0 {
        return false;
    }
    INTERRUPTED.set(if left == 0 { INTERRUPTS.get() } else { left - 1 });
    if INTERRUPTED.get() == 0 {
        return false;
    }
    let _ = SEEN.try_with(|seen| seen.borrow_mut().push(call));
    // SAFETY: as in `fails`.
    unsafe { *libc::__errno_location() = libc::EINTR };
    true
}

// SAFETY: replaces the C library's function of this name, and does the same or fails.
#[unsafe(no_mangle)]
unsafe extern "C" fn fallocate64(fd: c_int, mode: c_int, offset: off64_t, len: off64_t) -> c_int {
    if fails(libc::ENOSPC) || is_interrupted("fallocate") {
        return -1;
    }
    RESERVED.set(RESERVED.get().min(len));
    if UNSUPPORTED.get() {
        // SAFETY: as in `fails`.
        unsafe { *libc::__errno_location() = libc::EOPNOTSUPP };
        return -1;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_fallocate, fd, mode, offset, len) as c_int }
}

// SAFETY: as for `fallocate64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn linkat(
    from_at: c_int,
    from: *const c_char,
    to_at: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    if fails(libc::EIO) || is_interrupted("linkat") {
        return -1;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_linkat, from_at, from, to_at, to, flags) as c_int }
}

// SAFETY: as for `fallocate64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn madvise(start: *mut c_void, len: size_t, advice: c_int) -> c_int {
    if advice == libc::MADV_POPULATE_READ {
        if fails(libc::EIO) {
            return -1;
        }
        let _ = SEEN.try_with(|seen| seen.borrow_mut().push("populate"));
        if UNSUPPORTED.get() {
            // SAFETY: as in `fails`.
            unsafe { *libc::__errno_location() = libc::EINVAL };
            return -1;
        }
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_madvise, start, len, advice) as c_int }
}

// SAFETY: as for `fallocate64`.
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

// SAFETY: as for `fallocate64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(fd: c_int, len: off64_t) -> c_int {
    if fails(libc::ENOSPC) {
        return -1;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_ftruncate, fd, len) as c_int }
}

// SAFETY: as for `fallocate64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    if fails(libc::EIO) {
        return -1;
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_fsync, fd) as c_int }
}

// SAFETY: as for `fallocate64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn msync(start: *mut c_void, len: size_t, flags: c_int) -> c_int {
    if fails(libc::EIO) || is_interrupted("msync") {
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

/// Runs `action` while all system calls after the first `calls` fail. Returns its result and the
/// number of failed calls.
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

/// Returns the record that publication `number` names. It is longer than a page.
fn record(number: u64) -> Vec<u8> {
    (0..3000 + number * 700 % 3000).map(|index| (number * 31 + index * 7) as u8).collect()
}

/// The content of each page at every step, and the flushes to the disk.
struct History {
    /// The file's bytes after each step of the program.
    states: Vec<Vec<u8>>,
    /// The flushes, each with the number of the state in which it ended.
    flushes: Vec<(usize, Flush)>,
}

/// Returns the versions of each page that the disk may hold if the power fails in state `now` after
/// `flushed` flushes: the last flushed version, or any later one.
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

/// A step that changes what root slot 0 names.
struct Step {
    /// The address and record that the slot names afterwards, or `None` if it is cleared.
    names: Option<(Address, Vec<u8>)>,
    /// The number of states when the step began, and of flushes when it was done.
    begun: usize,
    flushed: usize,
}

/// A durable arena whose steps are recorded.
struct Recorded {
    path: PathBuf,
    arena: MappedArena,
    history: History,
    steps: Vec<Step>,
}

impl Recorded {
    fn new(path: PathBuf) -> Self {
        // SAFETY: the file is this test's, here and below.
        let arena = unsafe { durable().create(&path) }.unwrap();
        // SAFETY: the arena is used only for its address.
        let base = marena_std::marena_core::Memory::region(unsafe { arena.plain() }.memory());
        BASE.set(base.cast::<u8>().as_ptr().expose_provenance());
        let history = History { states: vec![fs::read(&path).unwrap()], flushes: Vec::new() };
        Self { path, arena, history, steps: Vec::new() }
    }

    /// Records the content of the pages. Reading the file gives the mapped pages.
    fn look(&mut self) {
        for flush in LOG.take() {
            self.history.states.push(flush.state.clone());
            self.history.flushes.push((self.history.states.len() - 1, flush));
        }
        self.history.states.push(fs::read(&self.path).unwrap());
    }

    /// Allocates and writes a record, in parts.
    fn write(&mut self, number: u64) -> (Address, Vec<u8>) {
        let bytes = record(number);
        let address = self.arena.allocate_address(bytes.len()).unwrap();
        self.look();
        for (at, part) in bytes.chunks(2000).enumerate() {
            let part_address = Address::new(address.offset() + 2000 * at as u32, part.len() as u32).unwrap();
            self.arena.write_from(part_address, part).unwrap();
            self.look();
        }
        (address, bytes)
    }

    fn step(&mut self, names: Option<(Address, Vec<u8>)>, change: impl FnOnce(&MappedArena)) {
        let begun = self.history.states.len();
        change(&self.arena);
        self.look();
        self.steps.push(Step { names, begun, flushed: self.history.flushes.len() });
    }

    fn publish(&mut self, number: u64) {
        let (address, bytes) = self.write(number);
        self.step(Some((address, bytes)), |arena| arena.publish_root(0, address).unwrap());
    }

    /// Checks every disk that a power failure may leave. The file can be opened, and its root names
    /// a complete published record, which is not older than the last durable one.
    fn check(self) {
        BASE.set(0);
        let Self { path, history, steps, .. } = self;
        let crashed = path.with_extension("crashed");
        let disk = File::create(&crashed).unwrap();
        let (mut images, mut rooted) = (0, 0);
        for_each_image(&history, |now, flushed, image| {
            disk.write_all_at(image, 0).unwrap();
            // SAFETY: the file is this test's.
            let after = unsafe { MappedArena::open(&crashed) }.unwrap_or_else(|error| {
                panic!("state {now}, {flushed} flushes: {:?}", std::error::Error::source(&error))
            });
            images += 1;
            let durable = steps.iter().filter(|step| step.flushed <= flushed).count();
            let Some(root) = after.root(0) else {
                let cleared = steps[durable..].iter().any(|step| step.names.is_none() && step.begun <= now);
                let named = durable > 0 && steps[durable - 1].names.is_some();
                assert!(!named || cleared, "a durable root is lost at state {now}");
                return;
            };
            rooted += 1;
            let mut bytes = vec![0; root.size() as usize];
            after.read_into(root, &mut bytes).unwrap();
            let first = durable.saturating_sub(1);
            let whole = steps[first..]
                .iter()
                .any(|step| step.names.as_ref().is_some_and(|(address, record)| *address == root && *record == bytes));
            assert!(whole, "state {now}, {flushed} flushes: {root:?} names no complete record since step {first}");
        });
        assert!(images > 1000 && rooted > images / 3, "{images} images, {rooted} with a root");
        println!("{images} images of the disk, {rooted} with a root");
    }
}

/// Calls `check` with each state, the number of ended flushes, and each image that the disk may
/// have then.
fn for_each_image(history: &History, mut check: impl FnMut(usize, usize, &[u8])) {
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |count: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % count
    };
    for now in 0..history.states.len() {
        let ended = history.flushes.iter().filter(|(state, _)| *state < now).count();
        // A flush that ends in this state may have ended or not.
        let ending = history.flushes.iter().filter(|(state, _)| *state == now).count();
        for flushed in ended..=ended + ending {
            let pages = versions(history, flushed, now);
            // The variants: only flushed pages; all written pages; one page lost; one page written;
            // random mixtures.
            for variant in 0..2 + 2 * pages.len() + 10 {
                let choose = |(page, versions): (usize, &Vec<&[u8]>)| {
                    let newest = versions.len() - 1;
                    let chosen = match variant.checked_sub(2) {
                        None => newest * variant,
                        Some(lost) if lost < pages.len() => newest * usize::from(page != lost),
                        Some(rest) if rest < 2 * pages.len() => newest * usize::from(page == rest - pages.len()),
                        Some(_) => next(versions.len()),
                    };
                    versions[chosen].to_vec()
                };
                let image: Vec<u8> = pages.iter().enumerate().flat_map(choose).collect();
                check(now, flushed, &image);
            }
        }
    }
}

/// Records an arena in a file in memory where possible, because the tests check the order of calls
/// and not a disk.
fn recorded() -> (tempfile::TempDir, Recorded) {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = directory.path().join("arena");
    (directory, Recorded::new(path))
}

#[test]
fn whenever_the_power_fails_the_root_names_complete_data() {
    let (_directory, mut recorded) = recorded();
    for number in 0..6 {
        recorded.publish(number);
    }
    recorded.check();
}

#[test]
fn whenever_the_power_fails_after_a_reset_no_root_names_what_was_written_since() {
    let (_directory, mut recorded) = recorded();
    for number in 0..3 {
        recorded.publish(number);
    }
    // SAFETY: no other process has the file, and no block from before is used.
    recorded.step(None, |arena| unsafe { arena.reset_shared() }.unwrap());
    // This record overwrites the bytes that the root named, and is not published.
    recorded.write(10);
    recorded.write(11);
    recorded.publish(12);
    // SAFETY: as above.
    recorded.step(None, |arena| unsafe { arena.reset_shared() }.unwrap());
    recorded.write(20);
    recorded.check();
}

#[test]
fn flushing_a_range_writes_its_pages_and_not_the_header() {
    let (_directory, recorded) = recorded();
    let arena = &recorded.arena;
    arena.allocate_address(2 * PAGE).unwrap();
    let block = arena.allocate_copy(&[7; PAGE]).unwrap();
    LOG.take();
    arena.flush_range(block).unwrap();
    let first = LOG.take();
    arena.flush().unwrap();
    let second = LOG.take();
    BASE.set(0);
    let pages = |log: &[Flush]| log.iter().map(|flush| (flush.offset, flush.bytes.len())).collect::<Vec<_>>();
    assert_eq!((pages(&first), pages(&second)), (vec![(2 * PAGE, 2 * PAGE)], vec![(0, 4 * PAGE)]));
}

/// If a page changes while the disk writes it, the disk may hold old and new words side by side.
#[test]
fn the_cleared_roots_are_on_the_disk_before_the_cursor_moves() {
    let (_directory, mut recorded) = recorded();
    recorded.publish(1);
    let before = recorded.history.flushes.len();
    // SAFETY: no other process has the file, and no block from before is used.
    recorded.step(None, |arena| unsafe { arena.reset_shared() }.unwrap());
    BASE.set(0);
    let flushed =
        recorded.history.flushes[before..].iter().map(|(_, flush)| (&flush.bytes[24..56], &flush.bytes[64..68]));
    let states: Vec<_> = flushed.map(|(roots, cursor)| (roots == [0; 32], cursor == [0; 4])).collect();
    assert_eq!(states, [(true, false), (true, true)]);
}

#[test]
fn whenever_the_power_fails_a_cleared_root_is_cleared() {
    let (_directory, mut recorded) = recorded();
    for number in 0..3 {
        recorded.publish(number);
    }
    recorded.step(None, |arena| arena.clear_root(0).unwrap());
    recorded.write(10);
    recorded.publish(11);
    recorded.step(None, |arena| arena.clear_root(0).unwrap());
    recorded.check();
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
