//! Memory and words that a user brings: whatever keeps the traits' contracts works.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use marena_core::{AllocError, Arena, ExclusiveMemory, Header, Memory, Word};

/// A word on the heap, as a test double or a model checker may have it: all-zero bytes are no value of it.
///
/// Its weak exchange fails without a reason as often as asked.
struct BoxedWord(Box<AtomicU32>);

thread_local! {
    static FAILURES: Cell<u32> = const { Cell::new(0) };
}

// SAFETY: each method is the operation of its name on the boxed `u32`. Such words lie in headers beside the region only.
unsafe impl Word for BoxedWord {
    fn load(&self, order: Ordering) -> u32 {
        self.0.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.0.store(value, order);
    }

    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        self.0.compare_exchange(current, new, success, failure)
    }

    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        let failures = FAILURES.get();
        if failures > 0 {
            FAILURES.set(failures - 1);
            return Err(self.0.load(failure));
        }
        self.0.compare_exchange_weak(current, new, success, failure)
    }
}

/// A region from the heap, and its header in a box of its own.
struct TwoPieces {
    region: NonNull<u8>,
    header: NonNull<Header<BoxedWord>>,
}

const LAYOUT: Layout = match Layout::from_size_align(4096, 128) {
    Ok(layout) => layout,
    Err(_) => panic!("a valid layout"),
};

impl TwoPieces {
    fn new() -> Self {
        // SAFETY: the layout is not empty.
        let region = NonNull::new(unsafe { alloc(LAYOUT) }).expect("4 KiB");
        let header = Box::new(Header::from_words(|| BoxedWord(Box::new(AtomicU32::new(0)))));
        Self { region, header: NonNull::from(Box::leak(header)) }
    }
}

impl Drop for TwoPieces {
    fn drop(&mut self) {
        // SAFETY: made from a box in `new`, and not used again.
        drop(unsafe { Box::from_raw(self.header.as_ptr()) });
        // SAFETY: allocated with this layout in `new`, and not used again.
        unsafe { dealloc(self.region.as_ptr(), LAYOUT) };
    }
}

// SAFETY: both pieces stay where they are, valid from any thread, until the value is dropped; both are held as raw pointers that
// nobody else has. The header is valid from the start.
unsafe impl Memory for TwoPieces {
    type Word = BoxedWord;

    fn region(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.region, LAYOUT.size())
    }

    fn header(&self) -> NonNull<Header<BoxedWord>> {
        self.header
    }
}

// SAFETY: the value owns both pieces.
unsafe impl ExclusiveMemory for TwoPieces {}

#[test]
fn a_header_beside_the_region_keeps_its_words_even_if_it_is_as_large_as_one_inside() {
    assert_eq!(size_of::<Header<BoxedWord>>(), 128);
    let mut arena = Arena::new(TwoPieces::new()).unwrap();
    let handle = arena.allocate(100).unwrap().publish();
    assert_eq!(arena.view(handle), Some(&[0; 100][..]));
    arena.reset();
    assert_eq!(arena.used(), 0);
    let again = Arena::new(arena.into_memory()).unwrap();
    assert_eq!(again.remaining(), 4096 - 128);
}

#[test]
fn attempts_are_bounded_in_an_arena_in_a_lease_and_in_a_scope_of_one() {
    let arena = Arena::new(TwoPieces::new()).unwrap();
    let mut lease = arena.lease(256);
    // A lease that nobody claims behind extends itself, by a strong exchange.
    arena.allocate(8).unwrap();
    for retries in [0, 1, 7] {
        let contended = AllocError::Contended { retries };
        FAILURES.set(1000);
        assert_eq!(arena.allocate_bounded(8, retries).unwrap_err(), contended);
        assert_eq!(FAILURES.replace(1000), 1000 - retries - 1);
        assert_eq!(lease.allocate_bounded(8, retries).unwrap_err(), contended);
        assert_eq!(lease.scratch().allocate_bounded(8, retries).unwrap_err(), contended);
        assert_eq!(lease.scratch().scratch().allocate_bounded(8, retries).unwrap_err(), contended);
    }
    FAILURES.set(7);
    assert!(lease.scratch().allocate_bounded(8, 7).is_ok());
}
