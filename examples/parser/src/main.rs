//! Syntax trees in an arena: `cargo run --release -p parser -- [FILE]…`
//!
//! Threads parse files into one arena, each in a lease of its own; then all trees are there, for everyone, until the arena is
//! reset. Without files, made-up programs are parsed, checked, and measured against trees in boxes.

mod boxed;
mod build;
mod error;
mod generate;
mod lexer;
mod measure;
mod parse;
mod threads;
mod tree;

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use marena_std::Arena;

fn main() -> ExitCode {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if paths.is_empty() { measure::measure() } else { calculate(&paths) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("parser: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the value of each file.
fn calculate(paths: &[String]) -> Result<(), Box<dyn Error>> {
    let arena = Arena::with_capacity(256 << 20)?;
    let texts = paths.iter().map(fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    let trees = threads::parse_all(&texts.iter().map(String::as_str).collect::<Vec<_>>(), &arena)?;
    // The trees are copies of what they need, so the texts could go here.
    drop(texts);
    for (path, tree) in paths.iter().zip(trees) {
        let value = tree.and_then(|tree| tree.evaluate()).map_err(|error| format!("{path}: {error}"))?;
        println!("{path}: {value}");
    }
    Ok(())
}
