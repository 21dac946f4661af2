//! Random sequences of every operation against a sequential model of the arena.
//!
//! By default there are 400 cases of up to 120 operations, the same in every run.
//! `MARENA_CASES=100000` runs as many cases of up to 1,000 operations, as before a release.

use std::alloc::{GlobalAlloc, Layout};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;

use marena_core::{Address, AllocError, Arena, Handle, Memory};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::owned::Owned;

const LEN: usize = 4096;
const ROOM: usize = LEN - 128;

#[derive(Clone, Debug)]
enum Op {
    Allocate(usize),
    Aligned(usize, u32),
    Bounded(usize),
    Multiple([usize; 3]),
    Addresses(Vec<u64>),
    Uninit(usize, u32),
    Insert(u64),
    Text(String),
    FailingInit(usize),
    PanickingInit(usize),
    ShortIterator {
        says: usize,
        has: usize,
    },
    Lease {
        chunk: usize,
        sizes: Vec<usize>,
        overtaken: bool,
    },
    Scratch(Vec<usize>),
    /// The buffer of a collection: its sizes in order, whether other blocks are allocated in
    /// between, and whether it stays.
    Buffer {
        sizes: Vec<usize>,
        overtaken: bool,
        kept: bool,
    },
    ViewForged(u64),
    Reset,
    Wipe,
    Reformat,
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![12 => 0..200_usize, 3 => 0..ROOM + 16, 1 => Just(1 << 31), 1 => Just(usize::MAX)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => size().prop_map(Op::Allocate),
        4 => (size(), 0..12_u32).prop_map(|(size, shift)| Op::Aligned(size, shift)),
        2 => size().prop_map(Op::Bounded),
        3 => [size(), size(), size()].prop_map(Op::Multiple),
        2 => prop::collection::vec(prop_oneof![9 => 0..300_u64, 1 => any::<u64>()], 0..5).prop_map(Op::Addresses),
        3 => (size(), 0..12_u32).prop_map(|(size, shift)| Op::Uninit(size, shift)),
        3 => any::<u64>().prop_map(Op::Insert),
        2 => "[a-zäöü]{0,40}".prop_map(Op::Text),
        2 => (1..60_usize).prop_map(Op::FailingInit),
        2 => (1..60_usize).prop_map(Op::PanickingInit),
        2 => (0..60_usize, 0..60_usize).prop_map(|(says, has)| Op::ShortIterator { says, has }),
        3 => (0..600_usize, prop::collection::vec(0..200_usize, 0..12), any::<bool>())
            .prop_map(|(chunk, sizes, overtaken)| Op::Lease { chunk, sizes, overtaken }),
        2 => prop::collection::vec(0..400_usize, 0..12).prop_map(Op::Scratch),
        4 => (prop::collection::vec(1..500_usize, 1..8), any::<bool>(), any::<bool>())
            .prop_map(|(sizes, overtaken, kept)| Op::Buffer { sizes, overtaken, kept }),
        4 => prop_oneof![any::<u64>(), (0..5000_u64, 0..400_u64).prop_map(|(offset, size)| offset << 32 | size)]
            .prop_map(Op::ViewForged),
        1 => Just(Op::Reset),
        1 => Just(Op::Wipe),
        1 => Just(Op::Reformat),
    ]
}

/// Published content, which must not change until the next reset.
enum Content {
    Bytes(Handle, u8),
    Value(Handle<u64>, u64),
    Text(Address, String),
}

impl Content {
    fn span(&self) -> (u64, u64) {
        let address = match self {
            Self::Bytes(handle, _) => handle.address(),
            Self::Value(handle, _) => handle.address(),
            Self::Text(address, _) => *address,
        };
        (u64::from(address.offset()), u64::from(address.offset()) + u64::from(address.size()))
    }

    fn check(&self, arena: &Arena<Owned>) {
        match self {
            Self::Bytes(handle, mark) => {
                let bytes = arena.view(*handle).expect("of this generation");
                assert!(bytes.iter().all(|byte| byte == mark), "{bytes:?}, expected {mark}");
            }
            Self::Value(handle, value) => assert_eq!(arena.get(*handle), Some(value)),
            Self::Text(address, text) => {
                // SAFETY: written once, before it became content.
                assert_eq!(unsafe { arena.view_address(*address) }, Some(text.as_bytes()));
            }
        }
    }

    fn is_gone(&self, arena: &Arena<Owned>) -> bool {
        match self {
            Self::Bytes(handle, _) => arena.view(*handle).is_none(),
            Self::Value(handle, _) => arena.get(*handle).is_none(),
            Self::Text(..) => true,
        }
    }
}

/// How often each outcome happened. A run that misses one fails.
#[derive(Debug, Default)]
struct Reached {
    served: u64,
    full: u64,
    too_large: u64,
    gave_back: u64,
    resets: u64,
    reused: u64,
    stranded: u64,
    scratches: u64,
    grown: u64,
    shrunk: u64,
    moved: u64,
    views: u64,
}

/// The arena and its model.
struct Checked<'r> {
    arena: Arena<Owned>,
    live: Vec<Content>,
    /// Handles of earlier generations.
    ended: VecDeque<Content>,
    mark: u8,
    reached: &'r mut Reached,
}

impl Checked<'_> {
    fn next_mark(&mut self) -> u8 {
        self.mark = self.mark.wrapping_add(1);
        self.mark
    }

    /// Checks that new content is in bounds and apart from all other content, and adds it.
    fn note(&mut self, content: Content) {
        let (start, end) = content.span();
        assert!(start >= 128 && end <= 128 + self.arena.used() as u64, "{start}..{end}");
        for other in &self.live {
            let (other_start, other_end) = other.span();
            assert!(start == end || end <= other_start || start >= other_end || other_start == other_end, "overlap");
        }
        self.live.push(content);
        self.reached.served += 1;
    }

    /// Checks that a failure has a reason and changed nothing.
    fn failed(&mut self, error: AllocError, smallest: usize, used: usize) {
        assert_eq!(self.arena.used(), used, "{error}");
        match error {
            AllocError::Full { requested, remaining } => {
                assert!(requested >= smallest && requested.saturating_add(4096) > remaining, "{error}");
                self.reached.full += 1;
            }
            AllocError::TooLarge { requested } => {
                assert!(requested > (1 << 31) - 1);
                self.reached.too_large += 1;
            }
            error => panic!("{error}"),
        }
    }

    fn block(
        &mut self,
        allocate: impl FnOnce(&Arena<Owned>) -> Result<marena_core::Block<'_>, AllocError>,
        size: usize,
        align: usize,
    ) {
        let (used, mark) = (self.arena.used(), self.next_mark());
        let outcome = allocate(&self.arena).map(|mut block| {
            assert!(block.len() == size && block.as_ptr().addr().is_multiple_of(align));
            assert!(block.iter().all(|&byte| byte == 0), "{block:?}");
            block.fill(mark);
            block.publish()
        });
        match outcome {
            Ok(handle) => self.note(Content::Bytes(handle, mark)),
            Err(error) => self.failed(error, size, used),
        }
    }

    /// Resizes a buffer as collections do. It stays in place if it is the last block, else growing
    /// moves it.
    fn buffer(&mut self, sizes: &[usize], overtaken: bool, kept: bool) {
        const FILL: u8 = b'b';
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        let steps = |size: usize| size.next_multiple_of(8);
        let mut size = sizes[0];
        let used = self.arena.used();
        // SAFETY: the layout has a size.
        let Some(mut start) = NonNull::new(unsafe { GlobalAlloc::alloc(&self.arena, layout(size)) }) else {
            assert_eq!(self.arena.used(), used);
            self.reached.full += 1;
            return;
        };
        // SAFETY: just allocated.
        unsafe { start.write_bytes(FILL, size) };
        let mut last = true;
        for &new_size in &sizes[1..] {
            last = last && !(overtaken && self.arena.allocate(8).is_ok());
            let used = self.arena.used();
            // SAFETY: allocated with this layout, and used again only if the call returns null.
            let resized = NonNull::new(unsafe { self.arena.realloc(start.as_ptr(), layout(size), new_size) });
            let kept_bytes = if resized.is_some() { size.min(new_size) } else { size };
            let now = resized.unwrap_or(start);
            // SAFETY: bytes of the buffer, initialised up to the smaller size.
            let bytes = unsafe { std::slice::from_raw_parts(now.as_ptr(), kept_bytes) };
            assert!(bytes.iter().all(|&byte| byte == FILL), "{size} to {new_size}: {bytes:?}");
            if resized.is_none() {
                assert!(new_size > size && self.arena.used() == used, "{size} to {new_size} failed");
                self.reached.full += 1;
                continue;
            }
            let in_place = last || new_size <= steps(size);
            assert_eq!(now == start, in_place, "{size} to {new_size}, last: {last}");
            let expected = match (last, in_place) {
                (true, _) => used - steps(size) + steps(new_size),
                (false, true) => used,
                (false, false) => used + steps(new_size),
            };
            assert_eq!(self.arena.used(), expected, "{size} to {new_size}, last: {last}");
            self.reached.grown += u64::from(new_size > size && in_place);
            self.reached.shrunk += u64::from(new_size < size);
            self.reached.moved += u64::from(!in_place);
            last |= !in_place;
            (start, size) = (now, new_size);
            // SAFETY: bytes of the buffer.
            unsafe { start.write_bytes(FILL, size) };
        }
        let used = self.arena.used();
        if kept {
            let offset = start.addr().get() - self.arena.memory().region().addr().get();
            let address = Address::new(offset as u32, size as u32).unwrap();
            self.note(Content::Text(address, char::from(FILL).to_string().repeat(size)));
        } else {
            // SAFETY: allocated with this layout, and not used again.
            unsafe { self.arena.dealloc(start.as_ptr(), layout(size)) };
            assert_eq!(self.arena.used(), if last { used - steps(size) } else { used });
            self.reached.gave_back += u64::from(last);
        }
    }

    fn end_generation(&mut self) {
        self.reached.resets += 1;
        let ended = self.live.drain(..);
        self.ended.extend(ended);
        while self.ended.len() > 20 {
            self.ended.pop_front();
        }
    }

    fn apply(&mut self, op: Op) {
        let used = self.arena.used();
        match op {
            Op::Allocate(size) => self.block(|arena| arena.allocate(size), size, 8),
            Op::Aligned(size, shift) => self.block(|arena| arena.allocate_aligned(size, 1 << shift), size, 1 << shift),
            Op::Bounded(size) => self.block(|arena| arena.allocate_bounded(size, 0), size, 8),
            Op::Multiple(sizes) => {
                let mark = self.next_mark();
                let outcome = self.arena.allocate_multiple(sizes).map(|blocks| {
                    blocks.map(|mut block| {
                        assert!(block.iter().all(|&byte| byte == 0));
                        block.fill(mark);
                        block.publish()
                    })
                });
                match outcome {
                    Ok(handles) => {
                        assert_eq!(handles.map(|handle| handle.address().size() as usize), sizes);
                        handles.into_iter().for_each(|handle| self.note(Content::Bytes(handle, mark)));
                    }
                    Err(error) => self.failed(error, 0, used),
                }
            }
            Op::Addresses(sizes) => {
                let mut raw = sizes.clone();
                match self.arena.allocate_addresses(&mut raw) {
                    Ok(()) => {
                        for (raw, size) in raw.into_iter().zip(sizes) {
                            let address = Address::from_raw(raw).unwrap();
                            assert_eq!(u64::from(address.size()), size);
                            self.note(Content::Text(address, "\0".repeat(size as usize)));
                        }
                    }
                    Err(error) => {
                        assert_eq!(raw, sizes);
                        self.failed(error, 0, used);
                    }
                }
            }
            Op::Uninit(size, shift) => {
                let outcome = self.arena.allocate_uninit(size, 1 << shift).map(|bytes| {
                    assert!(bytes.as_ptr().addr().is_multiple_of(1 << shift));
                    // Garbage, which no later block may show.
                    bytes.fill(std::mem::MaybeUninit::new(0xEE));
                    bytes.len()
                });
                match outcome {
                    Ok(len) => assert_eq!(len, size),
                    Err(error) => self.failed(error, size, used),
                }
            }
            Op::Insert(value) => match self.arena.insert(value) {
                Ok(handle) => self.note(Content::Value(handle, value)),
                Err(error) => self.failed(error, 8, used),
            },
            Op::Text(text) => match self.arena.alloc_fmt(format_args!("{text}")).map(|copy| assert_eq!(*copy, *text)) {
                Ok(()) => {
                    let start = (128 + used) as u32;
                    self.note(Content::Text(Address::new(start, text.len() as u32).unwrap(), text));
                }
                Err(error) => self.failed(error, text.len(), used),
            },
            Op::FailingInit(len) => {
                let outcome = self.arena.alloc_slice_uninit::<u64>(len).map(|_| ());
                if outcome.is_ok() {
                    let now = self.arena.used();
                    let failed = self.arena.alloc_try_with(|| Err::<[u64; 4], _>(()));
                    assert!(failed.is_err());
                    assert_eq!(self.arena.used(), now);
                    self.reached.gave_back += 1;
                }
            }
            Op::PanickingInit(len) => {
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    let init = |index| if index + 1 == len { resume_unwind(Box::new(())) } else { u64::MAX };
                    self.arena.alloc_slice_fill_with(len, init).map(|slice| slice.len())
                }));
                match outcome {
                    Ok(outcome) => self.failed(outcome.unwrap_err(), 8 * len, used),
                    Err(_) => {
                        assert_eq!(self.arena.used(), used);
                        self.reached.gave_back += 1;
                    }
                }
            }
            Op::ShortIterator { says, has } => {
                struct Liar(usize, usize);
                impl Iterator for Liar {
                    type Item = u64;
                    fn next(&mut self) -> Option<u64> {
                        self.1 = self.1.checked_sub(1)?;
                        Some(u64::MAX)
                    }
                    fn size_hint(&self) -> (usize, Option<usize>) {
                        (self.0, Some(self.0))
                    }
                }
                match self.arena.alloc_slice_from_iter(Liar(says, has)).map(|slice| slice.len()) {
                    Ok(len) => {
                        assert_eq!(len, has);
                        assert_eq!(self.arena.used(), used + 8 * len);
                        self.reached.gave_back += u64::from(has < says);
                    }
                    Err(error) => self.failed(error, 8 * says, used),
                }
            }
            Op::Lease { chunk, sizes, overtaken } => {
                let mut made = Vec::new();
                let first = self.next_mark();
                let lease = self.arena.lease(chunk);
                for (index, size) in sizes.into_iter().enumerate() {
                    if overtaken && index % 4 == 3 {
                        let _ = self.arena.allocate(8);
                    }
                    let mark = first.wrapping_add(index as u8);
                    match lease.allocate(size) {
                        Ok(mut block) => {
                            assert!(block.len() == size && block.iter().all(|&byte| byte == 0), "{block:?}");
                            block.fill(mark);
                            made.push(Content::Bytes(block.publish(), mark));
                        }
                        Err(error) => {
                            assert!(matches!(error, AllocError::Full { .. }), "{error}");
                            self.reached.full += 1;
                        }
                    }
                }
                drop(lease);
                self.reached.stranded += u64::from(self.arena.stats().stranded > 0);
                made.into_iter().for_each(|content| self.note(content));
            }
            Op::Scratch(sizes) => {
                let scratch = self.arena.scratch();
                for size in sizes {
                    if let Ok(mut block) = scratch.allocate(size) {
                        assert!(block.len() == size && block.iter().all(|&byte| byte == 0), "{block:?}");
                        block.fill(0xEE);
                    }
                }
                drop(scratch);
                assert_eq!(self.arena.used(), used);
                self.reached.scratches += 1;
            }
            Op::Buffer { sizes, overtaken, kept } => self.buffer(&sizes, overtaken, kept),
            Op::ViewForged(raw) => {
                if let Some(address) = Address::from_raw(raw) {
                    let inside = address.offset() as usize + address.size() as usize <= 128 + used;
                    assert_eq!(self.arena.view_ptr(address).is_some(), inside);
                    self.reached.views += u64::from(inside);
                }
            }
            Op::Reset => {
                self.arena.reset();
                self.end_generation();
            }
            Op::Wipe => {
                self.arena.wipe();
                self.end_generation();
            }
            Op::Reformat => {
                let empty = Arena::new(Owned::new(LEN)).unwrap();
                let arena = std::mem::replace(&mut self.arena, empty);
                self.arena = Arena::new(arena.into_memory()).unwrap();
                self.end_generation();
            }
        }
    }

    fn check(&mut self) {
        let stats = self.arena.stats();
        assert_eq!((stats.capacity, stats.used + stats.remaining), (LEN, ROOM));
        assert!(stats.used <= stats.high_water && stats.high_water <= ROOM && stats.used.is_multiple_of(8));
        self.live.iter().for_each(|content| content.check(&self.arena));
        assert!(self.ended.iter().all(|content| content.is_gone(&self.arena)));
        self.reached.reused += u64::from(!self.ended.is_empty() && stats.used > 0);
    }
}

#[test]
fn every_sequence_of_operations_does_what_the_sequential_model_does() {
    let mut reached = Reached::default();
    let (cases, length) = match std::env::var("MARENA_CASES") {
        _ if cfg!(miri) => (3, 20),
        Ok(cases) => (cases.parse().expect("a number of cases"), 1_000),
        Err(_) => (400, 120),
    };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    // The cases are the same in every run, so the counts that are asserted below do not depend on
    // chance.
    let rng = proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    let outcome = {
        let reached = std::cell::RefCell::new(&mut reached);
        TestRunner::new_with_rng(config, rng).run(&prop::collection::vec(op(), 1..length), |ops| {
            let mut reached = reached.borrow_mut();
            let mut checked = Checked {
                arena: Arena::new(Owned::new(LEN)).unwrap(),
                live: Vec::new(),
                ended: VecDeque::new(),
                mark: 0,
                reached: &mut reached,
            };
            for op in ops {
                checked.apply(op);
                checked.check();
            }
            Ok(())
        })
    };
    outcome.unwrap();
    println!("{cases} cases of up to {length} operations: {reached:?}");
    let Reached {
        served,
        full,
        too_large,
        gave_back,
        resets,
        reused,
        stranded,
        scratches,
        grown,
        shrunk,
        moved,
        views,
    } = reached;
    for count in [served, full, too_large, gave_back, resets, reused, stranded, scratches, grown, shrunk, moved, views]
    {
        // Under Miri there are too few cases to reach everything.
        assert!(cfg!(miri) || count > 100, "{reached:?}");
    }
}
