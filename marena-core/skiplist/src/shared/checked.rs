//! A region that other processes write as well. Accesses are atomic and checked.

use core::sync::atomic::Ordering::Relaxed;
use std::vec;
use std::vec::Vec;

use marena_core::Word;

use super::error::SharedMapError;
use crate::checkpoints::{Checkpoints, SPACING};
use crate::layout::{MIN_NODE, WORD};
use crate::map::Entry;
use crate::node::Node;
use crate::region::{Extent, Region};
use crate::space::Space;

/// Keys of up to so many bytes are copied to the stack for comparisons.
const SHORT_KEY: usize = 128;

const WORD_BYTES: usize = WORD as usize;

/// A region whose bytes others may write at any time. It is accessed only as 32-bit atomic words.
#[derive(Debug)]
pub(super) struct Checked<S> {
    extent: Extent<S>,
    checkpoints: Checkpoints,
}

impl<S: Space> Checked<S> {
    /// # Safety
    ///
    /// - The region's bytes are initialised.
    /// - As long as the value exists, this process accesses them only through it, except the first
    ///   128 and bytes that were not handed out to it.
    pub(super) unsafe fn new(space: S) -> Self {
        // As many as a walk comes to that meets every node twice.
        let checkpoints = Checkpoints::new(space.region().len() / (SPACING * MIN_NODE / 2) as usize);
        Self { extent: Extent::new(space), checkpoints }
    }

    pub(super) fn into_space(self) -> S {
        self.extent.into_space()
    }

    /// Copies bytes into `into`.
    ///
    /// # Safety
    ///
    /// - The words that contain the bytes lie in the region.
    unsafe fn copy_out(&self, at: u32, into: &mut [u8]) {
        let load = |at| {
            // SAFETY: by the caller's promise, this word contains some of the bytes. `at` counts
            // whole words.
            unsafe { self.read_word(at) }.to_ne_bytes()
        };
        let skipped = at as usize % WORD_BYTES;
        let mut at = at - skipped as u32;
        let (head, rest) = into.split_at_mut(into.len().min((WORD_BYTES - skipped) % WORD_BYTES));
        if !head.is_empty() {
            head.copy_from_slice(&load(at)[skipped..][..head.len()]);
            at += WORD;
        }
        let (words, tail) = rest.as_chunks_mut::<WORD_BYTES>();
        // SAFETY: as above, for all these words.
        unsafe { self.copy_words(at, words) };
        at += words.len() as u32 * WORD;
        if !tail.is_empty() {
            tail.copy_from_slice(&load(at)[..tail.len()]);
        }
    }

    /// Copies whole words into `into`.
    ///
    /// # Safety
    ///
    /// - `at` is a multiple of 4, and the words lie in the region.
    #[inline]
    unsafe fn copy_words(&self, at: u32, into: &mut [[u8; WORD_BYTES]]) {
        // SAFETY: the caller's promise.
        let mut place = unsafe { self.at(at) };
        let mut copy = |word: &mut [u8; WORD_BYTES]| {
            let from = self.space().word(place.cast());
            // SAFETY: as in `word`: by the caller's promise, this is a word of the region.
            // ORDERING: Relaxed: the Acquire load of the link that led here makes the bytes
            // visible.
            *word = unsafe { from.as_ref() }.load(Relaxed).to_ne_bytes();
            // SAFETY: behind a word of the region, so at most at its end.
            place = unsafe { place.add(WORD_BYTES) };
        };
        let (fours, rest) = into.as_chunks_mut::<4>();
        fours.iter_mut().flatten().for_each(&mut copy);
        rest.iter_mut().for_each(copy);
    }
}

// SAFETY: the extent is a field that never changes. Its bytes are initialised, by the promise of
// `new`'s caller, and all methods access them as atomic words.
unsafe impl<S: Space> Region for Checked<S> {
    type Space = S;

    const TRUSTED: bool = false;

    #[inline]
    fn extent(&self) -> &Extent<S> {
        &self.extent
    }

    fn checkpoints(&self) -> Option<&Checkpoints> {
        Some(&self.checkpoints)
    }

    #[inline]
    unsafe fn read_word(&self, at: u32) -> u32 {
        // SAFETY: the caller's promise.
        let word = unsafe { self.word(at) };
        // ORDERING: Relaxed, as in `copy_words`. For an index, it is the load of the index's word.
        word.load(Relaxed)
    }

    #[inline]
    unsafe fn read_eight(&self, at: u32) -> u64 {
        // SAFETY: the caller's promise.
        let first = unsafe { self.read_word(at) };
        // SAFETY: as above.
        let second = unsafe { self.read_word(at + WORD) };
        u64::from(first.to_be()) << u32::BITS | u64::from(second.to_be())
    }

    #[inline]
    unsafe fn write_word(&self, at: u32, word: u32) {
        // SAFETY: the caller's promise.
        let place = unsafe { self.word(at) };
        // ORDERING: Relaxed: the Release that links the node, completes the index or publishes the
        // root makes it visible.
        place.store(word, Relaxed);
    }

    #[inline]
    unsafe fn write_body(&self, at: u32, parts: [&[u8]; 2], len: u32) {
        let mut word = [0; WORD_BYTES];
        let (mut filled, mut next) = (0, at);
        for mut part in parts {
            // The word before may end in this part.
            if filled > 0 {
                let (first, rest) = part.split_at(part.len().min(WORD_BYTES - filled));
                word[filled..filled + first.len()].copy_from_slice(first);
                (filled, part) = (filled + first.len(), rest);
                if filled < WORD_BYTES {
                    continue;
                }
                // SAFETY: the parts are at most `len` bytes together, whose words are the caller's
                // own.
                unsafe { self.write_word(next, u32::from_ne_bytes(word)) };
                next += WORD;
            }
            let (words, rest) = part.as_chunks();
            for &bytes in words {
                // SAFETY: as above.
                unsafe { self.write_word(next, u32::from_ne_bytes(bytes)) };
                next += WORD;
            }
            word = [0; WORD_BYTES];
            word[..rest.len()].copy_from_slice(rest);
            filled = rest.len();
        }
        if filled > 0 {
            // SAFETY: as above.
            unsafe { self.write_word(next, u32::from_ne_bytes(word)) };
            next += WORD;
        }
        while next < at + len {
            // SAFETY: as above.
            unsafe { self.write_word(next, 0) };
            next += WORD;
        }
    }

    #[inline]
    unsafe fn with_bytes<R>(&self, at: u32, len: u32, look: impl FnOnce(&[u8]) -> R) -> R {
        let len = len as usize;
        let mut short = [0; SHORT_KEY];
        if let Some(bytes) = short.get_mut(..len) {
            // SAFETY: the caller's promise.
            unsafe { self.copy_out(at, bytes) };
            return look(bytes);
        }
        let mut bytes = vec![0; len];
        // SAFETY: the caller's promise.
        unsafe { self.copy_out(at, &mut bytes) };
        look(&bytes)
    }

    unsafe fn try_with_bytes<R>(&self, at: u32, len: u32, look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        if len as usize <= SHORT_KEY {
            // SAFETY: the caller's promise.
            return Some(unsafe { self.with_bytes(at, len, look) });
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len as usize).ok()?;
        bytes.resize(len as usize, 0);
        // SAFETY: the caller's promise.
        unsafe { self.copy_out(at, &mut bytes) };
        Some(look(&bytes))
    }
}

impl<S: Space> Node<'_, Checked<S>> {
    /// Replaces the contents of `into` by the key.
    pub(super) fn copy_key(self, into: &mut Vec<u8>) -> Result<(), SharedMapError> {
        self.copy(self.key_range(), into)
    }

    /// Replaces the contents of `into` by the value.
    pub(super) fn copy_value(self, into: &mut Vec<u8>) -> Result<(), SharedMapError> {
        self.copy(self.value_range(), into)
    }

    /// Copies the entry into `into`, which grows where needed, and returns its key and its value.
    #[inline]
    pub(super) fn copy_entry(self, into: &mut Vec<[u8; WORD_BYTES]>) -> Result<Entry<'_>, SharedMapError> {
        let ((at, key_len), (_, value_len)) = (self.key_range(), self.value_range());
        let (key_len, value_len) = (key_len as usize, value_len as usize);
        let words = (key_len + value_len).div_ceil(WORD_BYTES);
        if words > into.len() {
            grow(into, words)?;
        }
        let into = &mut into[..words];
        // SAFETY: by the node's invariant, the whole words of key and value lie in the region.
        unsafe { self.place().nodes().region().copy_words(at, into) };
        let (key, value) = into.as_flattened().split_at(key_len);
        Ok((key, &value[..value_len]))
    }

    fn copy(self, (at, len): (u32, u32), into: &mut Vec<u8>) -> Result<(), SharedMapError> {
        let bytes = len as usize;
        into.clear();
        into.try_reserve_exact(bytes).map_err(|_| SharedMapError::NoMemory { bytes })?;
        into.resize(bytes, 0);
        // SAFETY: by the node's invariant, the whole words of key and value lie in the region.
        unsafe { self.place().nodes().region().copy_out(at, into) };
        Ok(())
    }
}

#[cold]
fn grow(into: &mut Vec<[u8; WORD_BYTES]>, words: usize) -> Result<(), SharedMapError> {
    let bytes = words * WORD_BYTES;
    into.try_reserve_exact(words - into.len()).map_err(|_| SharedMapError::NoMemory { bytes })?;
    into.resize(words, [0; WORD_BYTES]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use core::alloc::Layout;
    use core::mem::MaybeUninit;

    use marena_core::Arena;

    use super::*;
    use crate::node::Nodes;

    #[test]
    fn a_body_is_its_parts_and_zeros_up_to_the_end_of_the_last_word() {
        let mut bytes = [MaybeUninit::zeroed(); 4096];
        let arena = Arena::borrowed(&mut bytes).unwrap();
        // SAFETY: the bytes are zeros, and the arena has no other user.
        let region = unsafe { Checked::new(&arena) };
        let at = region.allocate(Layout::new::<[u32; 12]>()).unwrap();
        let text = *b"what is in both parts";
        for first in 0..=9 {
            for second in 0..=11 {
                let (len, old) = ((first + second).max(8), [0xEE; 48]);
                for word in (at..at + 48).step_by(4) {
                    // SAFETY: in the allocation.
                    unsafe { region.write_word(word, 0xEEEE_EEEE) };
                }
                // SAFETY: as above.
                unsafe { region.write_body(at, [&text[..first], &text[9..9 + second]], len as u32) };
                let mut expected = old;
                expected[..len.next_multiple_of(WORD_BYTES)].fill(0);
                expected[..first].copy_from_slice(&text[..first]);
                expected[first..first + second].copy_from_slice(&text[9..9 + second]);
                let mut found = old;
                // SAFETY: as above.
                unsafe { region.copy_out(at, &mut found) };
                assert_eq!(found, expected, "{first} and {second} bytes");
            }
        }
    }

    #[test]
    fn a_region_has_two_checkpoints_for_every_so_many_of_the_smallest_nodes() {
        let mut bytes = [MaybeUninit::zeroed(); 1 << 15];
        let arena = Arena::borrowed(&mut bytes).unwrap();
        // SAFETY: as above.
        let region = unsafe { Checked::new(&arena) };
        let checkpoints = region.checkpoints().unwrap();
        let nearest = || checkpoints.nearest(|_| true);
        let most = 2 * region.len() as usize / (64 * 16);
        checkpoints.add(&nearest(), &vec![1; most + 1]);
        assert_eq!(nearest().offset, None);
        checkpoints.add(&nearest(), &vec![1; most]);
        assert_eq!(nearest().offset, Some(1));
    }

    #[test]
    fn a_link_and_a_node_are_sound_exactly_where_all_that_is_read_lies_in_the_region() {
        let mut bytes = [MaybeUninit::zeroed(); 1024];
        let arena = Arena::borrowed(&mut bytes).unwrap();
        // SAFETY: as above.
        let nodes = Nodes::create(unsafe { Checked::new(&arena) }, 0, 0).unwrap();
        let (len, used, head) = (nodes.region().len(), arena.used() as u32, nodes.head().offset());
        let write = |at: u32, word: u32| {
            if at.is_multiple_of(4) && (head + 12..=len - 4).contains(&at) {
                // SAFETY: in the region.
                unsafe { nodes.region().write_word(at, word) };
            }
        };
        let next = |level: u32, link: u32| {
            // SAFETY: a link of the head.
            unsafe { nodes.region().write_word(head - 4 * (level + 1), link) };
            nodes.head().on_level(level).unwrap().unwrap().next()
        };
        for level in [0, 1, 2, 23] {
            for link in (1..len + 20).chain([1 << 31, u32::MAX - 3, u32::MAX]) {
                // The links from this level down, the first word and eight bytes.
                let sound = link.is_multiple_of(4) && link >= 128 + 4 * (level + 1) && link <= len - 12;
                assert_eq!(next(level, link).is_ok(), sound, "{link} on level {level}");
            }
        }
        for at in (head + 12..=len - 12).step_by(4) {
            let place = next(0, at).unwrap().unwrap();
            for (key, value) in [(0, 0), (3, 5), (4, 5), (0, 40), (39, 2), (500, 0), (60, 200)] {
                let body = (key + value).max(8_u32).next_multiple_of(4);
                write(at, key << 7 | value << 18);
                assert_eq!(place.node().is_ok(), at + 4 + body <= len, "{key} and {value} at {at}");
                // A long one ends in what was handed out.
                write(at, 1 << 6);
                write(at + 4, key);
                write(at + 8, value);
                let last = len.min(128 + used);
                assert_eq!(place.node().is_ok(), at + 12 + body <= last, "long {key} and {value} at {at}");
            }
        }
        // All links of a node lie behind the first 128 bytes, and there are at most 24.
        for at in [200, head] {
            let place = next(0, at).unwrap().unwrap();
            for height in 1..=32 {
                // SAFETY: a word of the first block.
                unsafe { nodes.region().write_word(at, height - 1) };
                let sound = height <= 24 && 128 + 4 * height <= at;
                assert_eq!(place.node().is_ok(), sound, "{height} links at {at}");
            }
        }
    }
}
