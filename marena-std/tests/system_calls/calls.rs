//! System calls that a test answers itself.
//!
//! The functions below replace the C library's in the whole program, because a program's own
//! symbols come first. So the arena has no code for these tests.

use std::cell::Cell;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

use libc::{c_char, c_int, c_long, c_uint, c_void, off64_t, size_t};

/// A call that this thread is about to make.
#[derive(Debug)]
pub(crate) enum Call<'c> {
    Open {
        path: &'c Path,
        flags: c_int,
    },
    /// The file was opened.
    Opened {
        path: &'c Path,
    },
    Status {
        path: &'c Path,
    },
    FileSystem,
    Owner {
        owner: libc::uid_t,
        group: libc::gid_t,
    },
    Mode(libc::mode_t),
    Reserve {
        mode: c_int,
        start: off64_t,
        len: off64_t,
    },
    Link,
    Sync,
    Flush {
        start: usize,
        len: usize,
    },
    Map {
        len: usize,
        access: c_int,
        file: c_int,
    },
    Protect {
        start: usize,
        len: usize,
        access: c_int,
    },
    Unmap {
        start: usize,
        len: usize,
    },
    Advise(c_int),
    Yield,
    Limit(c_int),
    PageSize,
}

/// What happens instead.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// The system makes the call.
    Real,
    /// It fails with this error number.
    Error(c_int),
    /// It has this result: a number, a kind of file system, a limit, or the start of a mapping.
    Value(u64),
    /// It opens a file with this content.
    Content(&'static str),
    /// It fails, but has written this result.
    ErrorWith(u64),
}

type Answering = dyn FnMut(&Call<'_>) -> Answer;

thread_local! {
    /// What answers this thread's calls. It has no destructor, because the runtime makes calls at
    /// the thread's end, too.
    static ANSWERING: Cell<Option<NonNull<Answering>>> = const { Cell::new(None) };
}

/// Runs `action`, and lets `answer` answer the calls of this thread meanwhile, but not its own.
pub(crate) fn answering<T>(mut answer: impl FnMut(&Call<'_>) -> Answer, action: impl FnOnce() -> T) -> T {
    struct Until;
    impl Drop for Until {
        fn drop(&mut self) {
            ANSWERING.set(None);
        }
    }
    let answer: NonNull<dyn FnMut(&Call<'_>) -> Answer + '_> = NonNull::from(&mut answer);
    // SAFETY: only the lifetime changes. The pointer is forgotten before `answer` is dropped.
    let answer =
        unsafe { std::mem::transmute::<NonNull<dyn FnMut(&Call<'_>) -> Answer + '_>, NonNull<Answering>>(answer) };
    ANSWERING.set(Some(answer));
    let _until = Until;
    action()
}

fn ask(call: &Call<'_>) -> Answer {
    let Some(mut answer) = ANSWERING.take() else { return Answer::Real };
    // SAFETY: set by `answering`, which is not done, and taken, so that nobody else uses it.
    let given = unsafe { answer.as_mut() }(call);
    ANSWERING.set(Some(answer));
    given
}

fn fail(error: c_int) -> c_int {
    // SAFETY: a call without arguments.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the C library's error number of this thread is a valid place.
    unsafe { *place = error };
    -1
}

/// Makes the call unless the test answers it.
fn answered(call: &Call<'_>, make: impl FnOnce() -> c_long) -> c_long {
    match ask(call) {
        Answer::Error(error) => fail(error).into(),
        Answer::Value(value) => value as c_long,
        _ => make(),
    }
}

fn as_path<'p>(path: *const c_char) -> &'p Path {
    // SAFETY: paths end with a zero, and are valid for the time of the call.
    Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()))
}

// SAFETY: replaces the C library's function of this name, and does the same or what a test says.
// The argument behind the flags is used only where the flags say that it exists. It is a number,
// which these targets pass in a register.
#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let name = as_path(path);
    match ask(&Call::Open { path: name, flags }) {
        Answer::Error(error) => fail(error),
        Answer::Content(content) => {
            // SAFETY: the name ends with a zero.
            let file = unsafe { libc::memfd_create(c"content".as_ptr(), 0) };
            // SAFETY: the bytes are valid to read.
            unsafe { libc::pwrite64(file, content.as_ptr().cast(), content.len(), 0) };
            file
        }
        _ => {
            // SAFETY: the caller's arguments, passed on.
            let file = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags, mode) as c_int };
            if file >= 0 {
                ask(&Call::Opened { path: name });
            }
            file
        }
    }
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn statx(
    at: c_int,
    path: *const c_char,
    flags: c_int,
    mask: c_uint,
    into: *mut libc::statx,
) -> c_int {
    // SAFETY: the caller's arguments, passed on.
    let make = || unsafe { libc::syscall(libc::SYS_statx, at, path, flags, mask, into) };
    // The standard library tries whether there is such a call, without a path.
    if path.is_null() { make() as c_int } else { answered(&Call::Status { path: as_path(path) }, make) as c_int }
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn fstatfs(fd: c_int, into: *mut libc::statfs) -> c_int {
    let answer = ask(&Call::FileSystem);
    // SAFETY: the caller's arguments, passed on.
    let outcome = unsafe { libc::syscall(libc::SYS_fstatfs, fd, into) as c_int };
    if let Answer::Value(kind) | Answer::ErrorWith(kind) = answer {
        // SAFETY: the caller's place for the result.
        unsafe { (*into).f_type = kind as _ };
    }
    if let Answer::ErrorWith(_) = answer { fail(libc::EIO) } else { outcome }
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn fchown(fd: c_int, owner: libc::uid_t, group: libc::gid_t) -> c_int {
    // SAFETY: the caller's arguments, passed on.
    answered(&Call::Owner { owner, group }, || unsafe { libc::syscall(libc::SYS_fchown, fd, owner, group) }) as c_int
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn fchmod(fd: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: the caller's arguments, passed on.
    answered(&Call::Mode(mode), || unsafe { libc::syscall(libc::SYS_fchmod, fd, mode) }) as c_int
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn fallocate64(fd: c_int, mode: c_int, start: off64_t, len: off64_t) -> c_int {
    // SAFETY: the caller's arguments, passed on.
    let make = || unsafe { libc::syscall(libc::SYS_fallocate, fd, mode, start, len) };
    answered(&Call::Reserve { mode, start, len }, make) as c_int
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn linkat(a: c_int, from: *const c_char, b: c_int, to: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's arguments, passed on.
    answered(&Call::Link, || unsafe { libc::syscall(libc::SYS_linkat, a, from, b, to, flags) }) as c_int
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: the caller's argument, passed on.
    answered(&Call::Sync, || unsafe { libc::syscall(libc::SYS_fsync, fd) }) as c_int
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn msync(start: *mut c_void, len: size_t, flags: c_int) -> c_int {
    // SAFETY: the caller's arguments, passed on.
    let make = || unsafe { libc::syscall(libc::SYS_msync, start, len, flags) };
    answered(&Call::Flush { start: start.addr(), len }, make) as c_int
}

fn map(at: *mut c_void, len: size_t, access: c_int, flags: c_int, file: c_int, offset: off64_t) -> *mut c_void {
    // SAFETY: the caller's arguments, passed on.
    let make = || unsafe { libc::syscall(libc::SYS_mmap, at, len, access, flags, file, offset) };
    std::ptr::with_exposed_provenance_mut(answered(&Call::Map { len, access, file }, make) as usize)
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    at: *mut c_void,
    len: size_t,
    access: c_int,
    flags: c_int,
    file: c_int,
    offset: off64_t,
) -> *mut c_void {
    map(at, len, access, flags, file, offset)
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap64(
    at: *mut c_void,
    len: size_t,
    access: c_int,
    flags: c_int,
    file: c_int,
    offset: off64_t,
) -> *mut c_void {
    map(at, len, access, flags, file, offset)
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn mprotect(start: *mut c_void, len: size_t, access: c_int) -> c_int {
    // SAFETY: the caller's arguments, passed on.
    let make = || unsafe { libc::syscall(libc::SYS_mprotect, start, len, access) };
    answered(&Call::Protect { start: start.addr(), len, access }, make) as c_int
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn munmap(start: *mut c_void, len: size_t) -> c_int {
    // SAFETY: the caller's arguments, passed on.
    let make = || unsafe { libc::syscall(libc::SYS_munmap, start, len) };
    answered(&Call::Unmap { start: start.addr(), len }, make) as c_int
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn madvise(start: *mut c_void, len: size_t, advice: c_int) -> c_int {
    // SAFETY: the caller's arguments, passed on.
    answered(&Call::Advise(advice), || unsafe { libc::syscall(libc::SYS_madvise, start, len, advice) }) as c_int
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrlimit64(kind: c_int, into: *mut libc::rlimit64) -> c_int {
    match ask(&Call::Limit(kind)) {
        Answer::Error(error) => fail(error),
        Answer::Value(limit) => {
            // SAFETY: the caller's place for the result.
            unsafe { *into = libc::rlimit64 { rlim_cur: limit, rlim_max: limit } };
            0
        }
        // SAFETY: the caller's arguments, passed on, and no new limit.
        _ => unsafe { libc::syscall(libc::SYS_prlimit64, 0, kind, std::ptr::null::<libc::rlimit64>(), into) as c_int },
    }
}

// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn sched_yield() -> c_int {
    // SAFETY: a call without arguments.
    answered(&Call::Yield, || unsafe { libc::syscall(libc::SYS_sched_yield) }) as c_int
}

/// The page size is the only setting that programs here ask for with this number.
// SAFETY: as for `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn sysconf(name: c_int) -> c_long {
    unsafe extern "C" {
        fn __sysconf(name: c_int) -> c_long;
    }
    // SAFETY: the C library's own name of the function.
    let make = || unsafe { __sysconf(name) };
    if name == libc::_SC_PAGESIZE { answered(&Call::PageSize, make) } else { make() }
}
