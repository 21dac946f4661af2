//! Runs a test again as another user, who has fewer rights.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Output;
use std::thread;
use std::time::Duration;

use crate::child;

/// The user and group `nobody`.
const USER: u32 = 65_534;

/// Runs a test of this program in a process of another user, with `variables` set, after `prepare`.
/// Returns `None` where that is not possible. The program is copied into `folder`, because the user
/// may have no access to its own folder.
pub(crate) fn run(
    folder: &Path,
    test: &str,
    variables: &[(&str, &OsStr)],
    prepare: impl Fn() -> std::io::Result<()> + Send + Sync + 'static,
) -> Option<Output> {
    if !child::starts_itself() {
        return None;
    }
    let program = folder.join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = child::command(&program, test);
    child.envs(variables.iter().copied());
    let become_user = move || {
        prepare()?;
        // SAFETY: a system call without pointers.
        let left = unsafe { libc::geteuid() } != 0;
        // SAFETY: as above.
        if left || (unsafe { libc::setgid(USER) } == 0 && unsafe { libc::setuid(USER) } == 0) {
            return Ok(());
        }
        Err(std::io::Error::last_os_error())
    };
    // SAFETY: the closure makes system calls, which any child may make.
    unsafe { child.pre_exec(become_user) };
    let mut attempts = 0..1000;
    loop {
        match child.output() {
            Ok(output) => return Some(output),
            // A child of another thread still has the copy open.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && attempts.next().is_some() => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(error) => {
                eprintln!("not tested: this program does not start itself as another user: {error}");
                return None;
            }
        }
    }
}
