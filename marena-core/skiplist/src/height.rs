//! The heights of nodes.

#![forbid(unsafe_code)]

use crate::layout::MAX_HEIGHT;

/// Draws heights: 1, and one level more with a chance of one half each.
///
/// Heights follow from a number that is drawn for each map. So a user who chooses keys, values and
/// their order does not choose heights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heights {
    pub(crate) seed: u64,
}

impl Heights {
    /// Returns the height of the node that is made at this `turn`, a number that seldom repeats.
    #[inline]
    pub(crate) fn draw(self, turn: u64) -> u32 {
        let drawn = mix(self.seed ^ turn.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        (1 + drawn.trailing_ones()).min(MAX_HEIGHT as u32)
    }
}

/// Mixes a number, so that every bit depends on all bits: the last steps of Steele, Lea and Flood's
/// `SplitMix64`.
#[inline]
pub(crate) fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Draws a seed from the system's random numbers.
#[cfg(feature = "std")]
pub(crate) fn draw_seed(_: usize) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// Draws a seed from addresses and from the number of seeds that were drawn before.
#[cfg(not(feature = "std"))]
pub(crate) fn draw_seed(address: usize) -> u64 {
    use portable_atomic::{AtomicU32, Ordering::Relaxed};

    static DRAWN: AtomicU32 = AtomicU32::new(0);
    // ORDERING: Relaxed: the count orders nothing. Each draw gets another number.
    let drawn = DRAWN.fetch_add(1, Relaxed);
    let on_the_stack = (&raw const drawn).addr();
    mix(mix(mix(u64::from(drawn)) ^ on_the_stack as u64) ^ address as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_nodes_of_a_level_are_on_the_next_whatever_the_seed() {
        for seed in [0, 1, u64::MAX, 0x1234_5678_9ABC_DEF0] {
            for step in [1, 8, 56, 64, 4096] {
                let mut on_level = [0_u32; 5];
                let heights = Heights { seed };
                for turn in 0..16_384 {
                    let height = heights.draw(turn * step) as usize;
                    on_level[..height.min(5)].iter_mut().for_each(|count| *count += 1);
                }
                for (level, &count) in on_level.iter().enumerate() {
                    let expected = 16_384 >> level;
                    assert!(count.abs_diff(expected) < expected / 5 + 1, "level {level} has {count} of {expected}");
                }
            }
        }
    }

    #[test]
    fn the_tallest_nodes_have_all_levels_of_the_head_and_no_more() {
        // The number that is mixed to nothing but ones.
        let heights = Heights { seed: 0xCF9A_04AF_FA6B_ADC0 };
        assert_eq!(heights.draw(0), MAX_HEIGHT as u32);
    }
}
