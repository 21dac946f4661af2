//! The guide names everything that the code requires it to name.
#![cfg(not(miri))]

use std::fs;
use std::path::Path;

const SOUNDNESS: &str = include_str!("../doc/soundness.md");

/// Collects the names that follow `prefix` in the sources below `folder`.
fn names_after(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names_after(&path, prefix, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let rest = source.lines().filter_map(|line| line.trim_start().strip_prefix(prefix));
            let name = |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned();
            names.extend(rest.map(name));
        }
    }
}

#[test]
fn every_unsafe_function_and_trait_is_on_the_page_about_soundness() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = Vec::new();
    for folder in [root.join("src"), root.join("../marena-std/src")] {
        // A published package contains only this crate.
        if folder.exists() {
            names_after(&folder, "pub unsafe fn ", &mut names);
            names_after(&folder, "pub unsafe trait ", &mut names);
        }
    }
    assert!(names.len() >= 10, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !SOUNDNESS.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
