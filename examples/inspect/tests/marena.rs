//! The program on files that are arenas, were arenas, and say that they are.
#![cfg(all(unix, not(miri)))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with the sample in it, in which the program runs.
struct Place(TempDir);

impl Place {
    fn with_sample() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let made = place.run(&["demo", "sample.arena"]);
        assert!(made.status.success(), "{made:?}");
        place
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_marena")).args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    /// What a run that succeeds prints.
    fn output(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.run(arguments);
        assert!(status.success() && stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// Exit code and message of a run that fails.
    fn failure(&self, arguments: &[&str]) -> (i32, String) {
        let Output { status, stdout, stderr } = self.run(arguments);
        assert!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
        (status.code().expect("no signal"), String::from_utf8(stderr).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_sample_has_bytes_of_every_kind_and_two_roots() {
    let place = Place::with_sample();
    let shown = place.output(&["inspect", "sample.arena"]);
    assert_eq!(place.output(&["inspect", "--ascii", "sample.arena"]), shown);
    let bar = shown.lines().find(|line| line.starts_with("  [")).unwrap();
    assert!("#x-.".chars().all(|kind| bar.contains(kind)), "{shown}");
    assert!(shown.contains("root 1") && shown.contains("24 bytes at offset"), "{shown}");
}

#[test]
fn without_a_command_a_sample_is_shown() {
    let place = Place(tempfile::tempdir().unwrap());
    let shown = place.output(&[]);
    assert!(shown.contains("stranded") && shown.contains("root 1"), "{shown}");
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 0);
}

#[test]
fn json_has_the_numbers_that_the_file_has() {
    let place = Place::with_sample();
    let json: serde_json::Value = serde_json::from_str(&place.output(&["inspect", "--json", "sample.arena"])).unwrap();
    let file = fs::read(place.path("sample.arena")).unwrap();
    let word = |offset: usize| u64::from(u32::from_ne_bytes(file[offset..offset + 4].try_into().unwrap()));
    let stats = &json["stats"];
    assert_eq!(stats["capacity"], file.len());
    assert_eq!(stats["used"], word(64));
    assert_eq!(stats["remaining"], file.len() as u64 - 128 - word(64));
    assert_eq!(stats["high_water"], word(68).max(word(64)));
    assert_eq!(stats["stranded"], word(72));
    assert_eq!(json["header"]["version"], 1);
    assert_eq!(json["header"]["capacity"], file.len());
    assert_eq!(json["roots"][0]["offset"], 128);
    assert_eq!(json["roots"][1]["size"], 24);
    assert!(json["roots"][2].is_null());
}

#[test]
fn the_picture_is_the_one_beside_the_readme() {
    let place = Place::with_sample();
    place.output(&["inspect", "--svg", "out.svg", "sample.arena"]);
    let drawn = fs::read_to_string(place.path("out.svg")).unwrap();
    assert_eq!(drawn, include_str!("../sample.svg"));
    assert_eq!(place.output(&["inspect", "--svg", "-", "sample.arena"]), drawn);
    assert!(!place.path("-").exists());
    assert!(drawn.contains("prefers-color-scheme: dark"));
}

#[test]
fn names_cannot_break_the_picture() {
    let place = Place::with_sample();
    for (name, shown) in [
        ("<&>\".arena", "&lt;&amp;&gt;\".arena"),
        ("\u{1}\u{1b}\u{7f}\n.arena", "\\u{1}\\u{1b}\\u{7f}\\n.arena"),
        ("\u{ffff}.arena", "\u{fffd}.arena"),
    ] {
        fs::copy(place.path("sample.arena"), place.path(name)).unwrap();
        let drawn = place.output(&["inspect", "--svg", "-", name]);
        assert!(drawn.contains(shown) && !drawn.contains("<&"), "{drawn}");
        assert!(!drawn.contains(|c: char| c.is_control() && c != '\n' || c > '\u{fffd}'), "{drawn}");
    }
}

#[test]
fn a_picture_never_takes_an_arenas_place() {
    let place = Place::with_sample();
    place.output(&["demo", "other.arena"]);
    std::os::unix::fs::symlink("sample.arena", place.path("link")).unwrap();
    fs::hard_link(place.path("sample.arena"), place.path("twin")).unwrap();
    let before = fs::read(place.path("sample.arena")).unwrap();
    for out in ["sample.arena", "./sample.arena", "link", "twin", "other.arena"] {
        let (code, message) = place.failure(&["inspect", "sample.arena", "--svg", out]);
        assert_eq!(code, 2);
        assert!(message.contains("is an arena"), "{message}");
    }
    for name in ["sample.arena", "other.arena"] {
        assert!(fs::read(place.path(name)).unwrap() == before);
    }
}

#[test]
fn an_empty_arena_and_a_full_one_are_drawn() {
    let place = Place::with_sample();
    let file = place.path("sample.arena");
    change(&file, |bytes| bytes[24..76].fill(0));
    let empty = place.output(&["inspect", "sample.arena"]);
    assert!(empty.contains(&format!("[{}]", ".".repeat(64))), "{empty}");
    change(&file, |bytes| {
        let all = bytes.len() as u32 - 128;
        bytes[64..68].copy_from_slice(&all.to_ne_bytes());
    });
    let full = place.output(&["inspect", "sample.arena"]);
    assert!(full.contains(&format!("[{}]", "#".repeat(64))), "{full}");
}

#[test]
fn a_truncated_file_ends_the_run_with_code_1() {
    let place = Place::with_sample();
    let whole = fs::read(place.path("sample.arena")).unwrap();
    for len in [0, 1, 8, 127, 128, 135, 136, 4096, 65_536, whole.len() - 8, whole.len() - 1] {
        fs::write(place.path("cut"), &whole[..len]).unwrap();
        let (code, message) = place.failure(&["inspect", "cut"]);
        assert_eq!(code, 1, "{len} bytes: {message}");
        assert!(message.starts_with("marena: ") && message.contains("cut"), "{message}");
    }
}

#[test]
fn a_hostile_header_ends_the_run_with_code_1_or_is_shown() {
    let place = Place::with_sample();
    let whole = fs::read(place.path("sample.arena")).unwrap();
    // Fields that are checked: magic, version, capacity, roots, cursor, peak.
    for offset in [0, 4, 8, 16, 20, 24, 28, 64, 68] {
        fs::write(place.path("hostile"), &whole).unwrap();
        change(&place.path("hostile"), |bytes| bytes[offset..offset + 4].fill(0xFF));
        let (code, message) = place.failure(&["inspect", "hostile"]);
        assert_eq!(code, 1, "offset {offset}: {message}");
    }
    // Fields that are for people.
    for offset in [12, 56, 60, 72, 76, 124] {
        fs::write(place.path("hostile"), &whole).unwrap();
        change(&place.path("hostile"), |bytes| bytes[offset..offset + 4].fill(0xFF));
        let shown = place.output(&["inspect", "--svg", "out.svg", "hostile"]);
        let bar = shown.lines().find(|line| line.starts_with("  [")).unwrap();
        assert_eq!(bar.len(), 68, "{shown}");
    }
}

#[test]
fn a_path_that_is_no_file_is_an_error() {
    let place = Place::with_sample();
    assert_eq!(place.failure(&["inspect", "."]).0, 1);
    assert_eq!(place.failure(&["inspect", "/dev/null"]).0, 1);
    assert_eq!(place.failure(&["inspect", "missing"]).0, 2);
    assert_eq!(place.failure(&["inspect", "--svg", "missing/out.svg", "sample.arena"]).0, 2);
    assert_eq!(place.failure(&["demo", "sample.arena"]).0, 2);
    assert_eq!(place.failure(&["inspect"]).0, 2);
}
