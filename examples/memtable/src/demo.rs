//! What `memtable` does without a command: an ingest of data that ships with it.

use std::io::Write;

use common::{AnyError, Output};
use indicatif::ProgressBar;

use crate::ingest::{Settings, ingest};
use crate::input::Source;
use crate::report::Stats;

const CAPITALS: &[u8] = include_bytes!("../data/capitals.tsv");

/// Records that are shown.
const SHOWN: u64 = 8;

/// Ingests a list of capitals, in which those that moved come twice.
pub(crate) fn run(output: &mut Output) -> Result<(), AnyError> {
    let settings = Settings { threads: 2, arena_size: 64 << 10, temp_dir: std::env::temp_dir() };
    let pool = settings.pool()?;
    let source = Source::Bytes("data/capitals.tsv", CAPITALS);
    let sorted = ingest(&[source], &settings, &pool, &ProgressBar::hidden())?;
    let ingest = sorted.counts();
    writeln!(
        output,
        "{} lines of data/capitals.tsv (country, tab, capital) went into a skip list in one arena, from {} threads.\n\
         In byte order of the keys, the last line of each:\n",
        ingest.records, settings.threads
    )?;
    let mut shown = 0;
    let merge = sorted.for_each(|record| {
        shown += 1;
        if shown > SHOWN { Ok(()) } else { output.write_all(&[b"  ", record.key, record.tail, b"\n"].concat()) }
    })?;
    writeln!(
        output,
        "  ... and {} more.\n\n{} lines were replaced by later ones of the same key: capitals that moved.\n\n{}\n\
         Now with data of your own:  memtable ingest FILE   (memtable --help shows the rest)",
        merge.keys.saturating_sub(SHOWN),
        ingest.records - merge.keys,
        Stats { ingest, merge: Some(merge) }
    )?;
    Ok(())
}
