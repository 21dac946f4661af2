//! Kills writers at random moments and verifies the map.

use std::ops::Range;
use std::path::Path;

use common::{AnyError, Counters, CrashOptions, Dead, Kills, Kind, Outcome, Output};
use marena_skiplist::{ByteOrder, Mapped, SharedMap};

/// Entries that a survivor looks for after a kill.
const CHECKED_AT_ONCE: u64 = 200;

/// The longest value, and more than the largest node.
const LONGEST_VALUE: usize = 300;
const LARGEST_NODE: usize = 512;

const KIND: Kind = Kind {
    program: "shared-map",
    entries: "entries",
    files: "maps",
    verdict: "every insert that returned is there, in order",
};

pub(crate) fn run(options: &CrashOptions, output: &mut Output) -> Result<(), AnyError> {
    options.run(KIND, output, |path, kills| one_map(options, path, kills))
}

/// One map, until it is three quarters full or enough writers are killed.
fn one_map(options: &CrashOptions, path: &Path, kills: Kills<'_>) -> Result<Outcome, AnyError> {
    // Open all the time, as in a survivor.
    let map = crate::open(path, options.capacity, options.durable)?;
    let write = |id, counters: Counters<'_>| write_until_killed(options, path, &counters, id);
    let is_full = || map.stats().used > options.capacity / 4 * 3;
    let mut all = Vec::new();
    let bury = |dead: Dead| {
        all.push(dead);
        // What it inserted last; all of it is looked for at the end.
        check(&map, dead.id, dead.counted.saturating_sub(CHECKED_AT_ONCE)..dead.counted)
    };
    // SAFETY: this program has one thread.
    let kills = unsafe { kills.of_writers(path, write, is_full, bury) }?;
    // Once more, as after a restart.
    drop(map);
    let map = crate::open(path, options.capacity, options.durable)?;
    for dead in all {
        check(&map, dead.id, 0..dead.counted)?;
    }
    let verified = map.verify()?;
    let unaccounted = map.stats().used.saturating_sub(verified.bytes);
    // A killed writer leaves the node that it was about to link. The first block's alignment takes
    // some bytes, too.
    if unaccounted > kills * LARGEST_NODE + 64 {
        return Err(format!("{unaccounted} bytes are unaccounted for after {kills} kills").into());
    }
    map.insert(b"", b"after the crashes")?;
    if map.first()?.is_none_or(|(_, value)| value != b"after the crashes") {
        return Err("an entry that was inserted after the crashes is not in the map".into());
    }
    Ok(Outcome { kills, entries: verified.entries as u64, unaccounted })
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

/// Inserts until the process is killed, or the map is nearly full.
fn write_until_killed(options: &CrashOptions, map: &Path, counters: &Counters<'_>, id: u64) -> Result<(), AnyError> {
    let map = crate::open(map, options.capacity, options.durable)?;
    for number in 0.. {
        // The rest is for a writer after the crashes.
        if map.stats().remaining < options.capacity / 8 {
            break;
        }
        map.insert(&newest_key(id), &vec![b'n'; (number as usize + 1) % LONGEST_VALUE])?;
        map.insert(&key(id, number), &value(id, number))?;
        counters.set(number + 1, 0);
    }
    Ok(())
}
