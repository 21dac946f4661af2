//! Merging runs, however many there are, with bounded memory and one open file.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;
use std::ops::Range;
use std::path::Path;

use crate::newest::NewestOnly;
use crate::record::Record;
use crate::spill::{RunReader, Spill, SpillWriter};

/// Runs that are merged at once: each has a buffer of up to 64 KiB.
const FAN_IN: usize = 256;

/// Merges groups of runs into longer runs, in a new file each time, until few enough are left to be
/// merged at once. The number of passes over the data comes back too.
pub(crate) fn reduce(mut spill: Spill, dir: &Path) -> io::Result<(Spill, usize)> {
    let mut passes = 0;
    while spill.runs().len() > FAN_IN {
        let mut longer = SpillWriter::create_in(dir)?;
        for group in spill.runs().chunks(FAN_IN) {
            let mut merge = Merge::new(&spill, group)?;
            while let Some(record) = merge.next()? {
                longer.write(record)?;
            }
            longer.end_run();
        }
        spill = longer.finish()?;
        passes += 1;
    }
    Ok((spill, passes))
}

/// The newest record of each key of some runs, in order of the keys.
#[derive(Debug)]
pub(crate) struct Merge<'f> {
    /// Every run that is not at its end.
    heads: BinaryHeap<Head<'f>>,
    /// Whether the first head's record was shown already.
    shown: bool,
    newest_only: NewestOnly,
}

impl<'f> Merge<'f> {
    pub(crate) fn new(spill: &'f Spill, runs: &[Range<u64>]) -> io::Result<Self> {
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for run in runs {
            let mut reader = spill.read(run.clone());
            if reader.advance()? {
                heads.push(Head { prefix: prefix(reader.record().key), reader });
            }
        }
        Ok(Self { heads, shown: false, newest_only: NewestOnly::default() })
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        loop {
            let Some(mut head) = self.heads.peek_mut() else { return Ok(None) };
            if self.shown && !head.advance()? {
                PeekMut::pop(head);
                self.shown = false;
                continue;
            }
            // Where this one belongs now, the first may be another.
            drop(head);
            self.shown = true;
            match self.heads.peek() {
                Some(head) if self.newest_only.admits(head.reader.record().key) => break,
                _ => {}
            }
        }
        Ok(self.heads.peek().map(|head| head.reader.record()))
    }
}

/// A run, ordered by the record it stands on: the greatest is the one whose record comes first, as
/// a binary heap wants it.
#[derive(Debug)]
struct Head<'f> {
    /// The first eight bytes of the key, which decide most comparisons.
    prefix: u64,
    reader: RunReader<'f>,
}

impl Head<'_> {
    fn advance(&mut self) -> io::Result<bool> {
        let more = self.reader.advance()?;
        if more {
            self.prefix = prefix(self.reader.record().key);
        }
        Ok(more)
    }
}

fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = key.len().min(8);
    bytes[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(bytes)
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.prefix.cmp(&self.prefix).then_with(|| {
            let (own, theirs) = (self.reader.record(), other.reader.record());
            theirs.key.cmp(own.key).then(own.sequence.cmp(&theirs.sequence))
        })
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head<'_> {}

// Not under Miri, which has no temporary files.
#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::record::Sequence;

    /// Writes runs of (key, sequence), merges them all, and gives back what comes out and in how
    /// many passes.
    fn merged(runs: &[Vec<(Vec<u8>, u64)>]) -> (Vec<(Vec<u8>, u64)>, usize) {
        let dir = std::env::temp_dir();
        let mut writer = SpillWriter::create_in(&dir).unwrap();
        for run in runs {
            let records = run.iter().map(|(key, sequence)| Record {
                key,
                tail: b"\ttail",
                sequence: Sequence::new(*sequence).unwrap(),
            });
            writer.write_run(records).unwrap();
        }
        let (spill, passes) = reduce(writer.finish().unwrap(), &dir).unwrap();
        let mut merge = Merge::new(&spill, spill.runs()).unwrap();
        let mut found = Vec::new();
        while let Some(record) = merge.next().unwrap() {
            assert_eq!(record.tail, b"\ttail");
            found.push((record.key.to_vec(), record.sequence.get()));
        }
        (found, passes)
    }

    #[test]
    fn the_newest_record_of_a_key_wins_in_whichever_run_it_is() {
        let run =
            |records: &[(&str, u64)]| records.iter().map(|(k, s)| (k.as_bytes().to_vec(), *s)).collect::<Vec<_>>();
        let runs =
            [run(&[("a", 1), ("b", 9), ("c", 3)]), run(&[]), run(&[("b", 4), ("c", 7)]), run(&[("", 2), ("c", 5)])];
        assert_eq!(merged(&runs), (run(&[("", 2), ("a", 1), ("b", 9), ("c", 7)]), 0));
        assert_eq!(merged(&[]), (vec![], 0));
    }

    #[test]
    fn more_runs_than_are_merged_at_once_take_more_passes_and_lose_nothing() {
        // Each key is in two runs that are far apart.
        let count = 2 * FAN_IN + 3;
        let key = |number: usize| format!("{:05}", number % count).into_bytes();
        let runs: Vec<_> = (0..count)
            .map(|number| {
                let mut run = vec![(key(number), number as u64), (key(number + FAN_IN), (number + FAN_IN) as u64)];
                run.sort();
                run
            })
            .collect();
        let newest = |number: usize| if number < FAN_IN { number + count } else { number };
        let expected: Vec<_> = (0..count).map(|number| (key(number), newest(number) as u64)).collect();
        assert_eq!(merged(&runs), (expected, 1));
    }

    #[test]
    fn records_longer_than_a_read_come_back_whole() {
        let run: Vec<_> = (0..4).map(|i| (vec![b'a' + i; 100_000 * usize::from(i) + 250], u64::from(i))).collect();
        assert_eq!(merged(std::slice::from_ref(&run)), (run, 0));
    }
}
