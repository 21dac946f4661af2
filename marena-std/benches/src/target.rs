//! What is aimed at.

use crate::measure::Figures;
use crate::work::Work;

/// A ratio between two entries of one work, or the time of one.
pub struct Target {
    /// Whose time.
    pub ours: &'static str,
    /// Over whose.
    pub theirs: &'static str,
    /// What the ratio or the time is to be.
    pub bound: Bound,
}

/// Where a ratio or a time is to lie.
#[derive(Clone, Copy)]
pub enum Bound {
    /// A ratio of times.
    AtMost(f64),
    /// A ratio of throughputs.
    AtLeast(f64),
    /// Nanoseconds, compared with nobody.
    Within(f64),
}

/// A target and what came of it.
pub struct Outcome {
    /// The work's name.
    pub work: &'static str,
    /// What is compared.
    pub ours: String,
    /// With what.
    pub against: String,
    /// The target.
    pub bound: Bound,
    /// The ratio measured, or the time.
    pub measured: f64,
}

impl Target {
    /// A ratio of times, at most `limit`.
    pub fn at_most(ours: &'static str, theirs: &'static str, limit: f64) -> Self {
        Self { ours, theirs, bound: Bound::AtMost(limit) }
    }

    /// A ratio of throughputs, at least `limit`.
    pub fn at_least(ours: &'static str, theirs: &'static str, limit: f64) -> Self {
        Self { ours, theirs, bound: Bound::AtLeast(limit) }
    }

    /// At most `limit` nanoseconds.
    pub fn within(ours: &'static str, limit: f64) -> Self {
        Self { ours, theirs: "–", bound: Bound::Within(limit) }
    }

    /// Whether the figures meet it.
    pub fn outcome(&self, work: &Work, figures: &[Figures]) -> Outcome {
        let of = |name| {
            let index = work.entries.iter().position(|entry| entry.name == name);
            &figures[index.unwrap_or_else(|| panic!("{} has no entry {name}", work.id))]
        };
        let measured = match self.bound {
            Bound::AtMost(_) => of(self.ours).ratio_to(of(self.theirs)),
            // The less time, the more throughput.
            Bound::AtLeast(_) => of(self.theirs).ratio_to(of(self.ours)),
            Bound::Within(_) => of(self.ours).median(),
        };
        Outcome {
            work: work.id,
            ours: self.ours.to_owned(),
            against: self.theirs.to_owned(),
            bound: self.bound,
            measured,
        }
    }
}

impl Outcome {
    /// Whether it is as aimed at.
    pub fn met(&self) -> bool {
        match self.bound {
            Bound::AtMost(limit) | Bound::Within(limit) => self.measured <= limit,
            Bound::AtLeast(limit) => self.measured >= limit,
        }
    }
}
