//! Parses one JavaScript file again and again, with whatever `bumpalo` is, and compares programs
//! that do.
//!
//! `parse FILE PARSES` prints the shortest and the median time of a parse in a fresh allocator and
//! in one that is reset, in nanoseconds, and the bytes that one parse took. `compare FILE SECONDS
//! NAME=PROGRAM…` runs programs in turn and prints their figures beside those of the first.

use std::env;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What one program measured, in nanoseconds and bytes.
const FIGURES: [&str; 5] = ["fresh, shortest", "fresh, median", "reset, shortest", "reset, median", "resident bytes"];

/// How many parses of each kind a program makes. bumpalo keeps its last chunk only, so its first
/// few parses after a reset touch new pages still.
const PARSES: &str = "12";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["parse", file, parses] => measure(file, parses),
        ["compare", file, seconds, ref programs @ ..] if !programs.is_empty() => compare(file, seconds, programs),
        _ => Err("usage: parse FILE PARSES | compare FILE SECONDS NAME=PROGRAM…".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oxc: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Parses the text, and how many statements it has.
fn parse(allocator: &Allocator, text: &str) -> usize {
    let parsed = Parser::new(allocator, text, SourceType::cjs()).parse();
    assert!(parsed.errors.is_empty() && !parsed.panicked, "{:?}", parsed.errors.first());
    black_box(&parsed.program).body.len()
}

fn measure(file: &str, parses: &str) -> Outcome<()> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let parses: usize = parses.parse()?;
    // The first parse, before the process has memory to reuse.
    let before = resident()?;
    let allocator = Allocator::new();
    parse(&allocator, &text);
    let resident = resident()?.saturating_sub(before);
    drop(allocator);

    let mut fresh = Vec::new();
    let mut reset = Vec::new();
    let mut kept = Allocator::new();
    for round in 0..parses {
        let start = Instant::now();
        let allocator = Allocator::new();
        parse(&allocator, &text);
        drop(allocator);
        fresh.push(start.elapsed());
        let start = Instant::now();
        parse(&kept, &text);
        kept.reset();
        // The first one is as a fresh one.
        if round > 0 {
            reset.push(start.elapsed());
        }
    }
    let [(a, b), (c, d)] = [&mut fresh, &mut reset].map(|times| shortest_and_median(times));
    println!("{} {} {} {} {resident}", a.as_nanos(), b.as_nanos(), c.as_nanos(), d.as_nanos());
    Ok(())
}

fn shortest_and_median(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    (times.first().copied().unwrap_or_default(), times.get(times.len() / 2).copied().unwrap_or_default())
}

/// Bytes of this process that are in memory.
fn resident() -> Outcome<usize> {
    let pages = fs::read_to_string("/proc/self/statm")?;
    let pages: usize = pages.split(' ').nth(1).ok_or("no figure")?.parse()?;
    Ok(pages * 4096)
}

fn compare(file: &str, seconds: &str, programs: &[&str]) -> Outcome<()> {
    let mut results: Vec<(&str, &str, Vec<[u64; 5]>)> = Vec::new();
    for program in programs {
        let (name, path) = program.split_once('=').ok_or("a program is given as NAME=PROGRAM")?;
        results.push((name, path, Vec::new()));
    }
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    while Instant::now() < end || results[0].2.is_empty() {
        for (_, path, figures) in &mut results {
            let output = Command::new(&*path).args(["parse", file, PARSES]).output()?;
            if !output.status.success() {
                return Err(format!("{path}: {}", String::from_utf8_lossy(&output.stderr)).into());
            }
            let text = String::from_utf8(output.stdout)?;
            let numbers: Vec<u64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
            figures.push(numbers.try_into().map_err(|_| format!("{path} printed {text:?}"))?);
        }
    }
    // The shortest of all runs, and the median of the medians: what a loaded machine disturbs
    // least.
    let summary = |figures: &[[u64; 5]], index: usize| {
        let mut all: Vec<u64> = figures.iter().map(|figures| figures[index]).collect();
        all.sort_unstable();
        if index % 2 == 0 && index < 4 { all[0] } else { all[all.len() / 2] }
    };
    println!("{} runs of each; ratios are to {}", results[0].2.len(), results[0].0);
    for (name, _, figures) in &results {
        println!("{name}");
        for (index, figure) in FIGURES.into_iter().enumerate() {
            let (own, first) = (summary(figures, index), summary(&results[0].2, index));
            println!("  {figure:16} {own:>12}  {:.3}", own as f64 / first as f64);
        }
    }
    Ok(())
}
