//! From the device tree's memory map to arenas.

use core::ops::Range;
use core::ptr::{self, NonNull};

use flat_device_tree::Fdt;
use heapless::Vec;
use marena_core::{Arena, RawMemory};

use crate::{Memory, REGIONS};

/// Regions start and end at pages.
const PAGE: usize = 4096;

/// The longest region that an arena takes: 2 GiB.
const REGION_LIMIT: usize = 1 << 31;

type Ranges = Vec<Range<usize>, REGIONS>;

unsafe extern "C" {
    static _image_start: u8;
    static _image_end: u8;
}

/// An arena for each piece of RAM that neither the kernel nor the device tree nor the firmware lies
/// in.
pub fn regions(tree: &Fdt<'_>, tree_bytes: Range<usize>) -> Memory {
    let mut free = Ranges::new();
    for node in tree.all_nodes().filter(|node| node.name.starts_with("memory@")) {
        for region in node.reg() {
            let start = region.starting_address.addr();
            push(&mut free, start..start + region.size.unwrap_or(0));
        }
    }
    let image = (&raw const _image_start).addr()..(&raw const _image_end).addr();
    let reservations = tree
        .memory_reservations()
        .map(|reserved| reserved.address().addr()..reserved.address().addr() + reserved.size());
    for taken in reservations.chain([image, tree_bytes]) {
        free = without(&free, &taken);
    }

    let mut memory = Memory::new();
    for range in free {
        let range = range.start.next_multiple_of(PAGE)..range.end / PAGE * PAGE;
        let len = range.end.saturating_sub(range.start).min(REGION_LIMIT);
        let Some(base) = NonNull::new(ptr::with_exposed_provenance_mut(range.start)) else { continue };
        // SAFETY: RAM by the map, for as long as the machine runs, and taken by nobody: no two
        // banks overlap, and each piece becomes one arena.
        let region = unsafe { RawMemory::from_raw_parts(base, len) };
        // A piece that is too small for an arena is left alone.
        let Ok(arena) = region.and_then(Arena::new) else { continue };
        if memory.push(arena).is_err() {
            panic!("the map has more than {REGIONS} pieces");
        }
    }
    memory
}

/// What is left of the free ranges when one range is taken.
fn without(free: &[Range<usize>], taken: &Range<usize>) -> Ranges {
    let mut left = Ranges::new();
    for range in free {
        push(&mut left, range.start..range.end.min(taken.start));
        push(&mut left, range.start.max(taken.end)..range.end);
    }
    left
}

fn push(ranges: &mut Ranges, range: Range<usize>) {
    if !range.is_empty() && ranges.push(range).is_err() {
        panic!("the map has more than {REGIONS} pieces");
    }
}
