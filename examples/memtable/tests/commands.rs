//! Bad input, and the commands beside `ingest`.
#![cfg(not(miri))]

mod common;

use std::fs;

use common::{random_lines, run, run_with, stderr, stdout};

#[test]
fn an_unreadable_input_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing").into_os_string().into_string().unwrap();
    let folder = dir.path().to_str().unwrap();
    for input in [&missing[..], folder] {
        let failed = run(&["ingest", input]);
        assert_eq!((failed.status.code(), failed.stdout.len()), (Some(2), 0));
        assert!(stderr(&failed).starts_with(&format!("memtable: cannot read {input}: ")), "{}", stderr(&failed));
    }
}

#[test]
fn a_line_longer_than_an_arena_is_named_with_the_arena_size_that_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file").into_os_string().into_string().unwrap();
    // Lines that a worker finds to be too long, and lines that the reader gives up before their
    // end.
    for len in [65_400, 65_536, 127_000, 131_072, 1_000_000, 5_000_000] {
        fs::write(&file, ["short", "\t", &"x".repeat(100), "\n", &"y".repeat(len), "\n"].concat()).unwrap();
        for threads in ["1", "4"] {
            let failed = run(&["ingest", &file, "--arena-size", "64K", "--threads", threads]);
            assert_eq!((failed.status.code(), failed.stdout.len()), (Some(2), 0));
            let message = stderr(&failed);
            assert!(message.starts_with(&format!("memtable: {file}: the line that starts at byte 107 ")), "{message}");
            let (_, size) = message.trim_end().rsplit_once("--arena-size ").unwrap();
            stdout(&run(&["ingest", &file, "--arena-size", size, "--threads", threads]));
        }
    }
}

#[cfg(unix)]
#[test]
fn a_line_that_no_arena_holds_ends_the_run() {
    let failed = run(&["ingest", "/dev/zero", "--arena-size", "64K"]);
    assert_eq!(failed.status.code(), Some(2));
    assert!(stderr(&failed).contains("too long for the largest arena"), "{}", stderr(&failed));
}

#[test]
fn a_folder_for_runs_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing").into_os_string().into_string().unwrap();
    let input = random_lines(7, 20_000);
    let failed = run_with(&input, &["ingest", "--arena-size", "64K", "--threads", "4", "--temp-dir", &missing]);
    assert_eq!((failed.status.code(), failed.stdout.len()), (Some(2), 0));
    assert!(stderr(&failed).contains(&missing), "{}", stderr(&failed));
    // Without runs there is no need for it.
    stdout(&run_with(b"a\n", &["ingest", "--temp-dir", &missing]));
}

#[test]
fn wrong_command_lines_and_sizes_are_errors() {
    for args in [
        &["ingest", "--arena-size", "0"][..],
        &["ingest", "--arena-size", "much"],
        &["ingest", "--arena-size", "3G"],
        &["ingest", "--threads", "0"],
        &["get"],
        &["bench", "--entries", "0"],
        &["no-such-command"],
    ] {
        let failed = run(args);
        assert_eq!((failed.status.code(), failed.stdout.len()), (Some(2), 0), "{args:?}");
        assert!(!failed.stderr.is_empty());
    }
}

#[test]
fn get_writes_the_last_line_of_a_key_wherever_it_is() {
    // Filler between the key's lines puts them into different runs.
    let filler = String::from_utf8((0..20_000).flat_map(|i| format!("filler {i}\n").into_bytes()).collect()).unwrap();
    let input = ["key\tfirst\n", &filler, "key\tlast\n", &filler, "other\n"].concat();
    for args in [&["--arena-size", "64K", "--threads", "3"][..], &["--arena-size", "16M"]] {
        assert_eq!(stdout(&run_with(input.as_bytes(), &[&["get", "key"], args].concat())), b"key\tlast\n");
        assert_eq!(stdout(&run_with(input.as_bytes(), &[&["get", "other"], args].concat())), b"other\n");
        let missing = run_with(input.as_bytes(), &[&["get", "ke"], args].concat());
        assert_eq!((missing.status.code(), &missing.stdout[..]), (Some(1), &b""[..]));
    }
}

#[test]
fn without_a_command_the_program_runs_on_data_of_its_own() {
    // From anywhere.
    let dir = tempfile::tempdir().unwrap();
    let output = common::memtable(&[]).current_dir(dir.path()).output().unwrap();
    let text = String::from_utf8(stdout(&output).to_vec()).unwrap();
    assert!(text.contains("  Afghanistan\tKabul\n"), "{text}");
    assert!(text.contains("223 records"), "{text}");
    assert!(text.contains("192 records"), "{text}");
}

#[test]
fn the_data_that_ships_holds_the_newest_capital_of_each_country() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/data/capitals.tsv");
    assert_eq!(stdout(&run(&["get", "Kazakhstan", file])), b"Kazakhstan\tAstana\n");
    assert!(stdout(&run(&["ingest", file])) == common::expected(&fs::read(file).unwrap()));
}

#[test]
fn bench_measures_every_contender_and_checks_what_it_reads() {
    let output = run(&["bench", "--entries", "2000", "--rounds", "2", "--threads", "2"]);
    let text = String::from_utf8(stdout(&output).to_vec()).unwrap();
    for row in ["fill random, 1 thread", "read random, 2 threads", "scan", "memory per entry", "crossbeam-skiplist"] {
        assert!(text.contains(row), "{row} in\n{text}");
    }
}

#[test]
fn help_lists_commands_and_exit_codes() {
    for args in [&["--help"][..], &["ingest", "--help"], &["get", "--help"]] {
        let text = String::from_utf8(stdout(&run(args)).to_vec()).unwrap();
        assert!(text.contains("Exit codes:") && text.contains("141"), "{text}");
    }
}
