//! What a person watches: progress and statistics.

use std::fmt;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::Error;
use crate::ingest::Counts;
use crate::input::Source;
use crate::sorted::MergeCounts;

/// Shows a bar over the bytes of all sources, or a count if their number is not known. It is on
/// standard error, if that is a terminal.
pub(crate) fn progress(sources: &[Source], quiet: bool) -> Result<ProgressBar, Error> {
    let mut total = Some(0);
    for source in sources {
        total = total.zip(source.len()?).map(|(total, len)| total + len);
    }
    if quiet {
        return Ok(ProgressBar::hidden());
    }
    let template = match total {
        Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}",
        None => "{spinner} {msg} {bytes} {bytes_per_sec}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let progress = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr()).with_style(style);
    progress.set_message("reading");
    progress.enable_steady_tick(Duration::from_millis(200));
    Ok(progress)
}

/// The statistics of `--stats`, a line each.
#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) ingest: Counts,
    pub(crate) merge: Option<MergeCounts>,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ingest, merge } = self;
        writeln!(f, "input:    {} records, {} bytes", ingest.records, ingest.input_bytes)?;
        let percent = 100.0 * ingest.high_water as f64 / ingest.capacity as f64;
        writeln!(
            f,
            "arenas:   2 of {} bytes, {} used at most ({percent:.1} %), {} stranded",
            ingest.capacity, ingest.high_water, ingest.stranded
        )?;
        writeln!(f, "flushes:  {}", ingest.flushes)?;
        if let Some(merge) = merge {
            match merge.passes {
                0 => writeln!(f, "runs:     none, everything fitted one arena")?,
                passes => {
                    let plural = if passes == 1 { "" } else { "es" };
                    let MergeCounts { runs, run_bytes, .. } = merge;
                    writeln!(f, "runs:     {runs}, {run_bytes} bytes, merged in {passes} pass{plural}")?;
                }
            }
            writeln!(f, "output:   {} records", merge.keys)?;
        }
        Ok(())
    }
}
