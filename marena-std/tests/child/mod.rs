//! Runs a test of this program again, in a process of its own.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Seconds after which the process is ended. One that waits for ever would hold up all tests.
const LIMIT: u32 = 300;

/// Returns whether this program can be run again. One that an emulator or a loader runs cannot:
/// its path is that of the emulator or the loader.
pub(crate) fn starts_itself() -> bool {
    let mut again = Command::new(env::current_exe().unwrap());
    let starts = again.arg("--list").output().is_ok_and(|output| output.status.success());
    if !starts {
        eprintln!("not tested: this program does not start itself");
    }
    starts
}

/// Returns the command that runs a test with this program, or with a copy of it.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, test: &str) -> Command {
    let mut child = Command::new(program);
    // Where memory is limited, a backtrace may find none, and wait for itself for ever.
    child.args(["--exact", test, "--test-threads=1"]).env("RUST_BACKTRACE", "0");
    let limit = || {
        // SAFETY: a system call without pointers, which any child may make.
        unsafe { libc::alarm(LIMIT) };
        Ok(())
    };
    // SAFETY: as above.
    unsafe { child.pre_exec(limit) };
    child
}
