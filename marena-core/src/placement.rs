//! Computes where a claim lies: integers in, `Option` out.
//!
//! Positions count bytes after the header, as the cursor does. Every function is total: nothing
//! wraps and nothing panics for any integers, such as a cursor that another process damaged.
#![forbid(unsafe_code)]

use crate::address::REGION_MAX;

/// Every claim starts at, and takes, a multiple of this many bytes.
pub(crate) const STEP: usize = 8;

/// The size of the header in bytes, and the alignment of every region's base.
pub(crate) const HEADER_SIZE: usize = 128;

/// The smallest size of a region in bytes: the header and one step.
pub(crate) const REGION_MIN: usize = HEADER_SIZE + STEP;

/// The largest size of a region: 2^31 bytes, or `isize::MAX` rounded down to a step where that is
/// smaller.
pub(crate) const REGION_LIMIT: usize = {
    let addressable = isize::MAX as usize & !(STEP - 1);
    if (addressable as u64) < REGION_MAX { addressable } else { REGION_MAX as usize }
};

/// The bytes `[start, end)` that a claim takes. Both are multiples of [`STEP`], and `start <= end
/// <= limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// Returns how many bytes the span has.
    #[inline(always)]
    pub(crate) const fn len(self) -> u32 {
        self.end - self.start
    }
}

/// Places `size` bytes, aligned to `align`, at or after `cursor` and not past `limit`. Returns
/// `None` if they do not fit.
///
/// `base` is the absolute address of position 0. The caller passes a power of two as `align`, a
/// multiple of 128 as `base` and a multiple of [`STEP`] as `limit`; `cursor` and `size` can be
/// anything.
#[inline(always)]
pub(crate) const fn place(base: usize, cursor: u32, limit: u32, size: usize, align: usize) -> Option<Span> {
    debug_assert!(align.is_power_of_two() && base.is_multiple_of(HEADER_SIZE) && (limit as usize).is_multiple_of(STEP));
    let cursor = cursor as usize;
    // A cursor that is not a multiple of the step is damaged, and counts as full. This check is
    // predicted and costs nothing. Aligning the cursor would lengthen the dependency from its load
    // to the compare-and-swap.
    if !cursor.is_multiple_of(STEP) {
        return None;
    }
    let mask = align - 1;
    // The base is a multiple of 128, so up to 128 the position has the same alignment as the
    // absolute address.
    let start = if mask < STEP {
        cursor
    } else if mask < HEADER_SIZE {
        match cursor.checked_add(mask) {
            Some(sum) => sum & !mask,
            None => return None,
        }
    } else {
        match cursor.checked_add(base.wrapping_add(cursor).wrapping_neg() & mask) {
            Some(start) => start,
            None => return None,
        }
    };
    // The last start with room behind it does not depend on the cursor, so a retry does not compute
    // it again.
    let Some(last_start) = (limit as usize).checked_sub(size) else { return None };
    if start > last_start {
        return None;
    }
    // `start + size <= limit`, and `limit - start` is a multiple of the step. So the rounded size
    // fits as well: rounding it up cannot wrap, and the sum is at most `limit`.
    Some(Span { start: start as u32, end: (start + round_up(size)) as u32 })
}

/// Returns `size` rounded up to a multiple of [`STEP`]. The caller passes a size that fits some
/// region.
#[inline(always)]
pub(crate) const fn round_up(size: usize) -> usize {
    debug_assert!(size <= REGION_LIMIT);
    (size + (STEP - 1)) & !(STEP - 1)
}

/// Returns how many bytes several claims take together, each rounded up. The sum saturates: a sum
/// that no integer holds fits nowhere.
#[inline]
pub(crate) const fn add_rounded(total: usize, size: usize) -> usize {
    // `usize::MAX` is not a multiple of the step, so the saturated sum is rounded down here. It
    // still is past every limit.
    total.saturating_add(size.saturating_add(STEP - 1) & !(STEP - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 13] =
        [0, 1, 7, 8, 9, 127, 128, 4096, (1 << 31) - 1, 1 << 31, u32::MAX as usize, usize::MAX - 7, usize::MAX];

    /// Computes the same in 128 bits, where nothing can wrap.
    fn expected(base: usize, cursor: u32, limit: u32, size: usize, align: usize) -> Option<(u128, u128)> {
        let align = (align as u128).max(8);
        if !cursor.is_multiple_of(8) {
            return None;
        }
        let at = base as u128 + cursor as u128;
        let start = at.div_ceil(align) * align - base as u128;
        let end = start + (size as u128).div_ceil(8) * 8;
        (end <= limit as u128).then_some((start, end))
    }

    #[test]
    fn a_claim_is_placed_as_wide_arithmetic_places_it_at_every_edge() {
        let cursors =
            [0, 1, 7, 8, 120, 128, 4096, 65_400, 65_408, 65_409, 1 << 31, u32::MAX - 8, u32::MAX - 7, u32::MAX];
        let limits = [8, 16, 65_408, (1 << 31) - 128];
        let bases = [128, 0x1080, 0x7fff_0080 & !127, (usize::MAX - (1 << 31)) & !127];
        let mut placed = 0;
        for base in bases {
            for cursor in cursors {
                for limit in limits {
                    // A region lies below the address space's end.
                    if base.checked_add(limit as usize).is_none() {
                        continue;
                    }
                    for size in SIZES {
                        // Miri takes minutes for all of them.
                        for shift in (0..usize::BITS).step_by(if cfg!(miri) { 7 } else { 1 }) {
                            let align = 1usize << shift;
                            let found = place(base, cursor, limit, size, align);
                            let wanted = expected(base, cursor, limit, size, align);
                            let found = found.map(|span| (span.start as u128, span.end as u128));
                            assert_eq!(
                                found, wanted,
                                "base {base:#x} cursor {cursor} limit {limit} size {size} align {align}"
                            );
                            placed += usize::from(found.is_some());
                        }
                    }
                }
            }
        }
        assert!(placed > if cfg!(miri) { 100 } else { 1_000 }, "the edges must include requests that fit: {placed}");
    }

    #[test]
    fn a_sum_that_no_integer_holds_saturates_past_every_region() {
        let half = usize::MAX / 2 + 1;
        assert!(add_rounded(half, half) > REGION_LIMIT);
        assert!(add_rounded(0, usize::MAX) > REGION_LIMIT);
        assert_eq!(add_rounded(8, 201), 216);
    }

    #[test]
    fn a_region_is_at_most_two_gibibytes_and_at_most_what_a_pointer_spans() {
        assert!(REGION_LIMIT as u64 <= 1 << 31);
        assert!(REGION_LIMIT <= isize::MAX as usize);
        assert_eq!(REGION_LIMIT % STEP, 0);
    }
}
