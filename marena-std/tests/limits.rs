//! Limits of a process. A child process runs into each limit, the typed error names it, and a
//! smaller arena still works.
#![cfg(all(target_os = "linux", target_pointer_width = "64", not(miri)))]

use std::error::Error as _;
use std::ffi::{OsStr, c_void};
use std::fmt::Write;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::ptr;
use std::sync::Barrier;

use marena_std::{AllocError, Arena, Error, Limit, MapError, MappedArena};

mod another_user;
mod child;

const MIB: usize = 1 << 20;

/// The variable that is set for a process with a limit.
const CHILD: &str = "MARENA_TEST_LIMITS";

/// Runs the test of this name again, in a process that has called `prepare`. Returns true in that
/// process.
fn in_a_child(test: &str, prepare: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    if !child::starts_itself() {
        return false;
    }
    let mut child = child::command(std::env::current_exe().unwrap(), test);
    child.env(CHILD, "1");
    // SAFETY: the tests pass system calls, which any child may make.
    unsafe { child.pre_exec(prepare) };
    let output = child.output().unwrap();
    // Some limits are smaller than the shadow memory of a sanitizer.
    if output.status.code().is_none() && cfg!(marena_asan) {
        eprintln!("not tested: this program does not run with the limit");
        return false;
    }
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Sets a limit of this process.
fn set(kind: libc::__rlimit_resource_t, limit: u64) -> io::Result<()> {
    let limit = libc::rlimit64 { rlim_cur: limit, rlim_max: limit };
    // SAFETY: the limit is a valid place.
    match unsafe { libc::setrlimit64(kind, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns a message with its causes, as a program prints it.
fn message(error: &(dyn std::error::Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(message, ": {error}").unwrap();
        cause = error.source();
    }
    message
}

/// Asserts that an arena of this capacity fails by the limit, and that a small arena works.
fn meets(capacity: usize, limit: Limit, name: &str) {
    for huge_pages in [false, true] {
        let error = Arena::builder().capacity(capacity).huge_pages(huge_pages).build().unwrap_err();
        let text = message(&error);
        assert!(text.contains(name), "{text}");
        let Error::OutOfAddressSpace { requested, limit: found, .. } = error else { panic!("{error:?}") };
        assert_eq!((requested, found), (capacity, Some(limit)), "{text}");
        let arena = Arena::builder().capacity(MIB).huge_pages(huge_pages).build().unwrap();
        arena.allocate(arena.remaining()).unwrap().fill(1);
    }
}

/// Allocates and writes until the arena is full.
fn fill(arena: &Arena, id: u8, start: &Barrier) {
    let mut blocks = Vec::with_capacity(1000);
    // What the other threads need is allocated, too: they fail without memory.
    start.wait();
    while let Ok(mut block) = arena.allocate(MIB) {
        assert!(block.iter().all(|&byte| byte == 0));
        block.fill(id);
        blocks.push(block);
    }
    assert!(blocks.iter().all(|block| block.iter().all(|&byte| byte == id)));
}

#[test]
fn a_limit_on_addresses_is_named() {
    if in_a_child("a_limit_on_addresses_is_named", || set(libc::RLIMIT_AS, 1 << 30)) {
        meets(1 << 30, Limit::AddressSpace(1 << 30), "ulimit -v");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("arena");
        let builder = MappedArena::builder().capacity(1 << 30).reserve(false);
        // SAFETY: tests have their files to themselves, here and below.
        let error = unsafe { builder.create(&path) }.unwrap_err();
        assert!(message(&error).contains("ulimit -v"), "{}", message(&error));
        let limit = Some(Limit::AddressSpace(1 << 30));
        assert!(matches!(error, MapError::Io { action: "map", limit: found, .. } if found == limit));
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        // The mapping of a file counts too.
        // SAFETY: as above.
        let mapped = unsafe { builder.capacity(512 << 20).create(&path) }.unwrap();
        meets(600 << 20, Limit::AddressSpace(1 << 30), "ulimit -v");
        drop(mapped);
    }
}

#[test]
fn a_limit_on_data_holds_for_what_is_used_and_is_named() {
    if in_a_child("a_limit_on_data_holds_for_what_is_used_and_is_named", || set(libc::RLIMIT_DATA, 64 << 20)) {
        // Reserved addresses are no data, and used bytes are committed in steps.
        for huge_pages in [false, true] {
            let mut arena = Arena::builder().capacity(1 << 31).huge_pages(huge_pages).build().unwrap();
            assert_eq!(arena.remaining(), (1 << 31) - 128);
            for threads in [3, 1] {
                let start = Barrier::new(threads);
                std::thread::scope(|scope| {
                    for id in 1..threads {
                        let (arena, start) = (&arena, &start);
                        scope.spawn(move || fill(arena, id as u8, start));
                    }
                    // There may be no memory for the stack of a thread the second time.
                    fill(&arena, 0xFF, &start);
                });
                assert!((20 * MIB..64 * MIB).contains(&arena.used()), "{}", arena.used());
                let Err(AllocError::Full { remaining, .. }) = arena.allocate(MIB) else {
                    panic!("{:?}", arena.stats())
                };
                assert!(remaining < 3 * MIB, "{remaining}");
                arena.allocate(remaining).unwrap().fill(1);
                arena.reset();
                arena.trim().unwrap();
            }
            arena.scratch().allocate(10 * MIB).unwrap().fill(1);
            arena.lease(1 << 20).allocate(10 * MIB).unwrap().fill(1);
        }
        let error = Arena::builder().capacity(64 * MIB).prefault(|_, _| ()).build().unwrap_err();
        assert!(message(&error).contains("ulimit -d"), "{}", message(&error));
        let limit = Some(Limit::Data(64 << 20));
        assert!(matches!(error, Error::OutOfAddressSpace { limit: found, .. } if found == limit), "{error:?}");
        let directory = tempfile::tempdir().unwrap();
        let builder = MappedArena::builder().capacity(512 * MIB).reserve(false);
        // SAFETY: as above.
        assert!(unsafe { builder.create(directory.path().join("arena")) }.is_ok());
    }
}

#[test]
fn a_limit_on_locked_memory_is_named() {
    // Processes of the superuser have no limit on locked memory, so the child runs as another user.
    if std::env::var_os(CHILD).is_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        let prepare = || set(libc::RLIMIT_MEMLOCK, 4 << 20);
        let variables = [(CHILD, OsStr::new("1"))];
        let ran = another_user::run(folder.path(), "a_limit_on_locked_memory_is_named", &variables, prepare);
        if let Some(output) = ran {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
        }
        return;
    }
    // SAFETY: as above.
    if unsafe { libc::mlockall(libc::MCL_FUTURE) } != 0 {
        eprintln!("not tested: not allowed to lock memory");
        return;
    }
    let error = Arena::with_capacity(64 * MIB).unwrap_err();
    assert!(message(&error).contains("ulimit -l"), "{}", message(&error));
    let limit = Some(Limit::Locked(4 << 20));
    assert!(matches!(error, Error::OutOfAddressSpace { limit: found, .. } if found == limit), "{error:?}");
    // Locked memory cannot be given back, and the arena continues to work.
    let mut arena = Arena::with_capacity(MIB).unwrap();
    arena.allocate(1000).unwrap().fill(1);
    arena.reset();
    assert!(matches!(arena.trim(), Err(Error::Trim { .. })));
    assert_eq!(*arena.allocate(1000).unwrap(), [0; 1000]);
}

#[test]
fn a_limit_on_mappings_is_named() {
    if in_a_child("a_limit_on_mappings_is_named", || Ok(())) {
        let most: u64 = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap().trim().parse().unwrap();
        if most > 1 << 20 {
            eprintln!("not tested: {most} mappings are too many to make");
            return;
        }
        // Room for messages is allocated now, because no allocation may fail when there are no more
        // mappings.
        drop(Vec::<u8>::with_capacity(1 << 16));
        // Adjacent pages with different access rights are separate mappings.
        let map = |access| {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            // SAFETY: a new mapping, where nothing else is mapped.
            unsafe { libc::mmap(ptr::null_mut(), 4096, access, flags, -1, 0) }
        };
        let mut made: Vec<*mut c_void> = Vec::with_capacity(usize::try_from(most).unwrap());
        while made.len() < made.capacity() {
            let access = if made.len().is_multiple_of(2) { libc::PROT_NONE } else { libc::PROT_READ };
            match map(access) {
                libc::MAP_FAILED => break,
                page => made.push(page),
            }
        }
        let result = Arena::with_capacity(MIB).map(drop);
        let sample = format!("{result:?}");
        for page in made {
            // SAFETY: mapped above, and not used.
            unsafe { libc::munmap(page, 4096) };
        }
        let Err(error) = result else { panic!("{sample}") };
        assert!(message(&error).contains("vm.max_map_count"), "{}", message(&error));
        let limit = Some(Limit::Mappings(most));
        assert!(matches!(error, Error::OutOfAddressSpace { limit: found, .. } if found == limit), "{sample}");
        assert!(Arena::with_capacity(MIB).is_ok());
    }
}

#[test]
fn a_limit_on_open_files_is_named() {
    if in_a_child("a_limit_on_open_files_is_named", || set(libc::RLIMIT_NOFILE, 16)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("arena");
        // SAFETY: as above.
        drop(unsafe { MappedArena::create(&path, MIB) }.unwrap());
        let mut open = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            open.push(file);
        }
        // SAFETY: as above.
        let error = unsafe { MappedArena::open(&path) }.unwrap_err();
        drop(open);
        assert!(message(&error).contains("ulimit -n"), "{}", message(&error));
        let limit = Some(Limit::OpenFiles(16));
        assert!(matches!(error, MapError::Io { action: "open", limit: found, .. } if found == limit));
        assert!(error.source().is_some());
    }
}

#[test]
fn without_a_limit_none_is_named() {
    let missing = tempfile::tempdir().unwrap().path().join("arena");
    // SAFETY: there is no such file.
    let error = unsafe { MappedArena::open(missing) }.unwrap_err();
    assert!(matches!(error, MapError::Io { limit: None, .. }), "{error:?}");
    assert!(!error.to_string().contains("limit"), "{error}");
    let error = Arena::builder().capacity(1).align(1 << 62).build().unwrap_err();
    assert!(matches!(error, Error::OutOfAddressSpace { limit: None, .. }), "{error:?}");
}
