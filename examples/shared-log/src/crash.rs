//! Kills writers at random moments and verifies the log.
//!
//! Writers also count the bytes that they have left at the ends of their chunks, which are lost to
//! no crash.

use std::collections::HashMap;
use std::path::Path;

use common::{AnyError, Counters, CrashOptions, Dead, Kills, Kind, Outcome, Output};

use crate::log::Log;
use crate::reader::Reader;
use crate::verify::Findings;

/// What is to be done.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: CrashOptions,
    /// Bytes that a writer allocates at once; 0: each record by itself
    #[arg(long, default_value = "0", value_parser = common::bytes)]
    chunk: usize,
}

const KIND: Kind =
    Kind { program: "shared-log", entries: "records", files: "logs", verdict: "nothing committed is lost" };

pub(crate) fn run(options: &Options, output: &mut Output) -> Result<(), AnyError> {
    options.common.run(KIND, output, |path, kills| one_log(options, path, kills))
}

/// One log, until it is three quarters full or enough writers are killed.
fn one_log(options: &Options, path: &Path, kills: Kills<'_>) -> Result<Outcome, AnyError> {
    let mut log = Log::open(path, options.common.capacity, options.common.durable)?;
    let mut reader = Reader::open(path)?;
    let mut findings = Findings::default();
    // What the ledger said of each writer when it was dead.
    let (mut committed, mut tails) = (HashMap::new(), 0);
    let write = |id, counters: Counters<'_>| write_until_killed(options, path, &counters, id);
    let is_full = || log.arena.used() > log.arena.capacity() / 4 * 3;
    let bury = |dead: Dead| {
        committed.insert(dead.id, dead.counted);
        tails += dead.more as usize;
        Ok(())
    };
    // SAFETY: this program has one thread.
    let kills = unsafe { kills.of_writers(path, write, is_full, bury) }?;
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
    log.append(u64::MAX, 0, b"after the crashes")?;
    findings.update(&mut reader)?;
    if findings.records.get(&u64::MAX) != Some(&1) {
        return Err("a record appended after the crashes is not in the log".into());
    }
    Ok(Outcome { kills, entries: findings.total(), unaccounted })
}

/// Appends until the process is killed, or the log is full.
fn write_until_killed(options: &Options, log: &Path, counters: &Counters<'_>, id: u64) -> Result<(), AnyError> {
    let CrashOptions { capacity, durable, .. } = options.common;
    let mut log = Log::open(log, capacity, durable)?.chunked(options.chunk);
    let text: Vec<u8> = (0..512).map(|index| (index * 7 + id) as u8).collect();
    for number in 0.. {
        // The rest is for a writer after the crashes.
        if log.arena.remaining() < capacity / 8 {
            break;
        }
        let len = (number * 37 + id * 11) % 400;
        log.append(id, number, &text[..len as usize])?;
        counters.set(number + 1, log.tails);
    }
    Ok(())
}
