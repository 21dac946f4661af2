//! Attaching to a header that another process wrote, intact or damaged.

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

use marena_core::{
    Address, AllocError, Arena, AtomicU32, AttachError, ExclusiveMemory, Memory, MemoryError, RawMemory,
};

use crate::owned::zeroed_arena;

const LEN: usize = 1024;

/// An image of a region, as in a file or in another process.
#[repr(C, align(128))]
#[derive(Clone)]
struct Image([u8; LEN]);

impl Image {
    /// Returns the image of a formatted arena that has handed out 208 bytes.
    fn formatted() -> Self {
        let mut image = Self([0; LEN]);
        Arena::new(image.memory(LEN)).unwrap().allocate(201).unwrap().fill(7);
        image
    }

    fn memory(&mut self, len: usize) -> RawMemory {
        let base = NonNull::from(&mut self.0).cast();
        // SAFETY: every test uses one memory over an image at a time, and accesses the image only
        // while there is none.
        unsafe { RawMemory::from_raw_parts(base, len) }.unwrap()
    }

    fn attach(&mut self) -> Result<Arena<RawMemory>, AttachError> {
        // SAFETY: initialised bytes, which nothing else uses.
        unsafe { Arena::attach(self.memory(LEN)) }
    }

    fn put_u32(&mut self, offset: usize, value: u32) {
        self.0[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
    }

    fn put_u64(&mut self, offset: usize, value: u64) {
        self.0[offset..offset + 8].copy_from_slice(&value.to_ne_bytes());
    }
}

#[track_caller]
fn attach_error(change: impl FnOnce(&mut Image)) -> AttachError {
    let mut image = Image::formatted();
    change(&mut image);
    image.attach().unwrap_err()
}

#[test]
fn an_attached_arena_goes_on_where_the_first_one_stopped() {
    let mut image = Image::formatted();
    let arena = image.attach().unwrap();
    assert_eq!((arena.used(), arena.capacity()), (208, LEN));
    let address = Address::new(128, 201).unwrap();
    // SAFETY: written by the first arena and never again.
    assert_eq!(unsafe { arena.view_address(address) }, Some(&[7; 201][..]));
    assert_eq!(arena.allocate_address(8).unwrap().offset(), 128 + 208);
}

#[test]
fn each_damaged_field_has_its_own_error_with_what_was_found() {
    const LIMIT: u32 = (LEN - 128) as u32;
    assert_eq!(attach_error(|image| image.0[..128].fill(0)), AttachError::NotAnArena);
    assert_eq!(attach_error(|image| image.0.fill(0xFF)), AttachError::NotAnArena);
    assert_eq!(attach_error(|image| image.put_u64(0, 0)), AttachError::NotAnArena);
    assert_eq!(attach_error(|image| image.0[..8].reverse()), AttachError::Endianness);
    assert_eq!(attach_error(|image| image.put_u32(8, 0)), AttachError::Version { found: 0 });
    assert_eq!(attach_error(|image| image.put_u32(8, 2)), AttachError::Version { found: 2 });
    for capacity in [0, LEN as u64 - 8, LEN as u64 + 8, u64::MAX, 1 << 32 | LEN as u64] {
        let expected = AttachError::Capacity { header: capacity, region: LEN as u64 };
        assert_eq!(attach_error(|image| image.put_u64(16, capacity)), expected);
    }
    for position in [1, 7, 209, LIMIT - 1, LIMIT + 1, LIMIT + 8, 1 << 31, u32::MAX - 7, u32::MAX] {
        let expected = AttachError::Cursor { found: position };
        assert_eq!(attach_error(|image| image.put_u32(64, position)), expected, "as cursor");
        assert_eq!(attach_error(|image| image.put_u32(68, position)), expected, "as high-water mark");
    }
    for slot in 0..4 {
        for found in [1, 127 << 32 | 1, 128 << 32 | 209, 336 << 32 | 1, u64::MAX, 1 << 63] {
            let expected = AttachError::Root { slot, found };
            assert_eq!(attach_error(|image| image.put_u64(24 + 8 * slot, found)), expected);
        }
    }
}

#[test]
fn a_root_that_names_bytes_in_use_is_accepted() {
    for found in [128 << 32 | 208, 336 << 32, 200 << 32 | 3, 0] {
        let mut image = Image::formatted();
        image.put_u64(24, found);
        assert!(image.attach().is_ok(), "{found:#x}");
    }
}

#[test]
fn attaching_fails_at_every_length_but_the_one_in_the_header() {
    for len in (136..LEN).step_by(8) {
        let mut image = Image::formatted();
        // SAFETY: initialised bytes, which nothing else uses.
        let error = unsafe { Arena::attach(image.memory(len)) }.unwrap_err();
        assert_eq!(error, AttachError::Capacity { header: LEN as u64, region: len as u64 });
    }
}

#[test]
fn a_region_that_no_arena_fits_in_is_an_error_of_its_memory() {
    #[repr(align(4096))]
    struct Page(MaybeUninit<[u8; 4096]>);
    struct Short(NonNull<[u8]>);
    // SAFETY: 64 bytes of a page that the test owns.
    unsafe impl marena_core::Memory for Short {
        type Word = portable_atomic::AtomicU32;
        fn region(&self) -> NonNull<[u8]> {
            self.0
        }
    }

    let mut page = Page(MaybeUninit::zeroed());
    let region = NonNull::slice_from_raw_parts(NonNull::from(&mut page.0).cast(), 64);
    // SAFETY: initialised bytes, which nothing else uses.
    let error = unsafe { Arena::attach(Short(region)) }.unwrap_err();
    assert_eq!(error, AttachError::Memory(MemoryError::TooSmall { required: 136, len: 64 }));
}

/// Uses an arena in every way, whatever its header says. Blocks lie in the region and are aligned.
fn exercise(arena: &Arena<RawMemory>, base: usize) {
    let range = base + 128..=base + LEN;
    let inside = |start: usize, len: usize| range.contains(&start) && range.contains(&(start + len));
    let stats = arena.stats();
    assert!(stats.used <= LEN - 128 && stats.high_water <= LEN - 128 && stats.stranded <= LEN - 128);
    assert_eq!(arena.used() + arena.remaining(), LEN - 128);
    for align in [1, 8, 64, 512] {
        if let Ok(block) = arena.allocate_aligned(9, align) {
            assert!(inside(block.as_ptr().addr(), 9) && block.as_ptr().addr().is_multiple_of(align.max(8)));
        }
    }
    if let Ok(blocks) = arena.allocate_multiple([3, 40]) {
        assert!(blocks.iter().all(|block| inside(block.as_ptr().addr(), block.len())));
    }
    if let Ok(block) = arena.lease(64).allocate(24) {
        assert!(inside(block.as_ptr().addr(), 24));
    }
    let _ = arena.alloc_try_with(|| Err::<[u64; 4], _>("given back"));
    for raw in [128 << 32 | 896, 1016 << 32 | 8, 128 << 32, 1 << 63] {
        if let Some(bytes) = Address::from_raw(raw).and_then(|address| arena.view_ptr(address)) {
            assert!(inside(bytes.addr().get(), bytes.len()));
        }
    }
}

#[test]
fn every_single_bit_flip_of_the_header_is_a_typed_error_or_an_arena_in_range() {
    let (mut failed, mut attached) = (0, 0);
    // Under Miri, all of them take minutes.
    for bit in (0..128 * 8).step_by(if cfg!(miri) { 29 } else { 1 }) {
        let mut image = Image::formatted();
        image.0[bit / 8] ^= 1 << (bit % 8);
        let base = image.0.as_ptr().addr();
        match image.attach() {
            Ok(arena) => {
                exercise(&arena, base);
                attached += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                failed += 1;
            }
        }
    }
    // Magic, version and capacity are 160 bits; most flips of roots, cursor and high-water mark are
    // noticed too.
    let (most_fail, some_do_not) = if cfg!(miri) { (4, 4) } else { (160 + 4 * 32, 64) };
    assert!(failed > most_fail && attached > some_do_not, "{failed} failed, {attached} attached");
}

#[test]
fn a_peer_that_writes_any_cursor_makes_the_arena_full_or_leaves_it_in_range() {
    use portable_atomic::{AtomicU32, Ordering::Relaxed};

    let mut image = Image::formatted();
    let memory = image.memory(LEN);
    let region = marena_core::Memory::region(&memory).cast::<u8>();
    // SAFETY: initialised bytes. The peer below writes the header's words atomically, as an arena
    // does.
    let mut arena = unsafe { Arena::attach(memory) }.unwrap();
    let word = |offset: usize| {
        // SAFETY: in the header.
        let word = unsafe { region.add(offset) }.cast::<AtomicU32>();
        // SAFETY: an aligned word of the header; every access to it is atomic.
        unsafe { word.as_ref() }
    };
    let limit = (LEN - 128) as u32;
    for cursor in
        [0, 1, 7, 8, limit - 8, limit - 1, limit, limit + 1, limit + 8, 1 << 31, u32::MAX - 8, u32::MAX - 7, u32::MAX]
    {
        for high_water in [0, 3, limit, limit + 1, u32::MAX] {
            // ORDERING: Relaxed, here and below: one thread plays both sides.
            word(64).store(cursor, Relaxed);
            word(68).store(high_water, Relaxed);
            word(76).store(high_water, Relaxed);
            exercise(&arena, region.addr().get());
            word(64).store(cursor, Relaxed);
            if cursor > limit || !cursor.is_multiple_of(8) {
                assert!(matches!(arena.allocate(1), Err(AllocError::Full { requested: 1, .. })), "cursor {cursor}");
            }
            word(64).store(cursor, Relaxed);
            let scratch = arena.scratch();
            match scratch.allocate(16) {
                Ok(block) => {
                    let offset = block.as_ptr().addr() - region.addr().get();
                    assert!(offset == 128 + cursor as usize && offset + 16 <= LEN, "cursor {cursor}: {offset}");
                }
                Err(error) => {
                    assert!(limit.saturating_sub(cursor) < 16 || !cursor.is_multiple_of(8), "cursor {cursor}: {error}");
                }
            }
        }
    }
    word(64).store(u32::MAX, Relaxed);
    word(68).store(u32::MAX, Relaxed);
    arena.wipe();
    assert_eq!((arena.used(), arena.stats().high_water), (0, 0));
    assert_eq!(arena.allocate(LEN - 128).unwrap().len(), LEN - 128);
}

#[test]
fn a_scratch_stays_in_range_when_a_peer_moves_the_cursor_below_it() {
    use portable_atomic::{AtomicU32, Ordering::Relaxed};

    let mut image = Image::formatted();
    let memory = image.memory(LEN);
    let region = marena_core::Memory::region(&memory).cast::<u8>();
    // SAFETY: initialised bytes. The peer below writes the cursor atomically, as an arena does.
    let arena = unsafe { Arena::attach(memory) }.unwrap();
    // SAFETY: in the header.
    let cursor = unsafe { region.add(64) }.cast::<AtomicU32>();
    // SAFETY: an aligned word of the header; every access to it is atomic.
    let cursor = unsafe { cursor.as_ref() };
    let mut lease = arena.lease(64);
    lease.allocate(400).unwrap();
    let scratch = lease.scratch();
    scratch.allocate(8).unwrap();
    // ORDERING: Relaxed: one thread plays both sides.
    cursor.store(0, Relaxed);
    // The next chunk of the lease lies below the bytes that the scope holds, so there is no room
    // behind them.
    for size in [100, 50, 25, 8, 8, 8] {
        let block = scratch.allocate(size).unwrap();
        let offset = block.as_ptr().addr() - region.addr().get();
        assert!(offset >= 128 && offset + size <= LEN, "{size} bytes at {offset}");
    }
}

#[test]
fn an_arena_made_in_a_part_of_memory_that_was_used_before_can_be_attached_to() {
    /// The first bytes of memory that was zero and that only arenas wrote.
    struct Front(NonNull<[u8]>);
    // SAFETY: the buffer below outlives it, and nothing else uses it meanwhile.
    unsafe impl Memory for Front {
        type Word = AtomicU32;
        fn region(&self) -> NonNull<[u8]> {
            self.0
        }
        fn is_zeroed(&self) -> bool {
            true
        }
    }
    // SAFETY: only one value at a time has these bytes.
    unsafe impl ExclusiveMemory for Front {}

    #[repr(align(128))]
    struct Page(#[expect(dead_code, reason = "used through pointers")] [u8; 8192]);
    let mut page = Page([0; 8192]);
    let start = NonNull::from(&mut page).cast();
    let front = |len| Front(NonNull::slice_from_raw_parts(start, len));
    for used in [4000, 4096 - 128, 7000] {
        Arena::new(front(8192)).unwrap().allocate(used).unwrap().fill(0xEE);
        let arena = Arena::new(front(4096)).unwrap();
        assert_eq!(arena.stats().high_water, used.min(4096 - 128));
        assert_eq!(*arena.allocate(64).unwrap(), [0; 64]);
        // SAFETY: the bytes are initialised, and no block is left.
        assert_eq!(unsafe { Arena::attach(front(4096)) }.unwrap().used(), 64);
        page_is_zero_again(start.cast());
    }

    fn page_is_zero_again(page: NonNull<Page>) {
        // SAFETY: no arena is left.
        unsafe { page.write_bytes(0, 1) };
    }
}

#[cfg(target_has_atomic = "64")]
#[test]
fn a_reset_clears_the_roots_so_that_the_arena_can_be_attached_to_afterwards() {
    let mut arena = zeroed_arena(1024);
    let address = arena.allocate_address(8).unwrap();
    for slot in 0..4 {
        // SAFETY: the header is in the arena's memory, and no reset happens meanwhile.
        let root = unsafe { arena.memory().header().as_ref() }.root_slot(slot).unwrap();
        root.store(address.to_raw(), Relaxed);
    }
    arena.reset();
    // SAFETY: an arena made the header, and no block of it is used any more.
    let again = unsafe { Arena::attach(arena.into_memory()) }.unwrap();
    for slot in 0..4 {
        // SAFETY: as above.
        let root = unsafe { again.memory().header().as_ref() }.root_slot(slot).unwrap();
        assert_eq!(root.load(Relaxed), 0);
    }
}
