//! Memory that other mappings have at other addresses.

use std::ptr::NonNull;

use marena_core::{AllocError, Arena, ExclusiveMemory, Memory};
use portable_atomic::AtomicU32;

#[repr(align(4096))]
struct Page([u8; 4096]);

/// A page at its address in this process.
struct Mapped(NonNull<[u8]>);

// SAFETY: the page is borrowed for the test, and only this value reaches it.
unsafe impl Memory for Mapped {
    type Word = AtomicU32;
    const REMAP_ALIGN: Option<usize> = Some(4096);

    fn region(&self) -> NonNull<[u8]> {
        self.0
    }
}

// SAFETY: as above.
unsafe impl ExclusiveMemory for Mapped {}

#[test]
fn every_alignment_error_names_the_largest_that_all_mappings_keep() {
    let mut page = Page([0; 4096]);
    let mut arena = Arena::new(Mapped(NonNull::from(&mut page.0[..]))).unwrap();
    for requested in [0, 3, 4097, 8192] {
        let expected = AllocError::Alignment { requested, supported: 4096 };
        assert_eq!(arena.allocate_aligned(8, requested).unwrap_err(), expected);
        assert_eq!(arena.allocate_uninit(8, requested).unwrap_err(), expected);
        assert_eq!(arena.lease(64).allocate_aligned(8, requested).unwrap_err(), expected);
        assert_eq!(arena.scratch().allocate_aligned(8, requested).unwrap_err(), expected);
    }
    assert_eq!(arena.used(), 0);
}
