//! An ordered map in one file: several processes read and write it at once, and killing any of them
//! loses nothing.

#[cfg(unix)]
mod crash;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Parser, Subcommand};
use common::{AnyError, EXIT_CODES, Negative, Output};
use marena_skiplist::{ByteOrder, Mapped, ReadOnly, SharedMap, SharedMapError};
use marena_std::{Durability, MappedArena, MappedBuilder};

/// The root slot that names the map.
const SLOT: usize = 0;

/// The root slot that names something, if all writers are to be durable. One that is not would undo
/// what others made durable: after a power loss, its entry may hide those behind it.
const DURABLE_SLOT: usize = 1;

/// Looks of a follower at how much is used, from one at the entries to the next at the latest.
const LOOKS: u32 = 100;

/// An ordered map in one file that several processes read and write
#[derive(Parser)]
#[command(name = "shared-map", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put an entry into the map, or each line of standard input: a key, a tab and a value; make
    /// the map if it is not there
    Put {
        map: PathBuf,
        /// The key; without it, standard input is read
        #[arg(requires = "value")]
        key: Option<String>,
        value: Option<String>,
        /// Bytes of a map that is made, 2G at most; one that is there keeps what it has
        #[arg(long, default_value = "64M", value_parser = common::size)]
        capacity: usize,
        /// Return from each put when the entry is on the disk. All later writers do the same
        #[arg(long)]
        durable: bool,
    },
    /// Remove a key
    Remove { map: PathBuf, key: String },
    /// Print a key's value
    Get { map: PathBuf, key: String },
    /// Print the entries from a key on, up to another
    Scan {
        map: PathBuf,
        from: Option<String>,
        /// The first key that is not printed
        to: Option<String>,
        /// From the last entry to the first
        #[arg(long)]
        reverse: bool,
    },
    /// Print entries as they are put, beginning with those that are there
    Follow {
        map: PathBuf,
        /// End after so many entries
        #[arg(long)]
        entries: Option<u64>,
    },
    /// Check everything that is in the map and print what was found
    Verify { map: PathBuf },
    /// Kill writers at random moments and verify
    #[cfg(unix)]
    CrashTest(common::CrashOptions),
}

fn main() -> ExitCode {
    common::main(|Arguments { command }, output| match command {
        Command::Put { map, key, value, capacity, durable } => put(&open(&map, capacity, durable)?, key.zip(value)),
        Command::Remove { map, key } => {
            // SAFETY: as in `open`.
            let arena = writable(false, |builder| common::opened(unsafe { builder.open(&map) }))?;
            let map = SharedMap::open(arena, SLOT, ByteOrder).map_err(answer)?;
            map.remove(key.as_bytes()).map_err(answer)?.map(drop).ok_or_else(|| absent(&key))
        }
        Command::Get { map, key } => {
            let value = read(&map)?.get(key.as_bytes()).map_err(answer)?.ok_or_else(|| absent(&key))?;
            output.write_all(&value)?;
            Ok(output.write_all(b"\n")?)
        }
        Command::Scan { map, from, to, reverse } => scan(&read(&map)?, from, to, reverse, output),
        Command::Follow { map, entries } => follow(&read(&map)?, entries, output),
        Command::Verify { map } => verify(&read(&map)?, output),
        #[cfg(unix)]
        Command::CrashTest(options) => crash::run(&options, output),
    })
}

/// Opens the map in a file, or makes it.
fn open(path: &Path, capacity: usize, durable: bool) -> Result<SharedMap<Mapped, ByteOrder>, AnyError> {
    // SAFETY: all that writes the file is this program, through `SharedMap`, and nobody truncates
    // it.
    let arena = writable(durable, |builder| unsafe { common::open_or_create(builder, path, capacity) })?;
    SharedMap::open_or_create(arena, SLOT, ByteOrder).map_err(answer)
}

/// Opens an arena to write it, durably if that is wanted or other writers are durable.
fn writable(
    durable: bool,
    open: impl Fn(MappedBuilder) -> Result<MappedArena, AnyError>,
) -> Result<MappedArena, AnyError> {
    let durably = MappedArena::builder().durability(Durability::FlushOnPublish);
    let arena = open(if durable { durably } else { MappedArena::builder() })?;
    match arena.root(DURABLE_SLOT) {
        None if durable => {
            arena.publish_root(DURABLE_SLOT, arena.allocate_address(0)?)?;
            Ok(arena)
        }
        Some(_) if !durable => open(durably),
        _ => Ok(arena),
    }
}

/// Opens the map in a file to read only.
fn read(path: &Path) -> Result<SharedMap<ReadOnly, ByteOrder>, AnyError> {
    // SAFETY: as in `open`.
    let view = unsafe { common::open_read_only(path) }?;
    SharedMap::open_read_only(view, SLOT, ByteOrder).map_err(answer)
}

/// A file that holds no map, or a damaged one, is a negative answer.
fn answer(error: SharedMapError) -> AnyError {
    match error {
        SharedMapError::Alloc(_) | SharedMapError::Publish(_) => error.into(),
        error => Negative(error.to_string()).into(),
    }
}

fn absent(key: &str) -> AnyError {
    Negative(format!("the map has no key {key:?}")).into()
}

fn put(map: &SharedMap<Mapped, ByteOrder>, entry: Option<(String, String)>) -> Result<(), AnyError> {
    if let Some((key, value)) = entry {
        map.insert(key.as_bytes(), value.as_bytes()).map_err(answer)?;
        return Ok(());
    }
    let unreadable = |error| format!("cannot read standard input: {error}");
    let input = common::stdin().map_err(unreadable)?.lock();
    for (line, number) in input.split(b'\n').zip(1..) {
        let line = line.map_err(unreadable)?;
        let tab = line.iter().position(|&byte| byte == b'\t');
        let (key, value) = tab.map_or((&line[..], &[][..]), |tab| (&line[..tab], &line[tab + 1..]));
        map.insert(key, value).map_err(|error| format!("line {number} and what follows were not put: {error}"))?;
    }
    Ok(())
}

/// Prints an entry as a line.
fn print((key, value): (&[u8], &[u8]), output: &mut Output) -> Result<(), AnyError> {
    output.write_all(key)?;
    output.write_all(b"\t")?;
    output.write_all(value)?;
    Ok(output.write_all(b"\n")?)
}

fn scan(
    map: &SharedMap<ReadOnly, ByteOrder>,
    from: Option<String>,
    to: Option<String>,
    reverse: bool,
    output: &mut Output,
) -> Result<(), AnyError> {
    let lower = from.as_deref().map_or(Bound::Unbounded, |key| Bound::Included(key.as_bytes()));
    let upper = to.as_deref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_bytes()));
    let mut range = map.range((lower, upper));
    while let Some(entry) = if reverse { range.next_back_entry() } else { range.next_entry() }.map_err(answer)? {
        print(entry, output)?;
    }
    Ok(())
}

fn follow(map: &SharedMap<ReadOnly, ByteOrder>, entries: Option<u64>, output: &mut Output) -> Result<(), AnyError> {
    let (mut left, mut printed, mut used, mut looks) = (entries.unwrap_or(u64::MAX), HashMap::new(), 0, 0);
    while left > 0 {
        // Whatever is put takes memory, and is in the map some time after that.
        let now = map.stats().used;
        looks += 1;
        if now != used || looks == LOOKS {
            looks = 0;
            let mut range = map.iter();
            while let Some((key, value)) = range.next_entry().map_err(answer)? {
                if left > 0 && printed.get(key).is_none_or(|printed: &Vec<u8>| printed != value) {
                    printed.insert(key.to_vec(), value.to_vec());
                    print((key, value), output)?;
                    left -= 1;
                }
            }
            output.flush()?;
            used = now;
        }
        // Nobody tells the follower: it looks.
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn verify(map: &SharedMap<ReadOnly, ByteOrder>, output: &mut Output) -> Result<(), AnyError> {
    // Before the nodes: what is put meanwhile is not missed by it.
    let used = map.stats().used;
    let verified = map.verify().map_err(answer)?;
    let unaccounted = used.saturating_sub(verified.bytes);
    Ok(writeln!(
        output,
        "{} entries in {} nodes, all in order, {} links missing; {used} bytes used, {unaccounted} unaccounted for",
        verified.entries, verified.nodes, verified.missing_links
    )?)
}

#[cfg(all(test, unix, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn who_writes_after_a_durable_writer_is_durable_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("map");
        let durability = |durable| open(&path, 65_536, durable).unwrap().into_arena().durability();
        assert_eq!(durability(false), Durability::None);
        assert_eq!(durability(true), Durability::FlushOnPublish);
        assert_eq!(durability(false), Durability::FlushOnPublish);
    }
}
