//! Separate programs on one log.
#![cfg(all(unix, not(miri)))]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::thread;

use common::Tool;

const TOOL: Tool = Tool(env!("CARGO_BIN_EXE_shared-log"));

/// The lines of one writer; no two writers have one in common, and some are empty but for the
/// number.
fn lines(writer: usize, count: usize) -> Vec<String> {
    (0..count).map(|line| format!("{writer} {line} {}", "text ".repeat(line % 70))).collect()
}

/// A program that appends these lines, which are written to it meanwhile.
fn write(log: &Path, options: &[&str], lines: Vec<String>) -> Child {
    let mut child = TOOL.command(&[&["write", log.to_str().unwrap()], options].concat()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    thread::spawn(move || lines.iter().try_for_each(|line| writeln!(input, "{line}")));
    child
}

/// A log with these lines.
fn log_of(directory: &tempfile::TempDir, options: &[&str], lines: Vec<String>) -> PathBuf {
    let log = directory.path().join("log");
    assert!(write(&log, options, lines).wait().unwrap().success());
    log
}

/// Exit code, output and message of a run that fails.
fn failure(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = TOOL.run(arguments);
    assert!(!status.success() && !stderr.is_empty(), "{arguments:?}");
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Where in a file these bytes are.
fn position(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
}

#[test]
fn a_log_has_the_lines_of_all_writers_each_in_their_order() {
    for chunk in ["0", "4096", "65536"] {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let writers: Vec<_> =
            (0..3).map(|writer| write(&log, &["--chunk", chunk, "--capacity", "2M"], lines(writer, 500))).collect();
        for mut writer in writers {
            assert!(writer.wait().unwrap().success());
        }
        let log = log.to_str().unwrap();
        let dump = TOOL.output(&["dump", log]);
        for writer in 0..3 {
            let own = format!("{writer} ");
            let found: Vec<_> = dump.lines().filter(|line| line.starts_with(&own)).collect();
            assert_eq!(found, lines(writer, 500), "chunk {chunk}");
        }
        assert_eq!(dump.lines().count(), 1500);
        assert_eq!(TOOL.output(&["follow", log, "--records", "1500"]), dump);
        assert!(TOOL.output(&["verify", log]).starts_with("1500 records of 3 writers, none damaged or missing"));
    }
}

#[test]
fn writers_that_ask_for_different_capacities_all_append_to_the_log_that_was_made_first() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let start = |writer: usize| write(&log, &["--capacity", &format!("{}M", writer + 1)], lines(writer, 3));
        for writer in (0..6).map(start).collect::<Vec<_>>() {
            let output = writer.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        assert_eq!(TOOL.output(&["dump", log.to_str().unwrap()]).lines().count(), 18);
    }
}

#[test]
fn a_full_log_keeps_its_records_and_says_how_much_of_the_input_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    // More than fits: the last chunk is larger than what is left, and records go on one by one.
    let run = write(&log, &["--chunk", "64K", "--capacity", "2M"], lines(0, 20_000)).wait_with_output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    let log = log.to_str().unwrap();
    let dump = TOOL.output(&["dump", log]);
    let kept = dump.lines().count();
    assert!(kept > 1000);
    assert_eq!(dump.lines().collect::<Vec<_>>(), lines(0, kept));
    let message = String::from_utf8_lossy(&run.stderr);
    assert!(message.contains(&format!("{kept} records were appended, line {} and", kept + 1)), "{message}");
    assert!(message.contains("bytes left"), "{message}");
}

#[test]
fn a_damaged_record_does_not_hide_others() {
    let directory = tempfile::tempdir().unwrap();
    // More than are remembered at once.
    let all = lines(7, 10_000);
    let log = log_of(&directory, &["--capacity", "8M"], all.clone());
    let whole = fs::read(&log).unwrap();
    let name = log.to_str().unwrap();
    // The oldest, one in the middle, one at which a block ends, the newest.
    for number in [0, 5_000, 10_000 - 4_096, 9_999] {
        let text = position(&whole, format!("{}\0", all[number]).as_bytes());
        // In the text, the check sum, the first link.
        for (distance, hidden) in [(0, 0), (24, 0), (40, 1)] {
            let mut damaged = whole.clone();
            damaged[text - distance] ^= 0x11;
            fs::write(&log, &damaged).unwrap();
            let (code, dump, message) = failure(&["dump", name]);
            assert_eq!(code, 1);
            assert!(message.contains("is damaged"), "{message}");
            let mut expected = all.clone();
            expected.remove(number);
            // The links of the newest record are the only ones that name the way on.
            if number == 9_999 && hidden == 1 {
                continue;
            }
            assert!(dump.lines().eq(&expected), "record {number}, {distance} bytes before its text");
            let (code, report, _) = failure(&["verify", name]);
            assert!(code == 1 && report.starts_with("9999 records of 1 writers, some damaged"), "{report}");
        }
    }
}

#[test]
fn a_long_record_that_leads_back_to_itself_is_read_a_few_times_only() {
    let directory = tempfile::tempdir().unwrap();
    let text = "x".repeat(1 << 20);
    let log = log_of(&directory, &["--capacity", "64M"], vec![text; 20]);
    let mut bytes = fs::read(&log).unwrap();
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
    let table = (word(24) >> 32) as usize;
    let head = (0..16).map(|lane| word(table + 128 * lane)).find(|&head| head != 0).unwrap();
    let newest = (head >> 32) as usize;
    bytes[newest..newest + 8].copy_from_slice(&head.to_ne_bytes());
    fs::write(&log, &bytes).unwrap();
    let (code, _, message) = failure(&["verify", log.to_str().unwrap()]);
    let more: u64 = message.split("and ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(code == 1 && more < 1000, "{message}");
}

#[test]
fn verifying_an_arena_without_a_log_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let log = log_of(&directory, &["--capacity", "1M"], lines(0, 10));
    let whole = fs::read(&log).unwrap();
    // The root slot, and the table's second word.
    let table = 128 + position(&whole[128..], b"a log v2") - 8;
    for range in [24..32, table + 8..table + 16] {
        let mut damaged = whole.clone();
        damaged[range].fill(0);
        fs::write(&log, &damaged).unwrap();
        for subcommand in ["verify", "dump"] {
            let (code, found, message) = failure(&[subcommand, log.to_str().unwrap()]);
            assert_eq!((code, &*found), (1, ""), "{message}");
            assert!(message.contains("no log"), "{message}");
        }
    }
    // A head that is damaged.
    let head = (0..16).map(|lane| table + 128 * lane).find(|&head| whole[head..head + 8] != [0; 8]).unwrap();
    let mut damaged = whole;
    damaged[head..head + 8].fill(0xFF);
    fs::write(&log, &damaged).unwrap();
    let (code, _, message) = failure(&["verify", log.to_str().unwrap()]);
    assert!(code == 1 && message.contains("the head of lane"), "{message}");
}

/// Records of a writer that does not flush never stand between a head and a durable record,
/// wherever they are lost.
#[test]
fn a_writer_that_is_not_durable_does_not_undo_what_others_made_durable() {
    let directory = tempfile::tempdir().unwrap();
    let log = log_of(&directory, &["--durable", "--capacity", "1M"], lines(1, 30));
    // As many writers as meet every lane.
    for _ in 0..40 {
        log_of(&directory, &[], lines(2, 1));
    }
    // A disk on which the heads are, and the bytes of what was not flushed are not.
    let mut lost = fs::read(&log).unwrap();
    for start in 0..lost.len() - 4 {
        if lost[start..].starts_with(b"2 0 ") {
            // The record's links, check sum and numbers, and its text.
            lost[start - 40..start + 4].fill(0);
        }
    }
    fs::write(&log, &lost).unwrap();
    let (_, dump, _) = failure(&["dump", log.to_str().unwrap()]);
    let durable: Vec<_> = dump.lines().filter(|line| line.starts_with("1 ")).collect();
    assert_eq!(durable, lines(1, 30));
    log_of(&directory, &["--durable"], lines(1, 30));
    let (_, dump, _) = failure(&["dump", log.to_str().unwrap()]);
    assert_eq!(dump.lines().count(), 60);
}

#[test]
fn a_file_that_is_no_arena_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("text");
    fs::write(&path, "not an arena").unwrap();
    for subcommand in ["dump", "verify", "follow", "write"] {
        let (code, _, message) = failure(&[subcommand, path.to_str().unwrap()]);
        assert!(code == 1 && message.contains("not a usable arena"), "{message}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_is_printed_in_less_memory_than_it_takes() {
    let directory = tempfile::tempdir().unwrap();
    let long: Vec<_> = (0..10_000).map(|line| format!("{line:4000}")).collect();
    let log = log_of(&directory, &[], long.clone());
    // Half of the log. Mapped files do not count.
    let mut limited = Command::new("prlimit");
    limited.args(["--data=20000000", env!("CARGO_BIN_EXE_shared-log"), "dump"]).arg(log);
    let Ok(Output { status, stdout, stderr }) = limited.output() else {
        return println!("skipped: needs prlimit");
    };
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    assert!(String::from_utf8(stdout).unwrap().lines().eq(&long));
}
