//! The mistakes that a newcomer is most likely to make. Each is an error that says what to do, or
//! `None`. `guide::mistakes` lists them; those that are compile errors are in
//! `compile_fail/a_newcomers_mistakes.rs`.

use std::fmt::Display;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::rc::Rc;

use marena_core::{AllocError, Arena, BorrowedMemory, Memory, RawMemory};

const PAGE: &str = include_str!("../../doc/mistakes.md");

/// Checks that the message is exactly this one, and that the page quotes it.
fn says(error: impl Display, message: &str) {
    assert_eq!(error.to_string(), message);
    // A quotation may take several lines, each with its own mark.
    assert!(PAGE.replace("\n> ", " ").contains(&format!(" {message}\n")), "the page does not quote `{message}`");
}

#[repr(align(128))]
struct Bytes<const N: usize>([MaybeUninit<u8>; N]);

impl<const N: usize> Bytes<N> {
    fn new() -> Self {
        Self([MaybeUninit::zeroed(); N])
    }
}

#[test]
fn a_full_arena_says_that_it_does_not_grow() {
    let mut bytes = Bytes::<{ 128 + 16 }>::new();
    let arena = Arena::borrowed(&mut bytes.0).unwrap();
    arena.allocate(8).unwrap();
    says(
        arena.allocate(16).unwrap_err(),
        "the arena has 8 bytes left and 16 were requested; give it a larger region or limit, or reset it between uses",
    );
    arena.allocate(8).unwrap();
}

#[test]
fn a_request_that_fails_only_by_its_alignment_says_so() {
    let mut bytes = Bytes::<1024>::new();
    let arena = Arena::borrowed(&mut bytes.0).unwrap();
    arena.allocate(8).unwrap();
    let error = arena.allocate_aligned(800, 512).unwrap_err();
    assert!(matches!(error, AllocError::Full { requested: 800, remaining: 888 }));
    assert!(error.to_string().contains("which do not fit once they are aligned"), "{error}");
}

#[test]
fn values_are_dropped_neither_by_a_reset_nor_with_the_arena() {
    let mut bytes = Bytes::<1024>::new();
    let counted = Rc::new(());
    {
        let mut arena = Arena::borrowed(&mut bytes.0).unwrap();
        arena.alloc(Rc::clone(&counted)).unwrap();
        arena.reset();
    }
    assert_eq!(Rc::strong_count(&counted), 2);
    // SAFETY: the clone in the arena was never dropped, so this owner may take its count back.
    unsafe { Rc::decrement_strong_count(Rc::as_ptr(&counted)) };
}

#[test]
fn stale_and_foreign_handles_read_as_none() {
    let (mut bytes, mut more) = (Bytes::<1024>::new(), Bytes::<1024>::new());
    let mut arena = Arena::borrowed(&mut bytes.0).unwrap();
    let other = Arena::borrowed(&mut more.0).unwrap();
    let handle = arena.insert(1).unwrap();
    other.insert(2).unwrap();
    assert_eq!(other.get(handle), None);
    arena.reset();
    arena.insert(3).unwrap();
    assert_eq!(arena.get(handle), None);
}

#[test]
fn the_error_for_a_region_that_is_too_small_says_what_it_needs() {
    let mut bytes = Bytes::<64>::new();
    says(
        Arena::borrowed(&mut bytes.0).unwrap_err(),
        "the region has 64 bytes and needs at least 136, its 128-byte header and the way to an aligned start included; give it more",
    );
}

#[test]
fn the_error_for_a_misaligned_region_says_how_to_align_it() {
    // SAFETY: the call fails, so no byte is used.
    let result = unsafe { RawMemory::from_raw_parts(NonNull::without_provenance(0x1008.try_into().unwrap()), 4096) };
    says(
        result.unwrap_err(),
        "the region starts at 0x1008, which is not a multiple of 128; align it (`#[repr(align(128))]`, the linker script), or use \
         `Arena::borrowed`, which skips to a multiple",
    );
}

#[test]
fn an_alignment_must_be_a_power_of_two() {
    let mut bytes = Bytes::<1024>::new();
    let arena = Arena::borrowed(&mut bytes.0).unwrap();
    says(arena.allocate_aligned(8, 24).unwrap_err(), "24 is not an alignment; use a power of two");
}

/// Memory like the mapping of a file: the next mapping may lie at any page.
struct Mapping<'m>(BorrowedMemory<'m>);

// SAFETY: `BorrowedMemory` keeps the contract. A larger alignment than this memory promises does no
// harm.
unsafe impl Memory for Mapping<'_> {
    type Word = portable_atomic::AtomicU32;
    const REMAP_ALIGN: Option<usize> = Some(4096);

    fn region(&self) -> NonNull<[u8]> {
        self.0.region()
    }
}

#[test]
fn an_alignment_that_another_mapping_would_lose_is_an_error_that_names_the_limit() {
    #[repr(align(4096))]
    struct Page([MaybeUninit<u8>; 4096]);
    let mut page = Page([MaybeUninit::uninit(); 4096]);
    // SAFETY: nothing else uses the page.
    let arena = unsafe { Arena::format(Mapping(BorrowedMemory::new(&mut page.0).unwrap())) }.unwrap();
    says(
        arena.allocate_aligned(8, 8192).unwrap_err(),
        "an alignment of 8192 does not survive another mapping of this memory, which keeps at most 4096; ask for less, or map it with a \
         larger one",
    );
}

#[test]
fn attaching_to_what_is_no_arena_says_what_to_check() {
    let mut bytes = Bytes::<1024>::new();
    let memory = BorrowedMemory::new(&mut bytes.0).unwrap();
    // SAFETY: the bytes are initialised, and nothing else uses them.
    let result = unsafe { Arena::attach(memory) };
    says(result.unwrap_err(), "the region holds no arena; check that this is where one starts");
}
