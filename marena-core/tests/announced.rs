//! What a lease announces to its memory: chunks that nobody has used before, and nothing else.

use std::alloc::{self, Layout};
use std::cell::RefCell;
use std::ops::Range;
use std::ptr::NonNull;

use marena_core::{Arena, AtomicU32, ExclusiveMemory, Memory};

const CAPACITY: usize = 1 << 20;

#[repr(align(128))]
#[expect(dead_code, reason = "reached through the region's pointer")]
struct Bytes([u8; CAPACITY]);

/// Zeroed memory that notes what is announced to it.
struct Noting {
    bytes: NonNull<Bytes>,
    announced: RefCell<Vec<Range<usize>>>,
}

impl Noting {
    fn new() -> Self {
        // SAFETY: the size is not 0.
        let bytes = unsafe { alloc::alloc_zeroed(Layout::new::<Bytes>()) };
        Self { bytes: NonNull::new(bytes.cast()).expect("memory"), announced: RefCell::default() }
    }
}

// SAFETY: the bytes are valid as long as the value, and zero at first; nothing is written here.
unsafe impl Memory for Noting {
    type Word = AtomicU32;

    fn region(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.bytes.cast(), CAPACITY)
    }

    fn is_zeroed(&self) -> bool {
        true
    }

    fn announce(&self, start: usize, len: usize) {
        assert!(len > 0 && start >= 128 && start + len <= CAPACITY, "{start} {len}");
        self.announced.borrow_mut().push(start..start + len);
    }
}

// SAFETY: nothing else has the pointer, and the value is not `Clone`.
unsafe impl ExclusiveMemory for Noting {}

impl Drop for Noting {
    fn drop(&mut self) {
        // SAFETY: from the global allocator with this layout, and initialised.
        drop(unsafe { Box::from_raw(self.bytes.as_ptr()) });
    }
}

fn announced(arena: &Arena<Noting>) -> Vec<Range<usize>> {
    arena.memory().announced.take()
}

#[test]
fn chunks_are_announced_once_and_cover_what_the_lease_hands_out() {
    let arena = Arena::new(Noting::new()).unwrap();
    let lease = arena.lease(8_192);
    let blocks: Vec<Range<usize>> = (0..1_000)
        .map(|_| {
            let address = lease.allocate(24).unwrap().address();
            address.offset() as usize..(address.offset() + address.size()) as usize
        })
        .collect();
    let chunks = announced(&arena);
    assert!(chunks.windows(2).all(|pair| pair[0].end <= pair[1].start), "{chunks:?}");
    let covered = |byte: usize| chunks.iter().any(|chunk| chunk.contains(&byte));
    assert!(blocks.iter().all(|block| covered(block.start) && covered(block.end - 1)));
    assert!(chunks.iter().all(|chunk| chunk.len() <= 8_192));
}

#[test]
fn bytes_that_were_used_before_are_not_announced_again() {
    let mut arena = Arena::new(Noting::new()).unwrap();
    for round in 0..3 {
        let lease = arena.lease(8_192);
        let count = 500 * (round / 2 + 1);
        for _ in 0..count {
            lease.allocate(24).unwrap().fill(1);
        }
        let used = arena.stats().high_water;
        drop(lease);
        let chunks = announced(&arena);
        match round {
            // Everything is new.
            0 => assert_eq!(chunks[0].start, 128),
            1 => assert!(chunks.iter().all(|chunk| chunk.start >= 128 + 500 * 24), "{chunks:?}"),
            _ => assert!(!chunks.is_empty() && chunks.iter().all(|chunk| chunk.end <= 128 + used), "{chunks:?}"),
        }
        arena.reset();
    }
}

#[test]
fn a_block_larger_than_a_chunk_is_not_announced() {
    let arena = Arena::new(Noting::new()).unwrap();
    let lease = arena.lease(8_192);
    lease.allocate(100_000).unwrap();
    lease.allocate(24).unwrap();
    lease.allocate(5_000).unwrap();
    let chunks = announced(&arena);
    let largest = chunks.iter().map(ExactSizeIterator::len).max().unwrap();
    assert!(largest <= 4_096, "{chunks:?}");
    // Blocks of the arena itself are not announced.
    arena.allocate(24).unwrap();
    assert_eq!(announced(&arena), []);
}
