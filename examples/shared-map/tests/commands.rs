//! Separate programs on one map.
#![cfg(all(unix, not(miri)))]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::process::Child;

use common::Tool;

const TOOL: Tool = Tool(env!("CARGO_BIN_EXE_shared-map"));

/// A program that puts these lines.
fn put(map: &str, lines: &str) -> Child {
    let mut child = TOOL.command(&["put", map, "--capacity", "2M"]).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child
}

#[test]
fn entries_of_several_programs_are_in_one_order_and_the_newest_counts() {
    let directory = tempfile::tempdir().unwrap();
    let map = directory.path().join("map");
    let map = map.to_str().unwrap();
    let lines =
        |writer: usize| (0..300).map(|line| format!("{:03}-{writer}\tvalue {line}\n", line)).collect::<String>();
    let writers: Vec<_> = (0..3).map(|writer| put(map, &lines(writer))).collect();
    for writer in writers {
        assert!(writer.wait_with_output().unwrap().status.success());
    }
    let mut expected: Vec<_> =
        (0..3).flat_map(|writer| lines(writer).lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    expected.sort();
    assert!(TOOL.output(&["scan", map]).lines().eq(&expected));
    assert!(TOOL.output(&["scan", map, "--reverse"]).lines().eq(expected.iter().rev()));
    let part = TOOL.output(&["scan", map, "100", "101-1"]);
    assert_eq!(part, "100-0\tvalue 100\n100-1\tvalue 100\n100-2\tvalue 100\n101-0\tvalue 101\n");
    assert_eq!(TOOL.output(&["get", map, "007-2"]), "value 7\n");
    assert_eq!(TOOL.output(&["put", map, "007-2", "newer"]), "");
    assert_eq!(TOOL.output(&["get", map, "007-2"]), "newer\n");
    assert_eq!(TOOL.output(&["remove", map, "007-2"]), "");
    for arguments in [["get", map, "007-2"], ["remove", map, "007-2"]] {
        assert_eq!(TOOL.run(&arguments).status.code(), Some(1));
    }
    assert!(TOOL.output(&["verify", map]).starts_with("899 entries in 902 nodes, all in order, 0 links missing; "));
}

#[test]
fn writers_that_ask_for_different_capacities_all_put_into_the_map_that_was_made_first() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let map = directory.path().join("map");
        let map = map.to_str().unwrap();
        let start = |writer: usize| {
            let (key, capacity) = (writer.to_string(), format!("{}M", writer + 1));
            TOOL.command(&["put", map, &key, "value", "--capacity", &capacity]).spawn().unwrap()
        };
        for writer in (0..6).map(start).collect::<Vec<_>>() {
            let output = writer.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        assert_eq!(TOOL.output(&["scan", map]).lines().count(), 6);
    }
}

#[test]
fn a_follower_prints_what_is_put_while_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let map = directory.path().join("map");
    let map = map.to_str().unwrap();
    TOOL.output(&["put", map, "b", "1", "--durable"]);
    let follower = TOOL.command(&["follow", map, "--entries", "4"]).spawn().unwrap();
    for (key, value) in [("a", "2"), ("c", "3")] {
        TOOL.output(&["put", map, key, value]);
    }
    // Until the follower has seen the value before.
    let mut turn = 0;
    let mut follower = Some(follower);
    while follower.as_mut().unwrap().try_wait().unwrap().is_none() {
        turn += 1;
        TOOL.output(&["put", map, "b", &format!("again {turn}")]);
    }
    let printed = String::from_utf8(follower.take().unwrap().wait_with_output().unwrap().stdout).unwrap();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("b\t") || lines[0].starts_with("a\t"), "{printed}");
    assert!(lines.contains(&"a\t2") && lines.iter().any(|line| line.starts_with("b\t")), "{printed}");
}

/// A writer takes memory for an entry first. Before it links the entry, it may wait for the disk.
#[test]
fn a_follower_prints_what_is_linked_long_after_it_took_its_memory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("map");
    let map = path.to_str().unwrap();
    TOOL.output(&["put", map, "a", "1"]);
    TOOL.output(&["put", map, "b", "2"]);
    let bytes = std::fs::read(&path).unwrap();
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    // The link of the first node, which root, block and head lead to.
    let link = word(word(28) + 64 + 4 * 23) - 4;
    let second = &bytes[link..link + 4];
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0; 4], link as u64).unwrap();
    let mut follower = TOOL.command(&["follow", map, "--entries", "2"]).spawn().unwrap();
    let mut printed = BufReader::new(follower.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(printed.next().unwrap(), "a\t1");
    file.write_all_at(second, link as u64).unwrap();
    assert_eq!(printed.next().unwrap(), "b\t2");
    assert!(follower.wait().unwrap().success());
}

#[test]
fn a_damaged_or_foreign_file_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("map");
    let map = path.to_str().unwrap();
    for arguments in [&["get", map, "k"][..], &["scan", map], &["verify", map]] {
        assert_eq!(TOOL.run(arguments).status.code(), Some(2), "no file");
    }
    std::fs::write(&path, [7; 65_536]).unwrap();
    for arguments in [&["get", map, "k"][..], &["put", map, "k", "v"], &["remove", map, "k"], &["verify", map]] {
        let run = TOOL.run(arguments);
        assert!(run.status.code() == Some(1) && !run.stderr.is_empty(), "{arguments:?}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), [7; 65_536]);
    std::fs::remove_file(&path).unwrap();

    assert!(put(map, &(0..100).map(|line| format!("{line}\tvalue\n")).collect::<String>()).wait().unwrap().success());
    let mut bytes = std::fs::read(&path).unwrap();
    let node = bytes.windows(8).position(|bytes| bytes == b"50value\0" || &bytes[..7] == b"50value").unwrap();
    // Another key, which is not in order.
    bytes[node] = b'0';
    std::fs::write(&path, &bytes).unwrap();
    let verified = TOOL.run(&["verify", map]);
    assert_eq!(verified.status.code(), Some(1), "{}", String::from_utf8_lossy(&verified.stderr));
    assert_eq!(TOOL.run(&["scan", map]).status.code(), Some(1));
    // An arena without a map.
    bytes[24..56].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    for arguments in [&["get", map, "k"][..], &["scan", map], &["follow", map], &["verify", map], &["remove", map, "k"]]
    {
        assert_eq!(TOOL.run(arguments).status.code(), Some(1), "{arguments:?}");
    }
}

#[test]
fn killed_writers_lose_nothing_that_was_inserted() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().to_str().unwrap();
    for options in [&[][..], &["--durable", "--capacity", "1M"]] {
        let kills = if options.is_empty() { "60" } else { "12" };
        let printed = TOOL.output(&[&["crash-test", "--kills", kills, "--directory", directory], options].concat());
        assert!(printed.contains("every insert that returned is there, in order"), "{printed}");
    }
}
