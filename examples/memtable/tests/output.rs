//! Where `memtable ingest` writes, and what it leaves behind.
#![cfg(not(miri))]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
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
fn a_killed_run_leaves_nothing_under_the_final_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = memtable(&["ingest", "--output", &path(&dir, "out")]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.as_ref().unwrap().write_all(&random_lines(5, 20_000)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!Path::new(&path(&dir, "out")).exists());
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
fn a_full_device_is_reported_and_stays_a_device() {
    let failed = run_with(b"a\n", &["ingest", "--output", "/dev/full"]);
    assert_eq!(failed.status.code(), Some(2));
    assert!(stderr(&failed).contains("/dev/full"), "{}", stderr(&failed));
    assert!(!fs::metadata("/dev/full").unwrap().is_file());
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let failed = memtable(&[]).stdout(full).output().unwrap();
    assert_eq!(failed.status.code(), Some(2));
    assert!(stderr(&failed).starts_with("memtable: cannot write standard output: "), "{}", stderr(&failed));
}

#[cfg(unix)]
#[test]
fn a_new_file_has_usual_permissions_and_a_replaced_one_keeps_its_own() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mode = |name: &str| fs::metadata(path(&dir, name)).unwrap().permissions().mode() & 0o777;
    fs::write(path(&dir, "by a plain create"), "").unwrap();
    fs::write(path(&dir, "old"), "").unwrap();
    fs::set_permissions(path(&dir, "old"), fs::Permissions::from_mode(0o640)).unwrap();
    for name in ["new", "old"] {
        stdout(&run_with(b"a\n", &["ingest", "--output", &path(&dir, name)]));
        assert_eq!(fs::read(path(&dir, name)).unwrap(), b"a\n");
    }
    assert_eq!((mode("new"), mode("old")), (mode("by a plain create"), 0o640));
}

#[cfg(unix)]
#[test]
fn behind_a_symbolic_link_the_file_is_replaced_and_not_the_link() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(path(&dir, "file"), "old").unwrap();
    std::os::unix::fs::symlink("file", path(&dir, "link")).unwrap();
    stdout(&run_with(b"a\n", &["ingest", "--output", &path(&dir, "link")]));
    assert_eq!(fs::read(path(&dir, "file")).unwrap(), b"a\n");
    assert!(fs::symlink_metadata(path(&dir, "link")).unwrap().is_symlink());
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_the_run_as_other_tools_end() {
    let dir = tempfile::tempdir().unwrap();
    // More than a pipe holds.
    fs::write(path(&dir, "in"), random_lines(6, 100_000)).unwrap();
    for (quiet, message) in
        [("--quiet", ""), ("--stats", "memtable: standard output was closed before everything was written\n")]
    {
        let mut child = memtable(&["ingest", &path(&dir, "in"), quiet])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(141));
        assert_eq!(stderr(&output), message);
    }
}
