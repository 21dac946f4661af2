//! Input: files or standard input, cut into chunks of whole lines.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::Shown;
use memchr::{memchr_iter, memrchr};

use crate::error::{Error, LARGEST_ARENA};
use crate::record::{Record, Sequence};

/// What a chunk aims at: enough lines to make handing it over cheap, few enough to give every
/// thread some of a small file.
const CHUNK_BYTES: usize = 128 << 10;

/// Where lines come from.
#[derive(Debug)]
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
    /// Data that is part of the program, by name.
    Bytes(&'static str, &'static [u8]),
}

impl Source {
    /// The files given, standard input for `-` or if there are none.
    pub(crate) fn from_paths(paths: &[PathBuf]) -> Vec<Self> {
        if paths.is_empty() {
            return vec![Self::Stdin];
        }
        let stdin = Path::new("-");
        paths.iter().map(|path| if path == stdin { Self::Stdin } else { Self::File(path.clone()) }).collect()
    }

    fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".into(),
            Self::File(path) => Shown(path).to_string(),
            Self::Bytes(name, _) => (*name).into(),
        }
    }

    /// Bytes to come, where that is known. Finds a missing file before anything is read.
    pub(crate) fn len(&self) -> Result<Option<u64>, Error> {
        match self {
            Self::Stdin => Ok(None),
            Self::File(path) => {
                let metadata = fs::metadata(path).map_err(|error| self.unreadable(error))?;
                Ok(metadata.is_file().then_some(metadata.len()))
            }
            Self::Bytes(_, bytes) => Ok(Some(bytes.len() as u64)),
        }
    }

    fn open(&self) -> Result<Box<dyn Read>, Error> {
        Ok(match self {
            Self::Stdin => Box::new(common::stdin().map_err(|error| self.unreadable(error))?.lock()),
            Self::File(path) => Box::new(File::open(path).map_err(|error| self.unreadable(error))?),
            Self::Bytes(_, bytes) => Box::new(*bytes),
        })
    }

    fn unreadable(&self, error: io::Error) -> Error {
        Error::Read { name: self.name(), error }
    }
}

/// Whole lines of one source, each with its line feed.
#[derive(Debug)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    /// The source, for messages.
    name: Arc<str>,
    /// Where in the source the first line starts.
    offset: u64,
    /// Where in the whole input the first line starts.
    position: Sequence,
}

impl Chunk {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The lines as records, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut start = 0;
        memchr_iter(b'\n', &self.bytes).map(move |end| {
            let record = Record::from_line(&self.bytes[start..end], self.position.plus(start));
            start = end + 1;
            record
        })
    }

    /// The error for a record of this chunk that no empty arena holds.
    pub(crate) fn too_long(&self, record: Record<'_>) -> Error {
        let offset = self.offset + (record.sequence.get() - self.position.get());
        let len = (record.key.len() + record.tail.len()) as u64;
        Error::LineTooLong { name: self.name.to_string(), offset, len }
    }
}

/// Reads sources one after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    /// No line that is longer fits an arena.
    longest_line: usize,
    /// Bytes in chunks so far, over all sources.
    position: u64,
}

impl Reader {
    pub(crate) fn new(longest_line: usize) -> Self {
        Self { longest_line, position: 0 }
    }

    /// Cuts one source into chunks, and hands them over until `hand_over` says `false`; that is the
    /// result then.
    ///
    /// A last line without a line feed is given one.
    pub(crate) fn read(&mut self, source: &Source, mut hand_over: impl FnMut(Chunk) -> bool) -> Result<bool, Error> {
        let name: Arc<str> = source.name().into();
        let mut input = source.open()?;
        let mut offset = 0;
        let mut rest = Vec::new();
        loop {
            // The line that a chunk was cut at starts the next one; a longer line makes the chunk
            // longer.
            let wanted = CHUNK_BYTES.max(2 * rest.len());
            let mut bytes = Vec::with_capacity(wanted);
            bytes.append(&mut rest);
            let missing = (wanted - bytes.len()) as u64;
            let read =
                input.by_ref().take(missing).read_to_end(&mut bytes).map_err(|error| source.unreadable(error))?;
            let at_end = (read as u64) < missing;
            if at_end && bytes.last().is_some_and(|&last| last != b'\n') {
                bytes.push(b'\n');
            }
            let cut = memrchr(b'\n', &bytes).map_or(0, |last| last + 1);
            if bytes.len() - cut > self.longest_line {
                // Only counted, so that the message can say how large an arena must be.
                let unread = BufReader::with_capacity(CHUNK_BYTES, input.take(LARGEST_ARENA)).skip_until(b'\n');
                let len = (bytes.len() - cut + unread.map_err(|error| source.unreadable(error))?) as u64;
                return Err(Error::LineTooLong { name: name.to_string(), offset: offset + cut as u64, len });
            }
            rest.extend_from_slice(&bytes[cut..]);
            bytes.truncate(cut);
            if cut > 0 {
                let end = self.position + cut as u64;
                let (Some(position), Some(_)) = (Sequence::new(self.position), Sequence::new(end)) else {
                    return Err(Error::InputTooLong { name: name.to_string() });
                };
                if !hand_over(Chunk { bytes, name: Arc::clone(&name), offset, position }) {
                    return Ok(false);
                }
                self.position = end;
                offset += cut as u64;
            }
            if at_end {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `text` after a journey through chunks, with where they start.
    fn lines(text: &'static [u8], reader: &mut Reader) -> Vec<(Vec<u8>, u64)> {
        let mut lines = Vec::new();
        let read = reader.read(&Source::Bytes("text", text), |chunk| {
            lines.extend(chunk.records().map(|record| ([record.key, record.tail].concat(), record.sequence.get())));
            true
        });
        assert!(read.unwrap());
        lines
    }

    #[test]
    fn lines_keep_their_bytes_and_their_places_over_all_sources() {
        let mut reader = Reader::new(1000);
        assert_eq!(lines(b"", &mut reader), []);
        assert_eq!(
            lines(b"a\r\n\n\xFF\tb", &mut reader),
            [(b"a\r".into(), 0), (b"".into(), 3), (b"\xFF\tb".into(), 4)]
        );
        // The last line above was given a line feed.
        assert_eq!(lines(b"next\n", &mut reader), [(b"next".into(), 8)]);
    }

    #[test]
    fn chunks_end_between_lines_wherever_the_lines_end() {
        // Line lengths that walk over every place of a chunk's edge, and one longer than two
        // chunks.
        let mut text: Vec<u8> = Vec::new();
        for number in 0..40_000 {
            text.extend(std::iter::repeat_n(b'x', number % 17));
            text.push(b'\n');
        }
        text.extend(std::iter::repeat_n(b'y', 2 * CHUNK_BYTES + 5));
        text.extend(b"\nend");
        let expected: Vec<_> = text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        let text = Box::leak(text.into_boxed_slice());
        let found: Vec<_> = lines(text, &mut Reader::new(1 << 20)).into_iter().map(|(line, _)| line).collect();
        assert!(found == expected);
    }

    #[test]
    fn a_line_that_fits_no_arena_is_an_error_with_its_place_and_its_length() {
        let text = Box::leak(vec![b'z'; 8 * CHUNK_BYTES].into_boxed_slice());
        text[4] = b'\n';
        let failed = Reader::new(1000).read(&Source::Bytes("text", text), |_| true);
        let len = text.len() as u64 - 5;
        assert!(matches!(failed, Err(Error::LineTooLong { offset: 5, len: l, .. }) if l == len), "{failed:?}");
    }
}
