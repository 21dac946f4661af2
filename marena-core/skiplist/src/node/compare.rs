//! Comparing keys of nodes.

#![forbid(unsafe_code)]

use core::cmp::Ordering;

use super::Node;
use crate::order::{ByteOrder, Order};
use crate::region::Region;

/// The number of bytes that are compared at once where keys must not be copied as a whole.
const PART: u32 = 128;

impl<R: Region> Node<'_, R> {
    /// Compares the node's key with a key.
    #[inline]
    pub(crate) fn compare_key<O: Order>(self, order: &O, key: &[u8]) -> Ordering {
        if !self.in_parts::<O>() {
            return self.with_key(|own| order.compare(own, key));
        }
        let part = |start: u32| key.get(start as usize..).map(|rest| &rest[..rest.len().min(PART as usize)]);
        in_parts(self.key_len(), |start| {
            self.with_key_part(start, PART, |own| own.cmp(part(start).unwrap_or_default()))
        })
    }

    /// Compares the node's key with another node's.
    #[inline]
    pub(crate) fn compare_node<O: Order>(self, order: &O, other: Self) -> Ordering {
        if !self.in_parts::<O>() && !other.in_parts::<O>() {
            return self.with_key(|own| other.with_key(|key| order.compare(own, key)));
        }
        in_parts(self.key_len(), |start| {
            self.with_key_part(start, PART, |own| other.with_key_part(start, PART, |part| own.cmp(part)))
        })
    }

    /// Returns whether the key is compared in parts. Then comparing takes no memory, whatever
    /// length a damaged file says. A map's own order gets whole keys, and so does a trusted region,
    /// because it copies nothing.
    #[inline]
    fn in_parts<O: Order>(self) -> bool {
        compares_in_place::<R, O>() && self.key_len() > PART as usize
    }
}

/// Returns whether comparing two keys reads no more bytes than the shorter one has, and some.
#[inline]
pub(crate) fn compares_in_place<R: Region, O: Order>() -> bool {
    !R::TRUSTED && O::ID == ByteOrder::ID
}

/// Compares parts until they differ, or until one that is shorter than the others.
fn in_parts(len: usize, compare: impl Fn(u32) -> Ordering) -> Ordering {
    let mut start = 0;
    loop {
        let order = compare(start);
        if order.is_ne() || len - (start as usize) < PART as usize {
            return order;
        }
        start += PART;
    }
}
