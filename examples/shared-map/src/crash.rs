//! Kills writers at random moments and verifies the map.
//!
//! Writers are forked, open the map by its path, insert as fast as they can, and count each insert
//! that returned in a second mapped arena, the ledger. All entries that the ledger counts for a
//! writer when it is killed must be in the map, and at most one more: the one it was about to
//! count.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;
use std::time::{Duration, Instant};

use common::{AnyError, Output, Random};
use marena_skiplist::{ByteOrder, Mapped, SharedMap};
use marena_std::{AccessError, Address, MappedArena};

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
    /// Bytes of each map; a full one is followed by another
    #[arg(long, default_value = "32M", value_parser = common::size)]
    capacity: usize,
    /// Insert to the disk, as for a power loss
    #[arg(long)]
    durable: bool,
    /// Where the files are made, and removed again; the system's folder for temporary files without
    /// it
    #[arg(long)]
    directory: Option<PathBuf>,
}

/// No machine is so busy that a writer takes longer for an entry.
const STUCK: Duration = Duration::from_secs(60);

/// Entries that a survivor looks for after a kill.
const CHECKED_AT_ONCE: u64 = 200;

/// The longest value, and more than the largest node.
const LONGEST_VALUE: usize = 300;
const LARGEST_NODE: usize = 512;

/// The statistics of all maps.
#[derive(Default)]
struct Totals {
    kills: u64,
    entries: u64,
    maps: u64,
    unaccounted: usize,
}

pub(crate) fn run(options: &Options, output: &mut Output) -> Result<(), AnyError> {
    let directory = options.directory.as_ref().map_or_else(tempfile::tempdir, tempfile::tempdir_in)?;
    let mut random = Random::new(std::process::id().into());
    let mut totals = Totals::default();
    let start = Instant::now();
    while totals.kills < options.kills {
        let path = directory.path().join(format!("map-{}", totals.maps));
        one_map(options, &path, &mut random, &mut totals)?;
        std::fs::remove_file(&path)?;
    }
    Ok(writeln!(
        output,
        "{} kills of {} writers at a time, {} entries in {} maps, {:.1} s: every insert that returned is there, in order, and \
         survivors went on; {} bytes unaccounted for, {:.1} a kill",
        totals.kills,
        options.writers,
        totals.entries,
        totals.maps,
        start.elapsed().as_secs_f64(),
        totals.unaccounted,
        totals.unaccounted as f64 / totals.kills as f64,
    )?)
}

/// A running writer, and where in the ledger it counts.
struct Writer {
    process: libc::pid_t,
    id: u64,
    count: Address,
}

/// One map, until it is three quarters full or enough writers are killed.
fn one_map(options: &Options, path: &Path, random: &mut Random, totals: &mut Totals) -> Result<(), AnyError> {
    // Open all the time, as in a survivor.
    let map = crate::open(path, options.capacity, options.durable)?;
    let ledger_path = path.with_extension("ledger");
    // SAFETY: the file is new, and only this program's writers know it.
    let ledger = unsafe { MappedArena::create(&ledger_path, 65_536) }?;
    let counts = (0..options.writers).map(|_| ledger.allocate_address(8)).collect::<Result<Vec<_>, _>>()?;
    let mut next_id = 0;
    let mut spawn = |count: Address| -> Result<Writer, AnyError> {
        // ORDERING: Relaxed: the writer that counts here starts after this.
        ledger.atomic_u64_at(count)?.store(0, Relaxed);
        let id = next_id;
        next_id += 1;
        let process = fork(|| write_until_killed(options, path, &ledger_path, count, id))?;
        Ok(Writer { process, id, count })
    };
    let mut writers = counts.iter().map(|&count| spawn(count)).collect::<Result<Vec<_>, _>>()?;
    let mut dead = Vec::new();
    let mut kills = 0;
    let mut bury = |writer: &Writer| -> Result<(), AnyError> {
        kills += usize::from(end(writer)?);
        // ORDERING: Acquire pairs with the writer's Release: it inserted what it counted.
        let counted = ledger.atomic_u64_at(writer.count)?.load(Acquire);
        // What it inserted last; all of it is looked for at the end.
        check(&map, writer.id, counted.saturating_sub(CHECKED_AT_ONCE)..counted)?;
        dead.push((writer.id, counted));
        Ok(())
    };
    for round in 1_u64.. {
        thread::sleep(Duration::from_micros(random.below(options.interval as usize + 1) as u64));
        let victim = random.below(writers.len());
        bury(&writers[victim])?;
        writers[victim] = spawn(writers[victim].count)?;
        let full = map.stats().used > options.capacity / 4 * 3;
        let done = totals.kills + round + writers.len() as u64 >= options.kills;
        if full || done {
            break;
        }
        if round.is_multiple_of(10) {
            wait_for_progress(&ledger, &counts)?;
        }
    }
    for writer in &writers {
        bury(writer)?;
    }
    // Once more, as after a restart.
    drop(map);
    let map = crate::open(path, options.capacity, options.durable)?;
    for (writer, counted) in dead {
        check(&map, writer, 0..counted)?;
    }
    let verified = map.verify()?;
    let unaccounted = map.stats().used.saturating_sub(verified.bytes);
    // A killed writer leaves the node that it was about to link; the first block's alignment takes
    // some bytes, too.
    if unaccounted > kills * LARGEST_NODE + 64 {
        return Err(format!("{unaccounted} bytes are unaccounted for after {kills} kills").into());
    }
    map.insert(b"", b"after the crashes")?;
    if map.first()?.is_none_or(|(_, value)| value != b"after the crashes") {
        return Err("an entry that was inserted after the crashes is not in the map".into());
    }
    std::fs::remove_file(&ledger_path)?;
    totals.kills += kills as u64;
    totals.entries += verified.entries as u64;
    totals.maps += 1;
    totals.unaccounted += unaccounted;
    Ok(())
}

/// Keys of all writers lie between each other's.
fn key(writer: u64, number: u64) -> Vec<u8> {
    format!("{:08x}-{writer}-{number}", (number as u32).wrapping_mul(0x9E37_79B9)).into_bytes()
}

/// Says which number it has, and is longer than some node's.
fn value(writer: u64, number: u64) -> Vec<u8> {
    let len = (number * 37 + writer * 11) as usize % LONGEST_VALUE;
    format!("{writer} {number} ").bytes().cycle().take(len).collect()
}

/// A key that a writer writes again each time.
fn newest_key(writer: u64) -> Vec<u8> {
    format!("newest-{writer}").into_bytes()
}

/// Looks for what a writer has inserted, and for nothing behind it.
fn check(map: &SharedMap<Mapped, ByteOrder>, writer: u64, numbers: Range<u64>) -> Result<(), AnyError> {
    let counted = numbers.end;
    for number in numbers {
        if map.get(&key(writer, number))? != Some(value(writer, number)) {
            return Err(
                format!("writer {writer} had inserted {counted} entries, and entry {number} is not there").into()
            );
        }
    }
    if map.get(&key(writer, counted + 1))?.is_some() {
        return Err(format!("writer {writer} has entries that it did not come to").into());
    }
    let newest = map.get(&newest_key(writer))?.map_or(0, |value| value.len() as u64);
    let expected = counted % LONGEST_VALUE as u64;
    // The next one's may be there already.
    if newest != expected && newest != (counted + 1) % LONGEST_VALUE as u64 {
        return Err(format!("writer {writer} wrote its newest value {counted} times, and it has {newest} bytes").into());
    }
    Ok(())
}

/// A writer's life: until it is killed, or the map is nearly full.
fn write_until_killed(options: &Options, map: &Path, ledger: &Path, count: Address, id: u64) -> Result<(), AnyError> {
    let map = crate::open(map, options.capacity, options.durable)?;
    // SAFETY: only this program's writers know the file, which is not truncated.
    let ledger = unsafe { MappedArena::open(ledger) }?;
    let count = ledger.atomic_u64_at(count)?;
    for number in 0.. {
        // The rest is for whoever comes after the crashes.
        if map.stats().remaining < options.capacity / 8 {
            break;
        }
        map.insert(&newest_key(id), &vec![b'n'; (number as usize + 1) % LONGEST_VALUE])?;
        map.insert(&key(id, number), &value(id, number))?;
        // ORDERING: Release: pairs with the Acquire of `one_map`.
        count.store(number + 1, Release);
    }
    Ok(())
}

/// Waits until some writer inserts another entry: those that are left wait for nobody who is dead.
fn wait_for_progress(ledger: &MappedArena, counts: &[Address]) -> Result<(), AnyError> {
    let inserted = || -> Result<Vec<u64>, AccessError> {
        // ORDERING: Relaxed: only the numbers are compared.
        counts.iter().map(|&count| Ok(ledger.atomic_u64_at(count)?.load(Relaxed))).collect()
    };
    let (start, before) = (Instant::now(), inserted()?);
    while inserted()? == before {
        if start.elapsed() > STUCK {
            return Err(format!("nothing was inserted in {STUCK:?}").into());
        }
        thread::yield_now();
    }
    Ok(())
}

/// Runs `work` in a process of its own, which inherits what this one has. Returns its number.
fn fork(work: impl FnOnce() -> Result<(), AnyError>) -> Result<libc::pid_t, AnyError> {
    // SAFETY: this process has one thread, so the child can do all that its parent can.
    match unsafe { libc::fork() } {
        0 => {
            let outcome = work();
            if let Err(error) = &outcome {
                common::warn("shared-map", error);
            }
            // SAFETY: ends the child without the parent's destructors, which remove files.
            unsafe { libc::_exit(i32::from(outcome.is_err())) }
        }
        -1 => Err(std::io::Error::last_os_error().into()),
        process => Ok(process),
    }
}

/// Kills a writer and waits until it is gone. Returns whether it was killed, and not done. Fails if
/// it ended with an error or another signal.
fn end(writer: &Writer) -> Result<bool, AnyError> {
    // SAFETY: the process is a child of this one that nobody has waited for.
    unsafe { libc::kill(writer.process, libc::SIGKILL) };
    let mut status = 0;
    // SAFETY: `status` is a valid place.
    if unsafe { libc::waitpid(writer.process, &raw mut status, 0) } != writer.process {
        return Err(std::io::Error::last_os_error().into());
    }
    let killed = libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL;
    let left = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
    if killed || left { Ok(killed) } else { Err(format!("writer {} ended by itself: {status:#x}", writer.id).into()) }
}
