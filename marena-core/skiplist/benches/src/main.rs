//! `marena-skiplist` against other ordered maps: one workload, one run, as ratios.
//!
//! ```sh
//! cd marena-core/skiplist/benches && cargo run --release  # a million entries, five rounds
//! cargo run --release -- ENTRIES ROUNDS                   # others
//! ```

mod contenders;
mod heap;
mod workload;

use contenders::{Contender, Crossbeam, Grouped, InFile, Locked, Map};
use workload::{Times, Workload};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

/// Measures: a name, and which of the times it is.
const MEASURES: [(&str, fn(&Times) -> f64); 4] = [
    ("insert", |times| times.insert),
    ("read", |times| times.read),
    ("scan", |times| times.scan),
    ("scan back", |times| times.scan_back),
];

const NAMES: [&str; 5] = [Map::NAME, Grouped::NAME, InFile::NAME, Crossbeam::NAME, Locked::NAME];

/// What a ratio must be at most: measure, threads, own contender, peer, limit.
const TARGETS: [(&str, usize, &str, &str, f64); 14] = [
    ("insert", 1, Map::NAME, Crossbeam::NAME, 0.40),
    ("insert", 2, Map::NAME, Crossbeam::NAME, 0.45),
    ("insert", 1, Grouped::NAME, Crossbeam::NAME, 0.40),
    ("insert", 2, Grouped::NAME, Crossbeam::NAME, 0.45),
    ("read", 1, Map::NAME, Crossbeam::NAME, 0.50),
    ("read", 1, Map::NAME, Locked::NAME, 1.00),
    ("scan", 1, Map::NAME, Crossbeam::NAME, 0.60),
    ("scan back", 1, Map::NAME, "own scan", 2.00),
    ("insert", 1, InFile::NAME, Crossbeam::NAME, 0.44),
    ("insert", 2, InFile::NAME, Crossbeam::NAME, 0.495),
    ("read", 1, InFile::NAME, Crossbeam::NAME, 0.55),
    ("read", 1, InFile::NAME, Locked::NAME, 1.10),
    ("scan", 1, InFile::NAME, Crossbeam::NAME, 0.66),
    ("scan back", 1, InFile::NAME, "own scan", 2.20),
];

/// By contender, the times of each round.
type Rounds = [Vec<Times>; 5];

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let entries = arguments.next().unwrap_or(1_000_000);
    let rounds = arguments.next().unwrap_or(5);
    let workload = Workload::new(entries);
    println!(
        "{entries} entries: random keys of 16 bytes, values of 32. The same in the same order for all, and every value read is checked.\n\
         Nanoseconds an entry, medians of {rounds} rounds in which the contenders take turns.\n"
    );
    let mut missed = 0;
    // One, two, and all cores.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in [1, 2].into_iter().chain((cores > 2).then_some(cores)) {
        let mut times = Rounds::default();
        for round in 0..rounds {
            for turn in 0..NAMES.len() {
                let contender = (round + turn) % NAMES.len();
                times[contender].push(match contender {
                    0 => workload.run::<Map>(threads),
                    1 => workload.run::<Grouped>(threads),
                    2 => workload.run::<InFile>(threads),
                    3 => workload.run::<Crossbeam>(threads),
                    _ => workload.run::<Locked>(threads),
                });
            }
        }
        print_times(threads, &times);
        missed += print_targets(threads, &times);
    }
    missed += print_memory(&workload, entries);
    println!("\n{missed} targets missed");
}

fn print_times(threads: usize, times: &Rounds) {
    print!("{:22}", format!("{threads} thread(s)"));
    MEASURES.iter().for_each(|(name, _)| print!("{name:>12}"));
    println!();
    for (name, rounds) in NAMES.iter().zip(times) {
        print!("{name:22}");
        for (_, time) in MEASURES {
            print!("{:>12.0}", median(rounds.iter().map(time).collect()));
        }
        println!();
    }
    println!();
}

/// Prints each target and the ratio to it. Returns how many are missed.
fn print_targets(threads: usize, times: &Rounds) -> usize {
    let mut missed = 0;
    let rounds = |name| NAMES.iter().position(|&known| known == name).map(|index| &times[index]);
    for (measure, _, own_name, peer_name, limit) in TARGETS.iter().filter(|target| target.1 == threads) {
        let Some((_, time)) = MEASURES.iter().find(|(name, _)| name == measure) else { continue };
        let Some(own) = rounds(*own_name) else { continue };
        // The median of the rounds' ratios.
        let ratio = match rounds(*peer_name) {
            Some(peer) => median(own.iter().zip(peer).map(|(own, peer)| time(own) / time(peer)).collect()),
            None => median(own.iter().map(|own| time(own) / own.scan).collect()),
        };
        let verdict = if ratio <= *limit { "" } else { "  missed" };
        missed += usize::from(ratio > *limit);
        println!("{measure}, {own_name} to {peer_name}: {ratio:.2}, at most {limit}{verdict}");
    }
    println!();
    missed
}

/// Prints bytes an entry: our arena's, and what the peers' entries take on the heap.
fn print_memory(workload: &Workload, entries: usize) -> usize {
    let own = workload.filled::<Map>();
    let own = own.memory() as f64 / entries as f64;
    let (peer, taken) = heap::count(|| workload.filled::<Crossbeam>());
    drop(peer);
    let peer = taken as f64 / entries as f64;
    let ratio = own / peer;
    println!(
        "memory, {} to {}: {own:.1} B to {peer:.1} B an entry: {ratio:.2}, at most 0.45",
        Map::NAME,
        Crossbeam::NAME
    );
    usize::from(ratio > 0.45)
}

/// Of a list that is not empty.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}
