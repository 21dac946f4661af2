//! The command line.

use std::fs;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::Error;
use crate::report::Report;
use crate::text::Style;
use crate::{picture, sample, text};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    the file holds no arena that can be used
  2    a wrong command line, an unreadable file, an unwritable output";

/// Shows what an arena's file holds.
///
/// Without a command, it makes a sample in a temporary file, and shows that.
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
    /// The file is mapped for reading only, and may be in use meanwhile: all figures are snapshots.
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
    /// Draw a picture too, that reads on light and on dark ground
    #[arg(long, value_name = "OUT")]
    svg: Option<PathBuf>,
}

pub(crate) fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Some(Command::Inspect(args)) => inspect(&args),
        Some(Command::Demo { file }) => demo(&file),
        None => show_sample(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough: `marena inspect FILE | head`.
        Err(Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("marena: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn inspect(args: &InspectArgs) -> Result<(), Error> {
    let report = Report::of(&args.file)?;
    if let Some(path) = &args.svg {
        fs::write(path, picture::draw(&report)).map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    if args.json {
        let json = serde_json::to_string_pretty(&report).map_err(|error| Error::Output(error.into()))?;
        return print(&format!("{json}\n"));
    }
    print(&text::draw(&report, style(args.ascii)))
}

fn demo(file: &Path) -> Result<(), Error> {
    sample::make(file)?;
    print(&format!("{} is an arena; look at it with `marena inspect`\n", file.display()))
}

fn show_sample() -> Result<(), Error> {
    let directory = tempfile::tempdir().map_err(Error::Sample)?;
    let file = directory.path().join("sample.arena");
    sample::make(&file)?;
    print(&text::draw(&Report::of(&file)?, style(false)))
}

fn style(ascii: bool) -> Style {
    if ascii || !io::stdout().is_terminal() { Style::Ascii } else { Style::Blocks }
}

fn print(text: &str) -> Result<(), Error> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(Error::Output)
}
