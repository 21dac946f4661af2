//! A storage engine's memtable whose nodes, keys and values all live in one arena: see the README beside `Cargo.toml`.

mod bench;
mod cli;
mod demo;
mod error;
mod ingest;
mod input;
mod merge;
mod newest;
mod output;
mod record;
mod report;
mod skiplist;
mod sorted;
mod spill;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, GetArgs, IngestArgs};
use error::Error;
use input::Source;
use output::Output;
use record::{Record, Sequence};

/// `get` found no record.
const NOT_FOUND: u8 = 1;
/// As clap has it for wrong command lines, and sort and grep for everything.
const TROUBLE: u8 = 2;
/// 128 + SIGPIPE: what a shell reports for a program that the signal ended.
const BROKEN_PIPE: u8 = 141;

#[global_allocator]
static ALLOCATOR: bench::CountingAllocator = bench::CountingAllocator;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let quiet = match &command {
        Some(Command::Ingest(IngestArgs { table, .. }) | Command::Get(GetArgs { table, .. })) => table.quiet,
        Some(Command::Bench(_)) | None => false,
    };
    let result = match command {
        Some(Command::Ingest(args)) => ingest(&args),
        Some(Command::Get(args)) => get(&args),
        Some(Command::Bench(args)) => bench::run(args),
        None => demo::run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let broken_pipe = matches!(error, Error::BrokenPipe { .. });
            if !(broken_pipe && quiet) {
                eprintln!("memtable: {error}");
            }
            ExitCode::from(if broken_pipe { BROKEN_PIPE } else { TROUBLE })
        }
    }
}

fn ingest(args: &IngestArgs) -> Result<ExitCode, Error> {
    let sources = Source::from_paths(&args.files);
    let mut output = Output::open(args.output.as_deref())?;
    let progress = report::progress(&sources, args.table.quiet)?;
    let settings = args.table.settings();
    let pool = settings.pool()?;
    let sorted = ingest::ingest(&sources, &settings, &pool, &progress)?;
    let figures = sorted.figures();
    progress.set_message("merging");
    let merged = sorted.for_each(|record| output.write(record))?;
    output.finish()?;
    progress.finish_and_clear();
    if args.table.stats {
        eprint!("{}", report::Stats { ingest: figures, merge: Some(merged) });
    }
    Ok(ExitCode::SUCCESS)
}

fn get(args: &GetArgs) -> Result<ExitCode, Error> {
    let sources = Source::from_paths(&args.files);
    let progress = report::progress(&sources, args.table.quiet)?;
    let settings = args.table.settings();
    let pool = settings.pool()?;
    let sorted = ingest::ingest(&sources, &settings, &pool, &progress)?;
    let figures = sorted.figures();
    let key = args.key.as_encoded_bytes();
    let found = sorted.get(key)?;
    progress.finish_and_clear();
    if args.table.stats {
        eprint!("{}", report::Stats { ingest: figures, merge: None });
    }
    let Some(tail) = found else { return Ok(ExitCode::from(NOT_FOUND)) };
    let mut output = Output::open(None)?;
    output.write(Record { key, tail: &tail, sequence: Sequence::FIRST })?;
    output.finish()?;
    Ok(ExitCode::SUCCESS)
}
