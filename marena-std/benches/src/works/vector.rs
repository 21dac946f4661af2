//! A vector that grows.

use std::hint::black_box;
use std::time::{Duration, Instant};

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec as VecIn;
use allocator_api2_04::alloc::Allocator as Allocator04;
use allocator_api2_04::vec::Vec as VecIn04;

use crate::contender::Contender;
use crate::contenders::{
    Blink, BumpScope, Bumpalo, Heap, HeapAllocator, Jemalloc, Leased, Mimalloc, Scratched, Shared, System,
};
use crate::target::Target;
use crate::work::{Effort, Entry, Work};

/// Values pushed.
const VALUES: u32 = 1_000_000;

/// Room for the vector and, where growing moves it, for all the smaller ones before.
const ROOM: usize = 16 << 20;

pub(super) fn work() -> Work {
    Work {
        id: "vec",
        title: "Vec of 1 million u32, pushed one by one",
        unit: "push",
        how: "From an empty vector, in warm memory with room for all its reallocations; allocator-api2's Vec (0.2; blink-alloc takes 0.4) \
              except where said.",
        entries: vec![
            entry::<Shared>(Shared::NAME, |contender| pushes(&contender.0)),
            entry::<Leased>(<Leased>::NAME, |contender| pushes(&contender.0.lease(64 << 10))),
            entry::<Scratched>(Scratched::NAME, |contender| pushes(&contender.0.scratch())),
            entry::<Bumpalo>("bumpalo", |contender| pushes(&contender.0)),
            entry::<Bumpalo>("bumpalo, its own Vec", |contender| bumpalo_pushes(&contender.0)),
            entry::<BumpScope>("bump-scope", |contender| pushes(&contender.0)),
            entry::<Blink>("blink-alloc", |contender| pushes_04(&contender.0)),
            heap::<System>(),
            heap::<Mimalloc>(),
            heap::<Jemalloc>(),
        ],
        absent: vec![
            ("bumpalo-herd", "as bumpalo: its Vec is in the member's bump"),
            ("rarena-allocator", "no Allocator"),
            ("static-alloc", "no Allocator of a version in use"),
        ],
        targets: vec![
            Target::at_most("marena shared", "bumpalo", 0.8),
            Target::at_most("marena lease", "bumpalo", 0.8),
            Target::at_most("marena scratch", "bumpalo", 0.8),
        ],
        effort: Effort::MEDIUM,
    }
}

fn entry<C: Contender + 'static>(name: &'static str, batch: impl Fn(&mut C) -> Duration + 'static) -> Entry {
    let mut contender = C::with_capacity(ROOM);
    Entry::new(name, VALUES as usize, move || {
        let elapsed = batch(&mut contender);
        contender.reset();
        elapsed
    })
}

fn heap<H: HeapAllocator + 'static>() -> Entry {
    entry::<Heap<H>>(H::NAME, |heap| pushes(&*heap))
}

#[inline(never)]
fn pushes(memory: impl Allocator) -> Duration {
    let mut values = VecIn::new_in(memory);
    let start = Instant::now();
    for value in 0..VALUES {
        values.push(value);
    }
    let elapsed = start.elapsed();
    black_box(&*values);
    elapsed
}

#[inline(never)]
fn pushes_04(memory: impl Allocator04) -> Duration {
    let mut values = VecIn04::new_in(memory);
    let start = Instant::now();
    for value in 0..VALUES {
        values.push(value);
    }
    let elapsed = start.elapsed();
    black_box(&*values);
    elapsed
}

#[inline(never)]
fn bumpalo_pushes(bump: &bumpalo::Bump) -> Duration {
    let mut values = bumpalo::collections::Vec::new_in(bump);
    let start = Instant::now();
    for value in 0..VALUES {
        values.push(value);
    }
    let elapsed = start.elapsed();
    black_box(&*values);
    elapsed
}
