//! A peer that writes the header while the arena is used: blocks lie in range and are aligned, and
//! no call panics.
//!
//! The arena does not promise disjoint blocks against such a peer, so the target checks one block
//! at a time.
#![no_main]

use std::alloc::{GlobalAlloc, Layout};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use marena_core::{Address, Arena, RawMemory};
use marena_fuzz::{Align, CURSOR, HEADER, Image, PEAK, Size};

#[derive(Arbitrary, Debug)]
enum Step {
    Cursor(u32),
    CursorNear(u8),
    Peak(u32),
    Word { index: u8, value: u32 },
    Allocate(Size),
    Aligned(Size, Align),
    Several([Size; 3]),
    Insert(u64),
    Grow { old: u8, new: u16, free: bool },
    View(u64),
    Lease { chunk: Size, sizes: Vec<u8>, cursor: Option<u32> },
    Scratch { sizes: Vec<u16>, cursor: Option<u32> },
    Reset,
    Wipe,
}

const LEN: usize = 4096;

fn check(image: &Image, start: *const u8, len: usize, align: usize) {
    assert!(start.addr().is_multiple_of(align));
    if len > 0 {
        let offset = start.addr() - image.base();
        assert!(offset >= HEADER && offset + len <= LEN, "{offset} + {len}");
        // SAFETY: in the image, which is initialised.
        unsafe { start.cast_mut().add(len - 1).write(0xA5) };
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let image = Image::new(LEN);
    // SAFETY: the image outlives the arena, which is the only one over it.
    let Some(memory) = (unsafe { image.memory() }) else { return };
    let mut arena: Arena<RawMemory> = Arena::new(memory).expect("the memory was checked");
    for step in steps {
        match step {
            Step::Cursor(value) => image.put(CURSOR, value),
            Step::CursorNear(less) => image.put(CURSOR, ((LEN - HEADER) as u32).wrapping_sub(u32::from(less)) & !7),
            Step::Peak(value) => image.put(PEAK, value),
            Step::Word { index, value } => image.put(usize::from(index) % 32 * 4, value),
            Step::Allocate(size) => {
                if let Ok(block) = arena.allocate(size.get()) {
                    check(&image, block.as_ptr(), size.get(), 8);
                }
            }
            Step::Aligned(size, align) => {
                if let Ok(bytes) = arena.allocate_uninit(size.get(), align.get()) {
                    check(&image, bytes.as_ptr().cast(), size.get(), align.get());
                }
            }
            Step::Several(sizes) => {
                let sizes = sizes.map(Size::get);
                if let Ok(blocks) = arena.allocate_multiple(sizes) {
                    for (block, size) in blocks.iter().zip(sizes) {
                        check(&image, block.as_ptr(), size, 8);
                    }
                }
            }
            Step::Insert(value) => {
                if let Ok(handle) = arena.insert(value) {
                    assert_eq!(arena.get(handle), Some(&value));
                }
            }
            Step::Grow { old, new, free } => {
                let layout = Layout::from_size_align(usize::from(old) + 1, 8).expect("small");
                // SAFETY: the layout has a size.
                let block = unsafe { GlobalAlloc::alloc(&arena, layout) };
                if block.is_null() {
                    continue;
                }
                check(&image, block, layout.size(), 8);
                let size = usize::from(new) + 1;
                // SAFETY: allocated above.
                let moved = unsafe { arena.realloc(block, layout, size) };
                if !moved.is_null() {
                    check(&image, moved, size, 8);
                    if free {
                        // SAFETY: as above, with the new size.
                        unsafe { arena.dealloc(moved, Layout::from_size_align(size, 8).expect("small")) };
                    }
                }
            }
            Step::View(raw) => {
                if let Some(view) = Address::from_raw(raw).and_then(|address| arena.view_ptr(address)) {
                    let offset = view.addr().get() - image.base();
                    assert!(offset >= HEADER && offset + view.len() <= LEN);
                }
            }
            Step::Lease { chunk, sizes, cursor } => {
                let mut lease = arena.lease(chunk.get());
                for (index, &size) in sizes.iter().enumerate() {
                    if let (1, Some(cursor)) = (index, cursor) {
                        image.put(CURSOR, cursor);
                    }
                    if let Ok(block) = lease.allocate(size.into()) {
                        check(&image, block.as_ptr(), block.len(), 8);
                    }
                    let scratch = lease.scratch();
                    if let Ok(block) = scratch.allocate(usize::from(size) * 3) {
                        check(&image, block.as_ptr(), block.len(), 8);
                    }
                }
            }
            Step::Scratch { sizes, cursor } => {
                let scratch = arena.scratch();
                for (index, &size) in sizes.iter().enumerate() {
                    if let (1, Some(cursor)) = (index, cursor) {
                        image.put(CURSOR, cursor);
                    }
                    if let Ok(block) = scratch.allocate(size.into()) {
                        check(&image, block.as_ptr(), block.len(), 8);
                    }
                }
            }
            Step::Reset => arena.reset(),
            Step::Wipe => arena.wipe(),
        }
        let stats = arena.stats();
        assert!(stats.used + stats.remaining == LEN - HEADER && stats.high_water <= LEN - HEADER);
    }
});
