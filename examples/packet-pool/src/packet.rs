//! What comes over the wire: a header of eight bytes (source, checksum, sequence), and a payload of any length.

/// Bytes of the header.
const HEADER: usize = 8;

/// What a packet says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) source: u16,
    pub(crate) sequence: u32,
}

impl Packet {
    /// Bytes on the wire: 64 to 1,500.
    pub(crate) fn len(self) -> usize {
        let mixed = (self.sequence ^ u32::from(self.source) << 16).wrapping_mul(2_654_435_761) >> 8;
        64 + mixed as usize % 1437
    }

    /// Writes the packet as the wire would bring it. `bytes` are [`len`](Self::len) zeros.
    pub(crate) fn arrive(self, bytes: &mut [u8]) {
        let (header, payload) = bytes.split_at_mut(HEADER);
        header[..2].copy_from_slice(&self.source.to_be_bytes());
        header[4..].copy_from_slice(&self.sequence.to_be_bytes());
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte = self.sequence.wrapping_add(index as u32) as u8;
        }
        let checksum = checksum(bytes);
        bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
    }

    /// The packet in `bytes`, if it arrived undamaged.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a, b, _, _, c, d, e, f] = bytes.first_chunk::<HEADER>()?;
        let packet = Self { source: u16::from_be_bytes([a, b]), sequence: u32::from_be_bytes([c, d, e, f]) };
        (checksum(bytes) == 0 && packet.len() == bytes.len()).then_some(packet)
    }
}

/// The checksum of the Internet's protocols: with it in its place, that of the whole is 0.
fn checksum(bytes: &[u8]) -> u16 {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut sum: u32 = pairs.iter().map(|&pair| u32::from(u16::from_be_bytes(pair))).sum();
    sum += rest.first().map_or(0, |&last| u32::from(last) << 8);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_every_length_arrive_and_a_flipped_bit_is_noticed() {
        for sequence in 0..if cfg!(miri) { 5 } else { 5000 } {
            let packet = Packet { source: 3, sequence };
            assert!((64..=1500).contains(&packet.len()));
            let mut bytes = vec![0; packet.len()];
            packet.arrive(&mut bytes);
            assert_eq!(Packet::parse(&bytes), Some(packet));
            let byte = sequence as usize % bytes.len();
            bytes[byte] ^= 1 << (sequence % 8);
            assert_eq!(Packet::parse(&bytes), None);
        }
    }

    #[test]
    fn a_cut_packet_is_none() {
        let packet = Packet { source: 1, sequence: 9 };
        let mut bytes = vec![0; packet.len()];
        packet.arrive(&mut bytes);
        for len in [0, 1, HEADER - 1, HEADER, bytes.len() - 1] {
            assert_eq!(Packet::parse(&bytes[..len]), None);
        }
    }
}
