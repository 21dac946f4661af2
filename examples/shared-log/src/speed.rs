//! What one process appends, and what two do at the same time.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{SystemTime, UNIX_EPOCH};

use marena_std::MappedArena;

use crate::log::Log;

/// What is to be measured.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Records that each process appends
    #[arg(long, default_value_t = 500_000)]
    records: u64,
    /// Bytes of text in each
    #[arg(long, default_value_t = 400)]
    size: usize,
    /// Bytes that a writer claims at once; 0: each record by itself
    #[arg(long, default_value_t = 65_536)]
    chunk: usize,
    /// Times that everything is measured
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Where the file is made, and removed again
    #[arg(long)]
    directory: Option<std::path::PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let directory = match &options.directory {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let path = directory.path().join("log");
    // In turns, so that what else the machine does meets both.
    let mut ratios = Vec::new();
    for _ in 0..options.rounds {
        let one = rate(options, &path, 1)?;
        let two = rate(options, &path, 2)?;
        ratios.push(two / one);
        println!("one process {:.2}, two {:.2} million records a second", one / 1e6, two / 1e6);
    }
    println!("two against one: {:.2} (median of {})", median(ratios), options.rounds);
    Ok(())
}

fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// Nanoseconds, by the clock that all processes have.
fn now() -> Result<u64, Box<dyn Error>> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64)
}

/// Records a second that so many processes append together.
fn rate(options: &Options, path: &Path, processes: u64) -> Result<f64, Box<dyn Error>> {
    let record = (crate::record::HEAD + options.size).next_multiple_of(8);
    let capacity = (options.records * processes) as usize * record * 21 / 20 + (1 << 20);
    let log = Log::open(path, capacity, false)?;
    // Every page is touched once before, so that it is the appending that is measured. The pages stay the file's.
    let all = log.arena.allocate_address(log.arena.remaining())?;
    // SAFETY: nobody else has the file; the table from before is made anew by whoever opens the log next.
    unsafe { log.arena.reset_shared() };
    drop((log, all));
    let gate_path = path.with_extension("gate");
    // SAFETY: the file is new, and only the processes below know it.
    let gate = unsafe { MappedArena::create(&gate_path, 65_536) }?;
    let [ready, go, end] = gate.allocate_addresses([8; 3])?;
    let (ready, go, end) = (gate.atomic_u64_at(ready)?, gate.atomic_u64_at(go)?, gate.atomic_u64_at(end)?);
    let mut children = Vec::new();
    for id in 0..processes {
        // SAFETY: this process has one thread, so the child can do all that its parent can.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let append = || -> Result<(), Box<dyn Error>> {
                let text = vec![b'x'; options.size];
                // SAFETY: as in `Log::open`; all pages of the file are there, and are set up in this process too.
                let populated = unsafe { MappedArena::builder().populate(true).open(path) }?;
                let mut log = Log::over(populated, false)?.chunked(options.chunk);
                // ORDERING: Relaxed: only the number counts.
                ready.fetch_add(1, Relaxed);
                // ORDERING: Acquire pairs with the parent's Release.
                while go.load(Acquire) == 0 {
                    std::thread::yield_now();
                }
                for number in 0..options.records {
                    log.append(id, number, &text)?;
                }
                // Here, and not when the process is gone: the system takes its time to take a mapping apart.
                // ORDERING: Relaxed: only the number counts, and the parent waits for this process.
                end.fetch_max(now()?, Relaxed);
                Ok(())
            };
            let outcome = append();
            if let Err(error) = &outcome {
                eprintln!("process {id}: {error}");
            }
            // SAFETY: ends the child without the parent's destructors.
            unsafe { libc::_exit(i32::from(outcome.is_err())) }
        }
        children.push(child);
    }
    // ORDERING: Relaxed: only the number counts.
    while ready.load(Relaxed) < processes {
        std::thread::yield_now();
    }
    let start = now()?;
    // ORDERING: Release pairs with the children's Acquire.
    go.store(1, Release);
    let mut failed = false;
    for child in children {
        let mut status = 0;
        // SAFETY: the process is a child of this one; `status` is a valid place.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        failed |= status != 0;
    }
    // ORDERING: Relaxed: waiting for a process is an order.
    let elapsed = end.load(Relaxed).saturating_sub(start) as f64 / 1e9;
    std::fs::remove_file(path)?;
    std::fs::remove_file(&gate_path)?;
    if failed {
        return Err("a process failed".into());
    }
    Ok((processes * options.records) as f64 / elapsed)
}
