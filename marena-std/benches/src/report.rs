//! Writes the results: Markdown with the targets and the pictures, CSV with all numbers.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::machine;
use crate::measure::Figures;
use crate::plot;
use crate::target::{Bound, Outcome};
use crate::work::Work;
use crate::works::Stranded;

/// One work, measured. Its contenders and their memory are gone.
pub struct Result {
    /// Short, for file names.
    pub id: &'static str,
    /// What was done.
    pub title: &'static str,
    /// What a figure is nanoseconds of.
    pub unit: &'static str,
    /// How it was measured.
    pub how: &'static str,
    /// Names and figures.
    pub entries: Vec<(String, Figures)>,
    /// Those who cannot, and why.
    pub absent: Vec<(&'static str, &'static str)>,
    /// What was aimed at, and what came of it.
    pub outcomes: Vec<Outcome>,
}

impl Result {
    /// Drops the contenders, keeps the figures.
    pub fn new(work: Work, figures: Vec<Figures>) -> Self {
        let outcomes = work.targets.iter().map(|target| target.outcome(&work, &figures)).collect();
        let Work { id, title, unit, how, entries, absent, .. } = work;
        let entries = entries.into_iter().map(|entry| entry.name).zip(figures).collect();
        Self { id, title, unit, how, entries, absent, outcomes }
    }

    /// The figures of one entry.
    pub fn figures(&self, name: &str) -> Option<&Figures> {
        self.entries.iter().find(|(entry, _)| entry == name).map(|(_, figures)| figures)
    }
}

/// Writes `results.md`, `results.csv` and the plots.
///
/// `command` is the one that made them.
pub fn write(
    results: &[Result],
    stranded: &[Stranded],
    folder: &Path,
    command: &str,
) -> std::result::Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("results.md"), markdown(results, stranded, command))?;
    fs::write(folder.join("results.csv"), csv(results, stranded)?)?;
    for (name, image) in plot::all(results)? {
        fs::write(folder.join(name), image)?;
    }
    Ok(())
}

fn markdown(results: &[Result], stranded: &[Stranded], command: &str) -> String {
    let mut text = String::from("# Results\n\n");
    let versions = machine::versions().iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>();
    let facts = machine::describe().into_iter().map(|(what, value)| format!("{what}: {value}"));
    for fact in facts.chain([format!("peers: {}", versions.join(", ")), format!("command: `{command}`")]) {
        text.push_str(&item(&fact));
    }
    text.push_str(&targets(results, stranded));
    text.push_str("\n## Works\n\nAll numbers, with quartiles: [results.csv](results.csv).\n\n");
    for Result { id, title, .. } in results {
        _ = writeln!(text, "![{title}]({id}.svg)");
    }
    text
}

/// What was aimed at, and what came of it.
pub fn targets(results: &[Result], stranded: &[Stranded]) -> String {
    let mut text = String::from(
        "\n## Targets\n\nRatios of times, or of throughputs where the target is `≥`, or times where it is in ns.\n\
         Medians of the rounds of one run.\n\n",
    );
    text.push_str("|work|marena|against|measured|target|met|\n|---|---|---|---:|---:|---|\n");
    for outcome in results.iter().flat_map(|result| &result.outcomes) {
        let bound = match outcome.bound {
            Bound::AtMost(limit) => format!("≤ {limit}"),
            Bound::AtLeast(limit) => format!("≥ {limit}"),
            Bound::Within(limit) => format!("≤ {limit} ns"),
        };
        let met = if outcome.met() { "yes" } else { "**no**" };
        let Outcome { work, ours, against, measured, .. } = outcome;
        _ = writeln!(text, "|{work}|{ours}|{against}|{measured:.2}|{bound}|{met}|");
    }
    for Stranded { what, stranded, capacity, limit } in stranded {
        let share = *stranded as f64 / *capacity as f64;
        let (bound, met) = match limit {
            Some(limit) => (format!("≤ {limit}"), if share <= *limit { "yes" } else { "**no**" }),
            None => ("–".to_owned(), "–"),
        };
        _ = writeln!(text, "|stranded bytes|{what}|capacity|{share:.6}|{bound}|{met}|");
    }
    text
}

/// An item of a list, in lines of at most 100 columns.
fn item(text: &str) -> String {
    let mut lines = vec![String::from("-")];
    for word in text.split_whitespace() {
        if lines.last().is_some_and(|line| line.chars().count() + 1 + word.chars().count() > 100) {
            lines.push(String::from(" "));
        }
        if let Some(line) = lines.last_mut() {
            _ = write!(line, " {word}");
        }
    }
    lines.join("\n") + "\n"
}

/// One work's table.
pub fn section(result: &Result) -> String {
    let Result { title, how, unit, .. } = result;
    let mut text = format!("\n## {title}\n\n{how}\n\n| contender | ns per {unit} | quartiles | × the first |\n");
    text.push_str("| --- | ---: | ---: | ---: |\n");
    let first = result.entries.first().map(|(_, figures)| figures);
    for (name, figures) in &result.entries {
        let [low, high] = figures.quartiles();
        let ratio = first.map_or(1.0, |first| figures.ratio_to(first));
        _ = writeln!(text, "| {name} | {:.2} | {low:.2} to {high:.2} | {ratio:.2} |", figures.median());
    }
    for (name, why) in &result.absent {
        _ = writeln!(text, "| {name} | – | {why} | – |");
    }
    text
}

fn csv(results: &[Result], stranded: &[Stranded]) -> std::result::Result<Vec<u8>, Box<dyn Error>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["work", "contender", "unit", "median", "lower_quartile", "upper_quartile"])?;
    for result in results {
        let unit = format!("ns per {}", result.unit);
        for (name, figures) in &result.entries {
            let [low, high] = figures.quartiles();
            let [median, low, high] = [figures.median(), low, high].map(|figure| format!("{figure:.3}"));
            table.write_record([result.id, name, &unit, &median, &low, &high])?;
        }
        for (name, why) in &result.absent {
            table.write_record([result.id, name, &format!("cannot: {why}"), "", "", ""])?;
        }
    }
    for Stranded { what, stranded, .. } in stranded {
        table.write_record(["stranded", what, "bytes", &stranded.to_string(), "", ""])?;
    }
    Ok(table.into_inner()?)
}
