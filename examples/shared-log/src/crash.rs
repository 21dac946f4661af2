//! Kills writers at random moments and verifies the log.
//!
//! Writers are forked, open the log by its path, append as fast as they can, and count each commit
//! in a second mapped arena, the ledger. All records that the ledger counts for a writer when it is
//! killed must be in the log, and at most one more: the one it was about to count. The ledger also
//! counts the bytes that a writer has left at the ends of its chunks, which are lost to no crash.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;
use std::time::{Duration, Instant};

use common::{AnyError, Output, Random};
use marena_std::{AccessError, Address, MappedArena};

use crate::log::Log;
use crate::reader::Reader;
use crate::verify::Findings;

/// What is to be done.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Writers to kill
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    kills: u64,
    /// Writers that run at the same time
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    writers: u16,
    /// Longest time between two kills, in microseconds
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    interval: u32,
    /// Bytes of each log; a full one is followed by another
    #[arg(long, default_value = "32M", value_parser = common::size)]
    capacity: usize,
    /// Bytes that a writer allocates at once; 0: each record by itself
    #[arg(long, default_value = "0", value_parser = common::bytes)]
    chunk: usize,
    /// Commit to the disk, as for a power loss
    #[arg(long)]
    durable: bool,
    /// Where the files are made, and removed again; the system's folder for temporary files without
    /// it
    #[arg(long)]
    directory: Option<std::path::PathBuf>,
}

/// No machine is so busy that a writer takes longer for a record.
const STUCK: Duration = Duration::from_secs(60);

/// The statistics of all logs.
#[derive(Default)]
struct Totals {
    kills: u64,
    records: u64,
    logs: u64,
    unaccounted: usize,
}

pub(crate) fn run(options: &Options, output: &mut Output) -> Result<(), AnyError> {
    let directory = temporary_folder(options.directory.as_deref())?;
    let mut random = Random::new(std::process::id().into());
    let mut totals = Totals::default();
    let start = Instant::now();
    while totals.kills < options.kills {
        let log = directory.path().join(format!("log-{}", totals.logs));
        one_log(options, &log, &mut random, &mut totals)?;
        std::fs::remove_file(&log)?;
    }
    writeln!(
        output,
        "{} kills of {} writers at a time, {} records in {} logs, {:.1} s: nothing committed is lost, \
         survivors went on; {} bytes unaccounted for, {:.1} a kill",
        totals.kills,
        options.writers,
        totals.records,
        totals.logs,
        start.elapsed().as_secs_f64(),
        totals.unaccounted,
        totals.unaccounted as f64 / totals.kills as f64,
    )?;
    Ok(())
}

pub(crate) fn temporary_folder(parent: Option<&Path>) -> Result<tempfile::TempDir, AnyError> {
    Ok(parent.map_or_else(tempfile::tempdir, tempfile::tempdir_in)?)
}

/// Runs `work` in a process of its own, which inherits what this one has. Returns its number.
pub(crate) fn fork(work: impl FnOnce() -> Result<(), AnyError>) -> Result<libc::pid_t, AnyError> {
    // SAFETY: this process has one thread, so the child can do all that its parent can.
    match unsafe { libc::fork() } {
        0 => {
            let outcome = work();
            if let Err(error) = &outcome {
                common::warn("shared-log", error);
            }
            // SAFETY: ends the child without the parent's destructors, which remove files.
            unsafe { libc::_exit(i32::from(outcome.is_err())) }
        }
        -1 => Err(std::io::Error::last_os_error().into()),
        process => Ok(process),
    }
}

/// Waits for a child's end and returns its status.
pub(crate) fn wait(process: libc::pid_t) -> Result<libc::c_int, AnyError> {
    let mut status = 0;
    // SAFETY: `status` is a valid place.
    if unsafe { libc::waitpid(process, &raw mut status, 0) } != process {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(status)
}

/// A writer's place in the ledger: the records that it has committed, and the bytes that it has
/// left at the ends of chunks.
#[derive(Clone, Copy)]
struct Account {
    records: Address,
    tails: Address,
}

/// A running writer.
struct Writer {
    process: libc::pid_t,
    id: u64,
}

/// One log, until it is three quarters full or enough writers are killed.
fn one_log(options: &Options, path: &Path, random: &mut Random, totals: &mut Totals) -> Result<(), AnyError> {
    let log = Log::open(path, options.capacity, options.durable)?;
    let ledger_path = path.with_extension("ledger");
    // SAFETY: the file is new, and only this program's writers know it.
    let ledger = unsafe { MappedArena::create(&ledger_path, 65_536) }?;
    let account = |_| ledger.allocate_address_array([8; 2]).map(|[records, tails]| Account { records, tails });
    let accounts = (0..options.writers).map(account).collect::<Result<Vec<_>, _>>()?;
    let mut reader = Reader::open(path)?;
    let mut findings = Findings::default();
    let mut next_id = 0;
    let mut spawn = |account: Account| -> Result<Writer, AnyError> {
        // ORDERING: Relaxed: the writer that counts here starts after this.
        ledger.atomic_u64_at(account.records)?.store(0, Relaxed);
        ledger.atomic_u64_at(account.tails)?.store(0, Relaxed);
        let id = next_id;
        next_id += 1;
        let process = fork(|| write_until_killed(options, path, &ledger_path, account, id))?;
        Ok(Writer { process, id })
    };
    let mut writers = accounts.iter().map(|&account| spawn(account)).collect::<Result<Vec<_>, _>>()?;
    // What the ledger said of each writer when it was dead.
    let mut committed = HashMap::new();
    let (mut kills, mut tails) = (0, 0);
    let mut bury = |writer: &Writer, account: Account| -> Result<(), AnyError> {
        kills += usize::from(end(writer)?);
        // ORDERING: Acquire pairs with the writer's Release: it committed what it counted.
        committed.insert(writer.id, ledger.atomic_u64_at(account.records)?.load(Acquire));
        // ORDERING: Relaxed: this process has waited for the writer's end.
        tails += ledger.atomic_u64_at(account.tails)?.load(Relaxed) as usize;
        Ok(())
    };
    for round in 1_u64.. {
        thread::sleep(Duration::from_micros(random.below(options.interval as usize + 1) as u64));
        let victim = random.below(writers.len());
        bury(&writers[victim], accounts[victim])?;
        writers[victim] = spawn(accounts[victim])?;
        let full = log.arena.used() > log.arena.capacity() / 4 * 3;
        let done = totals.kills + round + writers.len() as u64 >= options.kills;
        if full || done {
            break;
        }
        if round.is_multiple_of(10) {
            wait_for_progress(&ledger, &accounts)?;
        }
    }
    for (writer, &account) in writers.iter().zip(&accounts) {
        bury(writer, account)?;
    }
    findings.update(&mut reader)?;
    if let Some(damage) = findings.damaged.first() {
        return Err(damage.to_string().into());
    }
    let ended = committed.len();
    for (writer, counted) in committed {
        let found = findings.records.get(&writer).copied().unwrap_or(0);
        if found < counted || found > counted + 1 {
            return Err(format!("writer {writer} had committed {counted} records, and the log has {found}").into());
        }
    }
    let unaccounted = findings.unaccounted(log.arena.used()).saturating_sub(tails);
    let most = match options.chunk {
        // A killed writer leaves the record that it had allocated and not committed.
        0 => kills * findings.largest,
        // Every writer leaves the rest of a chunk, and may be killed before it counts a tail, which
        // is shorter than a record.
        chunk => ended.saturating_mul(chunk.saturating_add(findings.largest)),
    };
    if unaccounted > most {
        return Err(
            format!("{unaccounted} bytes are unaccounted for after {kills} kills, {most} at most may be").into()
        );
    }
    // The log goes on to serve the next writer.
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

/// Waits until some writer commits another record: the writers that are left wait for no dead one.
fn wait_for_progress(ledger: &MappedArena, accounts: &[Account]) -> Result<(), AnyError> {
    let committed = || -> Result<Vec<u64>, AccessError> {
        // ORDERING: Relaxed: only the numbers are compared.
        accounts.iter().map(|account| Ok(ledger.atomic_u64_at(account.records)?.load(Relaxed))).collect()
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

/// Kills a writer and waits until it is gone. Returns whether it was killed, and not done. Fails if
/// it ended with an error or another signal.
fn end(writer: &Writer) -> Result<bool, AnyError> {
    // SAFETY: the process is a child of this one that nobody has waited for.
    unsafe { libc::kill(writer.process, libc::SIGKILL) };
    let status = wait(writer.process)?;
    let killed = libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL;
    // A writer that found the log full has left.
    let left = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
    if killed || left { Ok(killed) } else { Err(format!("writer {} ended by itself: {status:#x}", writer.id).into()) }
}

/// Appends until it is killed, or the log is full.
fn write_until_killed(options: &Options, log: &Path, ledger: &Path, account: Account, id: u64) -> Result<(), AnyError> {
    let mut log = Log::open(log, options.capacity, options.durable)?.chunked(options.chunk);
    // SAFETY: only this program's writers know the file, which is not truncated.
    let ledger = unsafe { MappedArena::open(ledger) }?;
    let count = ledger.atomic_u64_at(account.records)?;
    let tails = ledger.atomic_u64_at(account.tails)?;
    let text: Vec<u8> = (0..512).map(|index| (index * 7 + id) as u8).collect();
    for number in 0.. {
        // The rest is for a writer after the crashes.
        if log.arena.remaining() < options.capacity / 8 {
            break;
        }
        let len = (number * 37 + id * 11) % 400;
        log.append(id, number, &text[..len as usize])?;
        // ORDERING: Release pairs with the Acquire in `one_log`: the commit is seen with the count.
        count.store(number + 1, Release);
        // ORDERING: Relaxed: read when this process is gone.
        tails.store(log.tails, Relaxed);
    }
    Ok(())
}
