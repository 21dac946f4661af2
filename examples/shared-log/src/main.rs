//! A log in one file: several processes append, others follow, and killing any of them loses
//! nothing that was committed.

#[cfg(unix)]
mod crash;
mod log;
mod reader;
mod record;
#[cfg(unix)]
mod speed;
mod verify;

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use common::{AnyError, EXIT_CODES, Negative, Output};

use crate::log::Log;
use crate::reader::{Damage, Reader};
use crate::verify::Findings;

/// A log in one file that several processes append to and follow
#[derive(Parser)]
#[command(name = "shared-log", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Append each line of standard input as a record; make the log if it is not there
    Write {
        log: PathBuf,
        /// Bytes of a log that is made, 2G at most; one that is there keeps what it has
        #[arg(long, default_value = "64M", value_parser = common::size)]
        capacity: usize,
        /// Return from each append when the record is on the disk
        #[arg(long)]
        durable: bool,
        /// Bytes to allocate at once for many records; 0: each record by itself
        #[arg(long, default_value = "0", value_parser = common::bytes)]
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
    CrashTest(crash::Options),
    /// Measure what one process appends and what two do
    #[cfg(unix)]
    Speed(speed::Options),
}

fn main() -> ExitCode {
    common::main(|Arguments { command }, output| match command {
        Command::Write { log, capacity, durable, chunk } => write(&log, capacity, durable, chunk),
        Command::Follow { log, records } => follow(&log, records, output),
        Command::Dump { log } => dump(&log, output),
        Command::Verify { log } => verify(&log, output),
        #[cfg(unix)]
        Command::CrashTest(options) => crash::run(&options, output),
        #[cfg(unix)]
        Command::Speed(options) => speed::run(&options, output),
    })
}

fn write(path: &Path, capacity: usize, durable: bool, chunk: usize) -> Result<(), AnyError> {
    let input = common::stdin().map_err(|error| format!("cannot read standard input: {error}"))?.lock();
    let mut log = Log::open(path, capacity, durable)?.chunked(chunk);
    // No two writers have one number: this process's, and the time at which it began.
    let began = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
    let writer = began << 16 ^ u64::from(std::process::id());
    let mut number = 0;
    let outcome = input.split(b'\n').try_for_each(|line| -> Result<(), AnyError> {
        let line = line.map_err(|error| format!("cannot read standard input: {error}"))?;
        log.append(writer, number, &line)?;
        number += 1;
        Ok(())
    });
    if let Err(error) = outcome {
        let (line, error) = (number + 1, common::Chain(&*error));
        return Err(format!("{number} records were appended, line {line} and what follows were not: {error}").into());
    }
    let _ = writeln!(io::stderr(), "{number} records appended, {} bytes left", log.arena.remaining());
    Ok(())
}

fn follow(path: &Path, records: Option<u64>, output: &mut Output) -> Result<(), AnyError> {
    let mut reader = Reader::open(path)?;
    let mut left = records.unwrap_or(u64::MAX);
    while left > 0 {
        let damaged = reader.for_each_new(|_, record| {
            if left > 0 {
                left -= 1;
                output.write_all(record.text)?;
                output.write_all(b"\n")?;
            }
            Ok(())
        })?;
        output.flush()?;
        for damage in damaged {
            common::warn("shared-log", damage);
        }
        // Nobody tells the follower: it looks.
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn dump(path: &Path, output: &mut Output) -> Result<(), AnyError> {
    let mut reader = Reader::open(path)?;
    reader.check_is_log()?;
    let damaged = reader.for_each_new(|_, record| {
        output.write_all(record.text)?;
        Ok(output.write_all(b"\n")?)
    })?;
    output.flush()?;
    none(&damaged)
}

fn verify(path: &Path, output: &mut Output) -> Result<(), AnyError> {
    let mut reader = Reader::open(path)?;
    reader.check_is_log()?;
    let mut findings = Findings::default();
    // Before the records: what is committed meanwhile is not missed by it.
    let used = reader.view.used();
    findings.update(&mut reader)?;
    writeln!(
        output,
        "{} records of {} writers, {}; {} of {} bytes used, {} unaccounted for",
        findings.total(),
        findings.records.len(),
        if findings.damaged.is_empty() { "none damaged or missing" } else { "some damaged or missing" },
        used,
        reader.view.capacity(),
        findings.unaccounted(used)
    )?;
    output.flush()?;
    none(&findings.damaged)
}

/// The error for what is damaged, if anything is.
fn none(damaged: &[Damage]) -> Result<(), AnyError> {
    match damaged {
        [] => Ok(()),
        [first] => Err(Negative(first.to_string()).into()),
        [first, rest @ ..] => Err(Negative(format!("{first}, and {} more like this", rest.len())).into()),
    }
}
