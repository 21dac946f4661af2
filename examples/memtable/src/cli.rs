//! The command line.

use std::ffi::OsString;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::thread;

use clap::{Args, Parser, Subcommand};

use crate::ingest::Settings;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    `get` found no record of the key
  2    a wrong command line, an unreadable input, a record larger than an arena, an unwritable output
  141  the reader of standard output went away before everything was written";

/// A storage engine's memtable in one arena: sorts the records of text files, and keeps the last of each key.
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
    /// A record is a line: a key, a tab and a value, or a key alone. Lines are bytes in any encoding, and come out as they came in. The output
    /// may be one of the inputs.
    #[command(after_help = EXIT_CODES)]
    Ingest(IngestArgs),
    /// Writes the last record of a key.
    #[command(after_help = EXIT_CODES)]
    Get(GetArgs),
    /// Measures the memtable's skip list against crossbeam-skiplist and a `BTreeMap` behind a mutex.
    #[command(after_help = EXIT_CODES)]
    Bench(BenchArgs),
}

#[derive(Args, Debug)]
pub(crate) struct IngestArgs {
    /// Text files; `-`, or none, is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Where to write; standard output without it. The file appears, or is replaced, when it is complete.
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
    /// Threads that insert; as many as there are processors without it.
    #[arg(long, short, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// Bytes of each of the two arenas, rounded up to a multiple of 65536: one is filled while the other is written out. K, M
    /// and G are understood. At most 2G. What fits the processor's cache is fastest.
    #[arg(long, value_name = "BYTES", default_value = "4M", value_parser = bytes)]
    arena_size: NonZeroUsize,

    /// Where runs are kept that do not fit an arena; the system's folder for temporary files without it.
    #[arg(long, value_name = "DIR")]
    temp_dir: Option<PathBuf>,

    /// Shows no progress, and no message when the reader of standard output goes away.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Writes figures to standard error: records, use of the arenas, runs.
    #[arg(long)]
    pub(crate) stats: bool,
}

impl TableArgs {
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            threads: self.threads.or(thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get),
            arena_size: self.arena_size.get(),
            temp_dir: self.temp_dir.clone().unwrap_or_else(std::env::temp_dir),
        }
    }
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct BenchArgs {
    /// Entries, each with a key of 16 and a value of 32 bytes.
    #[arg(long, value_name = "N", default_value = "1000000")]
    pub(crate) entries: NonZeroU32,

    /// Measures with one thread and with this many.
    #[arg(long, short, value_name = "N", default_value = "2")]
    pub(crate) threads: NonZeroUsize,

    /// Rounds; the contenders take turns in each, and medians are shown.
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) rounds: NonZeroUsize,
}

/// A number of bytes, perhaps with a suffix.
fn bytes(text: &str) -> Result<NonZeroUsize, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: usize = digits.parse().map_err(|_| "not a number of bytes, as 65536, 64K, 8M or 1G".to_owned())?;
    let bytes = number.checked_mul(1 << shift).ok_or("more than this machine can address")?;
    NonZeroUsize::new(bytes).ok_or_else(|| "an arena of no bytes holds nothing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_are_numbers_with_or_without_a_suffix() {
        for (text, size) in [("65536", 65_536), ("64K", 65_536), ("8m", 8 << 20), ("1G", 1 << 30)] {
            assert_eq!(bytes(text).map(NonZeroUsize::get), Ok(size));
        }
        for text in ["", "K", "-1", "0", "1T", "1.5M", "99999999999999999999", "99999999999G"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
