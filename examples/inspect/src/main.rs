//! `marena`: shows what an arena's file holds. See the README beside `Cargo.toml`.

mod occupancy;
mod picture;
mod report;
mod sample;
mod text;

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use common::{AnyError, EXIT_CODES, FileOutput, Output, Shown};

use crate::report::{MAGIC, Report};
use crate::text::Style;

/// Shows what an arena's file holds.
///
/// Without a command, it makes a sample in a temporary file and shows that.
#[derive(Parser)]
#[command(name = "marena", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Show an arena's header, how full it is, and what its roots name.
    ///
    /// The file is mapped for reading only and may be in use meanwhile: all numbers are snapshots.
    #[command(after_help = EXIT_CODES)]
    Inspect(InspectArgs),
    /// Make a file with a small arena to look at.
    #[command(after_help = EXIT_CODES)]
    Demo {
        /// Where; nothing may be there yet
        file: PathBuf,
    },
}

#[derive(Args)]
struct InspectArgs {
    /// An arena's file
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw with characters that every terminal has, as is done where the output is no terminal
    #[arg(long)]
    ascii: bool,
    /// Write a picture as well, that reads on light and on dark ground; `-` prints the picture
    /// alone
    #[arg(long, value_name = "OUT")]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    common::main(|Cli { command }, output| match command {
        Some(Command::Inspect(args)) => inspect(&args, output),
        Some(Command::Demo { file }) => {
            sample::make(&file)?;
            Ok(writeln!(output, "{} is an arena; look at it with `marena inspect`", Shown(&file))?)
        }
        None => show_sample(output),
    })
}

fn inspect(args: &InspectArgs, output: &mut Output) -> Result<(), AnyError> {
    let report = Report::of(&args.file)?;
    if let Some(path) = &args.svg {
        if is_arena(path) {
            return Err(format!("{} is an arena, and a picture would destroy it", Shown(path)).into());
        }
        let mut file = FileOutput::create(path)?;
        file.write_all(picture::draw(&report).as_bytes())?;
        file.finish()?;
        if path == Path::new("-") {
            return Ok(());
        }
    }
    if args.json {
        return Ok(writeln!(output, "{}", serde_json::to_string_pretty(&report)?)?);
    }
    Ok(output.write_all(text::draw(&report, style(args.ascii)).as_bytes())?)
}

/// Whether a file begins as an arena does, usable or not.
fn is_arena(path: &Path) -> bool {
    // A named pipe would wait for somebody to write to it.
    let is_file = path.metadata().is_ok_and(|found| found.is_file());
    let mut magic = [0; MAGIC.len()];
    is_file && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == MAGIC
}

fn show_sample(output: &mut Output) -> Result<(), AnyError> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("sample.arena");
    sample::make(&file)?;
    Ok(output.write_all(text::draw(&Report::of(&file)?, style(false)).as_bytes())?)
}

fn style(ascii: bool) -> Style {
    if ascii || !io::stdout().is_terminal() { Style::Ascii } else { Style::Blocks }
}
