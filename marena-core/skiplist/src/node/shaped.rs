//! The contents of a node.

use core::sync::atomic::Ordering::Relaxed;

use super::Place;
use crate::damage::Stop;
use crate::layout::WORD;
use crate::order::first_bytes_of;
use crate::prefetch::prefetch;
use crate::region::{Plain, Region};
use crate::shape::Shape;
use crate::space::Space;

/// The number of levels on which a walk prefetches the next node.
const PREFETCHED_LEVELS: u32 = 4;

/// Where a node of a usual size ends, in bytes from its offset.
pub(super) const USUAL_END: usize = 48;

/// A node and its shape.
#[derive(Debug)]
pub(crate) struct Node<'n, R> {
    pub(super) place: Place<'n, R>,
    /// INVARIANT: the shape of the node. Its links, key and value lie in the region. In a trusted
    /// region, they are initialised.
    pub(super) shape: Shape,
}

impl<R> Clone for Node<'_, R> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Node<'_, R> {}

impl<'n, R: Region> Node<'n, R> {
    #[inline]
    pub(crate) fn place(self) -> Place<'n, R> {
        self.place
    }

    #[inline]
    pub(crate) fn is_tombstone(self) -> bool {
        self.shape.tombstone
    }

    #[inline]
    pub(crate) fn key_len(self) -> usize {
        self.shape.key_len as usize
    }

    /// Returns the size of the whole node, in bytes.
    #[inline]
    pub(crate) fn size(self) -> usize {
        self.shape.size()
    }

    /// Returns the number of the node's links.
    #[cfg(feature = "mapped")]
    pub(crate) fn height(self) -> u32 {
        self.shape.height
    }

    /// Returns whether the node has a level.
    #[inline]
    pub(crate) fn has_level(self, level: u32) -> bool {
        level < self.shape.height
    }

    /// Returns the offset and the length of the key.
    #[cfg(feature = "mapped")]
    pub(crate) fn key_range(self) -> (u32, u32) {
        (self.key_at(), self.shape.key_len)
    }

    /// Returns the offset and the length of the value.
    #[cfg(feature = "mapped")]
    pub(crate) fn value_range(self) -> (u32, u32) {
        (self.key_at() + self.shape.key_len, self.shape.value_len)
    }

    #[inline]
    fn key_at(self) -> u32 {
        self.place.offset + self.shape.key_start()
    }

    /// Returns the first eight bytes of the key as a number, with zeros behind a shorter key.
    #[inline]
    pub(crate) fn first_bytes(self) -> u64 {
        // SAFETY: key and value have at least `MIN_BODY` bytes, or are filled up to as many, and
        // are not written any more.
        let bytes = unsafe { self.place.nodes.region.read_eight(self.key_at()) };
        first_bytes_of(bytes, self.shape.key_len)
    }

    /// Calls `look` with the key.
    #[inline]
    pub(crate) fn with_key<T>(self, look: impl FnOnce(&[u8]) -> T) -> T {
        // SAFETY: the key lies in the region, by the invariant, and is not written any more.
        unsafe { self.place.nodes.region.with_bytes(self.key_at(), self.shape.key_len, look) }
    }

    /// Calls `look` with the key. It is an error if there is no memory for a copy of the key.
    #[inline]
    pub(crate) fn try_with_key<T>(self, look: impl FnOnce(&[u8]) -> Result<T, Stop>) -> Result<T, Stop> {
        // SAFETY: as above.
        let found = unsafe { self.place.nodes.region.try_with_bytes(self.key_at(), self.shape.key_len, look) };
        found.unwrap_or(Err(Stop::NoMemory { bytes: self.shape.key_len }))
    }

    /// Calls `look` with a part of the key: up to `len` bytes behind the first `start`, which is a
    /// multiple of 4.
    #[inline]
    pub(super) fn with_key_part<T>(self, start: u32, len: u32, look: impl FnOnce(&[u8]) -> T) -> T {
        debug_assert!(start.is_multiple_of(WORD), "a part that begins at {start}");
        let len = len.min(self.shape.key_len.saturating_sub(start));
        let at = self.key_at() + start.min(self.shape.key_len) / WORD * WORD;
        // SAFETY: the part lies in the key, which lies in the region, by the invariant, and is not
        // written any more. It begins with a whole word.
        unsafe { self.place.nodes.region.with_bytes(at, len, look) }
    }

    /// Prefetches the start and the end of the next nodes on the lowest levels, which a walk
    /// reaches soon.
    #[inline]
    pub(crate) fn prefetch_ahead(self) {
        for level in 0..self.shape.height.min(PREFETCHED_LEVELS) {
            // INVARIANT: below the node's height.
            // ORDERING: Relaxed: the offset is only prefetched and not followed.
            let next = Place { level, ..self.place }.link_word(Relaxed);
            let next = self.place.nodes.region.base().as_ptr().wrapping_add(next as usize);
            prefetch(next);
            prefetch(next.wrapping_add(USUAL_END));
        }
    }
}

impl<'n, S: Space> Node<'n, Plain<S>> {
    /// Returns the key and the value. A tombstone has no value.
    #[inline]
    pub(crate) fn entry(self) -> (&'n [u8], Option<&'n [u8]>) {
        let region = &self.place.nodes.region;
        // SAFETY: the key lies in the region, by the invariant, and is not written any more.
        let key = unsafe { region.bytes(self.key_at(), self.shape.key_len) };
        // SAFETY: as above, for the value behind it.
        let value = unsafe { region.bytes(self.key_at() + self.shape.key_len, self.shape.value_len) };
        (key, (!self.shape.tombstone).then_some(value))
    }
}
