//! Values in boxes.

use std::hint::black_box;
use std::time::Instant;

use super::{NODES, Node};
use crate::contender::Contender;
use crate::contenders::{Bumpalo, Leased, Shared};
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

/// What a lease takes at once, in bytes.
const CHUNK: usize = 64 << 10;

/// Of every allocation.
const ROOM: &str = "works reserve what they use";

pub(super) fn work() -> Work {
    Work {
        id: "boxed",
        title: "values of 24 B, boxed or not",
        unit: "value",
        how: "8,192 values of 24 B, each box dropped before the next is made; memory warm. The values have no destructor.",
        entries: vec![
            entry::<Shared>("marena alloc", |shared| {
                each(|node| _ = black_box(shared.0.alloc(node).expect(ROOM)));
            }),
            entry::<Shared>("marena alloc_box", |shared| {
                each(|node| _ = black_box(shared.0.alloc_box(node).expect(ROOM)));
            }),
            entry::<Leased>("marena lease, alloc", |leased| {
                let lease = leased.0.lease(CHUNK);
                each(|node| _ = black_box(lease.alloc(node).expect(ROOM)));
            }),
            entry::<Leased>("marena lease, alloc_box", |leased| {
                let lease = leased.0.lease(CHUNK);
                each(|node| _ = black_box(lease.alloc_box(node).expect(ROOM)));
            }),
            entry::<Bumpalo>("bumpalo alloc", |bumpalo| {
                each(|node| _ = black_box(bumpalo.0.alloc(node)));
            }),
            entry::<Bumpalo>("bumpalo Box", |bumpalo| {
                each(|node| _ = black_box(bumpalo::boxed::Box::new_in(node, &bumpalo.0)));
            }),
        ],
        absent: vec![("the others", "not in this table")],
        targets: vec![
            Target::at_most("marena alloc_box", "marena alloc", 1.05),
            Target::at_most("marena lease, alloc_box", "marena lease, alloc", 1.05),
        ],
        effort: Effort::SMALL,
    }
}

fn entry<C: Contender + 'static>(name: &'static str, values: impl Fn(&C) + 'static) -> Entry {
    let mut contender = C::with_capacity(size_of::<Node>() * NODES);
    Entry::new(name, NODES, move || {
        contender.reset();
        let start = Instant::now();
        values(&contender);
        start.elapsed()
    })
}

/// Makes a value for each number below `NODES`.
#[inline(always)]
fn each(make: impl Fn(Node)) {
    (0..NODES as u64).for_each(|number| make([number; 3]));
}
