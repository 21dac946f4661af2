//! `memtable bench`: the skip list against its peers, one workload, one run, as ratios.

mod contenders;
mod workload;

use std::io::Write;
use std::time::Duration;

use common::{AnyError, Heap, Output, median};
use indicatif::ProgressBar;
use marena_skiplist::GROUP;

use crate::cli::BenchArgs;
use crate::error::Error;
use contenders::{Contender, Crossbeam, Grouped, Locked, Memtable};
use workload::{Times, Workload};

/// One contender's times of all rounds.
type Rounds = Vec<Times>;

/// Measures, and writes a table.
pub(crate) fn run(args: BenchArgs, output: &mut Output) -> Result<(), AnyError> {
    let (entries, rounds) = (args.entries as usize, args.rounds as usize);
    let mut thread_counts = vec![1, args.threads];
    thread_counts.dedup();

    let workload = Workload::new(entries);
    let mut report = Report { output };
    report.line(format_args!(
        "{entries} entries: keys of 16 random bytes, values of 32. All get the same keys in the same order, and every\n\
         value that is read is checked. Peers hold Box<[u8]> keys and values. Medians of {rounds} rounds, in which the\n\
         contenders take turns; each ratio is the median of its rounds' ratios, memtable's time to the peer's. In\n\
         groups: memtable takes {GROUP} records at once, the peers one.\n"
    ))?;
    report.line(format_args!("{:26}{:>12}{:>28}{:>28}", "", Memtable::NAME, Crossbeam::NAME, Locked::NAME))?;
    let progress = ProgressBar::new((thread_counts.len() * rounds * 4) as u64);
    for threads in thread_counts {
        let mut times: [Rounds; 4] = Default::default();
        for round in 0..rounds {
            // Everyone is first in turn.
            for turn in 0..4 {
                let contender = (round + turn) % 4;
                times[contender].push(match contender {
                    0 => workload.run::<Memtable>(threads)?,
                    1 => workload.run::<Grouped>(threads)?,
                    2 => workload.run::<Crossbeam>(threads)?,
                    _ => workload.run::<Locked>(threads)?,
                });
                progress.inc(1);
            }
        }
        let [single, grouped, peers @ ..] = &times;
        let mut row = |name: &str, own: &Rounds, time: fn(&Times) -> Duration| {
            let plural = if threads == 1 { "" } else { "s" };
            let name = format!("{name}, {threads} thread{plural}");
            progress.suspend(|| report.times(&name, own, peers, time, entries))
        };
        row("fill random", single, |times| times.fill)?;
        row("fill in groups", grouped, |times| times.fill)?;
        row("read random", single, |times| times.read)?;
        if threads == 1 {
            row("scan", single, |times| times.scan)?;
            row("scan from the end", single, |times| times.scan_back)?;
        }
    }
    progress.finish_and_clear();
    report.memory(&workload, entries)
}

/// Writes lines.
struct Report<'o> {
    output: &'o mut Output,
}

impl Report<'_> {
    /// Shown at once: the next one may take a while.
    fn line(&mut self, text: std::fmt::Arguments<'_>) -> Result<(), AnyError> {
        writeln!(self.output, "{text}")?;
        Ok(self.output.flush()?)
    }

    fn times(
        &mut self,
        name: &str,
        own: &Rounds,
        peers: &[Rounds],
        time: fn(&Times) -> Duration,
        entries: usize,
    ) -> Result<(), AnyError> {
        let nanoseconds = |times: &Times| time(times).as_nanos() as f64 / entries as f64;
        let middle = |rounds: &Rounds| median(rounds.iter().map(nanoseconds));
        let mut line = format!("{name:26}{:>9.0} ns", middle(own));
        for peer in peers {
            let ratios = own.iter().zip(peer).map(|(own, peer)| nanoseconds(own) / nanoseconds(peer));
            line += &format!("{:>17.0} ns {:>6.2} x", middle(peer), median(ratios));
        }
        self.line(format_args!("{line}"))
    }

    /// Bytes per entry: our arena's, and what the peers leave on the heap.
    fn memory(&mut self, workload: &Workload, entries: usize) -> Result<(), AnyError> {
        let per_entry = |bytes: usize| bytes as f64 / entries as f64;
        let own = Memtable::empty(entries)?;
        workload.fill(&own, 1)?;
        let own = per_entry(own.0.space().used());
        let mut lines = [("memory per entry", String::new()), ("  as requested", String::new())];
        for bytes in [heap_bytes::<Crossbeam>(workload, entries)?, heap_bytes::<Locked>(workload, entries)?] {
            for ((_, line), bytes) in lines.iter_mut().zip([bytes.taken, bytes.requested]) {
                let bytes = per_entry(bytes);
                *line += &format!("{bytes:>18.1} B {:>6.2} x", own / bytes);
            }
        }
        for (name, peers) in lines {
            self.line(format_args!("{name:26}{own:>10.1} B{peers}"))?;
        }
        self.line(format_args!(
            "\nMemory: the arena's bytes in use, to what the system's allocator took for the peers' blocks and to what\n\
             they requested."
        ))
    }
}

fn heap_bytes<C: Contender>(workload: &Workload, entries: usize) -> Result<Heap, Error> {
    let (filled, bytes) = common::count(|| {
        let contender = C::empty(entries)?;
        workload.fill(&contender, 1)?;
        Ok::<_, Error>(contender)
    });
    filled?;
    Ok(bytes)
}
