//! What `memtable ingest` writes, against an ordered map.
#![cfg(not(miri))]

mod common;

use std::fs;

use common::{Numbers, expected, random_lines, run, run_with, stderr, stdout};

#[test]
fn any_number_of_threads_and_any_arena_give_the_same_records() {
    let input = random_lines(1, 20_000);
    let expected = expected(&input);
    for threads in ["1", "2", "3", "4"] {
        for arena in ["65536", "200K", "8M"] {
            let output = run_with(&input, &["ingest", "--threads", threads, "--arena-size", arena]);
            assert!(stdout(&output) == expected, "{threads} threads, arenas of {arena}");
        }
    }
}

#[test]
fn more_runs_than_are_merged_at_once_give_the_same_records() {
    // Long lines: thirty fill an arena.
    let filler = "x".repeat(2_000);
    let mut numbers = Numbers(2);
    let input: Vec<u8> =
        (0..10_000).flat_map(|line| format!("{}\t{filler}{line}\n", numbers.next(5_000)).into_bytes()).collect();
    let output = run_with(&input, &["ingest", "--threads", "2", "--arena-size", "65536", "--stats"]);
    assert!(output.status.success());
    assert!(output.stdout == expected(&input));
    assert!(stderr(&output).contains("merged in 2 passes"), "{}", stderr(&output));
}

#[test]
fn lines_without_tabs_come_out_as_from_sort_u() {
    let mut lines: Vec<&[u8]> = vec![b"b", b"", b"a", b"b", b"a\r", b"\xFF", b"A", b"a b", b"ab", b"\0", b""];
    let output = run_with(&lines.join(&b'\n'), &["ingest"]);
    lines.sort_unstable();
    lines.dedup();
    lines.push(b"");
    assert_eq!(stdout(&output), lines.join(&b'\n'));
}

#[test]
fn the_last_line_of_a_key_wins_and_comes_out_as_it_came_in() {
    for (input, output) in [
        (&b"k\t1\nk\t2\n"[..], &b"k\t2\n"[..]),
        (b"k\nk\t\n", b"k\t\n"),
        (b"k\t\nk\n", b"k\n"),
        (b"k\t1\r\nj\nk\t1\r\n", b"j\nk\t1\r\n"),
        (b"k\ta\tb\n", b"k\ta\tb\n"),
        (b"\tvalue of the empty key\n\n", b"\n"),
        (b"no line feed at the end", b"no line feed at the end\n"),
        (b"", b""),
        (b"\n", b"\n"),
    ] {
        assert_eq!(stdout(&run_with(input, &["ingest"])), output, "{input:?}");
    }
}

#[test]
fn one_key_in_every_line_keeps_only_the_very_last_value() {
    let input: String = (0..200_000).map(|number| format!("key\t{number}\n")).collect();
    for threads in ["1", "2", "4"] {
        let output = run_with(input.as_bytes(), &["ingest", "--threads", threads, "--arena-size", "64K"]);
        assert_eq!(stdout(&output), b"key\t199999\n");
    }
}

#[test]
fn files_are_read_in_the_order_given_and_never_run_into_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).into_os_string().into_string().unwrap();
    fs::write(path("1"), "k\t1\nlast").unwrap();
    fs::write(path("2"), "k\t2\n").unwrap();
    fs::write(path("3"), "").unwrap();
    assert_eq!(stdout(&run(&["ingest", &path("1"), &path("3"), &path("2")])), b"k\t2\nlast\n");
    assert_eq!(stdout(&run(&["ingest", &path("2"), &path("1")])), b"k\t1\nlast\n");
    assert_eq!(stdout(&run_with(b"k\tstdin", &["ingest", &path("2"), "-", &path("3")])), b"k\tstdin\n");
}

#[test]
fn a_line_may_be_as_long_as_an_arena_has_room_for() {
    // Longer than the chunks that input is read in.
    let long = vec![b'x'; 1_000_000];
    let output = run_with(&long, &["ingest", "--arena-size", "1M"]);
    assert_eq!(stdout(&output).len(), long.len() + 1);

    let lines: Vec<u8> = (0..200_u32).flat_map(|i| [&[b'a' + (i % 20) as u8; 60_000][..], b"\n"].concat()).collect();
    let output = run_with(&lines, &["ingest", "--arena-size", "64K", "--threads", "3"]);
    assert!(stdout(&output) == expected(&lines));
}

#[test]
fn statistics_count_records_arenas_and_runs() {
    let output = run_with(b"b\na\nb\n", &["ingest", "--stats", "--arena-size", "1"]);
    assert_eq!(output.stdout, b"a\nb\n");
    let statistics = stderr(&output);
    for line in ["input:    3 records, 6 bytes", "arenas:   2 of 65536 bytes", "flushes:  0", "output:   2 records"] {
        assert!(statistics.contains(line), "{line} in\n{statistics}");
    }
    let output = run_with(&random_lines(3, 20_000), &["ingest", "--stats", "--arena-size", "64K"]);
    assert!(!stderr(&output).contains("flushes:  0"), "{}", stderr(&output));
}
