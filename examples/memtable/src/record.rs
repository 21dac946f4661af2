//! Records, and the lines they come from.

use memchr::memchr;

/// One record: what the table holds for a key at a point of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// What records are sorted by, byte by byte.
    pub(crate) key: &'a [u8],
    /// What follows the key in its line: nothing, or a tab and a value. Kept whole, so that `k` and
    /// `k<TAB>`, which are records of one key, come out as they came in.
    pub(crate) tail: &'a [u8],
    /// Which of a key's records is newer.
    pub(crate) sequence: Sequence,
}

impl<'a> Record<'a> {
    /// The record of a line, given without its line feed.
    pub(crate) fn from_line(line: &'a [u8], sequence: Sequence) -> Self {
        let (key, tail) = line.split_at(memchr(b'\t', line).unwrap_or(line.len()));
        Self { key, tail, sequence }
    }
}

/// A record's place in the input: the byte at which its line starts, counted over all files. A
/// later record has a larger one.
///
/// 48 bits, so that it shares a word with two short lengths (see [`Prelude`]): 256 TiB of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sequence(u64);

impl Sequence {
    /// Before everything else.
    pub(crate) const FIRST: Self = Self(0);

    pub(crate) const BITS: u32 = 48;

    /// `None` past 48 bits.
    pub(crate) fn new(position: u64) -> Option<Self> {
        (position >> Self::BITS == 0).then_some(Self(position))
    }

    #[inline]
    pub(crate) fn get(self) -> u64 {
        self.0
    }

    /// A later one, `bytes` further on. The caller knows that it is not past 48 bits.
    #[inline]
    pub(crate) fn plus(self, bytes: usize) -> Self {
        debug_assert!(Self::new(self.0 + bytes as u64).is_some(), "{self:?} + {bytes}");
        Self(self.0 + bytes as u64)
    }
}

/// What precedes a record's bytes in a node and in a run: its sequence and lengths, in one word if
/// both lengths are short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prelude {
    pub(crate) sequence: Sequence,
    pub(crate) key_len: u32,
    pub(crate) tail_len: u32,
}

impl Prelude {
    /// In both length bytes of the first word: the lengths are in a second word.
    /// Of a record without bytes.
    pub(crate) const EMPTY: Self = Self { sequence: Sequence::FIRST, key_len: 0, tail_len: 0 };

    const LONG: u64 = 0xFF;

    pub(crate) fn is_long(self) -> bool {
        u64::from(self.key_len.max(self.tail_len)) >= Self::LONG
    }

    /// The first word: sequence, key length, tail length, from the top.
    pub(crate) fn first_word(self) -> u64 {
        let lengths = if self.is_long() {
            Self::LONG << 8 | Self::LONG
        } else {
            u64::from(self.key_len) << 8 | u64::from(self.tail_len)
        };
        self.sequence.0 << 16 | lengths
    }

    /// The second word, which follows if the record [is long](Self::is_long).
    pub(crate) fn second_word(self) -> u64 {
        u64::from(self.key_len) << 32 | u64::from(self.tail_len)
    }

    /// What the first word says; `Err` is the sequence of a long record, for
    /// [`from_second_word`](Self::from_second_word).
    #[inline]
    pub(crate) fn from_first_word(word: u64) -> Result<Self, Sequence> {
        let sequence = Sequence(word >> 16);
        let (key_len, tail_len) = (word >> 8 & 0xFF, word & 0xFF);
        // A short record has two short lengths, so one byte tells.
        if tail_len == Self::LONG {
            return Err(sequence);
        }
        Ok(Self { sequence, key_len: key_len as u32, tail_len: tail_len as u32 })
    }

    #[inline]
    pub(crate) fn from_second_word(sequence: Sequence, word: u64) -> Self {
        Self { sequence, key_len: (word >> 32) as u32, tail_len: word as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_splits_at_its_first_tab_and_keeps_it() {
        let sequence = Sequence::FIRST;
        for (line, key, tail) in [
            (&b"k\tv"[..], &b"k"[..], &b"\tv"[..]),
            (b"k\t", b"k", b"\t"),
            (b"k", b"k", b""),
            (b"", b"", b""),
            (b"\tv", b"", b"\tv"),
            (b"k\tv\tw\r", b"k", b"\tv\tw\r"),
        ] {
            assert_eq!(Record::from_line(line, sequence), Record { key, tail, sequence });
        }
    }

    #[test]
    fn a_prelude_comes_back_from_its_words_at_every_edge_of_the_lengths() {
        let edges = [0, 1, 254, 255, 256, 1 << 16, i32::MAX as u32];
        for sequence in [Sequence::FIRST, Sequence::new((1 << 48) - 1).unwrap()] {
            for key_len in edges {
                for tail_len in edges {
                    let prelude = Prelude { sequence, key_len, tail_len };
                    let back = Prelude::from_first_word(prelude.first_word());
                    assert_eq!(back.is_err(), prelude.is_long(), "{prelude:?}");
                    let back =
                        back.unwrap_or_else(|sequence| Prelude::from_second_word(sequence, prelude.second_word()));
                    assert_eq!(back, prelude);
                }
            }
        }
    }

    #[test]
    fn a_sequence_past_48_bits_is_none() {
        assert!(Sequence::new((1 << 48) - 1).is_some());
        assert_eq!(Sequence::new(1 << 48), None);
    }
}
