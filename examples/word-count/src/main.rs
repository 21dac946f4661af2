//! Collections in an arena: counts the words of files (of this program's own source without any) in a `hashbrown::HashMap`,
//! sorts them in an allocator-api2 `Vec`, and lets go of everything at once.
//!
//! `cargo run -p word-count -- [FILE]…`

use std::fs;
use std::io::{self, Write};

use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use hashbrown::{DefaultHashBuilder, HashMap};
use marena_std::{Arena, Scratch, marena_core};

/// How many words are printed for each text.
const SHOWN: usize = 8;

fn main() -> Result<(), std::boxed::Box<dyn std::error::Error>> {
    let mut arena = Arena::with_capacity(256 << 20)?;
    let paths: std::vec::Vec<String> = std::env::args().skip(1).collect();
    if paths.is_empty() {
        report("this program", include_str!("main.rs"), &arena.scratch())?;
    }
    for path in &paths {
        let text = fs::read_to_string(path)?;
        // A scope for each file: the table, the words and the sorted list all go back when it ends, however many files follow.
        report(path, &text, &arena.scratch())?;
    }
    let stats = arena.stats();
    println!("\narena: {} bytes used now, {} marked as used at most", stats.used, stats.high_water);
    Ok(())
}

/// Prints the most frequent words. Nothing here frees memory, and nothing has to.
fn report<M: marena_core::Memory>(name: &str, text: &str, scratch: &Scratch<'_, M>) -> io::Result<()> {
    // The map's table and, below, the vector's buffer grow in place while they are the last block of the scope.
    let mut counts = HashMap::with_hasher_in(DefaultHashBuilder::default(), scratch);
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word).or_insert(0_u32) += 1;
    }

    let mut ranked = Vec::with_capacity_in(counts.len(), scratch);
    ranked.extend(counts.iter().map(|(&word, &count)| (count, word)));
    ranked.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));

    // A box drops its value, unlike a value placed by `alloc`: the standard output is unlocked here.
    let mut out = Box::new_in(io::stdout().lock(), scratch);
    writeln!(out, "{name}: {} different words", ranked.len())?;
    for (count, word) in ranked.iter().take(SHOWN) {
        writeln!(out, "{count:8} {word}")?;
    }
    Ok(())
}
