//! Header parsing: attaching to any bytes is an error, or gives an arena whose blocks are in range.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use marena_core::{Address, Arena};
use marena_fuzz::{HEADER, Image};

#[derive(Arbitrary, Debug)]
struct Input {
    len: u16,
    /// The bytes that the arena which wrote the header had handed out, if there was one.
    formatted: Option<u16>,
    /// The changes to the header afterwards.
    writes: Vec<(u8, Vec<u8>)>,
    flips: Vec<u16>,
    request: u16,
}

fuzz_target!(|input: Input| {
    let mut image = Image::new(input.len.into());
    if let Some(size) = input.formatted {
        // SAFETY: the image outlives the arena, which is dropped before the next one.
        let Some(memory) = (unsafe { image.memory() }) else { return };
        let arena = Arena::new(memory).expect("the memory was checked");
        let _ = arena.allocate(size.into());
    }
    let mut header = [0; HEADER];
    if input.len as usize >= HEADER {
        image.read(&mut header);
    }
    for (offset, bytes) in input.writes {
        let offset = usize::from(offset) % HEADER;
        let len = bytes.len().min(HEADER - offset);
        header[offset..offset + len].copy_from_slice(&bytes[..len]);
    }
    for bit in input.flips {
        header[usize::from(bit / 8) % HEADER] ^= 1 << (bit % 8);
    }
    image.fill(0, &header);
    // SAFETY: as above.
    let Some(memory) = (unsafe { image.memory() }) else { return };
    // SAFETY: the bytes are initialised, and no other code uses them.
    let Ok(mut arena) = (unsafe { Arena::attach(memory) }) else { return };

    let capacity = usize::from(input.len) & !7;
    assert_eq!(arena.capacity(), capacity);
    let stats = arena.stats();
    assert!(stats.used <= capacity - HEADER && stats.used.is_multiple_of(8));
    assert_eq!(stats.used + stats.remaining, capacity - HEADER);
    if let Ok(block) = arena.allocate(input.request.into()) {
        assert!(block.address().offset() as usize + block.len() <= capacity);
        assert!(block.iter().all(|&byte| byte == 0));
    }
    let whole = Address::new(HEADER as u32, arena.used() as u32);
    assert!(whole.is_none_or(|address| arena.view_ptr(address).is_some()));
    arena.reset();
    assert_eq!(arena.used(), 0);
    arena.wipe();
    assert!(arena.allocate(capacity - HEADER).expect("an empty arena").iter().all(|&byte| byte == 0));
});
