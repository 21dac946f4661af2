//! Taking everything back.

use std::hint::black_box;
use std::time::Instant;

use marena_std::Arena;

use crate::target::Target;
use crate::work::{Effort, Entry, Work};

/// Resets in a batch.
const RESETS: usize = 1024;

pub(super) fn work() -> Work {
    Work {
        id: "reset",
        title: "reset, all used",
        unit: "reset",
        how: "One claim of all there is, uninitialised, and the reset. Every page of the region was touched before.",
        entries: vec![marena("marena, 2 GiB", Arena::MAX_CAPACITY), marena("marena, 64 KiB", 64 << 10), bumpalo()],
        absent: vec![("the others", "not in this table")],
        targets: vec![Target::at_most("marena, 2 GiB", "marena, 64 KiB", 1.1)],
        effort: Effort::SMALL,
    }
}

fn marena(name: &'static str, capacity: usize) -> Entry {
    let arena = Arena::builder().capacity(capacity).huge_pages(true).prefault(|_, _| {}).build();
    let mut arena = arena.expect("2 GiB of memory");
    let rest = arena.remaining();
    Entry::new(name, RESETS, move || {
        let start = Instant::now();
        for _ in 0..RESETS {
            black_box(arena.allocate_uninit(rest, 8).expect("empty").as_mut_ptr());
            arena.reset();
        }
        start.elapsed()
    })
}

fn bumpalo() -> Entry {
    let mut bump = bumpalo::Bump::with_capacity(64 << 10);
    let all = std::alloc::Layout::from_size_align(bump.chunk_capacity(), 1).expect("64 KiB");
    Entry::new("bumpalo, 64 KiB in one chunk", RESETS, move || {
        let start = Instant::now();
        for _ in 0..RESETS {
            black_box(bump.alloc_layout(all));
            bump.reset();
        }
        start.elapsed()
    })
}
