//! Runs every work and writes the results: a table as Markdown and CSV, and plots.
//!
//! `cargo run --release` in this package's folder measures all and writes `results/`.
//! With the ids of works behind `--`, it measures only those and prints their tables, and writes
//! them into a folder if `--into FOLDER` says so.

use std::error::Error;
use std::path::{Path, PathBuf};

use marena_benches::measure::measure;
use marena_benches::report::{self, Result as Measured};
use marena_benches::works;

fn main() -> Result<(), Box<dyn Error>> {
    let mut chosen: Vec<String> = std::env::args().skip(1).collect();
    let mut command = String::from("cd marena-std/benches && cargo run --release");
    if !chosen.is_empty() {
        command.push_str(&format!(" -- {}", chosen.join(" ")));
    }
    let folder = match chosen.iter().position(|word| word == "--into") {
        Some(at) => {
            chosen.remove(at);
            if at == chosen.len() {
                return Err("--into: the folder's name is missing".into());
            }
            Some(PathBuf::from(chosen.remove(at)))
        }
        None if chosen.is_empty() => Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("results")),
        None => None,
    };
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
    if let Some(unknown) = chosen.iter().find(|id| !results.iter().any(|result| result.id == id.as_str())) {
        return Err(format!("{unknown}: no such work").into());
    }
    let stranded = if chosen.is_empty() { works::strand() } else { vec![] };
    print!("{}", report::targets(&results, &stranded));
    if let Some(folder) = folder {
        report::write(&results, &stranded, &folder, &command)?;
    }
    Ok(())
}
