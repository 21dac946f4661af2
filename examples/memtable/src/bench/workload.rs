//! The entries, and what is done with them.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::contenders::Contender;
use crate::error::Error;

/// A key and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) key: [u8; 16],
    pub(super) value: [u8; 32],
}

/// What every contender gets.
#[derive(Debug)]
pub(super) struct Workload {
    /// Random keys, in the order in which they are inserted.
    entries: Vec<Entry>,
    /// The keys in another order, in which they are read.
    reads: Vec<[u8; 16]>,
    /// The sum of all values' digests.
    expected: u64,
}

/// How long one contender took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) fill: Duration,
    pub(super) read: Duration,
    pub(super) scan: Duration,
    pub(super) scan_back: Duration,
}

impl Workload {
    /// The same for the same count.
    pub(super) fn new(count: usize) -> Self {
        let mut state = 0;
        let entries: Vec<_> = (0..count)
            .map(|_| {
                let mut bytes = [0; 48];
                for word in bytes.chunks_exact_mut(8) {
                    word.copy_from_slice(&random(&mut state).to_ne_bytes());
                }
                let (key, value) = bytes.split_at(16);
                let mut entry = Entry { key: [0; 16], value: [0; 32] };
                entry.key.copy_from_slice(key);
                entry.value.copy_from_slice(value);
                entry
            })
            .collect();
        let mut reads: Vec<_> = entries.iter().map(|entry| entry.key).collect();
        for end in (1..count).rev() {
            reads.swap(end, (random(&mut state) % (end as u64 + 1)) as usize);
        }
        let expected = entries.iter().fold(0, |sum: u64, entry| sum.wrapping_add(digest(&entry.value)));
        Self { entries, reads, expected }
    }

    /// Fills an empty contender, reads every key and scans everything. Every read value is checked,
    /// through its digest.
    pub(super) fn run<C: Contender>(&self, threads: usize) -> Result<Times, Error> {
        let contender = C::empty(self.entries.len())?;
        let started = Instant::now();
        self.fill(&contender, threads)?;
        let fill = started.elapsed();

        let started = Instant::now();
        let sum = thread::scope(|scope| {
            let parts = self.reads.chunks(self.reads.len().div_ceil(threads));
            let readers = parts.map(|part| {
                let contender = &contender;
                common::spawn(scope, move || part.iter().fold(0, |sum: u64, key| sum.wrapping_add(contender.read(key))))
            });
            let readers = readers.collect::<io::Result<Vec<_>>>().map_err(Error::Thread)?;
            Ok::<_, Error>(readers.into_iter().fold(0, |sum: u64, reader| sum.wrapping_add(reader.join().unwrap_or(0))))
        })?;
        let read = started.elapsed();
        assert_eq!(sum, self.expected, "{} returned other values than were inserted", C::NAME);

        let started = Instant::now();
        let sum = contender.scan();
        let scan = started.elapsed();
        assert_eq!(sum, self.expected, "{} lists other values than were inserted", C::NAME);

        let started = Instant::now();
        let sum = contender.scan_back();
        let scan_back = started.elapsed();
        assert_eq!(sum, self.expected, "{} lists other values from the end than were inserted", C::NAME);
        Ok(Times { fill, read, scan, scan_back })
    }

    /// Inserts all entries, each thread a part of its own.
    pub(super) fn fill<C: Contender>(&self, contender: &C, threads: usize) -> Result<(), Error> {
        let part_len = self.entries.len().div_ceil(threads);
        if threads == 1 {
            return contender.fill(&self.entries);
        }
        thread::scope(|scope| {
            let parts = self.entries.chunks(part_len);
            let fillers = parts.map(|entries| common::spawn(scope, move || contender.fill(entries)));
            let fillers = fillers.collect::<io::Result<Vec<_>>>().map_err(Error::Thread)?;
            fillers
                .into_iter()
                .try_for_each(|filler| filler.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }
}

/// Returns a number that depends on the first and the last bytes of a value, so that they are read.
pub(super) fn digest(value: &[u8]) -> u64 {
    match (value.first_chunk(), value.last_chunk()) {
        (Some(first), Some(last)) => u64::from_ne_bytes(*first) ^ u64::from_ne_bytes(*last),
        _ => 0,
    }
}

/// The next number of Steele, Lea and Flood's `SplitMix64`.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
