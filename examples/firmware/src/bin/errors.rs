//! What an arena is not to be trusted with: each bad request is an `Err` or a `None`, never a
//! fault, and harms nothing.
#![no_std]
#![no_main]

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use marena_core::{Address, AllocError, Arena, AttachError, MemoryError, RawMemory, StaticMemory};
use panic_semihosting as _;
use static_cell::ConstStaticCell;

static MEMORY: ConstStaticCell<StaticMemory<2048>> = ConstStaticCell::new(StaticMemory::new());
static OTHER: StaticMemory<1024> = StaticMemory::new();

#[exception]
unsafe fn HardFault(_: &cortex_m_rt::ExceptionFrame) -> ! {
    hprintln!("a hard fault");
    debug::exit(debug::EXIT_FAILURE);
    unreachable!("the emulator has ended");
}

/// Regions that cannot be an arena's.
fn regions(base: NonNull<u8>) {
    // SAFETY: `base` has 2,048 bytes; what reaches further or starts elsewhere is an error before
    // it is used.
    let region = |skip: usize, len| unsafe { RawMemory::from_raw_parts(base.map_addr(|at| at | skip), len) }.err();
    assert!(matches!(region(1, 1024), Some(MemoryError::Misaligned { required: 128, .. })));
    assert!(matches!(region(64, 1024), Some(MemoryError::Misaligned { required: 128, .. })));
    assert_eq!(region(0, 0), Some(MemoryError::TooSmall { required: 136, len: 0 }));
    assert_eq!(region(0, 135), Some(MemoryError::TooSmall { required: 136, len: 135 }));
    for len in [1 << 31, usize::MAX] {
        assert!(matches!(region(0, len), Some(MemoryError::TooLarge { .. })));
    }
    assert!(region(0, 2048).is_none());
    assert!(matches!(Arena::borrowed(&mut [MaybeUninit::uninit(); 100]), Err(MemoryError::TooSmall { .. })));
}

/// Sizes and alignments that no arena serves, and one that this one does right after them.
fn requests(arena: &Arena<RawMemory>) {
    let used = arena.used();
    assert_eq!(arena.allocate(usize::MAX).err(), Some(AllocError::TooLarge { requested: usize::MAX }));
    assert!(matches!(arena.allocate(1 << 30), Err(AllocError::Full { .. })));
    assert!(matches!(arena.allocate_multiple([8, usize::MAX]), Err(AllocError::TooLarge { .. })));
    assert!(matches!(arena.allocate_multiple([1 << 30, 1 << 30]), Err(AllocError::Full { .. })));
    assert!(matches!(arena.allocate_bounded(4096, 0), Err(AllocError::Full { .. })));
    for align in [0, 3, 24, usize::MAX] {
        assert!(matches!(arena.allocate_aligned(8, align), Err(AllocError::Alignment { .. })));
    }
    assert!(matches!(arena.allocate_aligned(8, 1 << 31), Err(AllocError::Full { .. })));
    let mut sizes = [8, u64::MAX];
    assert!(arena.allocate_addresses(&mut sizes).is_err());
    assert_eq!(sizes, [8, u64::MAX]);
    assert_eq!(arena.used(), used, "an error changes nothing");
    assert!(arena.allocate(8).is_ok());
}

/// Handles and addresses that are not this arena's, or of an earlier generation.
fn names(arena: &mut Arena<RawMemory>) {
    let other = Arena::from_static(&OTHER);
    let Ok(foreign) = other.insert(7_u32) else { panic!("there is room") };
    let Ok(own) = arena.insert(7_u32) else { panic!("there is room") };
    assert_eq!(arena.get(own), Some(&7));
    assert_eq!(arena.get(foreign), None);
    let past = Address::new(arena.used() as u32 + 128, 8).and_then(|past| arena.view_ptr(past));
    assert_eq!(past, None);
    for raw in [0, 8, u64::MAX, (127 << 32) | 1, 128 << 32 | 0x8000_0000] {
        assert_eq!(Address::from_raw(raw), None);
    }
    arena.reset();
    assert_eq!(arena.get(own), None);
    assert_eq!(arena.view_ptr(own.address()), None);
}

/// Headers that are none.
fn headers(base: NonNull<u8>) {
    // SAFETY: nobody uses the memory any more.
    let memory = || match unsafe { RawMemory::from_raw_parts(base, 1024) } {
        Ok(memory) => memory,
        Err(error) => panic!("{error}"),
    };
    // SAFETY: as above, and the arena that was there initialised the header.
    let shorter = unsafe { Arena::attach(memory()) };
    assert_eq!(shorter.err(), Some(AttachError::Capacity { header: 2048, region: 1024 }));
    // SAFETY: as above.
    unsafe { base.write_bytes(0xff, 128) };
    // SAFETY: initialised just now.
    let none = unsafe { Arena::attach(memory()) };
    assert_eq!(none.err(), Some(AttachError::NotAnArena));
}

#[entry]
fn main() -> ! {
    // A second initialisation of memory in use: the cell gives its content away once.
    let memory = MEMORY.take();
    assert!(MEMORY.try_take().is_none());
    let base = NonNull::from(memory.as_uninit_mut()).cast();

    regions(base);
    // SAFETY: 2,048 bytes for good, used by nobody else.
    match unsafe { RawMemory::from_raw_parts(base, 2048) }.map(Arena::new) {
        Ok(Ok(mut arena)) => {
            requests(&arena);
            names(&mut arena);
        }
        _ => panic!("the memory is aligned and large enough"),
    }
    headers(base);
    hprintln!("every bad request was an error");
    debug::exit(debug::EXIT_SUCCESS);
    unreachable!("the emulator has ended");
}
