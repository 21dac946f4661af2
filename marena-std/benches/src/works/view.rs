//! Reading back.

use std::hint::black_box;
use std::time::Instant;

use marena_std::{Arena, Handle};

use crate::target::Target;
use crate::work::{Effort, Entry, Work};

/// Blocks read in a batch, of this many bytes each: all in the nearest cache.
const BLOCKS: usize = 64;
const SIZE: usize = 64;

/// How often a batch reads them all.
const PASSES: usize = 128;

pub(super) fn work() -> Work {
    Work {
        id: "view",
        title: "a published block, read",
        unit: "block",
        how: "64 blocks of 64 B in an order that is no pattern, the first byte and the length summed. Slicing is `&region[offset..][..size]` \
              with 4-byte offsets and sizes.",
        entries: vec![view(), view_ptr(), slicing()],
        absent: vec![("every peer", "no handles; a reference needs no reading back")],
        targets: vec![Target::at_most("marena view(handle)", "slicing", 1.0)],
        effort: Effort::SMALL,
    }
}

/// The numbers below `BLOCKS` in an order that no prefetcher guesses.
fn order() -> impl Iterator<Item = usize> {
    (0..BLOCKS).map(|index| index * 37 % BLOCKS)
}

fn entry<T: Copy + 'static, R: 'static>(
    name: &'static str,
    keys: Vec<T>,
    region: R,
    read: impl Fn(&R, T) -> &[u8] + 'static,
) -> Entry {
    Entry::new(name, BLOCKS * PASSES, move || {
        let start = Instant::now();
        for _ in 0..PASSES {
            let mut sum = 0;
            for &key in black_box(&keys) {
                let bytes = read(&region, key);
                sum += usize::from(bytes[0]) + bytes.len();
            }
            black_box(sum);
        }
        start.elapsed()
    })
}

fn arena() -> Arena {
    Arena::with_capacity(BLOCKS * SIZE + 128).expect("address space")
}

fn view() -> Entry {
    let arena = arena();
    let handles: Vec<Handle> = (0..BLOCKS).map(|_| arena.allocate(SIZE).expect("reserved").publish()).collect();
    let keys = order().map(|index| handles[index]).collect();
    entry("marena view(handle)", keys, arena, |arena, handle| arena.view(handle).expect("published here"))
}

fn view_ptr() -> Entry {
    let arena = arena();
    let addresses: Vec<_> = (0..BLOCKS).map(|_| arena.allocate_address(SIZE).expect("reserved")).collect();
    let keys = order().map(|index| addresses[index]).collect();
    entry("marena view_address(address)", keys, arena, |arena, address| {
        // SAFETY: allocated, zeroed, by this arena, and written by nobody.
        unsafe { arena.view_address(address) }.expect("allocated here")
    })
}

fn slicing() -> Entry {
    // In an arena as well, so that all read memory of one kind.
    let arena: &'static Arena = Box::leak(Box::new(arena()));
    let region: &'static [u8] = arena.allocate(BLOCKS * SIZE).expect("reserved").into_mut();
    let keys = order().map(|index| ((index * SIZE) as u32, SIZE as u32)).collect();
    entry("slicing", keys, region, |region, (offset, size)| &region[offset as usize..][..size as usize])
}
