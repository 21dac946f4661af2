//! Runs every work and writes the results: a table as Markdown and CSV, and plots.
//!
//! `cargo run --release` in this package's folder measures all and writes `results/`.
//! With the ids of works behind `--`, it measures only those and prints their tables.

use std::error::Error;
use std::path::Path;

use marena_benches::measure::measure;
use marena_benches::report::{self, Result as Measured};
use marena_benches::works;

fn main() -> Result<(), Box<dyn Error>> {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let mut results = Vec::new();
    for make in works::ALL {
        let mut work = make();
        if !chosen.is_empty() && !chosen.iter().any(|id| id == work.id) {
            continue;
        }
        eprintln!("{}: {} contenders, {} rounds", work.title, work.entries.len(), work.effort.rounds);
        let figures = measure(&mut work);
        let result = Measured::new(work, figures);
        print!("{}", report::section(&result));
        results.push(result);
    }
    let stranded = if chosen.is_empty() { works::strand() } else { vec![] };
    print!("{}", report::targets(&results, &stranded));
    if chosen.is_empty() {
        report::write(&results, &stranded, &Path::new(env!("CARGO_MANIFEST_DIR")).join("results"))?;
    }
    Ok(())
}
