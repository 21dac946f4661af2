//! Processes of a program's own.

use std::io;
use std::path::Path;

use crate::program::{AnyError, warn};

/// A child process that nobody has waited for.
#[derive(Debug)]
pub struct Process(libc::pid_t);

/// Runs `work` in a process of its own, which inherits what this one has.
///
/// # Errors
///
/// If the system cannot start one.
///
/// # Safety
///
/// - This process has one thread, so the child can do all that its parent can.
pub unsafe fn fork(program: &str, work: impl FnOnce() -> Result<(), AnyError>) -> io::Result<Process> {
    // SAFETY: the caller's promise.
    match unsafe { libc::fork() } {
        0 => {
            let outcome = work();
            if let Err(error) = &outcome {
                warn(program, error);
            }
            // SAFETY: ends the child without the parent's destructors, which remove files.
            unsafe { libc::_exit(i32::from(outcome.is_err())) }
        }
        -1 => Err(io::Error::last_os_error()),
        process => Ok(Process(process)),
    }
}

impl Process {
    /// Waits for the process's end and returns its status.
    ///
    /// # Errors
    ///
    /// If the system cannot wait for it.
    pub fn wait(self) -> io::Result<libc::c_int> {
        let mut status = 0;
        // SAFETY: `status` is a valid place.
        match unsafe { libc::waitpid(self.0, &raw mut status, 0) } {
            process if process == self.0 => Ok(status),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Kills the process and waits until it is gone. Returns whether it was killed, and not done.
    ///
    /// # Errors
    ///
    /// If it ended with an error or another signal.
    pub fn kill(self) -> Result<bool, AnyError> {
        // SAFETY: the process is a child of this one that nobody has waited for.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        let status = self.wait()?;
        let killed = libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL;
        let done = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        if killed || done { Ok(killed) } else { Err(format!("a process ended by itself: {status:#x}").into()) }
    }
}

/// Makes a folder that is removed at the end, in `parent` or among the system's temporary files.
///
/// # Errors
///
/// If the system cannot make one.
pub fn temporary_folder(parent: Option<&Path>) -> io::Result<tempfile::TempDir> {
    parent.map_or_else(tempfile::tempdir, tempfile::tempdir_in)
}
