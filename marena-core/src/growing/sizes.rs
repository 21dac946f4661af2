//! Computes how large the segments of a growing arena are: integers in, integers out.
#![forbid(unsafe_code)]

use crate::address::ARENA_PAGESIZE;

/// The settings of a growing arena, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// INVARIANT: at least [`SMALLEST_SEGMENT`].
    pub(super) first: usize,
    /// INVARIANT: at least `first`.
    pub(super) max: usize,
    /// The largest size of all segments together.
    pub(super) limit: usize,
}

/// The smallest first segment: room for its header, its place in the list, and some blocks.
pub(super) const SMALLEST_SEGMENT: usize = 1024;

/// A segment that will be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) capacity: usize,
    /// Whether it belongs to the series, in which each segment is twice the one before. Otherwise
    /// it is made for one request.
    pub(super) in_series: bool,
}

impl Sizes {
    /// Returns the size of the segment with this index in the series.
    pub(super) fn of(self, index: u32) -> usize {
        let doubled = 1_usize.checked_shl(index).and_then(|factor| self.first.checked_mul(factor));
        doubled.map_or(self.max, |size| size.min(self.max))
    }

    /// Returns the segment to make for a request that needs `needed` bytes in all: the one with
    /// this index in the series if the request fits in, and one for the request alone otherwise.
    /// Returns `None` if the `reserved` bytes leave no room for it.
    ///
    /// The last segment of the series can be shorter, as long as the request fits.
    pub(super) fn next(self, index: u32, needed: usize, reserved: usize) -> Option<Plan> {
        let left = self.left(reserved);
        let size = self.of(index);
        if needed > size {
            return (needed <= left).then_some(Plan { capacity: needed, in_series: false });
        }
        let capacity = size.min(left);
        (needed <= capacity).then_some(Plan { capacity, in_series: true })
    }

    /// Returns the size of the largest segment that can still be made.
    pub(super) fn left(self, reserved: usize) -> usize {
        let left = self.limit.saturating_sub(reserved);
        // Memory comes in whole pages, so a size between two pages could be rounded up past the
        // limit.
        if left > ARENA_PAGESIZE { left & !(ARENA_PAGESIZE - 1) } else { left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { first: 65_536, max: 1 << 20, limit: 4 << 20 };

    #[test]
    fn each_segment_is_twice_the_one_before_up_to_the_largest() {
        let sizes: [usize; 7] = [0, 1, 2, 3, 4, 5, u32::MAX].map(|index| SIZES.of(index));
        assert_eq!(sizes, [65_536, 131_072, 262_144, 524_288, 1 << 20, 1 << 20, 1 << 20]);
        // Sizes whose doubling passes the largest one, or the integer.
        let odd = Sizes { first: 100_000, max: 300_000, limit: usize::MAX };
        assert_eq!([0, 1, 2, 3].map(|index| odd.of(index)), [100_000, 200_000, 300_000, 300_000]);
        let huge = Sizes { first: usize::MAX / 2, max: usize::MAX, limit: usize::MAX };
        assert_eq!([0, 1, 2].map(|index| huge.of(index)), [usize::MAX / 2, usize::MAX - 1, usize::MAX]);
    }

    #[test]
    fn a_request_larger_than_the_next_segment_gets_one_of_its_own_size() {
        let plan = |index, needed| SIZES.next(index, needed, 0);
        assert_eq!(plan(0, 65_536), Some(Plan { capacity: 65_536, in_series: true }));
        assert_eq!(plan(0, 65_537), Some(Plan { capacity: 65_537, in_series: false }));
        assert_eq!(plan(1, 65_537), Some(Plan { capacity: 131_072, in_series: true }));
    }

    #[test]
    fn the_limit_holds_for_all_segments_and_is_used_up() {
        let next = |needed, reserved| SIZES.next(4, needed, reserved);
        assert_eq!(next(8, 3 << 20), Some(Plan { capacity: 1 << 20, in_series: true }));
        assert_eq!(next(8, (3 << 20) + 65_536), Some(Plan { capacity: (1 << 20) - 65_536, in_series: true }));
        assert_eq!(next(8, (4 << 20) - 1000), Some(Plan { capacity: 1000, in_series: true }));
        assert_eq!(next(8, 4 << 20), None);
        assert_eq!(next(8, usize::MAX), None);
        assert_eq!(next(1 << 20, (3 << 20) + 65_536), None);
        assert_eq!(next(4 << 20, 0), Some(Plan { capacity: 4 << 20, in_series: false }));
        assert_eq!(next((4 << 20) + 1, 0), None);
    }

    #[test]
    fn what_is_left_is_whole_pages_or_less_than_one() {
        let left = |limit, reserved| Sizes { limit, ..SIZES }.left(reserved);
        for more in [0, 1, 2, 3, 4096, ARENA_PAGESIZE - 1] {
            assert_eq!(left(3 * ARENA_PAGESIZE + more, ARENA_PAGESIZE), 2 * ARENA_PAGESIZE, "{more}");
        }
        for less in [0, 1, 8, ARENA_PAGESIZE - 1, ARENA_PAGESIZE] {
            assert_eq!(left(ARENA_PAGESIZE - less, 0), ARENA_PAGESIZE - less);
        }
        assert_eq!((left(8, 8), left(8, 9)), (0, 0));
    }
}
