//! Syntax trees in an arena: threads parse files into one arena, each in a lease of its own, and any thread reads any
//! tree until the arena is reset.

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
use common::{AnyError, EXIT_CODES, Output, Shown};
use marena_std::Arena;
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
    /// Bytes of the arena for all trees
    #[arg(long, default_value = "256M", value_parser = common::size)]
    arena_size: usize,
    /// Threads that parse, at most 1024
    #[arg(long, short, default_value = "2", value_parser = common::threads)]
    threads: usize,
}

fn main() -> ExitCode {
    common::main(|arguments: Arguments, output| {
        let arena = Arena::with_capacity(arguments.arena_size)?;
        let threads = ThreadPoolBuilder::new().num_threads(arguments.threads).build()?;
        let parse_all = |texts: &[&str]| threads.install(|| parse_all(texts, &arena));
        match &*arguments.files {
            [] => demonstrate(output, parse_all),
            files => calculate(files, output, parse_all),
        }
    })
}

type Trees<'a> = Vec<Result<Node<'a>, Error>>;

/// Returns the trees of all texts, in their order and in one arena. Leases end with this call. What was built in them
/// does not.
fn parse_all<'a>(texts: &[&str], arena: &'a Arena) -> Trees<'a> {
    let texts = texts.par_iter();
    // For the lists that a thread has not read to their end. Only the bytes that are touched take memory.
    let states = || (arena.lease(CHUNK), Arena::with_capacity(arena.capacity()).ok());
    let trees = texts.map_init(states, |(lease, temporary), text| {
        // A scratch for each text: the next one's lists take the same memory again.
        let scratch = temporary.as_mut().ok_or(Error::Pending)?.scratch();
        parse(text, lease, &scratch)
    });
    trees.collect()
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
        let value = tree.and_then(|tree| tree.evaluate()).map_err(|error| format!("{}: {error}", Shown(path)))?;
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
