//! What one process appends, and what two do at the same time.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{SystemTime, UNIX_EPOCH};

use common::{AnyError, Output, fork, median, temporary_folder};
use marena_std::MappedArena;

use crate::log::Log;

/// What is to be measured.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Records that each process appends
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    records: u32,
    /// Bytes of text in each
    #[arg(long, default_value = "400", value_parser = common::bytes)]
    size: usize,
    /// Bytes that a writer allocates at once; 0: each record by itself
    #[arg(long, default_value = "64K", value_parser = common::bytes)]
    chunk: usize,
    /// Times that everything is measured
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Where the file is made, and removed again
    #[arg(long)]
    directory: Option<std::path::PathBuf>,
}

pub(crate) fn run(options: &Options, output: &mut Output) -> Result<(), AnyError> {
    let directory = temporary_folder(options.directory.as_deref())?;
    let path = directory.path().join("log");
    // In turns, so that what else the machine does meets both.
    let mut ratios = Vec::new();
    for _ in 0..options.rounds {
        let one = rate(options, &path, 1)?;
        let two = rate(options, &path, 2)?;
        ratios.push(two / one);
        writeln!(output, "one process {:.2}, two {:.2} million records a second", one / 1e6, two / 1e6)?;
        output.flush()?;
    }
    writeln!(output, "two against one: {:.2} (median of {})", median(ratios), options.rounds)?;
    Ok(())
}

/// Nanoseconds, by the clock that all processes have.
fn now() -> Result<u64, AnyError> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64)
}

/// Records a second that so many processes append together.
fn rate(options: &Options, path: &Path, processes: u64) -> Result<f64, AnyError> {
    let record = options.size.saturating_add(crate::record::HEAD + 8);
    let records = options.records as usize * processes as usize;
    let capacity = records.saturating_mul(record).saturating_add(1 << 20);
    let log = Log::open(path, capacity, false)?;
    // Every page is touched once before, so that it is the appending that is measured. The pages
    // stay the file's.
    let all = log.arena.allocate_address(log.arena.remaining())?;
    // SAFETY: nobody else has the file; the table from before is made anew by the process that
    // opens the log next.
    unsafe { log.arena.reset_shared() }?;
    drop((log, all));
    let gate_path = path.with_extension("gate");
    // SAFETY: the file is new, and only the processes below know it.
    let gate = unsafe { MappedArena::create(&gate_path, 65_536) }?;
    let [ready, go, end] = gate.allocate_address_array([8; 3])?;
    let (ready, go, end) = (gate.atomic_u64_at(ready)?, gate.atomic_u64_at(go)?, gate.atomic_u64_at(end)?);
    let mut children = Vec::new();
    for id in 0..processes {
        let append = || {
            let text = vec![b'x'; options.size];
            // SAFETY: as in `Log::open`; all pages of the file are there, and are set up in this
            // process too.
            let populated = unsafe { MappedArena::builder().populate(true).open(path) };
            // ORDERING: Relaxed: only the number counts. A process that has failed keeps nobody
            // waiting.
            ready.fetch_add(1, Relaxed);
            let mut log = Log::over(populated?, false)?.chunked(options.chunk);
            // ORDERING: Acquire pairs with the parent's Release.
            while go.load(Acquire) == 0 {
                std::thread::yield_now();
            }
            for number in 0..options.records {
                log.append(id, number.into(), &text)?;
            }
            // Here, and not when the process is gone: the system takes its time to take a mapping
            // apart.
            // ORDERING: Relaxed: only the number counts, and the parent waits for this process.
            end.fetch_max(now()?, Relaxed);
            Ok(())
        };
        // SAFETY: this process has one thread.
        children.push(unsafe { fork("shared-log", append) }?);
    }
    // ORDERING: Relaxed: only the number counts.
    while ready.load(Relaxed) < processes {
        std::thread::yield_now();
    }
    let start = now()?;
    // ORDERING: Release pairs with the children's Acquire.
    go.store(1, Release);
    for child in children {
        if child.wait()? != 0 {
            return Err("a process failed".into());
        }
    }
    // ORDERING: Relaxed: this process has waited for the others' end.
    let elapsed = end.load(Relaxed).saturating_sub(start) as f64 / 1e9;
    std::fs::remove_file(path)?;
    std::fs::remove_file(&gate_path)?;
    Ok(records as f64 / elapsed)
}
