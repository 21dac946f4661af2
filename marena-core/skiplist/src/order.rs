//! The order of keys.

use core::cmp::Ordering;

/// The order of a map's keys.
///
/// A map needs a total order that never changes. With any other order nothing is undefined, but
/// keys are not found or come out in a meaningless order. In memory, going back may then not end.
///
/// # Examples
///
/// An order for versions of keys, the newest first. A key ends in its version's number, inverted
/// and big-endian.
///
/// ```
/// use core::cmp::Ordering;
/// use marena_skiplist::Order;
///
/// struct Versions;
///
/// impl Order for Versions {
///     const ID: u32 = 0x7665_7273;
///
///     fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
///         let (a, a_version) = a.split_at(a.len().saturating_sub(8));
///         let (b, b_version) = b.split_at(b.len().saturating_sub(8));
///         a.cmp(b).then(a_version.cmp(b_version))
///     }
///
///     // The key without its version; all but eight bytes of it are shifted out.
///     fn prefix(&self, first: u64, len: usize) -> u64 {
///         match len.saturating_sub(8) {
///             0 => 0,
///             len @ 1..8 => first & (!0 << (64 - 8 * len)),
///             _ => first,
///         }
///     }
/// }
/// ```
pub trait Order {
    /// A number that identifies the order. A file keeps it, so that a map is never opened in
    /// another order. 0 is [`ByteOrder`]'s: with it, a map in a file may compare bytes by itself.
    /// Other orders get whole keys, which are copied for them. If there is no memory for a copy of
    /// a key of more than 128 bytes, the process aborts.
    const ID: u32;

    /// Compares two keys.
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering;

    /// Returns a number that tells most keys apart without reading all their bytes. `first` has a
    /// key's first eight bytes, big-endian and with zeros behind a shorter key, and `len` is its
    /// length.
    ///
    /// A key that comes before another must not have the larger number. If numbers are equal,
    /// [`compare`](Self::compare) decides. By default all are equal.
    #[inline]
    fn prefix(&self, first: u64, len: usize) -> u64 {
        let _ = (first, len);
        0
    }
}

/// The order of bytes, in which `[u8]` and C's `memcmp` compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteOrder;

impl Order for ByteOrder {
    const ID: u32 = 0;

    #[inline]
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        a.cmp(b)
    }

    #[inline]
    fn prefix(&self, first: u64, _: usize) -> u64 {
        first
    }
}

/// Returns a key's first eight bytes as a number, with zeros behind a shorter key.
#[inline]
pub(crate) fn first_bytes(key: &[u8]) -> u64 {
    match key.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut bytes = [0; 8];
            bytes[..key.len()].copy_from_slice(key);
            u64::from_be_bytes(bytes)
        }
    }
}

/// Returns the same number from eight bytes, big-endian, that start with a key of this length.
/// Other bytes may follow.
#[inline]
pub(crate) fn first_bytes_of(bytes: u64, key_len: u32) -> u64 {
    match key_len {
        0 => 0,
        1..8 => bytes & (!0 << (64 - 8 * key_len)),
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_are_the_same_with_and_without_what_follows() {
        let key = *b"abcdefghij";
        for len in 0..=key.len() {
            let mut bytes = [0xFF; 8];
            let own = len.min(8);
            bytes[..own].copy_from_slice(&key[..own]);
            assert_eq!(first_bytes(&key[..len]), first_bytes_of(u64::from_be_bytes(bytes), len as u32));
        }
        assert!(first_bytes(b"\xFF") > first_bytes(b"\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"));
    }
}
