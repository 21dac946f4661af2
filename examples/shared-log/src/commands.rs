//! The commands and their output.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};

use crate::log::Log;
use crate::reader::Reader;
use crate::verify::Findings;

/// A log in one file that several processes append to and follow
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Append each line of the input as a record; make the log if it is not there
    Write {
        log: PathBuf,
        /// Bytes of a log that is made, 2 GiB at most
        #[arg(long, default_value_t = 64 << 20)]
        capacity: usize,
        /// Return from each append when the record is on the disk
        #[arg(long)]
        durable: bool,
        /// Bytes to claim at once; 0: each record by itself
        #[arg(long, default_value_t = 0)]
        chunk: usize,
    },
    /// Print records as they are committed, beginning with those that are there
    Follow {
        log: PathBuf,
        /// End after so many records
        #[arg(long)]
        records: Option<u64>,
    },
    /// Print all records
    Dump { log: PathBuf },
    /// Check all records and print what was found
    Verify { log: PathBuf },
    /// Kill writers at random moments and verify
    #[cfg(unix)]
    CrashTest(crate::crash::Options),
    /// Measure what one process appends and what two do
    #[cfg(unix)]
    Speed(crate::speed::Options),
}

pub(crate) fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Write { log, capacity, durable, chunk } => write(&log, capacity, durable, chunk),
        Command::Follow { log, records } => follow(&log, records),
        Command::Dump { log } => dump(&log),
        Command::Verify { log } => verify(&log),
        #[cfg(unix)]
        Command::CrashTest(options) => crate::crash::run(&options),
        #[cfg(unix)]
        Command::Speed(options) => crate::speed::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shared-log: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the output was closed by its reader, as `head` does.
fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn write(path: &Path, capacity: usize, durable: bool, chunk: usize) -> Result<(), Box<dyn Error>> {
    let mut log = Log::open(path, capacity, durable)?.chunked(chunk);
    // No two writers have one number: this process's, and the time at which it began.
    let began = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
    let writer = began << 16 ^ u64::from(std::process::id());
    let mut number = 0;
    for line in io::stdin().lock().split(b'\n') {
        log.append(writer, number, &line?)?;
        number += 1;
    }
    eprintln!("{number} records appended, {} bytes left", log.arena.remaining());
    Ok(())
}

fn print_new(reader: &mut Reader, left: &mut u64) -> Result<(), Box<dyn Error>> {
    let mut output = io::stdout().lock();
    for (_, record) in reader.new_records()?.into_iter().take(usize::try_from(*left)?) {
        output.write_all(&record.text)?;
        output.write_all(b"\n")?;
        *left -= 1;
    }
    Ok(output.flush()?)
}

fn follow(path: &Path, records: Option<u64>) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::open(path)?;
    let mut left = records.unwrap_or(usize::MAX as u64);
    while left > 0 {
        print_new(&mut reader, &mut left)?;
        // Nobody tells the follower: it looks.
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn dump(path: &Path) -> Result<(), Box<dyn Error>> {
    print_new(&mut Reader::open(path)?, &mut (usize::MAX as u64))
}

fn verify(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::open(path)?;
    let mut findings = Findings::default();
    // Before the records: what is committed meanwhile is not missed by it.
    let used = reader.view.used();
    findings.update(&mut reader)?;
    println!(
        "{} records of {} writers, none damaged or missing; {} of {} bytes used, {} unaccounted for",
        findings.total(),
        findings.records.len(),
        used,
        reader.view.capacity(),
        findings.unaccounted(used)
    );
    Ok(())
}
