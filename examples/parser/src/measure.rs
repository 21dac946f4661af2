//! Made-up programs, parsed into an arena and into boxes: the values are checked, the times and bytes are shown.

use std::error::Error;
use std::time::{Duration, Instant};

use marena_std::{Arena, Stats};

use crate::boxed::Boxed;
use crate::error;
use crate::generate::{Program, generate};
use crate::threads::{THREADS, parse_all, parse_all_boxed};
use crate::tree::Node;

const PROGRAMS: u64 = 16;
const STATEMENTS: usize = 100;
const ROUNDS: usize = 21;

/// What one side took in a round.
struct Round {
    parse: Duration,
    evaluate: Duration,
    free: Duration,
    /// Of all trees.
    bytes: usize,
}

pub(crate) fn measure() -> Result<(), Box<dyn Error>> {
    let programs: Vec<_> = (1..=PROGRAMS).map(|seed| generate(seed, STATEMENTS)).collect();
    let bytes: usize = programs.iter().map(|program| program.text.len()).sum();
    println!("{PROGRAMS} made-up programs, {bytes} bytes; the first begins:\n");
    for line in programs[0].text.lines().filter(|line| line.len() < 100).take(4) {
        println!("    {line}");
    }

    let mut arena = Arena::with_capacity(64 << 20)?;
    let (mut in_arena, mut in_boxes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        in_arena.push(arena_round(&programs, &mut arena)?);
        in_boxes.push(boxed_round(&programs)?);
    }
    let nodes = count(&programs, &arena)?;
    let Stats { high_water, .. } = arena.stats();

    println!("\n{nodes} nodes. Each program has the value that it was made for, in both trees.");
    println!("{THREADS} threads parsed all into one arena, which took {high_water} bytes at most.\n");
    println!("| ns, median of {ROUNDS} rounds | arena | boxes | ratio |\n| --- | ---: | ---: | ---: |");
    let row = |name: &str, figure: &dyn Fn(&Round) -> f64| {
        let [arena, boxes] = [&in_arena, &in_boxes].map(|rounds| median(rounds.iter().map(figure)));
        println!("| {name} | {arena:.1} | {boxes:.1} | {:.2} |", arena / boxes);
    };
    let per_node = |time: Duration| time.as_nanos() as f64 / nodes as f64;
    row("parse, per node", &|round| per_node(round.parse));
    row("evaluate, per node", &|round| per_node(round.evaluate));
    row("free, per node", &|round| per_node(round.free));
    row("all three, per node", &|round| per_node(round.parse + round.evaluate + round.free));
    row("bytes per node (of boxes: as requested)", &|round| round.bytes as f64 / nodes as f64);
    Ok(())
}

fn arena_round(programs: &[Program], arena: &mut Arena) -> Result<Round, Box<dyn Error>> {
    let started = Instant::now();
    let trees = parse_all(&texts(programs), arena)?;
    let parse = started.elapsed();
    let evaluate = check(programs, &trees, Node::evaluate)?;
    let bytes = arena.used();
    let started = Instant::now();
    arena.reset();
    Ok(Round { parse, evaluate, free: started.elapsed(), bytes })
}

fn boxed_round(programs: &[Program]) -> Result<Round, Box<dyn Error>> {
    let started = Instant::now();
    let trees = parse_all_boxed(&texts(programs))?;
    let parse = started.elapsed();
    let evaluate = check(programs, &trees, Boxed::evaluate)?;
    let bytes = trees.iter().flatten().map(Boxed::bytes).sum();
    let started = Instant::now();
    drop(trees);
    Ok(Round { parse, evaluate, free: started.elapsed(), bytes })
}

/// The time to evaluate all trees. Fails where a value is wrong.
fn check<T>(
    programs: &[Program],
    trees: &[Result<T, error::Error>],
    evaluate: impl Fn(&T) -> Result<i64, error::Error>,
) -> Result<Duration, Box<dyn Error>> {
    let started = Instant::now();
    let values: Vec<_> = trees.iter().map(|tree| tree.as_ref().map_err(Clone::clone).and_then(&evaluate)).collect();
    let elapsed = started.elapsed();
    for (index, (value, Program { value: expected, .. })) in values.into_iter().zip(programs).enumerate() {
        let value = value.map_err(|error| format!("program {index}: {error}"))?;
        if value != *expected {
            return Err(format!("program {index} is {value}, and was made to be {expected}").into());
        }
    }
    Ok(elapsed)
}

fn count(programs: &[Program], arena: &Arena) -> Result<usize, Box<dyn Error>> {
    let trees = parse_all(&texts(programs), arena)?;
    Ok(trees.into_iter().map(|tree| Ok(tree?.count())).sum::<Result<usize, error::Error>>()?)
}

fn texts(programs: &[Program]) -> Vec<&str> {
    programs.iter().map(|program| program.text.as_str()).collect()
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}
