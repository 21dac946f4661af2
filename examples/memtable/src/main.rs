//! A storage engine's memtable whose nodes, keys and values all live in one arena: see the README
//! beside `Cargo.toml`.

mod bench;
mod cli;
mod demo;
mod error;
mod ingest;
mod input;
mod merge;
mod newest;
mod record;
mod report;
mod sorted;
mod spill;
mod table;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use common::{AnyError, FileOutput, Negative, Output};

use cli::{Cli, Command, GetArgs, IngestArgs, TableArgs};
use ingest::Counts;
use input::Source;
use sorted::{MergeCounts, Sorted};

#[global_allocator]
static ALLOCATOR: common::CountingAllocator = common::CountingAllocator;

fn main() -> ExitCode {
    common::main(|Cli { command }, output| match command {
        Some(Command::Ingest(args)) => ingest(&args),
        Some(Command::Get(args)) => get(&args, output),
        Some(Command::Bench(args)) => bench::run(args, output),
        None => demo::run(output),
    })
}

fn ingest(args: &IngestArgs) -> Result<(), AnyError> {
    let mut output = FileOutput::create(args.output.as_deref().unwrap_or(Path::new("-")))?;
    with_sorted(&args.files, &args.table, |sorted| {
        let merged = sorted.for_each(|record| {
            output.write_all(record.key)?;
            output.write_all(record.tail)?;
            output.write_all(b"\n")
        })?;
        output.finish()?;
        Ok(Some(merged))
    })
}

fn get(args: &GetArgs, output: &mut Output) -> Result<(), AnyError> {
    let key = args.key.as_encoded_bytes();
    let mut found = None;
    with_sorted(&args.files, &args.table, |sorted| {
        found = sorted.get(key)?;
        Ok(None)
    })?;
    let Some(tail) = found else { return Err(Negative("no line has this key".into()).into()) };
    Ok(output.write_all(&[key, &tail, b"\n"].concat())?)
}

/// Ingests files, has `use_it` do something with the result, and shows progress and statistics
/// meanwhile.
fn with_sorted(
    files: &[std::path::PathBuf],
    args: &TableArgs,
    use_it: impl FnOnce(Sorted<'_>) -> Result<Option<MergeCounts>, AnyError>,
) -> Result<(), AnyError> {
    let sources = Source::from_paths(files);
    let progress = report::progress(&sources, args.quiet)?;
    let settings = args.settings();
    let pool = settings.pool()?;
    let sorted = ingest::ingest(&sources, &settings, &pool, &progress)?;
    let ingest: Counts = sorted.counts();
    progress.set_message("merging");
    let merge = use_it(sorted)?;
    progress.finish_and_clear();
    if args.stats {
        // Without them the work is done all the same.
        let _ = write!(io::stderr(), "{}", report::Stats { ingest, merge });
    }
    Ok(())
}
