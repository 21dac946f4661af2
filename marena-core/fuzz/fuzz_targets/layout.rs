//! Layout arithmetic: for every cursor, size, alignment and capacity, the arena places a block
//! exactly as wide arithmetic does, or returns an error.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use marena_core::{ARENA_MAX_ALLOC_SIZE, AllocError, Arena};
use marena_fuzz::{Align, CURSOR, Image, Size, expected};

#[derive(Arbitrary, Debug)]
struct Input {
    len: u16,
    claims: Vec<(Option<u32>, Size, Align)>,
}

fuzz_target!(|input: Input| {
    let image = Image::new(input.len.into());
    // SAFETY: the image outlives the arena, which is the only one over it.
    let Some(memory) = (unsafe { image.memory() }) else { return };
    let arena = Arena::new(memory).expect("the memory was checked");
    let capacity = arena.capacity();
    for (cursor, size, align) in input.claims {
        if let Some(cursor) = cursor {
            image.put(CURSOR, cursor);
        }
        let cursor = cursor.unwrap_or(arena.used() as u32);
        let (size, align) = (size.get(), align.get());
        let wanted = expected(image.base(), cursor, capacity, size, align.max(1));
        match arena.allocate_aligned(size, align) {
            Ok(block) if size == 0 => assert!(block.is_empty() && block.as_ptr().addr().is_multiple_of(align)),
            Ok(block) => {
                let offset = block.as_ptr().addr() - image.base();
                assert_eq!((block.address().offset() as usize, block.address().size() as usize), (offset, size));
                assert_eq!(wanted.map(|(start, _)| start), Some(offset));
                assert_eq!(wanted.map(|(_, end)| end), Some(128 + arena.used()));
                assert!(block.iter().all(|&byte| byte == 0), "not zeroed");
                assert!(block.as_ptr().addr().is_multiple_of(align));
            }
            Err(AllocError::Alignment { requested, .. }) => assert!(requested == align && !align.is_power_of_two()),
            Err(AllocError::TooLarge { requested }) => assert!(requested == size && size > ARENA_MAX_ALLOC_SIZE),
            Err(AllocError::Full { requested, remaining }) => {
                assert_eq!(requested, size);
                assert!(wanted.is_none() && remaining <= capacity - 128, "{size} failed with {remaining} left");
            }
            Err(other) => panic!("{other}"),
        }
    }
});
