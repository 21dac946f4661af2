//! What must not compile: each file in `compile_fail/` holds functions with lines marked
//! `//~ E0505`.
//!
//! The errors must be exactly the marked lines. Without these lines the same file must compile, so
//! no case fails for another reason. The test compares lines and codes, because messages change
//! with every compiler. Words behind a code (`//~ E0277 words`) must be part of the message; they
//! are words of this crate. All cases are binaries of one package, which the test writes beside the
//! build output and checks with one call of cargo.
#![cfg(not(miri))]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Line number and error code.
type Errors = BTreeSet<(u64, String)>;

/// An error of the compiler: its line, its code and its message.
type Found = (u64, String, String);

const MARK: &str = "//~ ";

struct Case {
    name: String,
    source: String,
}

impl Case {
    fn expected(&self) -> Errors {
        self.marks().map(|(line, code, _)| (line, code.to_owned())).collect()
    }

    /// Returns line, code and words of each mark.
    fn marks(&self) -> impl Iterator<Item = (u64, &str, &str)> {
        let marked = self.source.lines().zip(1..).filter_map(|(line, number)| Some((number, line.split_once(MARK)?.1)));
        marked.map(|(number, mark)| {
            let (code, words) = mark.split_once(' ').unwrap_or((mark, ""));
            (number, code, words)
        })
    }

    fn without_marked_lines(&self) -> String {
        self.source.lines().filter(|line| !line.contains(MARK)).fold(String::new(), |text, line| text + line + "\n")
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let case = |path: PathBuf| Case {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        source: fs::read_to_string(path).unwrap(),
    };
    paths.map(case).collect()
}

/// Writes a package with two programs for each case: the case as it is, and `sound_` without the
/// marked lines.
fn write_package(folder: &Path, cases: &[Case]) {
    let mut manifest = format!(
        "[package]\nname = \"compile-fail\"\nversion = \"0.0.0\"\nedition = \"2024\"\nautobins = false\n\
         [workspace]\n\
         [dependencies]\nmarena-core = {{ path = {:?}, features = [\"allocator-api2\"] }}\n\
         allocator-api2 = {{ version = \"0.2\", features = [\"alloc\"] }}\n\
         portable-atomic = {{ version = \"1\", default-features = false }}\n",
        env!("CARGO_MANIFEST_DIR")
    );
    fs::create_dir_all(folder).unwrap();
    for case in cases {
        for (name, source) in
            [(case.name.clone(), case.source.clone()), (sound(&case.name), case.without_marked_lines())]
        {
            writeln!(manifest, "[[bin]]\nname = \"{name}\"\npath = \"{name}.rs\"").unwrap();
            fs::write(folder.join(format!("{name}.rs")), source).unwrap();
        }
    }
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // The same versions that this test was built with, so cargo needs no network.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    if lock.exists() {
        fs::copy(lock, folder.join("Cargo.lock")).unwrap();
    }
}

fn sound(name: &str) -> String {
    format!("sound_{name}")
}

/// Returns the errors of each program that has any.
fn check(folder: &Path) -> BTreeMap<String, BTreeSet<Found>> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["check", "--offline", "--bins", "--keep-going", "--message-format=json"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .output()
        .unwrap();
    let mut errors = BTreeMap::<String, BTreeSet<Found>>::new();
    let mut programs = 0;
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let name = message["target"]["name"].as_str().unwrap_or_default().to_owned();
        programs += usize::from(message["target"]["kind"][0] == "bin");
        if message["reason"] != "compiler-message" || message["message"]["level"] != "error" {
            continue;
        }
        // The summary at the end has no line.
        let spans = message["message"]["spans"].as_array().into_iter().flatten();
        for span in spans.filter(|span| span["is_primary"] == true) {
            // Lifetime errors have no code.
            let code = message["message"]["code"]["code"].as_str().unwrap_or("lifetime").to_owned();
            let words = message["message"]["message"].as_str().unwrap_or_default().to_owned();
            errors.entry(name.clone()).or_default().insert((span["line_start"].as_u64().unwrap(), code, words));
        }
    }
    assert!(programs > 0, "nothing was checked:\n{}", String::from_utf8_lossy(&output.stderr));
    errors
}

#[test]
fn every_marked_line_is_an_error_and_no_other_line_is() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    let cases = cases();
    assert!(cases.len() >= 10, "{} cases", cases.len());
    write_package(&folder, &cases);
    let mut found = check(&folder);
    let mut wrong = String::new();
    for case in &cases {
        let expected = case.expected();
        assert!(!expected.is_empty(), "{} marks nothing", case.name);
        let messages = found.remove(&case.name).unwrap_or_default();
        let reported: Errors = messages.iter().map(|(line, code, _)| (*line, code.clone())).collect();
        for (line, code) in expected.symmetric_difference(&reported) {
            let what = if reported.contains(&(*line, code.clone())) { "unexpected" } else { "missing" };
            writeln!(wrong, "{}.rs:{line}: {what} {code}", case.name).unwrap();
        }
        for (line, code, words) in case.marks() {
            let said = |found: &&Found| found.0 == line && found.1 == code;
            if let Some((.., message)) = messages.iter().find(said).filter(|found| !found.2.contains(words)) {
                writeln!(wrong, "{}.rs:{line}: `{words}` is not in `{message}`", case.name).unwrap();
            }
        }
        if let Some(errors) = found.remove(&sound(&case.name)) {
            writeln!(wrong, "{}.rs without its marked lines: {errors:?}", case.name).unwrap();
        }
    }
    assert!(wrong.is_empty() && found.is_empty(), "{wrong}{found:?}");
}
