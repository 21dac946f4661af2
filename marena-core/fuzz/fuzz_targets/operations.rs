//! Sequences of allocations from one arena, against a model. Blocks are disjoint, aligned, in range
//! and zeroed, and keep their content. A failure changes nothing. Handles from before a reset are
//! stale.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use marena_core::{AllocError, Arena, BorrowedMemory, Handle};
use marena_fuzz::{Align, HEADER, Size};

#[derive(Arbitrary, Debug)]
enum Step {
    Allocate(Size),
    Aligned(Size, Align),
    Bounded(Size, u8),
    Several([Size; 3]),
    Addresses(Vec<u16>),
    Value(u32),
    Insert([u64; 3]),
    Copy(Vec<u8>),
    Text(String),
    Format(u32, String),
    FromIter { values: Vec<u16>, claimed: u8 },
    FailingInit(u8),
    Publish(Size),
    TooLarge,
    Reset,
    Wipe,
}

/// An iterator that announces a wrong length.
struct Liar(std::vec::IntoIter<u16>, usize);

impl Iterator for Liar {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.1, Some(self.1))
    }
}

impl ExactSizeIterator for Liar {}

/// What the arena handed out since the last reset.
#[derive(Default)]
struct Generation {
    /// Start and end, as addresses in memory.
    blocks: Vec<(usize, usize)>,
    published: Vec<(Handle, Vec<u8>)>,
    values: Vec<(Handle<[u64; 3]>, [u64; 3])>,
}

impl Generation {
    fn add(&mut self, start: usize, len: usize, align: usize, region: (usize, usize)) {
        assert!(start.is_multiple_of(align.max(1)), "{start:#x} for {align}");
        if len == 0 {
            return;
        }
        assert!(start >= region.0 && start + len <= region.1, "{start:#x} + {len} outside of {region:x?}");
        for &(other, end) in &self.blocks {
            assert!(start + len <= other || end <= start, "{start:#x} + {len} overlaps {other:#x} to {end:#x}");
        }
        self.blocks.push((start, start + len));
    }

    fn check(&self, arena: &Arena<BorrowedMemory<'_>>) {
        for (handle, bytes) in &self.published {
            assert_eq!(arena.view(*handle), Some(&bytes[..]));
        }
        for (handle, value) in &self.values {
            assert_eq!(arena.get(*handle), Some(value));
        }
    }
}

fuzz_target!(|input: (u16, u8, Vec<Step>)| {
    let (len, fill, steps) = input;
    let mut buffer = vec![fill; len.into()];
    let end = buffer.as_ptr().addr() + buffer.len();
    let Ok(mut arena) = Arena::borrowed(spare(&mut buffer)) else { return };
    let region = (end - end % 8 - (arena.capacity() - HEADER), end);
    let mut generation = Generation::default();
    let mut stale: Vec<Handle> = Vec::new();
    for (index, step) in steps.into_iter().enumerate() {
        let mark = index as u8 | 1;
        let used = arena.used();
        match step {
            Step::Allocate(size) => match arena.allocate(size.get()) {
                Ok(mut block) => {
                    assert!(block.len() == size.get() && block.iter().all(|&byte| byte == 0));
                    generation.add(block.as_ptr().addr(), block.len(), 8, region);
                    block.fill(mark);
                }
                Err(_) => assert!(arena.used() == used && size.get() > arena.remaining()),
            },
            Step::Aligned(size, align) => match arena.allocate_aligned(size.get(), align.get()) {
                Ok(mut block) => {
                    assert!(block.iter().all(|&byte| byte == 0));
                    generation.add(block.as_ptr().addr(), block.len(), align.get(), region);
                    block.fill(mark);
                }
                Err(_) => assert_eq!(arena.used(), used),
            },
            Step::Bounded(size, retries) => match arena.allocate_bounded(size.get(), retries.into()) {
                Ok(block) => generation.add(block.as_ptr().addr(), block.len(), 8, region),
                Err(error) => assert!(!matches!(error, AllocError::Contended { .. }) && arena.used() == used),
            },
            Step::Several(sizes) => {
                let sizes = sizes.map(Size::get);
                match arena.allocate_multiple(sizes) {
                    Ok(blocks) => {
                        for (mut block, size) in blocks.into_iter().zip(sizes) {
                            assert!(block.len() == size && block.iter().all(|&byte| byte == 0));
                            generation.add(block.as_ptr().addr(), size, 8, region);
                            block.fill(mark);
                        }
                    }
                    Err(_) => assert_eq!(arena.used(), used),
                }
            }
            Step::Addresses(sizes) => {
                let mut words: Vec<u64> = sizes.iter().map(|&size| size.into()).collect();
                if arena.allocate_addresses(&mut words).is_ok() {
                    for (raw, size) in words.into_iter().zip(sizes) {
                        let address = marena_core::Address::from_raw(raw).expect("an address");
                        assert_eq!(address.size(), size.into());
                        let view = arena.view_ptr(address).expect("just allocated");
                        generation.add(view.addr().get(), size.into(), 8, region);
                    }
                } else {
                    assert!(arena.used() == used && words.iter().zip(sizes).all(|(&word, size)| word == size.into()));
                }
            }
            Step::Value(value) => {
                if let Ok(place) = arena.alloc(value) {
                    assert_eq!(*place, value);
                    generation.add(std::ptr::from_mut(place).addr(), 4, 4, region);
                }
            }
            Step::Insert(value) => {
                if let Ok(handle) = arena.insert(value) {
                    generation.values.push((handle, value));
                    generation.add(std::ptr::from_ref(arena.get(handle).expect("current")).addr(), 24, 8, region);
                }
            }
            Step::Copy(bytes) => {
                if let Ok(copy) = arena.alloc_slice_copy(&bytes) {
                    assert_eq!(*copy, bytes);
                    generation.add(copy.as_ptr().addr(), bytes.len(), 1, region);
                }
            }
            Step::Text(text) => {
                if let Ok(copy) = arena.alloc_str(&text) {
                    assert_eq!(*copy, text);
                    generation.add(copy.as_ptr().addr(), text.len(), 1, region);
                }
            }
            Step::Format(number, text) => {
                if let Ok(made) = arena.alloc_fmt(format_args!("{number} {text:?}")) {
                    assert_eq!(*made, format!("{number} {text:?}"));
                    generation.add(made.as_ptr().addr(), made.len(), 1, region);
                }
            }
            Step::FromIter { values, claimed } => {
                let honest = values.clone();
                if let Ok(made) = arena.alloc_slice_from_iter(Liar(values.into_iter(), claimed.into())) {
                    assert_eq!(*made, *honest);
                    generation.add(made.as_ptr().addr(), made.len() * 2, 2, region);
                }
            }
            Step::FailingInit(size) => {
                let failed = arena.alloc_try_with(|| if size > 0 { Err(size) } else { Ok([mark; 40]) });
                match failed {
                    Ok(place) => generation.add(place.as_ptr().addr(), 40, 1, region),
                    Err(_) => assert_eq!(arena.used(), used),
                }
            }
            Step::Publish(size) => {
                if let Ok(mut block) = arena.allocate(size.get()) {
                    block.fill(mark);
                    generation.add(block.as_ptr().addr(), block.len(), 8, region);
                    generation.published.push((block.publish(), vec![mark; size.get()]));
                }
            }
            Step::TooLarge => {
                let remaining = arena.remaining();
                assert!(arena.allocate(remaining + 1).is_err() && arena.remaining() == remaining);
            }
            Step::Reset | Step::Wipe => {
                generation.check(&arena);
                stale.extend(generation.published.drain(..).map(|(handle, _)| handle));
                generation = Generation::default();
                if matches!(step, Step::Wipe) {
                    arena.wipe()
                } else {
                    arena.reset()
                }
                assert_eq!(arena.used(), 0);
            }
        }
    }
    generation.check(&arena);
    assert!(stale.iter().all(|&handle| arena.view(handle).is_none()));
});

fn spare(bytes: &mut [u8]) -> &mut [std::mem::MaybeUninit<u8>] {
    // SAFETY: initialised bytes may be used as `MaybeUninit` bytes, and the buffer is not read
    // afterwards.
    unsafe { &mut *(std::ptr::from_mut(bytes) as *mut [std::mem::MaybeUninit<u8>]) }
}
