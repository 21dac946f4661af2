//! Memory that was never touched.

use std::time::Instant;

use crate::contender::{Contender, chain};
use crate::contenders::{Blink, BumpScope, Bumpalo, HugePages, Rarena, Shared, SyncBlink};
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

type Block = [u64; 8];
const BLOCKS: usize = (512 << 20) / size_of::<Block>();

pub(super) fn work() -> Work {
    Work {
        id: "cold",
        title: "512 MiB in blocks of 64 B, cold",
        unit: "block",
        how: "Arenas made anew for each batch with room for all, filled, the first word of each block written; making the arena counts, \
              dropping it does not. What is measured is the system providing pages. \
              A host that takes free pages back from a virtual machine makes a turn's first batch slow; the fastest counts.",
        entries: vec![
            entry::<HugePages>(),
            entry::<Shared>(),
            entry::<Bumpalo>(),
            entry::<BumpScope>(),
            entry::<Blink>(),
            entry::<SyncBlink>(),
            entry::<Rarena>(),
        ],
        absent: vec![
            ("bumpalo-herd", "as bumpalo"),
            ("static-alloc", "its memory is a static's"),
            ("system allocator, mimalloc, jemalloc", "keep pages from batch to batch, so only the first is cold"),
        ],
        targets: vec![Target::at_most("marena huge_pages", "bumpalo", 0.4)],
        effort: Effort::LARGE,
    }
}

fn entry<C: Contender + 'static>() -> Entry {
    Entry::new(C::NAME, BLOCKS, || {
        let start = Instant::now();
        let mut contender = C::with_capacity(size_of::<Block>() * BLOCKS);
        chain::<Block>(&mut contender.source(), BLOCKS);
        start.elapsed()
    })
}
