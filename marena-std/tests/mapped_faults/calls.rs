//! System calls that fail, are interrupted, or kill the process when a test says so.
//!
//! The functions below replace the C library's in the whole program, because a program's own
//! symbols come first. So the arena has no code for these tests.

use std::cell::{Cell, RefCell};

use libc::{c_char, c_int, c_void, off64_t, size_t};

/// Runs `action` while all system calls after the first `calls` fail. Returns its result and the
/// number of failed calls.
pub(crate) fn failing_after<T>(calls: u32, action: impl FnOnce() -> T) -> (T, u32) {
    FAILED.set(0);
    LEFT.set(Some(calls));
    let outcome = action();
    LEFT.set(None);
    (outcome, FAILED.get())
}

thread_local! {
    /// How many calls of this thread still succeed; `None` if all do. The value has no destructor,
    /// because the runtime still makes calls at the thread's end.
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    static FAILED: Cell<u32> = const { Cell::new(0) };
    /// How many calls in a row a signal interrupts before one succeeds.
    pub(crate) static INTERRUPTS: Cell<u32> = const { Cell::new(0) };
    static INTERRUPTED: Cell<u32> = const { Cell::new(0) };
    /// The fewest bytes that were reserved at once.
    pub(crate) static RESERVED: Cell<off64_t> = const { Cell::new(off64_t::MAX) };
    /// The names of interrupted calls and of advice.
    pub(crate) static SEEN: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    /// Whether a call that is to fail kills the process instead.
    pub(crate) static KILLS: Cell<bool> = const { Cell::new(false) };
    /// Whether the system knows neither reservations nor populating.
    pub(crate) static UNSUPPORTED: Cell<bool> = const { Cell::new(false) };
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
    // SAFETY: the caller's arguments, passed on.
    unsafe { libc::syscall(libc::SYS_msync, start, len, flags) as c_int }
}
