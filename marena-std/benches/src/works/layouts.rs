//! Blocks whose layouts are known only at run time.

use std::alloc::Layout;
use std::hint::black_box;
use std::time::{Duration, Instant};

use super::NODES;
use crate::contender::{Contender, Source};
use crate::contenders::{
    Blink, BumpScope, Bumpalo, Heap, Jemalloc, Leased, Mimalloc, Rarena, Scratched, Shared, StaticAlloc, SyncBlink,
    System,
};
use crate::work::{Effort, Entry, Work};

/// Sizes of a word and more, aligned to a word and more: what a parser or an interpreter asks for,
/// whose layouts come from tables.
const LAYOUTS: [(usize, usize); 8] = [(8, 8), (24, 8), (16, 16), (40, 8), (9, 1), (32, 4), (64, 32), (12, 4)];

/// The most bytes that a block can take, its padding included.
const WIDEST: usize = 96;

pub(super) fn work() -> Work {
    Work {
        id: "layouts",
        title: "layouts known only at run time",
        unit: "block",
        how: "8,192 blocks of 8 to 64 B aligned to 1 to 32, from a table that the compiler cannot see into; the first byte written; memory warm.",
        entries: vec![
            entry::<Leased>(),
            entry::<Scratched>(),
            entry::<Shared>(),
            entry::<Bumpalo>(),
            entry::<BumpScope>(),
            entry::<Blink>(),
            entry::<SyncBlink>(),
            entry::<Rarena>(),
            entry::<StaticAlloc>(),
            entry::<Heap<System>>(),
            entry::<Heap<Mimalloc>>(),
            entry::<Heap<Jemalloc>>(),
        ],
        absent: vec![("fetch_add", "no alignments"), ("bumpalo-herd", "a member's bump is bumpalo's")],
        targets: vec![],
        effort: Effort::SMALL,
    }
}

fn entry<C: Contender + 'static>() -> Entry {
    let mut contender = C::with_capacity(NODES * WIDEST);
    let layouts: Vec<_> = LAYOUTS
        .iter()
        .cycle()
        .take(NODES)
        .map(|&(size, align)| Layout::from_size_align(size, align).expect("powers of two"))
        .collect();
    let mut blocks = Vec::with_capacity(NODES);
    Entry::new(C::NAME, NODES, move || {
        let mut source = contender.source();
        let elapsed = fill(&mut source, black_box(&layouts), &mut blocks);
        for (block, &layout) in blocks.drain(..).zip(&layouts) {
            // SAFETY: made just now with this layout, and used by nobody.
            unsafe { source.free(block, layout) };
        }
        drop(source);
        contender.reset();
        elapsed
    })
}

#[inline(always)]
fn fill(source: &mut impl Source, layouts: &[Layout], blocks: &mut Vec<std::ptr::NonNull<u8>>) -> Duration {
    let start = Instant::now();
    for &layout in layouts {
        let block = source.block(layout);
        // SAFETY: a block of a byte or more, and nobody else's. Volatile, so that a write nobody
        // reads is not left out.
        unsafe { block.write_volatile(1) };
        blocks.push(block);
    }
    start.elapsed()
}
