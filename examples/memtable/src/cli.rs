//! The command line.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use clap::{Args, Parser, Subcommand, value_parser};
use common::EXIT_CODES;

use crate::ingest::Settings;

/// A storage engine's memtable in one arena: sorts the records of text files, and keeps the last of
/// each key.
///
/// Without a command, it runs on data that is part of the program.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes the records of text files in byte order of their keys, the last one of each key.
    ///
    /// A record is a line: a key, a tab and a value, or a key alone. Lines are bytes in any
    /// encoding, and come out as they came in. The output may be one of the inputs.
    #[command(after_help = EXIT_CODES)]
    Ingest(IngestArgs),
    /// Writes the last record of a key.
    #[command(after_help = EXIT_CODES)]
    Get(GetArgs),
    /// Measures the memtable's skip list against crossbeam-skiplist and a `BTreeMap` behind a
    /// mutex.
    #[command(after_help = EXIT_CODES)]
    Bench(BenchArgs),
}

#[derive(Args, Debug)]
pub(crate) struct IngestArgs {
    /// Text files; `-`, or none, is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Where to write; standard output without it, or for `-`. The file appears, or is replaced,
    /// when it is complete.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) table: TableArgs,
}

#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    /// The key.
    pub(crate) key: OsString,

    /// Text files; `-`, or none, is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) table: TableArgs,
}

#[derive(Args, Debug)]
pub(crate) struct TableArgs {
    /// Threads that insert, at most 1024; as many as there are processors without it.
    #[arg(long, short, value_name = "N", value_parser = common::threads)]
    threads: Option<usize>,

    /// Bytes of each of the two arenas, rounded up to a multiple of 65536: one is filled while the
    /// other is written out. K, M and G are understood. At most 2G. What fits the processor's cache
    /// is fastest.
    #[arg(long, value_name = "BYTES", default_value = "4M", value_parser = common::size)]
    arena_size: usize,

    /// Where runs are kept that do not fit an arena; the system's folder for temporary files
    /// without it.
    #[arg(long, value_name = "DIR")]
    temp_dir: Option<PathBuf>,

    /// Shows no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Writes statistics to standard error: records, use of the arenas, runs.
    #[arg(long)]
    pub(crate) stats: bool,
}

impl TableArgs {
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            threads: self.threads.or_else(processors).unwrap_or(1),
            arena_size: self.arena_size,
            temp_dir: self.temp_dir.clone().unwrap_or_else(std::env::temp_dir),
        }
    }
}

fn processors() -> Option<usize> {
    thread::available_parallelism().ok().map(NonZeroUsize::get)
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct BenchArgs {
    /// Entries, each with a key of 16 and a value of 32 bytes.
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub(crate) entries: u32,

    /// Measures with one thread and with this many.
    #[arg(long, short, value_name = "N", default_value = "2", value_parser = common::threads)]
    pub(crate) threads: usize,

    /// Rounds; the contenders take turns in each, and medians are shown.
    #[arg(long, value_name = "N", default_value = "5", value_parser = value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
}
