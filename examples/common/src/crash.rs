//! Kills writers of a file at random moments.
//!
//! Writers are forked, open the file by its path, write as fast as they can, and count what they
//! have written in a second mapped arena, the ledger. All that the ledger counts for a writer when
//! it is killed must be in the file, and at most one more: what it was about to count.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;
use std::time::{Duration, Instant};

use marena_std::{AccessError, Address, MappedArena};

use crate::processes::{Process, fork, temporary_folder};
use crate::program::AnyError;
use crate::random::Random;
use crate::stdio::Output;

/// What is to be done.
#[derive(Debug, clap::Args)]
pub struct CrashOptions {
    /// Writers to kill
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub kills: u64,
    /// Writers that run at the same time
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub writers: u16,
    /// Longest time between two kills, in microseconds
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    pub interval: u32,
    /// Bytes of each file; a full one is followed by another
    #[arg(long, default_value = "32M", value_parser = crate::size)]
    pub capacity: usize,
    /// Write to the disk, as for a power loss
    #[arg(long)]
    pub durable: bool,
    /// Where the files are made, and removed again; the system's folder for temporary files without
    /// it
    #[arg(long)]
    pub directory: Option<PathBuf>,
}

/// No machine is so busy that a writer takes longer.
const STUCK: Duration = Duration::from_secs(60);

/// A kind of file that writers are killed at.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The program's name, for messages.
    pub program: &'static str,
    /// What writers write.
    pub entries: &'static str,
    /// What the files are.
    pub files: &'static str,
    /// What is true at the end.
    pub verdict: &'static str,
}

/// What came of one file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// The number of writers that were killed.
    pub kills: usize,
    /// The number of entries in the file.
    pub entries: u64,
    /// The number of allocated bytes that are no entry's.
    pub unaccounted: usize,
}

impl CrashOptions {
    /// Kills writers of one file after another, and prints what came of it. `one_file` does that
    /// with a file of this path, with [`Kills::of_writers`].
    ///
    /// # Errors
    ///
    /// The first of `one_file`, and those of the files and the output.
    pub fn run(
        &self,
        kind: Kind,
        output: &mut Output,
        mut one_file: impl FnMut(&Path, Kills<'_>) -> Result<Outcome, AnyError>,
    ) -> Result<(), AnyError> {
        let directory = temporary_folder(self.directory.as_deref())?;
        let mut random = Random::new(std::process::id().into());
        let (mut total, mut files) = (Outcome::default(), 0_u64);
        let start = Instant::now();
        while (total.kills as u64) < self.kills {
            let path = directory.path().join(format!("{}-{files}", kind.files));
            let left = self.kills - total.kills as u64;
            let kills = Kills { options: self, program: kind.program, random: &mut random, left };
            let outcome = one_file(&path, kills)?;
            std::fs::remove_file(&path)?;
            total.kills += outcome.kills;
            total.entries += outcome.entries;
            total.unaccounted += outcome.unaccounted;
            files += 1;
        }
        let (seconds, each) = (start.elapsed().as_secs_f64(), total.unaccounted as f64 / total.kills as f64);
        Ok(writeln!(
            output,
            "{} kills of {} writers at a time, {} {} in {files} {}, {seconds:.1} s: {}, and survivors went on; {} bytes \
             unaccounted for, {each:.1} a kill",
            total.kills, self.writers, total.entries, kind.entries, kind.files, kind.verdict, total.unaccounted,
        )?)
    }
}

/// A writer that is gone.
#[derive(Clone, Copy, Debug)]
pub struct Dead {
    /// The writer's number.
    pub id: u64,
    /// How many entries it had counted.
    pub counted: u64,
    /// The second number that it had counted.
    pub more: u64,
}

/// Where a writer counts: its entries, and another number of its own.
#[derive(Debug)]
pub struct Counters<'l> {
    entries: &'l AtomicU64,
    more: &'l AtomicU64,
}

impl Counters<'_> {
    /// Counts what was written so far.
    pub fn set(&self, entries: u64, more: u64) {
        // ORDERING: Relaxed: read when this process is gone.
        self.more.store(more, Relaxed);
        // ORDERING: Release pairs with the Acquire in `Ledger::dead`: what was written is seen with
        // the count.
        self.entries.store(entries, Release);
    }
}

/// A writer's place in the ledger.
type Account = [Address; 2];

/// A running writer.
struct Writer {
    id: u64,
    process: Process,
    account: Account,
}

struct Ledger(MappedArena);

impl Ledger {
    fn counters(&self, [entries, more]: Account) -> Result<Counters<'_>, AccessError> {
        Ok(Counters { entries: self.0.atomic_u64_at(entries)?, more: self.0.atomic_u64_at(more)? })
    }

    fn dead(&self, id: u64, account: Account) -> Result<Dead, AccessError> {
        let Counters { entries, more } = self.counters(account)?;
        // ORDERING: Acquire pairs with the Release in `Counters::set`.
        let counted = entries.load(Acquire);
        // ORDERING: Relaxed: this process has waited for the writer's end.
        Ok(Dead { id, counted, more: more.load(Relaxed) })
    }

    /// Waits until some writer counts another entry: those that are left wait for no dead one.
    fn wait_for_progress(&self, accounts: &[Account]) -> Result<(), AnyError> {
        let counted = || -> Result<Vec<u64>, AccessError> {
            // ORDERING: Relaxed: only the numbers are compared.
            accounts.iter().map(|&account| Ok(self.counters(account)?.entries.load(Relaxed))).collect()
        };
        let (start, before) = (Instant::now(), counted()?);
        while counted()? == before {
            if start.elapsed() > STUCK {
                return Err(format!("nothing was written in {STUCK:?}").into());
            }
            thread::yield_now();
        }
        Ok(())
    }
}

/// The kills that are left.
#[derive(Debug)]
pub struct Kills<'o> {
    options: &'o CrashOptions,
    program: &'static str,
    random: &'o mut Random,
    left: u64,
}

impl Kills<'_> {
    /// Kills writers until the file is full or enough are dead. `write` is a writer's work: it
    /// opens the file, writes until it is killed, and counts. `is_full` is asked between kills, and
    /// `bury` gets each writer that is gone. Returns how many were killed.
    ///
    /// # Errors
    ///
    /// If a writer failed, if all wait for a dead one, and those of `bury`.
    ///
    /// # Safety
    ///
    /// - This process has one thread.
    pub unsafe fn of_writers(
        self,
        path: &Path,
        write: impl Fn(u64, Counters<'_>) -> Result<(), AnyError>,
        is_full: impl Fn() -> bool,
        mut bury: impl FnMut(Dead) -> Result<(), AnyError>,
    ) -> Result<usize, AnyError> {
        let path = path.with_extension("ledger");
        // SAFETY: the file is new, and only this program's writers know it.
        let ledger = Ledger(unsafe { MappedArena::create(&path, 65_536) }?);
        let accounts = (0..self.options.writers)
            .map(|_| ledger.0.allocate_address_array([8; 2]))
            .collect::<Result<Vec<_>, _>>()?;
        let mut next_id = 0;
        let mut spawn = |account: Account| -> Result<Writer, AnyError> {
            ledger.counters(account)?.set(0, 0);
            let id = next_id;
            next_id += 1;
            let work = || {
                // SAFETY: only this program's writers know the file, which is not truncated.
                let ledger = Ledger(unsafe { MappedArena::open(&path) }?);
                write(id, ledger.counters(account)?)
            };
            // SAFETY: the caller's promise.
            Ok(Writer { id, process: unsafe { fork(self.program, work) }?, account })
        };
        let mut writers = accounts.iter().map(|&account| spawn(account)).collect::<Result<Vec<_>, _>>()?;
        let mut kills = 0;
        let mut end = |Writer { id, process, account }: Writer| -> Result<(), AnyError> {
            kills += usize::from(process.kill().map_err(|error| format!("writer {id}: {error}"))?);
            bury(ledger.dead(id, account)?)
        };
        for round in 1_u64.. {
            thread::sleep(Duration::from_micros(self.random.below(self.options.interval as usize + 1) as u64));
            let victim = writers.swap_remove(self.random.below(writers.len()));
            let account = victim.account;
            end(victim)?;
            writers.push(spawn(account)?);
            let done = round + writers.len() as u64 >= self.left;
            if is_full() || done {
                break;
            }
            if round.is_multiple_of(10) {
                ledger.wait_for_progress(&accounts)?;
            }
        }
        writers.into_iter().try_for_each(end)?;
        std::fs::remove_file(&path)?;
        Ok(kills)
    }
}
