//! Numbers that look random and are the same in every run.

/// A linear congruential generator with 32 bits. Starts at zero, so that a static one lies in
/// `.bss`.
#[derive(Debug, Default)]
pub struct Random(u32);

impl Random {
    /// A generator at its start.
    pub const fn new() -> Self {
        Self(0)
    }

    /// A number from `low` to `low + span - 1`, for a span of at most 2^16. No division: a
    /// Cortex-M0 has none.
    pub fn within(&mut self, low: u32, span: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        low + (((self.0 >> 16) * span) >> 16)
    }
}
