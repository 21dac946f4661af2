//! What an ingest ends with: the last table, and the runs of those before it, to be read as one.

use std::cmp::Ordering;
use std::io;
use std::path::{Path, PathBuf};

use common::AnyError;

use crate::error::Error;
use crate::ingest::{Counts, Table};
use crate::merge::{Merge, reduce};
use crate::newest::newest;
use crate::record::{Record, Sequence};
use crate::spill::SpillWriter;

/// All records that were ingested.
#[derive(Debug)]
pub(crate) struct Sorted<'p> {
    /// What came last, or late: with several threads, a run may hold a newer record of a key than
    /// the table.
    table: Table<'p>,
    /// The tables before it, if it is not the only one.
    runs: Option<SpillWriter>,
    counts: Counts,
    temp_dir: PathBuf,
}

/// What the merge did, for `--stats`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MergeCounts {
    /// Records that came out: one per key.
    pub(crate) keys: u64,
    /// Sorted runs, the last table's included; 0 if one table held everything.
    pub(crate) runs: usize,
    pub(crate) run_bytes: u64,
    /// Times that the runs' bytes were merged: into longer runs, and at last into the output.
    pub(crate) passes: usize,
}

impl<'p> Sorted<'p> {
    pub(crate) fn new(table: Table<'p>, runs: Option<SpillWriter>, counts: Counts, temp_dir: &Path) -> Self {
        Self { table, runs, counts, temp_dir: temp_dir.to_path_buf() }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Shows the newest record of each key, in order of the keys.
    pub(crate) fn for_each(self, mut visit: impl FnMut(Record<'_>) -> io::Result<()>) -> Result<MergeCounts, AnyError> {
        let mut counts = MergeCounts::default();
        let mut visit = |record: Record<'_>| {
            counts.keys += 1;
            visit(record)
        };
        let Some(mut runs) = self.runs else {
            for record in newest(self.table.iter()) {
                visit(record)?;
            }
            return Ok(counts);
        };
        let failed = |error| Error::Spill { dir: self.temp_dir.clone(), error };
        runs.write_run(newest(self.table.iter())).map_err(failed)?;
        let spill = runs.finish().map_err(failed)?;
        (counts.runs, counts.run_bytes) = (spill.runs().len(), spill.len());
        let (spill, passes) = reduce(spill, &self.temp_dir).map_err(failed)?;
        let mut merge = Merge::new(&spill, spill.runs()).map_err(failed)?;
        while let Some(record) = merge.next().map_err(failed)? {
            visit(record)?;
        }
        counts.passes = passes + 1;
        Ok(counts)
    }

    /// What followed a key in its last line.
    pub(crate) fn get(self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut newest = self.table.get(key).map(|record| (record.sequence, record.tail.to_vec()));
        if let Some(runs) = self.runs {
            search_runs(runs, key, &mut newest).map_err(|error| Error::Spill { dir: self.temp_dir, error })?;
        }
        Ok(newest.map(|(_, tail)| tail))
    }
}

/// Looks for a newer record of a key in all runs.
fn search_runs(runs: SpillWriter, key: &[u8], newest: &mut Option<(Sequence, Vec<u8>)>) -> io::Result<()> {
    let spill = runs.finish()?;
    for run in spill.runs() {
        let mut reader = spill.read(run.clone());
        while reader.advance()? {
            let record = reader.record();
            match record.key.cmp(key) {
                Ordering::Less => continue,
                Ordering::Equal if newest.as_ref().is_none_or(|(sequence, _)| *sequence < record.sequence) => {
                    *newest = Some((record.sequence, record.tail.to_vec()));
                }
                Ordering::Equal | Ordering::Greater => {}
            }
            break;
        }
    }
    Ok(())
}
