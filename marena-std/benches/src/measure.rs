//! Rounds in which everyone has a turn.
//!
//! A shared machine is never quiet for long, but it is quiet for milliseconds. So a turn's figure
//! is its fastest batch (what interferes only adds), the contenders take turns close together, and
//! a ratio is the median of the rounds' ratios.

use std::time::Instant;

use crate::work::{Effort, Entry, Work};

/// Nanoseconds per operation, one figure a round.
pub struct Figures(Vec<f64>);

impl Figures {
    /// The median over the rounds.
    pub fn median(&self) -> f64 {
        quantile(self.0.clone(), 0.5)
    }

    /// The quartiles over the rounds.
    pub fn quartiles(&self) -> [f64; 2] {
        [quantile(self.0.clone(), 0.25), quantile(self.0.clone(), 0.75)]
    }

    /// The median of the rounds' ratios to `other`'s figure of the same round.
    pub fn ratio_to(&self, other: &Self) -> f64 {
        quantile(self.0.iter().zip(&other.0).map(|(mine, theirs)| mine / theirs).collect(), 0.5)
    }
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let rank = share * (values.len() - 1) as f64;
    let (below, above) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
    below + (above - below) * rank.fract()
}

/// Measures all entries of a work: their figures, in their order.
pub fn measure(work: &mut Work) -> Vec<Figures> {
    // What grows or faults once does so here.
    for entry in &mut work.entries {
        turn(entry, work.effort);
    }
    let mut figures: Vec<_> = work.entries.iter().map(|_| Figures(Vec::new())).collect();
    for _ in 0..work.effort.rounds {
        for (entry, figures) in work.entries.iter_mut().zip(&mut figures) {
            figures.0.push(turn(entry, work.effort));
        }
    }
    figures
}

/// Batches for as long as a turn lasts; nanoseconds per operation of the fastest.
fn turn(entry: &mut Entry, effort: Effort) -> f64 {
    let start = Instant::now();
    let mut fastest = f64::INFINITY;
    for batch in 1.. {
        let elapsed = (entry.batch)();
        fastest = fastest.min(elapsed.as_nanos() as f64 / entry.operations as f64);
        if batch >= effort.batches && start.elapsed() >= effort.turn {
            break;
        }
    }
    fastest
}
