//! A node's first word: the number of its links, and the lengths of its key and value.
//!
//! Pure arithmetic: no memory is accessed here.

#![forbid(unsafe_code)]

use marena_core::{ARENA_MAX_ALLOC_SIZE, AllocError};

use crate::layout::{LINK, MAX_HEIGHT, MIN_BODY, WORD};

const HEIGHT_BITS: u32 = 0b1_1111;
const TOMBSTONE: u32 = 1 << 5;
const LONG: u32 = 1 << 6;
const KEY_SHIFT: u32 = 7;
const VALUE_SHIFT: u32 = 18;
/// The smallest lengths that have their own words.
const LONG_KEY: u32 = 1 << (VALUE_SHIFT - KEY_SHIFT);
const LONG_VALUE: u32 = 1 << (u32::BITS - VALUE_SHIFT);

/// A node's links and lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// INVARIANT: between 1 and `MAX_HEIGHT`. If it was read from damaged memory, it is at most 32.
    pub(crate) height: u32,
    pub(crate) key_len: u32,
    pub(crate) value_len: u32,
    pub(crate) tombstone: bool,
    /// Whether the lengths have their own words.
    pub(crate) long: bool,
}

impl Shape {
    /// How many bytes lie between a node's offset and its key if the lengths have their own words.
    pub(crate) const LONG_START: u32 = 3 * WORD;

    /// Returns the shape of a node for a key and a value, or of a tombstone if there is no value.
    #[inline]
    pub(crate) fn new(height: u32, key: &[u8], value: Option<&[u8]>) -> Result<Self, AllocError> {
        debug_assert!((1..=MAX_HEIGHT as u32).contains(&height), "a node of height {height}");
        let (key_len, value_len) = (key.len(), value.map_or(0, <[u8]>::len));
        // Each part is checked, so neither the sum nor the 32-bit lengths overflow.
        if key_len > ARENA_MAX_ALLOC_SIZE || value_len > ARENA_MAX_ALLOC_SIZE - key_len {
            return Err(AllocError::TooLarge { requested: key_len.saturating_add(value_len) });
        }
        let (key_len, value_len) = (key_len as u32, value_len as u32);
        let long = key_len >= LONG_KEY || value_len >= LONG_VALUE;
        Ok(Self { height, key_len, value_len, tombstone: value.is_none(), long })
    }

    /// Returns the first word.
    #[inline]
    pub(crate) fn word(self) -> u32 {
        let flags = (self.height - 1) | if self.tombstone { TOMBSTONE } else { 0 };
        match self.long {
            true => flags | LONG,
            false => flags | self.key_len << KEY_SHIFT | self.value_len << VALUE_SHIFT,
        }
    }

    /// Reads a first word. The caller reads the lengths of a long shape.
    #[inline]
    pub(crate) fn from_word(word: u32) -> Self {
        Self {
            height: (word & HEIGHT_BITS) + 1,
            key_len: word >> KEY_SHIFT & (LONG_KEY - 1),
            value_len: word >> VALUE_SHIFT,
            tombstone: word & TOMBSTONE != 0,
            long: word & LONG != 0,
        }
    }

    /// Returns how many bytes lie between the node's offset and its key.
    #[inline]
    pub(crate) fn key_start(self) -> u32 {
        if self.long { Self::LONG_START } else { WORD }
    }

    /// Returns the length of key and value in bytes, or the smallest body if they are shorter.
    #[inline]
    pub(crate) fn body_len(self) -> u32 {
        (self.key_len + self.value_len).max(MIN_BODY)
    }

    /// Returns the size of the links in bytes, which lie before the node's offset.
    #[inline]
    pub(crate) fn links_len(self) -> u32 {
        self.height * LINK
    }

    /// Returns the size of the whole node in bytes.
    #[inline]
    pub(crate) fn size(self) -> usize {
        // The sum is little more than 2^31 at most, which every `usize` holds.
        self.links_len() as usize + self.key_start() as usize + self.body_len() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_comes_back_from_its_word_at_every_edge() {
        let bytes = std::vec![0; 1 << 15];
        for height in [1, 2, MAX_HEIGHT as u32] {
            for key_len in [0, 1, 7, 8, 2046, 2047, 2048, 1 << 15] {
                for value_len in [0, 1, (1 << 14) - 1, 1 << 14, 1 << 15] {
                    for value in [None, Some(&bytes[..value_len])] {
                        let shape = Shape::new(height, &bytes[..key_len], value).unwrap();
                        let mut back = Shape::from_word(shape.word());
                        assert_eq!(back.long, key_len >= 2048 || value.is_some_and(|value| value.len() >= 1 << 14));
                        if back.long {
                            assert_eq!((back.key_len, back.value_len), (0, 0));
                            (back.key_len, back.value_len) = (shape.key_len, shape.value_len);
                        }
                        assert_eq!(back, shape);
                    }
                }
            }
        }
    }
}
