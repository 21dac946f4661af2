//! A value that keeps the arena it lies in.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use marena_std::{Owned, Pool};

use crate::target::Target;
use crate::work::{Effort, Entry, Work};

/// How often a batch does it.
const TIMES: usize = 1024;

/// The bytes of a value.
const VALUE: [u8; 64] = [1; 64];

pub(super) fn work() -> Work {
    Work {
        id: "owned",
        title: "64 B that keep their memory",
        unit: "value",
        how: "An owned guard acquired, a zeroed block of 64 B written and published, an `Owned` made of both and dropped, which recycles \
              the arena. A test of marena-std counts that none of it comes from the general allocator.",
        entries: vec![marena(), arc()],
        absent: vec![("every peer", "no value keeps its arena")],
        targets: vec![Target::within("marena Owned", 40.0)],
        effort: Effort::SMALL,
    }
}

fn marena() -> Entry {
    let pool = Arc::new(Pool::with_capacity(2, 64 << 10).expect("address space"));
    Entry::new("marena Owned", TIMES, move || {
        let start = Instant::now();
        for _ in 0..TIMES {
            let guard = pool.acquire_owned().expect("the last one was dropped");
            let mut block = guard.allocate(VALUE.len()).expect("the arena is empty");
            block.copy_from_slice(&black_box(VALUE));
            let handle = block.publish();
            black_box(&*Owned::new(guard, handle).expect("published just now"));
        }
        start.elapsed()
    })
}

fn arc() -> Entry {
    Entry::new("Arc<[u8]>, system allocator", TIMES, || {
        let start = Instant::now();
        for _ in 0..TIMES {
            black_box(&*Arc::<[u8]>::from(&black_box(VALUE)[..]));
        }
        start.elapsed()
    })
}
