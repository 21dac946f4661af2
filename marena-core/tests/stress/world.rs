//! One thread's part of an arena, and the steps of this thread.

use std::alloc::Layout;
use std::mem;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use allocator_api2::alloc::Allocator;
use marena_core::{Address, Allocate, Arena, Block, Handle, Lease, Memory, Regions, Scratch};

use crate::tracked::{Buffer, Kept, Reached, Rng, assert_apart, range_of};

/// A source of bytes, through which handles are read.
trait Source<'x>: Allocate<'x> + Allocator {
    fn look(self, handle: Handle) -> Option<&'x [u8]>;
}

impl<'a, M: Memory> Source<'a> for &'a Arena<M> {
    fn look(self, handle: Handle) -> Option<&'a [u8]> {
        self.view(handle)
    }
}

impl<'a, M: Memory> Source<'a> for &Lease<'a, M> {
    fn look(self, handle: Handle) -> Option<&'a [u8]> {
        self.arena().view(handle)
    }
}

impl<'s, M: Memory> Source<'s> for &'s Scratch<'_, M> {
    fn look(self, handle: Handle) -> Option<&'s [u8]> {
        self.view(handle)
    }
}

impl<'a, M: Memory, const N: usize> Source<'a> for &'a Regions<M, N> {
    fn look(self, handle: Handle) -> Option<&'a [u8]> {
        self.view(handle)
    }
}

/// An iterator that announces one length and has another.
struct Liar {
    says: usize,
    has: usize,
    mark: u8,
}

impl Iterator for Liar {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.has = self.has.checked_sub(1)?;
        Some(self.mark)
    }
}

impl ExactSizeIterator for Liar {
    fn len(&self) -> usize {
        self.says
    }
}

/// The blocks and values of one source, for as long as its lifetime and its borrow last.
struct Holdings<'x, A: Allocator> {
    kept: Vec<Kept<'x>>,
    buffers: Vec<Buffer<A>>,
    reached: Reached,
}

impl<'x, A: Source<'x>> Holdings<'x, A> {
    fn new() -> Self {
        Self { kept: Vec::new(), buffers: Vec::new(), reached: Reached::default() }
    }

    /// Checks that a block is zero, fills it, and keeps it or publishes it.
    fn keep(&mut self, source: A, mut block: Block<'x>, align: usize, rng: &mut Rng) {
        let mark = rng.mark();
        assert!(block.iter().all(|&byte| byte == 0), "{block:x?}");
        assert!(block.as_ptr().addr().is_multiple_of(align));
        assert_eq!(block.address().size() as usize, block.len());
        block.fill(mark);
        self.reached.blocks += 1;
        if rng.below(4) == 0 {
            let bytes = source.look(block.publish()).expect("published just now");
            self.kept.push(Kept::Published(bytes, mark));
        } else {
            self.kept.push(Kept::Own(block.into_mut(), mark));
        }
    }

    /// Keeps values that are written already.
    fn keep_values(&mut self, bytes: &'x mut [u8], mark: u8) {
        self.reached.blocks += 1;
        self.kept.push(Kept::Own(bytes, mark));
        self.kept.last().expect("pushed just now").check();
    }

    fn step(&mut self, source: A, rng: &mut Rng) {
        let (size, mark) = (rng.size(), rng.mark());
        let served = match rng.below(13) {
            0 => source.allocate(size).map(|block| self.keep(source, block, 8, rng)).is_ok(),
            1 => {
                let align = rng.align();
                source.allocate_aligned(size, align).map(|block| self.keep(source, block, align, rng)).is_ok()
            }
            2 => {
                let blocks = source.allocate_multiple([size, rng.size(), 0, 1]);
                blocks.map(|blocks| blocks.map(|block| self.keep(source, block, 8, rng))).is_ok()
            }
            3 => source.allocate_bounded(size, 100).map(|block| self.keep(source, block, 8, rng)).is_ok(),
            4 => {
                let mut addresses = [size as u64, 8, 0];
                let served = source.allocate_addresses(&mut addresses).is_ok();
                assert!(!served || addresses.iter().all(|&raw| Address::from_raw(raw).is_some()));
                served
            }
            5 => {
                let values = source.alloc_slice_fill_with(size, |_| mark);
                values.map(|bytes| self.keep_values(bytes, mark)).is_ok()
            }
            6 => {
                let values = source.alloc_slice_from_iter(Liar { says: size, has: rng.size(), mark });
                values.map(|bytes| self.keep_values(bytes, mark)).is_ok()
            }
            7 => self.fail(source, rng),
            8 => match Buffer::new(source, size, rng.align(), mark) {
                Some(buffer) => {
                    self.buffers.push(buffer);
                    true
                }
                None => false,
            },
            _ => self.change_a_buffer(rng),
        };
        self.reached.failed += u64::from(!served);
        if let Some(kept) = self.kept.get(rng.below(64) as usize) {
            kept.check();
        }
    }

    /// Runs an initialiser that fails or panics, sometimes after it allocates itself.
    fn fail(&mut self, source: A, rng: &mut Rng) -> bool {
        let inner = rng.below(2) == 0;
        let mark = rng.mark();
        let mut taken = None;
        let mut take = || {
            if inner {
                taken = source.alloc_slice_fill_with(24, |_| mark).ok();
            }
        };
        let no_room = if rng.below(8) == 0 {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let _ = source.alloc_slice_fill_with(9, |index| {
                    if index == 5 {
                        take();
                        resume_unwind(Box::new("on purpose"));
                    }
                    index as u32
                });
            }));
            panicked.is_ok()
        } else {
            let failed = source.alloc_try_with(|| -> Result<[u64; 9], ()> {
                take();
                Err(())
            });
            matches!(failed, Err(marena_core::TryAllocError::Alloc(_)))
        };
        self.reached.failed_initialisers += u64::from(!no_room);
        if let Some(bytes) = taken {
            self.keep_values(bytes, mark);
        }
        !no_room
    }

    fn change_a_buffer(&mut self, rng: &mut Rng) -> bool {
        // The last buffer is the one that can change in place.
        let Some(last) = self.buffers.len().checked_sub(1) else { return true };
        let index = if rng.below(2) == 0 { last } else { rng.below(last as u64 + 1) as usize };
        let buffer = &mut self.buffers[index];
        buffer.check();
        match rng.below(4) {
            0 => {
                drop(self.buffers.swap_remove(index));
                self.reached.freed += 1;
                true
            }
            1 => {
                let size = rng.below(buffer.bytes().len() as u64 + 1) as usize;
                buffer.shrink(size);
                self.reached.shrunk += 1;
                true
            }
            zeroed => {
                let Some(stayed) = buffer.grow(rng.size(), zeroed == 2) else { return false };
                self.reached.grown += 1;
                self.reached.grown_in_place += u64::from(stayed);
                true
            }
        }
    }

    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        self.kept.iter().map(Kept::range).chain(self.buffers.iter().map(|buffer| range_of(buffer.bytes())))
    }

    fn check(&self) {
        self.kept.iter().for_each(Kept::check);
        self.buffers.iter().for_each(Buffer::check);
    }
}

/// One thread's leases of an arena, and its blocks of the arena and of the leases.
pub(crate) struct World<'a, 'r, M: Memory> {
    arena: &'a Arena<M>,
    rng: &'r mut Rng,
    direct: Holdings<'a, &'a Arena<M>>,
    leases: Vec<Lease<'a, M>>,
}

impl<'a, 'r, M: Memory> World<'a, 'r, M> {
    pub(crate) fn new(arena: &'a Arena<M>, rng: &'r mut Rng) -> Self {
        Self { arena, rng, direct: Holdings::new(), leases: Vec::new() }
    }

    pub(crate) fn live(&mut self, steps: u64) {
        for _ in 0..steps {
            match self.rng.below(10) {
                0 => {
                    let chunk = [0, 8, 64, 300, 4096, usize::MAX][self.rng.below(6) as usize];
                    self.leases.push(self.arena.lease(chunk));
                    self.direct.reached.leases += 1;
                }
                1 if self.leases.len() > 2 => {
                    let index = self.rng.below(self.leases.len() as u64) as usize;
                    let lease = self.leases.swap_remove(index);
                    if self.rng.below(8) == 0 { mem::forget(lease) } else { drop(lease) }
                }
                2..5 => {
                    let Some(mut lease) = self.leases.pop() else { continue };
                    self.use_lease(&lease);
                    if self.rng.below(2) == 0 {
                        let mut scratch = lease.scratch();
                        let rng = Rng::from_seed(self.rng.next());
                        let reached = scope(&mut scratch, Some(&mut *self), &mut { rng }, 12, 0);
                        self.direct.reached.add(&reached);
                        if self.rng.below(8) == 0 {
                            mem::forget(scratch);
                        }
                    }
                    self.leases.insert(0, lease);
                }
                _ => self.step(),
            }
        }
        self.check();
    }

    /// Takes a step with the arena itself.
    fn step(&mut self) {
        self.direct.step(self.arena, self.rng);
    }

    /// Takes a few steps with a lease. Blocks that may outlive the lease do so.
    fn use_lease(&mut self, lease: &Lease<'a, M>) {
        let mut holdings = Holdings::new();
        for _ in 0..1 + self.rng.below(6) {
            holdings.step(lease, self.rng);
            if self.rng.below(4) == 0 {
                self.step();
            }
        }
        holdings.check();
        assert_apart(holdings.ranges().chain(self.direct.ranges()));
        self.direct.kept.append(&mut holdings.kept);
        self.direct.reached.add(&holdings.reached);
    }

    /// Publishes handles, which outlive every borrow until the next reset.
    pub(crate) fn publish_some(&mut self, published: &mut Vec<(Handle, u8)>) {
        for _ in 0..4 {
            if let Ok(mut block) = self.arena.allocate(16) {
                let mark = self.rng.mark();
                block.fill(mark);
                published.push((block.publish(), mark));
            }
        }
    }

    fn check(&self) {
        self.direct.check();
        assert_apart(self.direct.ranges());
        let base = self.arena.memory().region().addr().get();
        for range in self.direct.ranges().filter(|range| !range.is_empty()) {
            assert!(range.start >= base + 128 && range.end <= base + self.arena.capacity());
        }
    }

    /// Returns the ranges that are kept until the next reset.
    pub(crate) fn held_ranges(&self) -> Vec<Range<usize>> {
        self.direct.kept.iter().map(Kept::range).collect()
    }

    pub(crate) fn finish(self) -> Reached {
        self.check();
        self.direct.reached
    }
}

/// Takes steps with several regions as one.
pub(crate) fn in_regions<M: Memory, const N: usize>(regions: &Regions<M, N>, rng: &mut Rng, steps: u64) -> Reached {
    let mut holdings = Holdings::new();
    for _ in 0..steps {
        holdings.step(regions, rng);
    }
    holdings.check();
    assert_apart(holdings.ranges());
    for range in holdings.ranges().filter(|range| !range.is_empty()) {
        let holds = |arena: &Arena<M>| {
            let base = arena.memory().region().addr().get();
            range.start >= base + 128 && range.end <= base + arena.capacity()
        };
        assert!(regions.arenas().iter().any(holds), "{range:x?} is in no region");
    }
    holdings.reached
}

/// Takes steps in a scope and in scopes within it. If `owner` is given, it takes steps in between.
pub(crate) fn scope<M: Memory>(
    scratch: &mut Scratch<'_, M>,
    mut owner: Option<&mut World<'_, '_, M>>,
    rng: &mut Rng,
    steps: u64,
    depth: u32,
) -> Reached {
    let mut reached = Reached { scopes: 1, nested: u64::from(depth > 1), ..Reached::default() };
    let mut published: Vec<(Handle, u8)> = Vec::new();
    for _ in 0..1 + rng.below(3) {
        let mut holdings = Holdings::new();
        for _ in 0..steps {
            holdings.step(&*scratch, rng);
            if let Some(owner) = &mut owner
                && rng.below(6) == 0
            {
                owner.step();
            }
        }
        holdings.check();
        let owners = owner.iter().flat_map(|owner| owner.direct.ranges());
        assert_apart(holdings.ranges().chain(owners));
        if let Ok(mut block) = scratch.allocate(10) {
            let mark = rng.mark();
            block.fill(mark);
            published.push((block.publish(), mark));
        }
        reached.add(&holdings.reached);
        drop(holdings);
        if depth < 3 && rng.below(2) == 0 {
            let mut inner = scratch.scratch();
            reached.add(&scope(&mut inner, owner.as_deref_mut(), rng, steps / 2, depth + 1));
            if rng.below(8) == 0 {
                mem::forget(inner);
            }
        }
        for &(handle, mark) in &published {
            let bytes = scratch.view(handle).expect("of this scope");
            assert!(bytes.iter().all(|&byte| byte == mark));
        }
    }
    // Bytes for a layout have no owner type, only a pointer. They are allocated like all others.
    let _ = scratch.allocate_layout(Layout::new::<[u64; 3]>());
    reached
}
