//! Blocks of a scope that ends.

use std::time::Instant;

use super::{NODES, Node};
use crate::contender::{Contender, Source, chain};
use crate::contenders::{Blink, BumpScoped, Bumpalo, GrowingScratched, LeasedScratch, Scratched};
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

/// Blocks in a short scope: the temporaries of one request.
const FEW: usize = 16;

pub(super) fn long() -> Work {
    Work {
        id: "scratch",
        title: "scope of 8,192 blocks of 24 B",
        how: "Opened, filled (the first word of each block written) and ended; memory warm. A peer without scopes is reset as a whole.",
        targets: vec![
            Target::at_most("marena scratch", "bumpalo", 1.0),
            Target::at_most("marena scratch", "bump-scope, a scope", 1.0),
        ],
        ..scopes(NODES)
    }
}

pub(super) fn short() -> Work {
    Work {
        id: "short-scratch",
        title: "scope of 16 blocks of 24 B",
        how: "As above, 512 scopes one after the other. A peer without scopes can do this only where nothing else is in it.",
        targets: vec![
            Target::at_most("marena scratch", "bumpalo", 0.7),
            Target::at_most("marena lease's scratch", "bumpalo", 0.7),
            Target::at_most("marena scratch", "bump-scope, a scope", 1.0),
        ],
        ..scopes(FEW)
    }
}

fn scopes(blocks: usize) -> Work {
    Work {
        id: "",
        title: "",
        unit: "block",
        how: "",
        entries: vec![
            entry::<Scratched>(blocks),
            entry::<LeasedScratch>(blocks),
            entry::<GrowingScratched>(blocks),
            entry::<Bumpalo>(blocks),
            entry::<BumpScoped>(blocks),
            entry::<Blink>(blocks),
        ],
        absent: vec![
            ("bumpalo-herd", "no scopes; a member's bump is bumpalo's"),
            ("rarena-allocator", "no scopes, and a reset is unsafe"),
            ("blink-alloc (sync)", "no scopes; see blink-alloc for a reset of the whole"),
            ("static-alloc", "no scopes"),
            ("system allocator, mimalloc, jemalloc", "no scopes"),
        ],
        targets: vec![],
        effort: Effort::SMALL,
    }
}

fn entry<C: Contender + 'static>(blocks: usize) -> Entry {
    let mut contender = C::with_capacity(size_of::<Node>() * blocks);
    Entry::new(C::NAME, NODES, move || {
        let start = Instant::now();
        for _ in 0..NODES / blocks {
            fill(contender.source(), blocks);
            contender.reset();
        }
        start.elapsed()
    })
}

#[inline(always)]
fn fill(mut scope: impl Source, blocks: usize) {
    chain::<Node>(&mut scope, blocks);
}
