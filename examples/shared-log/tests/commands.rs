//! Separate programs on one log.
#![cfg(all(unix, not(miri)))]

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shared-log"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// What a run that succeeds prints.
fn output(arguments: &[&str]) -> String {
    let run = run(arguments);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

/// The lines of one writer; no two writers have one in common, and some are empty but for the number.
fn lines(writer: usize, count: usize) -> Vec<String> {
    (0..count).map(|line| format!("{writer} {line} {}", "text ".repeat(line % 70))).collect()
}

/// A program that appends these lines, which are written to it meanwhile.
fn write(log: &Path, chunk: &str, lines: Vec<String>) -> Child {
    let mut child =
        command(&["write", log.to_str().unwrap(), "--chunk", chunk, "--capacity", "2000000"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    thread::spawn(move || lines.iter().try_for_each(|line| writeln!(input, "{line}")));
    child
}

#[test]
fn all_that_several_writers_append_is_there_each_ones_lines_in_order() {
    for chunk in ["0", "4096", "65536"] {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let writers: Vec<_> = (0..3).map(|writer| write(&log, chunk, lines(writer, 500))).collect();
        for mut writer in writers {
            assert!(writer.wait().unwrap().success());
        }
        let log = log.to_str().unwrap();
        let dump = output(&["dump", log]);
        for writer in 0..3 {
            let own = format!("{writer} ");
            let found: Vec<_> = dump.lines().filter(|line| line.starts_with(&own)).collect();
            assert_eq!(found, lines(writer, 500), "chunk {chunk}");
        }
        assert_eq!(dump.lines().count(), 1500);
        assert_eq!(output(&["follow", log, "--records", "1500"]), dump);
        assert!(output(&["verify", log]).starts_with("1500 records of 3 writers, none damaged or missing"));
    }
}

#[test]
fn a_full_log_keeps_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    // More than fits: the last chunk is larger than what is left, and records go on one by one.
    let run = write(&log, "65536", lines(0, 20_000)).wait_with_output().unwrap();
    assert!(!run.status.success());
    assert!(String::from_utf8_lossy(&run.stderr).contains("bytes left"), "{run:?}");
    let log = log.to_str().unwrap();
    let dump = output(&["dump", log]);
    let kept = dump.lines().count();
    assert!(kept > 1000);
    assert_eq!(dump.lines().collect::<Vec<_>>(), lines(0, kept));
}

#[test]
fn what_is_no_log_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("text");
    std::fs::write(&path, "not an arena").unwrap();
    for subcommand in ["dump", "verify", "follow"] {
        let refused = run(&[subcommand, path.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("no usable arena"), "{refused:?}");
    }
}
