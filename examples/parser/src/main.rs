//! Syntax trees in an arena: the threads of a pool parse files into one growing arena, each in a
//! lease that it finds by itself, and any thread reads any tree until the arena is reset.

mod error;
mod generate;
mod lexer;
mod parse;
mod tree;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use common::{AnyError, Chain, EXIT_CODES, Output, Shown};
use marena_std::{GrowingArena, Leases};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::error::Error;
use crate::generate::{Program, generate};
use crate::parse::parse;
use crate::tree::Node;

/// Bytes that a thread takes from the arena at once.
const CHUNK: usize = 64 << 10;

/// Evaluates programs such as `let a = 6; max(a, 3) * (a + 1)`.
///
/// Without files, it makes up programs whose values it knows, parses them and checks their values.
#[derive(Parser)]
#[command(name = "parser", version, after_help = EXIT_CODES)]
struct Arguments {
    /// Files, each with a program
    files: Vec<PathBuf>,
    /// The most that the arena for all trees takes, in bytes
    #[arg(long, default_value = "8G", value_parser = common::size)]
    arena_size: usize,
    /// Threads that parse, at most 1024
    #[arg(long, short, default_value = "2", value_parser = common::threads)]
    threads: usize,
}

fn main() -> ExitCode {
    common::main(|arguments: Arguments, output| {
        let arena = GrowingArena::builder().limit(arguments.arena_size).build()?;
        let leases = arena.leases(CHUNK);
        // rayon's error shows its cause and has it as its source, too.
        let threads = ThreadPoolBuilder::new().num_threads(arguments.threads).build();
        let threads = threads.map_err(|error| format!("cannot start {} threads: {error}", arguments.threads))?;
        let parse_all = |texts: &[&str]| threads.install(|| parse_all(texts, &leases));
        match &*arguments.files {
            [] => demonstrate(output, parse_all),
            files => calculate(files, output, parse_all),
        }
    })
}

type Trees<'a> = Vec<Result<Node<'a>, Error>>;

/// Returns the trees of all texts, in their order. The threads need no lease in hand: each has one
/// of its own in `leases`, whatever thread of the pool it is.
fn parse_all<'a>(texts: &[&str], leases: &Leases<'a, GrowingArena>) -> Trees<'a> {
    texts.par_iter().map(|text| parse(text, leases)).collect()
}

/// Prints the value of each file.
fn calculate<'a>(
    files: &[PathBuf],
    output: &mut Output,
    parse_all: impl Fn(&[&str]) -> Trees<'a>,
) -> Result<(), AnyError> {
    let read = |path: &PathBuf| fs::read_to_string(path).map_err(|error| format!("{}: {error}", Shown(path)));
    let texts = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let trees = parse_all(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    // The trees have copies of what they need, so the texts could go here.
    drop(texts);
    for (path, tree) in files.iter().zip(trees) {
        let value =
            tree.and_then(|tree| tree.evaluate()).map_err(|error| format!("{}: {}", Shown(path), Chain(&error)))?;
        writeln!(output, "{}: {value}", Shown(path))?;
    }
    Ok(())
}

/// Checks and measures made-up programs.
fn demonstrate<'a>(output: &mut Output, parse_all: impl Fn(&[&str]) -> Trees<'a>) -> Result<(), AnyError> {
    let programs: Vec<_> = (1..=16).map(|seed| generate(seed, 100)).collect();
    let texts: Vec<_> = programs.iter().map(|program| &*program.text).collect();
    let started = Instant::now();
    let trees = parse_all(&texts);
    let elapsed = started.elapsed();
    let mut nodes = 0;
    for (tree, Program { value, text }) in trees.into_iter().zip(&programs) {
        let tree = tree?;
        nodes += tree.count();
        let found = tree.evaluate()?;
        if found != *value {
            return Err(format!("this program is {found}, and was made to be {value}:\n{text}").into());
        }
    }
    writeln!(output, "{} made-up programs with {nodes} nodes have the values they were made for", programs.len())?;
    writeln!(output, "parsing took {:.1} ns a node", elapsed.as_nanos() as f64 / nodes as f64)?;
    Ok(())
}
