//! Kills writers at random moments and verifies the log.
//!
//! Writers are forked, open the log by its path, append as fast as they can, and count each commit in a second mapped arena, the ledger. Whatever
//! the ledger says of a writer when it is killed must be in the log, and at most one record more: the one it was about to count.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;
use std::time::{Duration, Instant};

use marena_std::{AccessError, Address, MapError, MappedArena};

use crate::log::Log;
use crate::reader::Reader;
use crate::verify::Findings;

/// What is to be done.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Writers to kill
    #[arg(long, default_value_t = 100)]
    kills: u64,
    /// Writers that run at the same time
    #[arg(long, default_value_t = 3)]
    writers: usize,
    /// Longest time between two kills, in microseconds
    #[arg(long, default_value_t = 200)]
    interval: u64,
    /// Capacity of each log, in bytes; a full one is followed by another
    #[arg(long, default_value_t = 32 << 20)]
    capacity: usize,
    /// Commit to the disk, as for a power loss
    #[arg(long)]
    durable: bool,
    /// Where the files are made, and removed again; the system's temporary directory unless told otherwise
    #[arg(long)]
    directory: Option<std::path::PathBuf>,
}

/// No machine is so busy that a writer takes longer for a record.
const STUCK: Duration = Duration::from_secs(60);

/// The figures of all logs.
#[derive(Default)]
struct Totals {
    kills: u64,
    records: u64,
    logs: u64,
    unaccounted: usize,
}

/// A number that looks random: xorshift.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let directory = match &options.directory {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let mut seed = 0x9E37_79B9_7F4A_7C15 ^ u64::from(std::process::id());
    let mut totals = Totals::default();
    let start = Instant::now();
    while totals.kills < options.kills {
        let log = directory.path().join(format!("log-{}", totals.logs));
        one_log(options, &log, &mut seed, &mut totals)?;
        std::fs::remove_file(&log)?;
    }
    println!(
        "{} kills of {} writers at a time, {} records in {} logs, {:.1} s: nothing committed is lost, survivors went on; {} bytes \
         unaccounted for, {:.1} a kill",
        totals.kills,
        options.writers,
        totals.records,
        totals.logs,
        start.elapsed().as_secs_f64(),
        totals.unaccounted,
        totals.unaccounted as f64 / totals.kills as f64,
    );
    Ok(())
}

/// A running writer.
struct Writer {
    process: libc::pid_t,
    id: u64,
}

/// One log, until it is three quarters full or enough writers are killed.
fn one_log(options: &Options, path: &Path, seed: &mut u64, totals: &mut Totals) -> Result<(), Box<dyn Error>> {
    let log = Log::open(path, options.capacity, options.durable)?;
    let ledger_path = path.with_extension("ledger");
    // SAFETY: the file is new, and only this program's writers know it.
    let ledger = unsafe { MappedArena::create(&ledger_path, 65_536) }?;
    let counts = (0..options.writers).map(|_| ledger.allocate_address(8)).collect::<Result<Vec<_>, _>>()?;
    let mut reader = Reader::open(path)?;
    let mut findings = Findings::default();
    let mut next_id = 0;
    let mut spawn = |count: Address| -> Result<Writer, Box<dyn Error>> {
        // ORDERING: Relaxed: the writer that counts here starts after this.
        ledger.atomic_u64_at(count)?.store(0, Relaxed);
        let id = next_id;
        next_id += 1;
        // SAFETY: this process has one thread, so the child can do all that its parent can.
        match unsafe { libc::fork() } {
            0 => {
                let outcome = write_until_killed(options, path, &ledger_path, count, id);
                if let Err(error) = &outcome {
                    eprintln!("writer {id}: {error}");
                }
                // SAFETY: ends the child without the parent's destructors, which remove files.
                unsafe { libc::_exit(i32::from(outcome.is_err())) }
            }
            -1 => Err(std::io::Error::last_os_error().into()),
            process => Ok(Writer { process, id }),
        }
    };
    let mut writers = counts.iter().map(|&count| spawn(count)).collect::<Result<Vec<_>, _>>()?;
    // What the ledger said of each writer when it was dead.
    let mut committed = HashMap::new();
    let mut kills = 0;
    let mut bury = |writer: &Writer, count: Address| -> Result<(), Box<dyn Error>> {
        kills += usize::from(end(writer)?);
        // ORDERING: Acquire pairs with the writer's Release: it committed what it counted.
        committed.insert(writer.id, ledger.atomic_u64_at(count)?.load(Acquire));
        Ok(())
    };
    for round in 1_u64.. {
        thread::sleep(Duration::from_micros(random(seed) % (options.interval + 1)));
        let victim = random(seed) as usize % writers.len();
        bury(&writers[victim], counts[victim])?;
        writers[victim] = spawn(counts[victim])?;
        let full = log.arena.used() > log.arena.capacity() / 4 * 3;
        let done = totals.kills + round + writers.len() as u64 >= options.kills;
        if full || done {
            break;
        }
        if round.is_multiple_of(10) {
            wait_for_progress(&ledger, &counts)?;
        }
    }
    for (writer, &count) in writers.iter().zip(&counts) {
        bury(writer, count)?;
    }
    findings.update(&mut reader)?;
    for (writer, counted) in committed {
        let found = findings.records.get(&writer).copied().unwrap_or(0);
        if found < counted || found > counted + 1 {
            return Err(format!("writer {writer} had committed {counted} records, and the log has {found}").into());
        }
    }
    let unaccounted = findings.unaccounted(log.arena.used());
    // A killed writer leaves the record that it had claimed and not committed.
    let most = kills * findings.largest;
    if unaccounted > most {
        return Err(
            format!("{unaccounted} bytes are unaccounted for after {kills} kills, {most} at most may be").into()
        );
    }
    // The log goes on to serve whoever comes next.
    let mut log = log;
    log.append(u64::MAX, 0, b"after the crashes")?;
    findings.update(&mut reader)?;
    if findings.records.get(&u64::MAX) != Some(&1) {
        return Err("a record appended after the crashes is not in the log".into());
    }
    std::fs::remove_file(&ledger_path)?;
    totals.kills += kills as u64;
    totals.records += findings.total();
    totals.logs += 1;
    totals.unaccounted += unaccounted;
    Ok(())
}

/// Waits until some writer commits another record: those that are left wait for nobody who is dead.
fn wait_for_progress(ledger: &MappedArena, counts: &[Address]) -> Result<(), Box<dyn Error>> {
    let committed = || -> Result<Vec<u64>, AccessError> {
        // ORDERING: Relaxed: only the numbers are compared.
        counts.iter().map(|&count| Ok(ledger.atomic_u64_at(count)?.load(Relaxed))).collect()
    };
    let (start, before) = (Instant::now(), committed()?);
    while committed()? == before {
        if start.elapsed() > STUCK {
            return Err(format!("no record was committed in {STUCK:?}").into());
        }
        thread::yield_now();
    }
    Ok(())
}

/// Kills a writer and waits until it is gone; whether it was killed, and not done. Fails if it ended with an error or another signal.
fn end(writer: &Writer) -> Result<bool, Box<dyn Error>> {
    let mut status = 0;
    // SAFETY: the process is a child of this one that nobody has waited for.
    unsafe { libc::kill(writer.process, libc::SIGKILL) };
    // SAFETY: as above; `status` is a valid place.
    if unsafe { libc::waitpid(writer.process, &raw mut status, 0) } != writer.process {
        return Err(std::io::Error::last_os_error().into());
    }
    let killed = libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL;
    // A writer that found the log full has left.
    let left = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
    if killed || left { Ok(killed) } else { Err(format!("writer {} ended by itself: {status:#x}", writer.id).into()) }
}

/// A writer's life: until it is killed, or the log is full.
fn write_until_killed(
    options: &Options,
    log: &Path,
    ledger: &Path,
    count: Address,
    id: u64,
) -> Result<(), Box<dyn Error>> {
    let mut log = Log::open(log, options.capacity, options.durable)?;
    // SAFETY: only this program's writers know the file, which is not truncated.
    let ledger = unsafe { MappedArena::open(ledger) }?;
    let count = ledger.atomic_u64_at(count).map_err(MapError::from)?;
    let text: Vec<u8> = (0..512).map(|index| (index * 7 + id) as u8).collect();
    for number in 0.. {
        // The rest is for whoever comes after the crashes.
        if log.arena.remaining() < options.capacity / 8 {
            break;
        }
        let len = (number * 37 + id * 11) % 400;
        log.append(id, number, &text[..len as usize])?;
        // ORDERING: Release: whoever reads the count sees the commit, see `one_log`.
        count.store(number + 1, Release);
    }
    Ok(())
}
