//! An arena as a bar of four runs, whatever it is drawn with.

use marena_std::Stats;

use crate::report::Root;

/// Bytes of the header, which no run counts.
const HEADER: u64 = 128;

/// What bytes can be, in the order in which they are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    InUse,
    Stranded,
    UsedBefore,
    NeverUsed,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::InUse, Self::Stranded, Self::UsedBefore, Self::NeverUsed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InUse => "in use",
            Self::Stranded => "stranded",
            Self::UsedBefore => "used before",
            Self::NeverUsed => "never used",
        }
    }

    /// What it means, where the name is not enough.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::InUse => "handed out",
            Self::Stranded => "left behind by leases, until a reset",
            Self::UsedBefore => "free, below the high water",
            Self::NeverUsed => "free",
        }
    }
}

/// How many bytes there are of each kind.
pub(crate) struct Occupancy {
    bytes: [u64; 4],
}

impl Occupancy {
    pub(crate) fn of(stats: &Stats) -> Self {
        // Numbers are read one after the other while others allocate, so each is held against the
        // one before.
        let stranded = stats.stranded.min(stats.used);
        let free_below_high_water = (stats.high_water - stats.used).min(stats.remaining);
        let never = stats.remaining - free_below_high_water;
        Self { bytes: [stats.used - stranded, stranded, free_below_high_water, never].map(|bytes| bytes as u64) }
    }

    pub(crate) fn bytes(&self, kind: Kind) -> u64 {
        self.bytes[kind as usize]
    }

    /// All that an arena can hand out; more than 0, as in every arena.
    pub(crate) fn total(&self) -> u64 {
        self.bytes.iter().sum()
    }

    /// The width of each run in a bar of `width` cells: at least one if there are such bytes, the
    /// whole bar together.
    pub(crate) fn widths(&self, width: u64) -> [u64; 4] {
        let shared = width - self.bytes.iter().filter(|&&bytes| bytes != 0).count() as u64;
        let mut before = 0;
        self.bytes.map(|bytes| {
            let start = before * shared / self.total();
            before += bytes;
            let end = before * shared / self.total();
            u64::from(bytes != 0) + end - start
        })
    }

    /// The cell at which what a root names begins: a cell of used bytes.
    pub(crate) fn mark(&self, root: Root, width: u64) -> u64 {
        let [in_use, stranded, ..] = self.widths(width);
        let cell = (u64::from(root.offset) - HEADER) * width / self.total();
        cell.min((in_use + stranded).saturating_sub(1))
    }
}

/// A number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_is_there_has_a_cell_and_the_bar_is_full() {
        for bytes in [[1, 0, 0, 1 << 31], [1, 1, 1, 1 << 31], [0, 0, 0, 8], [8, 0, 0, 0], [100, 50, 30, 20]] {
            let occupancy = Occupancy { bytes };
            for width in [4, 10, 64, 640] {
                let widths = occupancy.widths(width);
                assert_eq!(widths.iter().sum::<u64>(), width, "{bytes:?}");
                for (bytes, cells) in bytes.iter().zip(widths) {
                    assert_eq!(*bytes == 0, cells == 0, "{bytes} bytes, {cells} cells of {width}");
                }
            }
        }
        assert_eq!(Occupancy { bytes: [100, 50, 30, 20] }.widths(204), [101, 51, 31, 21]);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }
}
