//! Address decoding: a `u64` decodes exactly if it has the documented form, and views stay below
//! the cursor.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use marena_core::{ARENA_MAX_ALLOC_SIZE, ARENA_MIN_ADDRESS, Address, Arena};
use marena_fuzz::{CURSOR, HEADER, Image};

#[derive(Arbitrary, Debug)]
enum Raw {
    Any(u64),
    Parts { offset: u32, size: u32 },
    Near { offset: i8, end: i16 },
    Arena { offset: u16, size: u16 },
}

#[derive(Arbitrary, Debug)]
struct Input {
    blocks: Vec<u8>,
    cursor: Option<u32>,
    addresses: Vec<Raw>,
}

fuzz_target!(|input: Input| {
    let image = Image::new(4096);
    // SAFETY: the image outlives the arena, which is the only one over it.
    let Some(memory) = (unsafe { image.memory() }) else { return };
    let arena = Arena::new(memory).expect("the memory was checked");
    for size in input.blocks {
        if let Ok(address) = arena.allocate_address(size.into()) {
            assert_eq!(Address::from_raw(address.to_raw()), Some(address));
            assert!(arena.view_ptr(address).is_some());
        }
    }
    if let Some(cursor) = input.cursor {
        image.put(CURSOR, cursor);
    }
    let used = arena.used();
    assert!(used <= 4096 - HEADER);
    for raw in input.addresses {
        let raw = match raw {
            Raw::Any(raw) => raw,
            Raw::Parts { offset, size } => u64::from(offset) << 32 | u64::from(size),
            Raw::Near { offset, end } => {
                let offset = (HEADER as u64).wrapping_add_signed(offset.into());
                let end = (1_u64 << 31).wrapping_add_signed(end.into());
                offset << 32 | (end.wrapping_sub(offset) & u64::from(u32::MAX))
            }
            Raw::Arena { offset, size } => u64::from(offset) << 32 | u64::from(size),
        };
        let (offset, size) = (raw >> 32, raw & u64::from(u32::MAX));
        let valid =
            offset >= ARENA_MIN_ADDRESS.into() && size <= ARENA_MAX_ALLOC_SIZE as u64 && offset + size <= 1 << 31;
        let address = Address::from_raw(raw);
        assert_eq!(address.is_some(), valid, "{raw:#x}");
        assert_eq!(address, Address::new(offset as u32, size as u32));
        let Some(address) = address else { continue };
        assert_eq!(address.to_raw(), raw);
        assert_eq!((u64::from(address.offset()), u64::from(address.size())), (offset, size));
        let view = arena.view_ptr(address);
        assert_eq!(view.is_some(), offset + size <= (HEADER + used) as u64, "{address:?} with {used} used");
        if let Some(view) = view {
            assert_eq!((view.len() as u64, view.addr().get()), (size, image.base() + offset as usize));
        }
    }
});
