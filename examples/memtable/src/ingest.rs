//! Ingest: from lines to one sorted table, by many threads, in two arenas of a given size.
//!
//! One table is *active*: all workers insert into it at once. The worker that finds it full takes
//! it away, puts one in the pool's other arena in its place, and writes the full one out as a
//! sorted run while the others already go on. With the full table, its arena goes back to the pool,
//! which recycles it: it is the next to be taken. So every record is in one table or in one run,
//! and carries its sequence: which of a key's records is the newest does not depend on which thread
//! came first.

use std::io;
use std::mem;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use indicatif::ProgressBar;
use marena_skiplist::GROUP;
use marena_std::{AllocError, Arena, OwnedMemory, Pool, PoolGuard, Stats};

use crate::error::Error;
use crate::input::{Chunk, Reader, Source};
use crate::newest::newest;
use crate::sorted::Sorted;
use crate::spill::SpillWriter;
use crate::table;

/// Chunks that wait for each worker, at most.
const CHUNKS_WAITING: usize = 2;

/// How to ingest.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) threads: usize,
    /// Bytes of each of the two arenas.
    pub(crate) arena_size: usize,
    /// Where runs are kept.
    pub(crate) temp_dir: PathBuf,
}

/// What happened, for `--stats`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) records: u64,
    pub(crate) input_bytes: u64,
    /// Bytes of each arena.
    pub(crate) capacity: usize,
    /// The most that one arena had in use.
    pub(crate) high_water: usize,
    /// In all generations of both arenas.
    pub(crate) stranded: usize,
    /// How often an arena was full, written out and reset.
    pub(crate) flushes: usize,
}

impl Counts {
    pub(crate) fn add_arena(&mut self, stats: Stats) {
        self.capacity = stats.capacity;
        self.high_water = self.high_water.max(stats.high_water);
        self.stranded += stats.stranded;
    }
}

/// A table in one of the pool's arenas.
pub(crate) type Table<'p> = table::Table<PoolGuard<'p, OwnedMemory>>;

impl Settings {
    /// Creates the arenas of an ingest: one is filled while the other is written out.
    pub(crate) fn pool(&self) -> Result<Pool, Error> {
        Ok(Arena::builder().capacity(self.arena_size).huge_pages(true).build_pool(2)?)
    }
}

/// Reads all sources into tables in the pool's arenas, which [`Settings::pool`] made. `progress`
/// counts their bytes.
pub(crate) fn ingest<'p>(
    sources: &[Source],
    settings: &Settings,
    pool: &'p Pool,
    progress: &ProgressBar,
) -> Result<Sorted<'p>, Error> {
    let engine = Engine::new(settings, pool)?;
    let (sender, receiver) = bounded(settings.threads * CHUNKS_WAITING);
    thread::scope(|scope| {
        let start = || {
            let (engine, receiver) = (&engine, receiver.clone());
            common::spawn(scope, move || engine.work(&receiver)).map_err(Error::Thread)
        };
        let (mut workers, mut started) = (Vec::new(), Ok(()));
        while started.is_ok() && workers.len() < settings.threads {
            started = start().map(|worker| workers.push(worker));
        }
        // Only workers receive: when they have all failed, sending fails too.
        drop(receiver);
        let read = started.and_then(|()| read_all(sources, &engine, &sender, progress));
        // The workers' loops end here.
        drop(sender);
        for worker in workers {
            match worker.join() {
                Ok(worked) => worked?,
                Err(panic) => resume_unwind(panic),
            }
        }
        read
    })?;
    Ok(engine.finish())
}

fn read_all(
    sources: &[Source],
    engine: &Engine<'_, '_>,
    sender: &Sender<Chunk>,
    progress: &ProgressBar,
) -> Result<(), Error> {
    let mut reader = Reader::new(engine.room);
    for source in sources {
        let more_wanted = reader.read(source, |chunk| {
            progress.inc(chunk.len() as u64);
            // ORDERING: Relaxed: it only saves work; the failure itself comes with the end of its
            // thread.
            !engine.failed.load(Relaxed) && sender.send(chunk).is_ok()
        })?;
        if !more_wanted {
            break;
        }
    }
    Ok(())
}

/// The table that is filled, and how many were before it.
struct Active<'p> {
    table: Table<'p>,
    generation: usize,
}

/// What full tables leave behind.
#[derive(Default)]
struct Flushed {
    /// `None` before the first flush.
    runs: Option<SpillWriter>,
    counts: Counts,
}

/// The tables and runs while threads work on them.
struct Engine<'s, 'p> {
    /// Shared for inserting, exclusive for being replaced.
    active: RwLock<Active<'p>>,
    pool: &'p Pool,
    /// Held while a full table is written out, until its arena is back in the pool.
    flushed: Mutex<Flushed>,
    /// Bytes that the nodes of an empty table can take. A record that needs no more fits one.
    room: usize,
    temp_dir: &'s Path,
    failed: AtomicBool,
}

impl<'s, 'p> Engine<'s, 'p> {
    fn new(settings: &'s Settings, pool: &'p Pool) -> Result<Self, Error> {
        let table = empty_table(pool)?;
        let room = table.space().stats().remaining;
        Ok(Self {
            active: RwLock::new(Active { table, generation: 0 }),
            pool,
            flushed: Mutex::default(),
            room,
            temp_dir: &settings.temp_dir,
            failed: AtomicBool::new(false),
        })
    }

    /// Works until there are no more chunks.
    fn work(&self, chunks: &Receiver<Chunk>) -> Result<(), Error> {
        let mut counts = Counts::default();
        for chunk in chunks {
            let inserted = self.insert_all(&chunk);
            if inserted.is_err() {
                // ORDERING: Relaxed, as where it is read.
                self.failed.store(true, Relaxed);
            }
            counts.records += inserted?;
            counts.input_bytes += chunk.len() as u64;
        }
        let total = &mut lock(&self.flushed).counts;
        total.records += counts.records;
        total.input_bytes += counts.input_bytes;
        Ok(())
    }

    /// Inserts all records of a chunk and returns their number.
    fn insert_all(&self, chunk: &Chunk) -> Result<u64, Error> {
        let mut count = 0;
        let mut records = chunk.records();
        let mut group = Vec::with_capacity(GROUP);
        loop {
            let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
            let full = loop {
                group.extend(records.by_ref().take(GROUP - group.len()));
                let Some(&first) = group.first() else { return Ok(count) };
                match active.table.insert_some(&group) {
                    Ok(inserted) => {
                        count += inserted as u64;
                        group.drain(..inserted);
                    }
                    Err(AllocError::Full { requested, .. }) if requested <= self.room => break active.generation,
                    Err(AllocError::Full { .. } | AllocError::TooLarge { .. }) => {
                        return Err(chunk.too_long(first));
                    }
                    Err(error) => return Err(error.into()),
                }
            };
            drop(active);
            self.replace(full)?;
        }
    }

    /// Replaces the full table of a generation by an empty one, unless another worker has done so,
    /// and writes it out.
    fn replace(&self, generation: usize) -> Result<(), Error> {
        let mut active = self.active.write().unwrap_or_else(PoisonError::into_inner);
        if active.generation != generation {
            return Ok(());
        }
        // If the other table is still being written out, this waits for it and all workers wait for
        // this: there is no room anywhere.
        let mut flushed = lock(&self.flushed);
        let full = mem::replace(&mut active.table, empty_table(self.pool)?);
        active.generation += 1;
        drop(active);
        // The full table goes at the end, also after a failure, and before the lock does: its arena
        // is free for the next.
        flushed.add(&full, self.temp_dir)
    }

    fn finish(self) -> Sorted<'p> {
        let Flushed { runs, mut counts } = self.flushed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let table = self.active.into_inner().unwrap_or_else(PoisonError::into_inner).table;
        counts.add_arena(table.space().stats());
        Sorted::new(table, runs, counts, self.temp_dir)
    }
}

impl Flushed {
    /// Writes a table out as a run.
    fn add(&mut self, table: &Table<'_>, temp_dir: &Path) -> Result<(), Error> {
        self.counts.flushes += 1;
        self.counts.add_arena(table.space().stats());
        let mut write = || -> io::Result<()> {
            let runs = match &mut self.runs {
                Some(runs) => runs,
                None => self.runs.insert(SpillWriter::create_in(temp_dir)?),
            };
            runs.write_run(newest(table.iter()))
        };
        write().map_err(|error| Error::Spill { dir: temp_dir.to_path_buf(), error })
    }
}

/// Creates a table in a free arena. One of the pool's two is free, unless the other table is being
/// written out.
fn empty_table(pool: &Pool) -> Result<Table<'_>, Error> {
    let Some(arena) = pool.acquire() else { unreachable!("both arenas are in use: {pool:?}") };
    Ok(Table::new(arena)?)
}

/// Locks a mutex, poisoned or not: a panic ends the process through `join`, so nobody reads what it
/// left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
