//! Where `memtable ingest` writes, and what it leaves behind.
#![cfg(not(miri))]

mod common;

use std::fs;
use std::io::Write;
use std::process::Stdio;

use common::{expected, memtable, names, random_lines, run, run_with, stderr, stdout};

fn path(dir: &tempfile::TempDir, name: &str) -> String {
    dir.path().join(name).into_os_string().into_string().unwrap()
}

#[test]
fn a_file_gets_what_standard_output_would() {
    let dir = tempfile::tempdir().unwrap();
    let input = random_lines(4, 5_000);
    let output = run_with(&input, &["ingest", "--output", &path(&dir, "out")]);
    assert_eq!(stdout(&output), b"");
    assert!(fs::read(path(&dir, "out")).unwrap() == expected(&input));
    assert_eq!(names(dir.path()), ["out"]);
}

#[test]
fn the_output_may_be_an_input() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(path(&dir, "file"), "b\na\nb\n").unwrap();
    stdout(&run(&["ingest", &path(&dir, "file"), "--output", &path(&dir, "file")]));
    assert_eq!(fs::read(path(&dir, "file")).unwrap(), b"a\nb\n");
}

#[test]
fn a_failure_leaves_the_folder_and_the_output_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(path(&dir, "good"), "b\na\n").unwrap();
    fs::write(path(&dir, "old"), "old").unwrap();
    let too_long = "x".repeat(70_000);
    for (input, args) in [
        ("", &["ingest", &path(&dir, "good"), &path(&dir, "missing")][..]),
        ("", &["ingest", &path(&dir, "good"), &path(&dir, "")]),
        (&too_long, &["ingest", "--arena-size", "64K"]),
    ] {
        for output in ["old", "new"] {
            let output = path(&dir, output);
            let failed = run_with(input.as_bytes(), &[args, &["--output", &output]].concat());
            assert_eq!(failed.status.code(), Some(2), "{failed:?}");
            assert_eq!(names(dir.path()), ["good", "old"]);
            assert_eq!(fs::read(path(&dir, "old")).unwrap(), b"old");
        }
    }
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for output in [path(&dir, ""), path(&dir, "no/such/folder")] {
        let failed = run_with(b"a\n", &["ingest", "--output", &output]);
        assert_eq!(failed.status.code(), Some(2));
        assert!(stderr(&failed).starts_with(&format!("memtable: cannot write {output}: ")), "{}", stderr(&failed));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_stays_a_device_and_standard_output_goes_on_behind_what_is_there() {
    stdout(&run_with(b"a\n", &["ingest", "--output", "/dev/null"]));
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "-"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(path(&dir, "in"), "a\n").unwrap();
        let mut file = fs::File::create(path(&dir, "out")).unwrap();
        file.write_all(b"before\n").unwrap();
        let mut command = memtable(&["ingest", &path(&dir, "in"), "--output", name]);
        assert!(command.stdout(file).status().unwrap().success());
        assert_eq!(fs::read(path(&dir, "out")).unwrap(), b"before\na\n", "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_ended_leaves_nothing_in_the_folder() {
    for (number, signal) in [(15, "TERM"), (2, "INT"), (1, "HUP"), (9, "KILL")] {
        // Under nohup or behind a shell's `&`, the program ignores some, as it should.
        if ignores(number) {
            continue;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut child = memtable(&["ingest", "--output", &path(&dir, "out")]).stdin(Stdio::piped()).spawn().unwrap();
        // More than a pipe holds, so the program has opened its output.
        child.stdin.as_ref().unwrap().write_all(&random_lines(5, 50_000)).unwrap();
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        assert!(!child.wait().unwrap().success());
        assert_eq!(names(dir.path()), [""; 0], "SIG{signal}");
    }
}

/// Returns whether a signal is ignored here, and so in the programs that are started.
#[cfg(target_os = "linux")]
fn ignores(signal: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() >> (signal - 1) & 1 != 0
}

/// A file that something is mounted on can be written and not replaced.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_replaced_is_an_error_before_the_work() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["an out", "other"] {
        fs::write(path(&dir, name), name).unwrap();
    }
    // It never reads to the end of its input.
    let script = "mount --bind \"$2\" \"$1\" || exit 77; exec \"$0\" ingest --output \"$1\" /dev/zero";
    let mut unshare = std::process::Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_memtable")]);
    let Ok(failed) = unshare.args([path(&dir, "an out"), path(&dir, "other")]).output() else { return };
    if stderr(&failed).starts_with("unshare") || failed.status.code() == Some(77) {
        println!("skipped: nothing can be mounted here");
        return;
    }
    assert_eq!(failed.status.code(), Some(2));
    assert!(stderr(&failed).contains("mount point"), "{}", stderr(&failed));
    assert_eq!(names(dir.path()), ["an out", "other"]);
}
