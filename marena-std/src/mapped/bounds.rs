//! Checks which bytes an address may name: integers in, an offset or an error out.
#![forbid(unsafe_code)]

use marena_core::{ARENA_MIN_ADDRESS, Address};

use super::access_error::AccessError;

/// Returns the offset of an address, after checking that its bytes were handed out and that it
/// names at least `len` of them.
#[inline]
pub(super) fn checked(address: Address, len: usize, used: usize) -> Result<usize, AccessError> {
    let offset = address.offset() as usize;
    // No sum wraps: the offset and the size of an address are together at most 2^31, and so are 128
    // and `used`.
    if offset + address.size() as usize > ARENA_MIN_ADDRESS as usize + used {
        return Err(AccessError::Unused { address, used });
    }
    if len > address.size() as usize {
        return Err(AccessError::Size { address, requested: len });
    }
    Ok(offset)
}

/// Returns the same as [`checked`], for a value that has to lie at a multiple of `align`, a power
/// of two.
///
/// Every mapping starts at a multiple of 4,096. Up to that, an offset has the same alignment as the
/// address in memory.
#[inline]
pub(super) fn checked_aligned(address: Address, len: usize, align: usize, used: usize) -> Result<usize, AccessError> {
    let offset = checked(address, len, used)?;
    if !offset.is_multiple_of(align) {
        return Err(AccessError::Misaligned { address, required: align });
    }
    Ok(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_used_byte_is_in_bounds_and_the_next_is_not() {
        let at = |offset, size| Address::new(offset, size).unwrap();
        assert_eq!(checked(at(128, 16), 16, 16), Ok(128));
        assert_eq!(checked(at(144, 0), 0, 16), Ok(144));
        for outside in [at(128, 17), at(136, 9), at(145, 0), at(1 << 30, 1 << 30)] {
            assert_eq!(checked(outside, 0, 16), Err(AccessError::Unused { address: outside, used: 16 }));
        }
        let whole = at(128, (1 << 31) - 128);
        assert_eq!(checked(whole, (1 << 31) - 128, (1 << 31) - 128), Ok(128));
    }

    #[test]
    fn no_more_bytes_are_accessed_than_the_address_names() {
        let address = Address::new(136, 8).unwrap();
        assert_eq!(checked(address, 8, 64), Ok(136));
        for requested in [9, usize::MAX] {
            assert_eq!(checked(address, requested, 64), Err(AccessError::Size { address, requested }));
        }
    }

    #[test]
    fn an_offset_is_as_aligned_as_its_lowest_bit() {
        let address = Address::new(132, 8).unwrap();
        for align in [1, 2, 4] {
            assert_eq!(checked_aligned(address, 8, align, 64), Ok(132));
        }
        let misaligned = AccessError::Misaligned { address, required: 8 };
        assert_eq!(checked_aligned(address, 8, 8, 64), Err(misaligned));
        assert!(matches!(checked_aligned(address, 9, 8, 64), Err(AccessError::Size { .. })));
    }
}
