//! One record: two links, who wrote it, its number among that writer's, and text, with a check sum
//! over all.

use marena_std::Address;

/// Bytes before the text: two links, check sum, writer, number.
pub(crate) const HEAD: usize = 40;

/// A word: what is stored and read as a whole.
pub(crate) const WORD: u32 = 8;

/// A record as read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'b> {
    pub(crate) links: Links,
    pub(crate) writer: u64,
    pub(crate) number: u64,
    pub(crate) text: &'b [u8],
}

/// The two records that were committed before one in its lane, the later one first. Two, so that
/// one damaged record hides no others.
pub(crate) type Links = [Option<Address>; 2];

/// Writes a record's bytes without links and check sum, which are known when it is committed.
/// Returns the check sum of what is there.
pub(crate) fn encode(bytes: &mut Vec<u8>, writer: u64, number: u64, text: &[u8]) -> u64 {
    bytes.clear();
    bytes.extend_from_slice(&[0; 24]);
    bytes.extend_from_slice(&writer.to_ne_bytes());
    bytes.extend_from_slice(&number.to_ne_bytes());
    bytes.extend_from_slice(text);
    check_sum(writer, number, text)
}

/// The check sum of a whole record.
pub(crate) fn seal(sum: u64, links: [u64; 2]) -> u64 {
    links.into_iter().fold(sum, add)
}

/// The record in these bytes, or `None` where the check sum says that they are not one.
pub(crate) fn decode(bytes: &[u8]) -> Option<Record<'_>> {
    let (head, text) = bytes.split_first_chunk::<HEAD>()?;
    let [first, second, sum, writer, number] = words(head);
    let links = [first, second].map(Address::from_raw);
    let record = Record { links, writer, number, text };
    (sum == seal(check_sum(writer, number, text), [first, second])).then_some(record)
}

/// The links of a record whose check sum is wrong, for what they are worth.
pub(crate) fn damaged_links(bytes: &[u8]) -> Links {
    bytes.first_chunk::<HEAD>().map_or([None; 2], |head| {
        let [first, second, ..] = words(head);
        [first, second].map(Address::from_raw)
    })
}

fn words(head: &[u8; HEAD]) -> [u64; 5] {
    let (words, _) = head.as_chunks::<8>();
    std::array::from_fn(|index| u64::from_ne_bytes(words[index]))
}

/// FNV-1a over words, which finds what is torn, not what is forged.
fn check_sum(writer: u64, number: u64, text: &[u8]) -> u64 {
    let sum = [writer, number, text.len() as u64].into_iter().fold(0xCBF2_9CE4_8422_2325, add);
    let (words, rest) = text.as_chunks::<8>();
    let sum = words.iter().fold(sum, |sum, &word| add(sum, u64::from_ne_bytes(word)));
    rest.iter().fold(sum, |sum, &byte| add(sum, byte.into()))
}

fn add(sum: u64, word: u64) -> u64 {
    (sum ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_noticed() {
        let mut bytes = Vec::new();
        let links = [Address::new(4096, 60), Address::new(128, 41)];
        let raw = links.map(|link| link.map_or(0, Address::to_raw));
        let sum = encode(&mut bytes, 3, 7, b"some text, not a multiple of eight");
        for (word, value) in bytes.as_chunks_mut::<8>().0.iter_mut().zip([raw[0], raw[1], seal(sum, raw)]) {
            *word = value.to_ne_bytes();
        }
        assert_eq!(decode(&bytes).map(|record| (record.links, record.writer, record.number)), Some((links, 3, 7)));
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            assert_eq!(decode(&damaged), None, "byte {index}");
        }
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode(&bytes[..HEAD - 1]), None);
    }
}
