//! One record: who wrote it, its number among that writer's, and text, with a check sum over all.

use marena_std::Address;

/// Bytes before the text: link, writer, number, check sum.
pub(crate) const HEAD: usize = 32;

/// Where the link lies: the record's first word.
pub(crate) const LINK: usize = 8;

/// A record as read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The record that was committed before it in its lane.
    pub(crate) before: Option<Address>,
    pub(crate) writer: u64,
    pub(crate) number: u64,
    pub(crate) text: Vec<u8>,
}

/// Writes a record's bytes, all but the link, into `bytes`.
pub(crate) fn encode(bytes: &mut Vec<u8>, writer: u64, number: u64, text: &[u8]) {
    bytes.clear();
    bytes.extend_from_slice(&[0; LINK]);
    bytes.extend_from_slice(&writer.to_ne_bytes());
    bytes.extend_from_slice(&number.to_ne_bytes());
    bytes.extend_from_slice(&check_sum(writer, number, text).to_ne_bytes());
    bytes.extend_from_slice(text);
}

/// The record in these bytes, or `None` where the check sum says that they are not one.
pub(crate) fn decode(bytes: &[u8]) -> Option<Record> {
    let (head, text) = bytes.split_at_checked(HEAD)?;
    let word = |index: usize| u64::from_ne_bytes(head[8 * index..8 * index + 8].try_into().unwrap_or_default());
    let (writer, number) = (word(1), word(2));
    let record = Record { before: Address::from_raw(word(0)), writer, number, text: text.to_vec() };
    (word(3) == check_sum(writer, number, text)).then_some(record)
}

/// FNV-1a over words, which finds what is torn, not what is forged.
fn check_sum(writer: u64, number: u64, text: &[u8]) -> u64 {
    let mut sum = 0xCBF2_9CE4_8422_2325_u64;
    let mut add = |word: u64| sum = (sum ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(29);
    add(writer);
    add(number);
    add(text.len() as u64);
    let (words, rest) = text.as_chunks::<8>();
    words.iter().for_each(|&word| add(u64::from_ne_bytes(word)));
    rest.iter().for_each(|&byte| add(u64::from(byte)));
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_but_the_links_is_noticed() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 3, 7, b"some text, not a multiple of eight");
        assert_eq!(decode(&bytes).map(|record| (record.writer, record.number)), Some((3, 7)));
        for index in LINK..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            assert_eq!(decode(&damaged), None, "byte {index}");
        }
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode(&bytes[..HEAD - 1]), None);
    }
}
