//! Collections in an arena: counts the words of files (of this program's own source without any) in a `hashbrown::HashMap`,
//! sorts them in an allocator-api2 `Vec`, and lets go of everything at once.
//!
//! `cargo run -p word-count -- [FILE]…`

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use hashbrown::{DefaultHashBuilder, HashMap};
use marena_std::{Arena, OwnedMemory, Scratch};

/// How many words are printed for each text.
const SHOWN: usize = 8;

/// The scope that a text's collections live in.
type Scope<'a> = Scratch<'a, OwnedMemory>;

type AnyError = std::boxed::Box<dyn Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("word-count: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), AnyError> {
    let mut arena = Arena::with_capacity(256 << 20)?;
    let paths: std::vec::Vec<String> = std::env::args().skip(1).collect();
    if paths.is_empty() {
        report("this program", include_str!("main.rs"), &arena.scratch())?;
    }
    for path in &paths {
        let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        // A scope for each file: the table, the words and the sorted list all go back when it ends, however many files follow.
        report(path, &text, &arena.scratch()).map_err(|error| format!("{path}: {error}"))?;
    }
    let stats = arena.stats();
    println!("\narena: {} bytes used now, {} marked as used at most", stats.used, stats.high_water);
    Ok(())
}

/// Prints the most frequent words.
fn report(name: &str, text: &str, scratch: &Scope<'_>) -> Result<(), AnyError> {
    let ranked = ranked(text, scratch)?;
    // A box drops its value, unlike a value placed by `alloc`: the standard output is unlocked here.
    let mut out = Box::try_new_in(io::stdout().lock(), scratch).map_err(|_| "no room for a box")?;
    writeln!(out, "{name}: {} different words", ranked.len())?;
    for (count, word) in ranked.iter().take(SHOWN) {
        writeln!(out, "{count:8} {word}")?;
    }
    Ok(())
}

/// The words of a text, the most frequent first, with a map and a list in any allocator. In an arena, nothing here frees memory, and
/// nothing has to: a table that the map has outgrown, half as large as the next one, goes with the scope.
fn ranked<A: Allocator + Copy>(text: &str, alloc: A) -> Result<Vec<(u32, &str), A>, AnyError> {
    let mut counts = HashMap::with_hasher_in(DefaultHashBuilder::default(), alloc);
    for word in words(text) {
        // Insertion alone would end the process where the arena is full. With a free place in the table, this costs a comparison.
        counts.try_reserve(1)?;
        *counts.entry(word).or_insert(0) += 1;
    }
    let mut ranked = Vec::new_in(alloc);
    ranked.try_reserve_exact(counts.len())?;
    ranked.extend(counts.iter().map(|(&word, &count)| (count, word)));
    ranked.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    Ok(ranked)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranking_is_that_of_an_ordinary_map() {
        let text = include_str!("main.rs");
        let mut expected = std::collections::BTreeMap::new();
        for word in words(text) {
            *expected.entry(word).or_insert(0) += 1;
        }
        let mut expected: std::vec::Vec<(u32, &str)> =
            expected.into_iter().map(|(word, count)| (count, word)).collect();
        expected.sort_by_key(|&(count, _)| std::cmp::Reverse(count));

        let mut arena = Arena::with_capacity(1 << 20).unwrap();
        for _ in 0..3 {
            let scratch = arena.scratch();
            assert_eq!(ranked(text, &scratch).unwrap().as_slice(), expected);
        }
        assert_eq!(arena.used(), 0);
    }

    #[test]
    fn a_text_with_too_many_words_is_an_error() {
        let text: String = (0..50_000).map(|number| format!("word{number} ")).collect();
        let mut arena = Arena::with_capacity(1 << 20).unwrap();
        assert!(ranked(&text, &arena.scratch()).is_err());
        // The arena is none the worse for it.
        assert_eq!(ranked("one two one", &arena.scratch()).unwrap().as_slice(), [(2, "one"), (1, "two")]);
    }
}
