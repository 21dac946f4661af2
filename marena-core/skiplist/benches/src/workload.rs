//! The entries, and what is done with them.

use std::thread;
use std::time::Instant;

use crate::contenders::Contender;

/// A key and its value.
pub(crate) type Pair = ([u8; 16], [u8; 32]);

/// What every contender gets.
pub(crate) struct Workload {
    /// Random keys, in the order in which they are inserted.
    entries: Vec<Pair>,
    /// The keys in another order, in which they are read.
    reads: Vec<[u8; 16]>,
    /// The sum of all values' digests.
    expected: u64,
}

/// How long one contender took, in nanoseconds an entry.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) insert: f64,
    pub(crate) read: f64,
    pub(crate) scan: f64,
    pub(crate) scan_back: f64,
}

impl Workload {
    /// The same for the same count.
    pub(crate) fn new(count: usize) -> Self {
        let mut state = 0;
        let mut entry = || {
            let mut bytes = [0; 48];
            for word in bytes.chunks_exact_mut(8) {
                word.copy_from_slice(&random(&mut state).to_ne_bytes());
            }
            let (mut key, mut value) = ([0; 16], [0; 32]);
            key.copy_from_slice(&bytes[..16]);
            value.copy_from_slice(&bytes[16..]);
            (key, value)
        };
        let entries: Vec<Pair> = (0..count).map(|_| entry()).collect();
        let mut reads: Vec<_> = entries.iter().map(|entry| entry.0).collect();
        let mut state = 1;
        for end in (1..count).rev() {
            reads.swap(end, (random(&mut state) % (end as u64 + 1)) as usize);
        }
        let expected = entries.iter().fold(0, |sum: u64, entry| sum.wrapping_add(digest(&entry.1)));
        Self { entries, reads, expected }
    }

    /// Makes a contender that holds all entries.
    pub(crate) fn filled<C: Contender>(&self) -> C {
        let contender = C::empty(self.entries.len());
        contender.fill(&self.entries);
        contender
    }

    /// Fills an empty contender, reads every key and scans everything. Every read value is checked,
    /// through its digest.
    pub(crate) fn run<C: Contender>(&self, threads: usize) -> Times {
        let contender = C::empty(self.entries.len());
        let part_len = self.entries.len().div_ceil(threads);
        let timed = |work: &dyn Fn() -> u64| {
            let started = Instant::now();
            let sum = work();
            let time = started.elapsed().as_nanos() as f64 / self.entries.len() as f64;
            assert_eq!(sum, self.expected, "{} has other values than were inserted", C::NAME);
            time
        };
        let insert = timed(&|| {
            thread::scope(|scope| {
                for part in self.entries.chunks(part_len) {
                    scope.spawn(|| contender.fill(part));
                }
            });
            self.expected
        });
        let read = timed(&|| {
            thread::scope(|scope| {
                let parts = self.reads.chunks(part_len);
                let readers: Vec<_> = parts.map(|part| scope.spawn(|| contender.read(part))).collect();
                readers.into_iter().fold(0, |sum: u64, reader| sum.wrapping_add(reader.join().expect("reads")))
            })
        });
        let scan = timed(&|| contender.scan());
        let scan_back = timed(&|| contender.scan_back());
        Times { insert, read, scan, scan_back }
    }
}

/// Returns a number that depends on the first and the last bytes of a value, so that they are read.
pub(crate) fn digest(value: &[u8]) -> u64 {
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
