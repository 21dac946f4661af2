//! Disks without room. A program of its own: the processes it starts hold the locks of other tests' files for a moment.
#![cfg(all(target_os = "linux", target_has_atomic = "64", not(miri)))]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use marena_std::{MapError, MappedArena};

const PAGE: usize = 4096;
const CAPACITY: usize = 16 * PAGE;

/// Set for the process that is to run into its limit: the path of the file.
const LIMITED: &str = "MARENA_TEST_LIMITED";

fn create(path: &Path) -> Result<MappedArena, MapError> {
    // SAFETY: tests have their files to themselves.
    unsafe { MappedArena::create(path, CAPACITY) }
}

fn entries(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn a_limit_on_file_sizes_refuses_the_file_instead_of_ending_the_process_later() {
    if let Some(path) = std::env::var_os(LIMITED) {
        let refused = create(Path::new(&path));
        assert!(matches!(refused, Err(MapError::Io { action: "size", .. })), "{refused:?}");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let name = "a_limit_on_file_sizes_refuses_the_file_instead_of_ending_the_process_later";
    let program = std::env::current_exe().unwrap();
    // One that an emulator or a loader runs cannot be run again.
    if !Command::new(&program).arg("--list").output().is_ok_and(|output| output.status.success()) {
        eprintln!("this program does not start itself: covered where a file system can be mounted");
        return;
    }
    let mut limited = Command::new(program);
    limited.args(["--exact", name]).env(LIMITED, directory.path().join("arena"));
    let limit = libc::rlimit { rlim_cur: CAPACITY as libc::rlim_t - 1, rlim_max: CAPACITY as libc::rlim_t - 1 };
    let set_limit = move || {
        // SAFETY: ignoring a signal has no precondition.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        // SAFETY: the limit is a valid place.
        unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
        Ok(())
    };
    // SAFETY: two system calls, which are for any child.
    unsafe { limited.pre_exec(set_limit) };
    let output = limited.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    assert_eq!(entries(directory.path()), 0);
}

/// Where a space of a few pages can be mounted, a disk that is really full.
#[test]
fn a_full_file_system_refuses_the_file_and_keeps_the_arenas_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let options = format!("size={}", CAPACITY + 4 * PAGE);
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(directory.path()).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        eprintln!("not allowed to mount: covered by the limit on file sizes alone");
        return;
    }
    let check = || {
        let kept = create(&directory.path().join("kept")).unwrap();
        let refused = create(&directory.path().join("refused"));
        assert!(matches!(refused, Err(MapError::Io { action: "reserve space for", .. })), "{refused:?}");
        // Every page of the file that was made has its space.
        let rest = kept.allocate_address(kept.remaining()).unwrap();
        kept.write_from(rest, &vec![7; rest.size() as usize]).unwrap();
        kept.publish_root(0, rest).unwrap();
        kept.flush().unwrap();
        assert_eq!(entries(directory.path()), 1);
    };
    let outcome = std::panic::catch_unwind(check);
    assert!(Command::new("umount").arg(directory.path()).status().unwrap().success());
    outcome.unwrap();
}
