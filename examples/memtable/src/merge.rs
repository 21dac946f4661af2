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

/// Merges groups of runs into longer runs, in a new file each time, until few enough are left to be merged at once. The number
/// of passes over the data comes back too.
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

/// A run, ordered by the record it stands on: the greatest is the one whose record comes first, as a binary heap wants it.
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
