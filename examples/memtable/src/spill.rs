//! Sorted runs, one behind the other in one temporary file, so that thousands of them need one open
//! file.
//!
//! A record in a run is its prelude's one or two words, little-endian, then key and tail. Keys rise
//! strictly within a run: only the newest record of each is written.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use crate::record::{Prelude, Record};

/// What a run is read by. A record that is longer makes the buffer longer.
const READ_BYTES: usize = 64 << 10;

const WRITE_BYTES: usize = 256 << 10;

const WORD: usize = size_of::<u64>();

/// Runs being written.
#[derive(Debug)]
pub(crate) struct SpillWriter {
    file: BufWriter<File>,
    /// Bytes written.
    len: u64,
    runs: Vec<Range<u64>>,
}

impl SpillWriter {
    /// A file without a name in `dir`: it goes when the process does, however it ends (on systems
    /// that can do so).
    pub(crate) fn create_in(dir: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(WRITE_BYTES, tempfile::tempfile_in(dir)?);
        Ok(Self { file, len: 0, runs: Vec::new() })
    }

    /// Writes records as one run. Their keys must rise.
    pub(crate) fn write_run<'r>(&mut self, records: impl Iterator<Item = Record<'r>>) -> io::Result<()> {
        for record in records {
            self.write(record)?;
        }
        self.end_run();
        Ok(())
    }

    /// Appends a record to the run that [`end_run`](Self::end_run) will end. Keys must rise.
    pub(crate) fn write(&mut self, record: Record<'_>) -> io::Result<()> {
        let Record { key, tail, sequence } = record;
        // Lengths are at most 2^31: the record was in an arena.
        let prelude = Prelude { sequence, key_len: key.len() as u32, tail_len: tail.len() as u32 };
        self.file.write_all(&prelude.first_word().to_le_bytes())?;
        self.len += WORD as u64;
        if prelude.is_long() {
            self.file.write_all(&prelude.second_word().to_le_bytes())?;
            self.len += WORD as u64;
        }
        self.file.write_all(key)?;
        self.file.write_all(tail)?;
        self.len += (key.len() + tail.len()) as u64;
        Ok(())
    }

    /// Ends a run; the next record starts another.
    pub(crate) fn end_run(&mut self) {
        let start = self.runs.last().map_or(0, |run| run.end);
        self.runs.push(start..self.len);
    }

    pub(crate) fn finish(self) -> io::Result<Spill> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Spill { file, runs: self.runs })
    }
}

/// Runs, to be read.
#[derive(Debug)]
pub(crate) struct Spill {
    file: File,
    runs: Vec<Range<u64>>,
}

impl Spill {
    pub(crate) fn runs(&self) -> &[Range<u64>] {
        &self.runs
    }

    /// Bytes of all runs.
    pub(crate) fn len(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.end)
    }

    /// A reader before the first record of a run. Several can be used in turn, by one thread: each
    /// reads at its own place.
    pub(crate) fn read(&self, run: Range<u64>) -> RunReader<'_> {
        RunReader {
            file: &self.file,
            unread: run,
            buffer: Vec::new(),
            consumed: 0,
            current: Prelude::EMPTY,
            key_start: 0,
        }
    }
}

/// Reads one run.
#[derive(Debug)]
pub(crate) struct RunReader<'f> {
    file: &'f File,
    /// What is not in the buffer yet.
    unread: Range<u64>,
    buffer: Vec<u8>,
    /// Where in the buffer the record after the current one starts.
    consumed: usize,
    current: Prelude,
    /// Where in the buffer the current record's key starts.
    key_start: usize,
}

impl RunReader<'_> {
    /// The record that [`advance`](Self::advance) went to.
    pub(crate) fn record(&self) -> Record<'_> {
        let (key, tail) = self.buffer[self.key_start..self.consumed].split_at(self.current.key_len as usize);
        Record { key, tail, sequence: self.current.sequence }
    }

    /// Goes to the next record; `false` if there is none.
    pub(crate) fn advance(&mut self) -> io::Result<bool> {
        if self.consumed == self.buffer.len() && self.unread.is_empty() {
            return Ok(false);
        }
        self.current = match Prelude::from_first_word(self.take_word()?) {
            Ok(prelude) => prelude,
            Err(sequence) => Prelude::from_second_word(sequence, self.take_word()?),
        };
        let len = self.current.key_len as usize + self.current.tail_len as usize;
        self.fill(len)?;
        self.key_start = self.consumed;
        self.consumed += len;
        Ok(true)
    }

    fn take_word(&mut self) -> io::Result<u64> {
        self.fill(WORD)?;
        let mut word = [0; WORD];
        word.copy_from_slice(&self.buffer[self.consumed..self.consumed + WORD]);
        self.consumed += WORD;
        Ok(u64::from_le_bytes(word))
    }

    /// Makes `needed` bytes follow in the buffer.
    fn fill(&mut self, needed: usize) -> io::Result<()> {
        let left = self.buffer.len() - self.consumed;
        if needed <= left {
            return Ok(());
        }
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        let wanted = (needed - left).max(READ_BYTES) as u64;
        let end = self.unread.end.min(self.unread.start + wanted);
        self.file.seek(SeekFrom::Start(self.unread.start))?;
        self.file.take(end - self.unread.start).read_to_end(&mut self.buffer)?;
        self.unread.start = end;
        if self.buffer.len() < needed {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}
