//! Regions of every length, alignment and content, in every kind of memory.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use marena_core::{AllocError, Arena, BorrowedMemory, Memory, MemoryError, RawMemory, StaticMemory};

use crate::owned::{Buffer, Owned};

const HEADER: usize = 128;

#[test]
fn borrowed_bytes_of_every_length_and_skew_are_an_arena_or_an_error_with_what_is_missing() {
    let mut arenas = 0;
    // Under Miri, all of them take minutes.
    let (skews, lens) = if cfg!(miri) { (63, 23) } else { (1, 1) };
    for skew in (0..HEADER).step_by(skews) {
        for len in (0..=HEADER + 64 + skew.min(8)).step_by(lens) {
            let mut buffer = Buffer::filled(512, 0xFF);
            let skipped = (HEADER - skew) % HEADER;
            match Arena::borrowed(buffer.skewed(skew, len)) {
                Ok(arena) => {
                    let usable = (len - skipped) & !7;
                    assert!(usable >= HEADER + 8);
                    assert_eq!((arena.capacity(), arena.used(), arena.remaining()), (usable, 0, usable - HEADER));
                    assert!(arena.allocate(usable - HEADER).unwrap().iter().all(|&byte| byte == 0));
                    assert_eq!(arena.remaining(), 0);
                    arenas += 1;
                }
                Err(MemoryError::TooSmall { required, len: found }) => {
                    assert_eq!((required, found), (skipped + HEADER + 8, len));
                    assert!(len < required);
                }
                Err(error) => panic!("{len} bytes at {skew}: {error}"),
            }
        }
    }
    assert!(arenas > if cfg!(miri) { 0 } else { 500 }, "{arenas}");
}

#[repr(align(128))]
struct Aligned<const N: usize>([MaybeUninit<u8>; N]);

#[test]
fn raw_memory_of_every_length_is_an_arena_or_too_small() {
    let mut bytes = Aligned([MaybeUninit::new(0xFF); 256]);
    let base = NonNull::from(&mut bytes.0).cast::<u8>();
    for len in 0..=HEADER + 64 {
        // SAFETY: within `bytes`, which is used only through one memory at a time.
        match unsafe { RawMemory::from_raw_parts(base, len) } {
            Ok(memory) => {
                let arena = Arena::new(memory).unwrap();
                assert_eq!((arena.capacity(), arena.remaining()), (len & !7, (len & !7) - HEADER));
                assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
            }
            Err(error) => {
                assert!(len < HEADER + 8);
                assert_eq!(error, MemoryError::TooSmall { required: HEADER + 8, len });
            }
        }
    }
}

#[test]
fn raw_memory_at_every_misalignment_is_an_error_that_names_its_address() {
    let mut bytes = Aligned([MaybeUninit::new(0); 512]);
    let base = NonNull::from(&mut bytes.0).cast::<u8>();
    for skew in 1..HEADER {
        // SAFETY: within `bytes`.
        let skewed = unsafe { base.add(skew) };
        // SAFETY: within `bytes`; the call fails, so nothing is used.
        let error = unsafe { RawMemory::from_raw_parts(skewed, 256) }.unwrap_err();
        assert_eq!(error, MemoryError::Misaligned { required: HEADER, address: skewed.addr().get() });
    }
}

#[test]
fn a_region_longer_than_addresses_reach_is_an_error_and_is_not_touched() {
    // Nothing is at this address: the length must be an error before anything is read.
    let base = NonNull::new(std::ptr::without_provenance_mut::<u8>(4096)).unwrap();
    let limit = if usize::BITS == 32 { isize::MAX as usize & !7 } else { 1 << 31 };
    for len in [limit + 8, limit + 4096, usize::MAX] {
        // SAFETY: the call fails, so nothing is used.
        let error = unsafe { RawMemory::from_raw_parts(base, len) }.unwrap_err();
        assert_eq!(error, MemoryError::TooLarge { limit, len });
    }
}

/// Memory with the mistakes that a user may make.
struct Odd {
    region: NonNull<[u8]>,
}

// SAFETY: the tests below pass pointers into buffers that outlive it and are used by nothing else,
// or regions that are an error.
unsafe impl Memory for Odd {
    type Word = portable_atomic::AtomicU32;
    const REMAP_ALIGN: Option<usize> = Some(4096);

    fn region(&self) -> NonNull<[u8]> {
        self.region
    }
}

#[test]
fn a_users_memory_is_checked_for_length_and_for_the_alignment_that_it_promises() {
    #[repr(align(4096))]
    struct Page([u8; 8192]);

    let mut page = Box::new(Page([0xFF; 8192]));
    let base = NonNull::from(&mut page.0).cast::<u8>();
    let region = |skew: usize, len| {
        // SAFETY: within the page.
        let start = unsafe { base.add(skew) };
        Odd { region: NonNull::slice_from_raw_parts(start, len) }
    };
    for skew in [1, 8, 128, 2048, 4095] {
        // SAFETY: nothing else uses the page.
        let error = unsafe { Arena::format(region(skew, 2048)) }.unwrap_err();
        assert_eq!(error, MemoryError::Misaligned { required: 4096, address: base.addr().get() + skew });
    }
    for len in 0..HEADER + 8 {
        // SAFETY: as above.
        let error = unsafe { Arena::format(region(0, len)) }.unwrap_err();
        assert_eq!(error, MemoryError::TooSmall { required: HEADER + 8, len });
    }
    // SAFETY: as above.
    let arena = unsafe { Arena::format(region(0, 8191)) }.unwrap();
    assert_eq!(arena.capacity(), 8184);
    assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
}

#[test]
fn memory_with_a_promised_alignment_serves_it_and_no_more() {
    let arena = Arena::new(Owned::<128>::new(4096)).unwrap();
    assert!(arena.allocate_aligned(8, 128).is_ok());
    assert!(arena.allocate_aligned(8, 256).is_err());
}

#[test]
fn the_same_bytes_can_be_borrowed_again_and_again() {
    let mut bytes = [MaybeUninit::uninit(); 1024];
    for round in 0..3_u8 {
        let arena = Arena::new(BorrowedMemory::new(&mut bytes).unwrap()).unwrap();
        assert!(arena.allocate(64).unwrap().iter().all(|&byte| byte == 0));
        arena.allocate(64).unwrap().fill(round);
    }
}

#[test]
fn a_leaked_static_memory_can_be_borrowed_for_an_exclusive_arena() {
    let leaked = Box::into_raw(Box::new(StaticMemory::<1024>::new()));
    // SAFETY: allocated above, and freed only after the arena.
    let memory: &'static mut StaticMemory<1024> = unsafe { &mut *leaked };
    let mut arena = Arena::borrowed(memory.as_uninit_mut()).unwrap();
    let handle = arena.insert(1).unwrap();
    arena.reset();
    assert_eq!((arena.get(handle), arena.remaining()), (None, 896));
    // For leak detectors. SAFETY: from `Box::into_raw`; the arena is not used any more.
    drop(unsafe { Box::from_raw(leaked) });
}

#[test]
fn a_leaked_static_memory_becomes_borrowed_memory_without_a_check_that_could_fail() {
    let leaked = Box::into_raw(Box::new(StaticMemory::<1021>::new()));
    // SAFETY: allocated above, and freed only after the arena.
    let memory: &'static mut StaticMemory<1021> = unsafe { &mut *leaked };
    let mut arena = Arena::new(BorrowedMemory::from(memory)).unwrap();
    assert_eq!(arena.remaining(), 1016 - 128);
    arena.allocate(arena.remaining()).unwrap().fill(1);
    arena.reset();
    assert!(arena.allocate(arena.remaining()).unwrap().iter().all(|&byte| byte == 0));
    // For leak detectors. SAFETY: from `Box::into_raw`; the arena is not used any more.
    drop(unsafe { Box::from_raw(leaked) });
}

#[test]
fn moving_an_arena_moves_none_of_its_bytes() {
    let arena = crate::owned::zeroed_arena(1024);
    let handle = arena.insert([7_u64; 4]).unwrap();
    let address = std::ptr::from_ref(arena.get(handle).unwrap());
    let moved = Box::new(arena);
    assert_eq!(std::ptr::from_ref(moved.get(handle).unwrap()), address);
}

#[test]
fn every_base_is_aligned_to_the_header_so_smaller_promises_are_kept_too() {
    fn serves<const REMAP: usize>() {
        let arena = Arena::new(Owned::<REMAP>::new(4096)).unwrap();
        assert_eq!(arena.allocate(8).unwrap().len(), 8);
        arena.alloc(1_u8).unwrap();
        assert!(arena.allocate_aligned(8, 128).unwrap().as_ptr().addr().is_multiple_of(128));
        let error = arena.allocate_aligned(8, 256).unwrap_err();
        assert_eq!(error, AllocError::Alignment { requested: 256, supported: 128 });
    }
    serves::<1>();
    serves::<2>();
    serves::<4>();
    serves::<64>();
}
