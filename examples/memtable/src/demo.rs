//! What `memtable` does without a command: an ingest of data that ships with it.

use std::io::{self, Write};
use std::process::ExitCode;

use indicatif::ProgressBar;

use crate::error::Error;
use crate::ingest::{Settings, ingest};
use crate::input::Source;
use crate::output::failure;
use crate::report::Stats;

const CAPITALS: &[u8] = include_bytes!("../data/capitals.tsv");

/// Records that are shown.
const SHOWN: u64 = 8;

/// Ingests a list of capitals, in which those that moved come twice.
pub(crate) fn run() -> Result<ExitCode, Error> {
    let settings = Settings { threads: 2, arena_size: 64 << 10, temp_dir: std::env::temp_dir() };
    let pool = settings.pool()?;
    let source = Source::Bytes("data/capitals.tsv", CAPITALS);
    let sorted = ingest(&[source], &settings, &pool, &ProgressBar::hidden())?;
    let ingest = sorted.figures();

    let mut text = Vec::new();
    let mut shown = 0;
    let merge = sorted.for_each(|record| {
        if shown < SHOWN {
            text.extend_from_slice(&[b"  ", record.key, record.tail, b"\n"].concat());
        }
        shown += 1;
        Ok(())
    })?;
    let moved = ingest.records - merge.keys;
    let mut stdout = io::stdout().lock();
    let written = writeln!(
        stdout,
        "{} lines of data/capitals.tsv (country, tab, capital) went into a skip list in one arena, from {} threads.\n\
         In byte order of the keys, the last line of each:\n",
        ingest.records, settings.threads
    )
    .and_then(|()| stdout.write_all(&text))
    .and_then(|()| {
        writeln!(
            stdout,
            "  ... and {} more.\n\n{moved} lines were replaced by later ones of the same key: capitals that moved.\n\n{}\n\
             Now with data of your own:  memtable ingest FILE   (memtable --help shows the rest)",
            merge.keys.saturating_sub(SHOWN),
            Stats { ingest, merge: Some(merge) }
        )
    });
    match written {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(source) => Err(failure("standard output", source)),
    }
}
