//! Several blocks in one claim.

use std::time::Instant;

use marena_std::Arena;

use crate::target::Target;
use crate::work::{Effort, Entry, Work};

/// A node, its key and its value.
const SIZES: [usize; 3] = [24, 16, 64];

/// Groups of blocks in a batch: 208 KiB.
const GROUPS: usize = 2048;

pub(super) fn work() -> Work {
    Work {
        id: "multiple",
        title: "a node of 24 B, a key of 16 B and a value of 64 B",
        unit: "group of three",
        how: "2,048 groups of zeroed blocks on fresh, warm memory; the first byte of each block written.",
        entries: vec![
            entry("allocate_multiple", |arena| {
                let blocks = arena.allocate_multiple(SIZES).expect("reserved");
                for block in blocks {
                    touch(block.into_mut());
                }
            }),
            entry("three allocate", |arena| {
                for size in SIZES {
                    touch(arena.allocate(size).expect("reserved").into_mut());
                }
            }),
        ],
        absent: vec![("every peer", "no claim of several blocks, all or none")],
        targets: vec![Target::at_most("allocate_multiple", "three allocate", 0.45)],
        effort: Effort::SMALL,
    }
}

#[inline(always)]
fn touch(block: &mut [u8]) {
    // SAFETY: the block has a byte, which is the block's owner's. Volatile, so that a write nobody
    // reads is not left out.
    unsafe { block.as_mut_ptr().write_volatile(1) };
}

fn entry(name: &'static str, group: impl Fn(&Arena) + 'static) -> Entry {
    let bytes: usize = SIZES.iter().sum();
    let mut arena = Arena::with_capacity(GROUPS * bytes + 128).expect("address space");
    Entry::new(name, GROUPS, move || {
        arena.wipe();
        let start = Instant::now();
        for _ in 0..GROUPS {
            group(&arena);
        }
        start.elapsed()
    })
}
