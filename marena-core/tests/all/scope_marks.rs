//! Scopes of arenas mark bytes as dirty some way ahead. A model says where each block lies and how
//! far they mark.

use std::cell::Cell;
use std::mem::MaybeUninit;

use marena_core::{Arena, Claim, ExclusiveMemory, Memory, Scratch};

use crate::owned::{Owned, byte_of};

const LEN: usize = 24 << 10;
const HEADER: usize = 128;
/// How far scopes mark ahead.
const AHEAD: usize = 4096;

/// What all scopes of an arena did.
#[derive(Default)]
struct Record {
    /// How far any of them marked.
    mark: Cell<usize>,
    /// How many requests found no room.
    failed: Cell<usize>,
}

/// The positions of a scope.
#[derive(Clone)]
struct Model<'r> {
    next: usize,
    /// The end of what the scope knows to be marked.
    marked: usize,
    limit: usize,
    record: &'r Record,
}

impl Model<'_> {
    /// Makes `size` bytes the scope's. Returns whether there is room.
    fn take(&mut self, size: usize) -> bool {
        let end = self.next + size.next_multiple_of(8);
        if end > self.marked {
            if end > self.limit {
                self.record.failed.set(self.record.failed.get() + 1);
                return false;
            }
            let ahead = self.marked + AHEAD.max(end - self.next);
            self.marked = end.max(ahead.min(self.limit));
            self.record.mark.set(self.record.mark.get().max(self.marked));
        }
        self.next = end;
        true
    }
}

/// A random generator that gives the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn size(&mut self) -> usize {
        let bound = [40, 600, 4096, 5000, 20_000][self.below(5)];
        self.below(bound)
    }
}

/// Allocates in a scope and in scopes within it.
fn run<M: Memory>(scope: &mut Scratch<'_, M>, base: usize, model: &mut Model<'_>, random: &mut Random, depth: usize) {
    for _ in 0..random.below(6) {
        if depth > 0 && random.below(3) == 0 {
            run(&mut scope.scratch(), base, &mut model.clone(), random, depth - 1);
            continue;
        }
        let (size, expected) = (1 + random.size(), model.next);
        // SAFETY: a power of two, and not 0.
        let claimed = unsafe { Claim::claim(&*scope, size, 8, None) };
        assert_eq!(claimed.is_ok(), model.take(size));
        let Ok(claimed) = claimed else { continue };
        let start = claimed.start();
        assert_eq!(start.addr().get() - base, expected);
        // SAFETY: just claimed.
        unsafe { start.write_bytes(0xEE, size) };
        if random.below(2) == 0 {
            let new = size + random.size();
            // SAFETY: the last block, which becomes no less.
            let extended = unsafe { Claim::extend(&*scope, start, size, new) }.is_some();
            assert_eq!(extended, model.take(new.saturating_sub(size.next_multiple_of(8))), "{size} to {new}");
            if extended {
                // SAFETY: the block has so many bytes now.
                unsafe { start.write_bytes(0xEE, new) };
            }
        }
        assert_eq!([scope.remaining(), Claim::remaining(&*scope)], [model.limit - model.next; 2]);
    }
}

fn scopes_mark_as_the_model_says<M: ExclusiveMemory>(arena: &mut Arena<M>, random: &mut Random) {
    let record = Record::default();
    let base = arena.memory().region().addr().get() + HEADER;
    for _ in 0..1 + random.below(4) {
        if random.below(3) == 0 {
            let kept = random.below(300);
            if arena.allocate(kept).is_ok() {
                record.mark.set(record.mark.get().max(arena.used()));
            }
        }
        let before = arena.stats();
        let (used, marked) = (before.used, before.high_water_since_reset);
        let mut model = Model { next: used, marked, limit: arena.capacity() - HEADER, record: &record };
        run(&mut arena.scratch(), base, &mut model, random, 2);
        let stats = arena.stats();
        assert_eq!((stats.used, stats.failed), (used, record.failed.get()));
        assert_eq!((stats.high_water, stats.high_water_since_reset), (record.mark.get(), record.mark.get()));
    }
    // The scopes wrote to what they had.
    let rest = arena.allocate(arena.remaining()).unwrap();
    assert!(rest.iter().all(|&byte| byte == 0));
}

#[repr(align(128))]
struct Bytes([MaybeUninit<u8>; LEN]);

#[test]
fn scopes_mark_four_kibibytes_ahead_or_what_they_need() {
    for seed in 0..if cfg!(miri) { 3 } else { 300 } {
        let mut random = Random(seed);
        let len = LEN - random.below(LEN / 2);
        scopes_mark_as_the_model_says(&mut Arena::new(Owned::<0>::new(len)).unwrap(), &mut random);
        let mut bytes = Bytes([MaybeUninit::new(0xEE); LEN]);
        scopes_mark_as_the_model_says(&mut Arena::borrowed(&mut bytes.0[..len]).unwrap(), &mut random);
    }
}

#[test]
fn a_damaged_mark_between_two_steps_moves_no_block() {
    /// The recent peak, as `LAYOUT.md` has it.
    const RECENT: usize = 76;
    for mark in (0..40_u32).chain([u32::MAX]) {
        for first in 1..20 {
            let mut arena = Arena::new(Owned::<0>::new(512)).unwrap();
            // SAFETY: a word of the header, aligned to four bytes.
            unsafe { byte_of(arena.memory(), RECENT).cast().write(mark) };
            let scope = arena.scratch();
            let mut expected = 0;
            for size in [first, 5, 3, 8, 1, 100] {
                let block = scope.allocate(size).unwrap();
                assert_eq!((block.address().offset() as usize, block.len()), (HEADER + expected, size), "{mark}");
                expected += size.next_multiple_of(8);
                assert_eq!(scope.remaining(), 512 - HEADER - expected);
            }
        }
    }
}
