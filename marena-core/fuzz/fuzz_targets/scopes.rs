//! Leases, scratches and collections on one arena: blocks that exist at the same time are disjoint
//! and keep their content.
#![no_main]

use allocator_api2::alloc::{Allocator, Layout};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use marena_core::{Allocate, Arena, RawMemory, Scratch};
use marena_fuzz::{HEADER, Image};

#[derive(Arbitrary, Debug)]
enum Step {
    Bytes(u16),
    Aligned(u16, u8),
    Collect(Vec<Change>),
    Scope(Vec<Inner>),
}

#[derive(Arbitrary, Debug)]
enum Inner {
    Bytes(u16),
    Collect(Vec<Change>),
    Scope(Vec<u16>),
    /// The scope is leaked and does not end.
    Forget,
}

#[derive(Arbitrary, Debug)]
enum Change {
    New { size: u16, align: u8, zeroed: bool },
    Resize { index: u8, size: u16, zeroed: bool },
    Free(u8),
}

#[derive(Arbitrary, Debug)]
enum Part {
    Arena(Vec<Step>),
    Lease { chunk: u16, steps: Vec<Step> },
    TwoLeases { chunks: [u16; 2], steps: Vec<(bool, Step)> },
    ArenaScope(Vec<Inner>),
    Reset,
    Wipe,
}

/// Bytes that have an owner, and their content.
struct Held {
    start: *mut u8,
    len: usize,
    mark: u8,
}

impl Held {
    fn check(&self) {
        for index in 0..self.len {
            // SAFETY: the bytes have an owner, and were written.
            assert_eq!(unsafe { self.start.add(index).read() }, self.mark, "byte {index} of {}", self.len);
        }
    }

    fn write(&mut self, from: usize) {
        // The fault that `.ci/fuzz` plants: one byte more than the block has.
        for index in from..self.len + usize::from(cfg!(marena_planted) && self.len > 0) {
            // SAFETY: the bytes have an owner.
            unsafe { self.start.add(index).write(self.mark) };
        }
    }
}

/// All bytes that have an owner at a time.
struct World {
    region: (usize, usize),
    held: Vec<Held>,
    next_mark: u8,
}

impl World {
    fn hold(&mut self, start: *mut u8, len: usize) {
        self.next_mark = self.next_mark.wrapping_add(1) | 1;
        let mut new = Held { start, len, mark: self.next_mark };
        self.fits(&new);
        new.write(0);
        self.held.push(new);
    }

    fn fits(&self, new: &Held) {
        let (start, end) = (new.start.addr(), new.start.addr() + new.len);
        assert!(new.len == 0 || (start >= self.region.0 && end <= self.region.1));
        for other in &self.held {
            let (low, high) = (other.start.addr(), other.start.addr() + other.len);
            assert!(new.len == 0 || other.len == 0 || end <= low || high <= start, "{start:#x} overlaps {low:#x}");
        }
    }

    fn check_from(&self, first: usize) {
        self.held[first..].iter().for_each(Held::check);
    }

    /// Forgets all blocks from the index `first` on.
    fn forget_from(&mut self, first: usize) {
        self.check_from(first);
        self.held.truncate(first);
    }

    fn bytes<'a>(&mut self, memory: impl Allocate<'a>, size: usize, align: usize) {
        if let Ok(block) = memory.allocate_aligned(size, align) {
            assert!(block.iter().all(|&byte| byte == 0) && block.as_ptr().addr().is_multiple_of(align));
            let block = block.into_mut();
            self.hold(block.as_mut_ptr(), size);
        }
    }

    fn collect(&mut self, memory: impl Allocator, changes: Vec<Change>) {
        let first = self.held.len();
        let mut aligns = Vec::new();
        for change in changes {
            match change {
                Change::New { size, align, zeroed } => {
                    let layout = layout(size.into(), 1 << (align % 9));
                    let block = if zeroed { memory.allocate_zeroed(layout) } else { memory.allocate(layout) };
                    let Ok(block) = block else { continue };
                    if zeroed {
                        is_zero(block.cast().as_ptr(), 0, layout.size());
                    }
                    assert!(block.addr().get().is_multiple_of(layout.align()));
                    self.hold(block.cast().as_ptr(), layout.size());
                    aligns.push(layout.align());
                }
                Change::Resize { index, size, zeroed } => {
                    let Some(index) = usize::from(index).checked_rem(aligns.len()) else { continue };
                    let held = self.held.swap_remove(first + index);
                    let align = aligns.swap_remove(index);
                    held.check();
                    let (old, new) = (layout(held.len, align), layout(size.into(), align));
                    let start = std::ptr::NonNull::new(held.start).expect("held");
                    // SAFETY: a block of this memory with this layout, which is not used again
                    // unless the answer is an error.
                    let block = unsafe {
                        match new.size() >= old.size() {
                            true if zeroed => memory.grow_zeroed(start, old, new),
                            true => memory.grow(start, old, new),
                            false => memory.shrink(start, old, new),
                        }
                    };
                    let mut moved = held;
                    if let Ok(block) = block {
                        let kept = old.size().min(new.size());
                        moved = Held { start: block.cast().as_ptr(), len: kept, mark: moved.mark };
                        moved.check();
                        if zeroed {
                            is_zero(moved.start, kept, new.size());
                        }
                        moved.len = new.size();
                        self.fits(&moved);
                        moved.write(kept);
                    }
                    self.held.push(moved);
                    aligns.push(align);
                }
                Change::Free(index) => {
                    let Some(index) = usize::from(index).checked_rem(aligns.len()) else { continue };
                    let held = self.held.swap_remove(first + index);
                    let align = aligns.swap_remove(index);
                    held.check();
                    let start = std::ptr::NonNull::new(held.start).expect("held");
                    // SAFETY: a block of this memory with this layout, which is not used again.
                    unsafe { memory.deallocate(start, layout(held.len, align)) };
                }
            }
        }
        self.check_from(first);
    }

    fn scope(&mut self, mut scratch: Scratch<'_, RawMemory>, steps: Vec<Inner>) {
        let first = self.held.len();
        for step in steps {
            match step {
                Inner::Bytes(size) => self.bytes(&scratch, size.into(), 8),
                Inner::Collect(changes) => self.collect(&scratch, changes),
                Inner::Scope(sizes) => {
                    let before = self.held.len();
                    let inner = scratch.scratch();
                    sizes.into_iter().for_each(|size| self.bytes(&inner, size.into(), 16));
                    self.forget_from(before);
                }
                Inner::Forget => {
                    self.forget_from(first);
                    std::mem::forget(scratch);
                    return;
                }
            }
        }
        self.forget_from(first);
    }

    fn step(&mut self, lease: &mut marena_core::Lease<'_, RawMemory>, step: Step) {
        match step {
            Step::Bytes(size) => self.bytes(&*lease, size.into(), 8),
            Step::Aligned(size, shift) => self.bytes(&*lease, size.into(), 1 << (shift % 13)),
            Step::Collect(changes) => self.collect(&*lease, changes),
            Step::Scope(steps) => self.scope(lease.scratch(), steps),
        }
    }
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("small")
}

fn is_zero(start: *const u8, from: usize, to: usize) {
    for index in from..to {
        // SAFETY: bytes of a block that was requested zeroed.
        assert_eq!(unsafe { start.add(index).read() }, 0, "byte {index}");
    }
}

const LEN: usize = 16_384;

fuzz_target!(|parts: Vec<Part>| {
    let image = Image::new(LEN);
    // SAFETY: the image outlives the arena, which is the only one over it.
    let Some(memory) = (unsafe { image.memory() }) else { return };
    let mut arena = Arena::new(memory).expect("the memory was checked");
    let region = (image.base() + HEADER, image.base() + LEN);
    let mut world = World { region, held: Vec::new(), next_mark: 0 };
    for part in parts {
        match part {
            Part::Arena(steps) => {
                for step in steps {
                    match step {
                        Step::Bytes(size) => world.bytes(&arena, size.into(), 8),
                        Step::Aligned(size, shift) => world.bytes(&arena, size.into(), 1 << (shift % 13)),
                        Step::Collect(changes) => world.collect(&arena, changes),
                        Step::Scope(steps) => world.scope(arena.scratch(), steps),
                    }
                }
            }
            Part::Lease { chunk, steps } => {
                let mut lease = arena.lease(chunk.into());
                steps.into_iter().for_each(|step| world.step(&mut lease, step));
            }
            Part::TwoLeases { chunks, steps } => {
                let mut leases = chunks.map(|chunk| arena.lease(chunk.into()));
                for (second, step) in steps {
                    world.step(&mut leases[usize::from(second)], step);
                }
            }
            Part::ArenaScope(steps) => world.scope(arena.scratch(), steps),
            Part::Reset | Part::Wipe => {
                world.forget_from(0);
                if matches!(part, Part::Wipe) { arena.wipe() } else { arena.reset() }
            }
        }
        let stats = arena.stats();
        assert!(stats.used <= LEN - HEADER && stats.stranded <= stats.used && stats.high_water >= stats.used);
    }
    world.check_from(0);
});
