//! Runs the program, and knows what should come out.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

/// A command of the program, with nothing to read.
pub(crate) fn memtable(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtable"));
    command.args(args).stdin(Stdio::null());
    command
}

pub(crate) fn run(args: &[&str]) -> Output {
    memtable(args).output().unwrap()
}

/// Runs with `input` on standard input.
pub(crate) fn run_with(input: &[u8], args: &[&str]) -> Output {
    let mut child = memtable(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // A program that fails early does not read everything.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

/// What standard output holds, of a run that went well and said nothing else.
pub(crate) fn stdout(output: &Output) -> &[u8] {
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{}", stderr(output));
    &output.stdout
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a run with this input has to write: the last line of each key, in order of the keys.
pub(crate) fn expected(input: &[u8]) -> Vec<u8> {
    let mut last = BTreeMap::new();
    let whole = input.strip_suffix(b"\n").unwrap_or(input);
    if !input.is_empty() {
        for line in whole.split(|&byte| byte == b'\n') {
            last.insert(line.split(|&byte| byte == b'\t').next(), line);
        }
    }
    last.values().flat_map(|line| [*line, b"\n"].concat()).collect()
}

/// Numbers that are the same at every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Lines of random bytes, all 256 of them, tabs in some; keys come again and again.
pub(crate) fn random_lines(seed: u64, lines: usize) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut text = Vec::new();
    for _ in 0..lines {
        let key = numbers.next(lines as u64 / 2);
        let mut bytes = Numbers(key);
        for _ in 0..bytes.next(20) {
            // From a few neighbouring values, so that keys share beginnings.
            text.push(match bytes.next(16) {
                0 => 0,
                1 => 0xFF,
                2 => b'\r',
                n => b'a' + n as u8,
            });
        }
        for _ in 0..numbers.next(3) {
            text.push(b'\t');
            text.extend_from_slice(numbers.next(1000).to_string().as_bytes());
        }
        text.push(b'\n');
    }
    text
}

/// The names in a folder.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        dir.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
