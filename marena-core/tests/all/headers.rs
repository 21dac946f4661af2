//! What a new arena's header says, and what it keeps of the header before.

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use marena_core::{
    AllocError, Arena, AtomicU32, AttachError, BorrowedMemory, Claim, Header, Memory, MemoryError, RawMemory,
    StaticMemory, Word,
};

use crate::owned::{Buffer, Owned, byte_of, zeroed_arena};

const LEN: usize = 1024;
const HEADER: usize = 128;
/// The peak, as `LAYOUT.md` has it.
const PEAK: usize = 68;
const LEASED: usize = 80;
/// Reserved words that formatting leaves as they are: in a region's header they are 0 from the
/// start, or cleared with all of it.
const RESERVED: [std::ops::Range<usize>; 2] = [60..64, 88..128];

#[repr(align(128))]
struct Bytes([u8; LEN]);

impl Bytes {
    /// Returns memory over the first `len` bytes.
    fn memory(&mut self, len: usize) -> RawMemory {
        // SAFETY: each test has one memory over its bytes at a time, and uses the bytes otherwise
        // only while it has none.
        unsafe { RawMemory::from_raw_parts(NonNull::from(&mut self.0).cast(), len) }.unwrap()
    }
}

/// Returns the header of a new arena in zeroed memory whose header was filled with a byte.
fn header_after(fill: u8) -> ([u8; HEADER], usize) {
    let memory = Owned::<0>::new(LEN);
    let start = memory.region().cast::<u8>();
    // SAFETY: the region's first bytes, which nobody else uses.
    unsafe { start.write_bytes(fill, HEADER) };
    let arena = Arena::new(memory).unwrap();
    // SAFETY: initialised bytes of the region; nobody writes them meanwhile.
    (unsafe { start.cast().read() }, arena.stats().high_water)
}

#[test]
fn a_new_header_is_the_same_whatever_was_there_except_for_the_peak() {
    let (clean, none) = header_after(0);
    assert_eq!(none, 0);
    for fill in [0x01, 0x80, 0xFF] {
        let (mut header, high_water) = header_after(fill);
        assert_eq!(high_water, LEN - HEADER);
        header[PEAK..PEAK + 4].copy_from_slice(&clean[PEAK..PEAK + 4]);
        for reserved in RESERVED {
            header[reserved].fill(0);
        }
        assert_eq!(header, clean, "after {fill:#x}");
    }
}

#[test]
fn a_header_in_memory_that_is_not_zeroed_is_cleared_and_nothing_behind_it() {
    let mut bytes = Bytes([0xFF; LEN]);
    {
        // While it lives, the sanitizer takes a look at its free bytes for an error.
        let arena = Arena::new(bytes.memory(LEN)).unwrap();
        // What was in the peak's place says nothing.
        assert_eq!((arena.stats().high_water, arena.stats().leased, arena.stats().failed), (0, 0, 0));
    }
    for reserved in RESERVED {
        assert_eq!(bytes.0[reserved.clone()], vec![0; reserved.len()]);
    }
    assert!(bytes.0[HEADER..].iter().all(|&byte| byte == 0xFF));
}

#[test]
fn a_peak_between_two_steps_counts_up_to_the_next() {
    for (found, expected) in [(0_u32, 0), (1, 8), (7, 8), (8, 8), (13, 16), (895, 896), (896, 896), (897, 896)] {
        let memory = Owned::<0>::new(LEN);
        // SAFETY: in the header, aligned to four bytes, and nobody else uses it.
        unsafe { byte_of(&memory, PEAK).cast().write(found) };
        assert_eq!(Arena::new(memory).unwrap().stats().high_water, expected, "{found}");
    }
}

#[test]
fn no_more_bytes_count_as_leased_than_are_used() {
    let arena = zeroed_arena(LEN);
    arena.allocate(40).unwrap();
    // SAFETY: a word of the header, which is initialised, and aligned to four bytes.
    let leased = unsafe { byte_of(arena.memory(), LEASED).cast::<AtomicU32>().as_ref() };
    for (found, expected) in [(0, 0), (39, 39), (40, 40), (41, 40), (u32::MAX, 40)] {
        leased.store(found, Ordering::Relaxed);
        assert_eq!(arena.stats().leased, expected);
    }
}

#[test]
fn a_region_of_any_length_has_the_capacity_of_its_whole_steps_for_everyone() {
    for len in HEADER + 8..HEADER + 8 + 33 {
        let capacity = len & !7;
        let mut bytes = Bytes([0xFF; LEN]);
        let arena = Arena::new(bytes.memory(len)).unwrap();
        // SAFETY: the header is initialised, and valid while the arena lives.
        let header = unsafe { arena.memory().header().as_ref() };
        for same in capacity..capacity + 8 {
            assert_eq!(header.validate(same), Ok(()), "{same}");
            assert_eq!(header.stats(same), arena.stats());
        }
        let region = (capacity + 8) as u64;
        assert_eq!(header.validate(capacity + 8), Err(AttachError::Capacity { header: capacity as u64, region }));
        assert_eq!(header.stats(len).capacity, capacity);
        // SAFETY: initialised bytes, which nothing else uses.
        let again = unsafe { Arena::attach(bytes.memory(len)) }.unwrap();
        assert_eq!((again.capacity(), again.remaining()), (capacity, capacity - HEADER));
    }
}

#[test]
fn a_header_for_more_bytes_than_a_region_can_have_is_an_error_that_names_the_limit() {
    let header = Header::from_words(|| AtomicU32::new(0));
    let limit = if usize::BITS == 32 { isize::MAX as usize & !7 } else { 1 << 31 };
    for len in [limit, limit + 7] {
        assert_eq!(header.validate(len), Err(AttachError::NotAnArena));
    }
    for len in [limit + 8, usize::MAX] {
        assert_eq!(header.validate(len), Err(AttachError::Memory(MemoryError::TooLarge { limit, len })));
    }
}

#[test]
fn borrowed_memory_is_whole_steps() {
    for len in HEADER + 8..HEADER + 8 + 33 {
        let mut buffer = Buffer::new(LEN);
        let memory = BorrowedMemory::new(buffer.skewed(0, len)).unwrap();
        assert_eq!(memory.region().len(), len & !7);
    }
}

#[test]
#[cfg(all(target_pointer_width = "64", not(miri)))]
fn borrowed_bytes_are_too_many_from_the_first_step_past_the_limit_on() {
    const LIMIT: usize = 1 << 31;
    // Bytes that nobody touches. At most 127 are skipped at the front.
    let mut bytes = Vec::<u8>::with_capacity(LIMIT + 256);
    let bytes: &mut [MaybeUninit<u8>] = bytes.spare_capacity_mut();
    let skipped = bytes.as_ptr().addr().wrapping_neg() & 127;
    assert_eq!(BorrowedMemory::new(&mut bytes[skipped..skipped + LIMIT]).unwrap().region().len(), LIMIT);
    assert_eq!(BorrowedMemory::new(&mut bytes[skipped..skipped + LIMIT + 7]).unwrap().region().len(), LIMIT);
    for more in [8, 16, 120] {
        let len = LIMIT + more;
        let error = BorrowedMemory::new(&mut bytes[skipped..skipped + len]).unwrap_err();
        assert_eq!(error, MemoryError::TooLarge { limit: LIMIT, len });
    }
}

/// A word that notes every store, in the order in which they happen.
struct Noted {
    value: AtomicU32,
    number: usize,
    stores: Arc<Mutex<Vec<(usize, u32)>>>,
}

// SAFETY: every access goes to `value`, an atomic word.
unsafe impl Word for Noted {
    fn load(&self, order: Ordering) -> u32 {
        self.value.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.stores.lock().unwrap().push((self.number, value));
        self.value.store(value, order);
    }

    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        self.value.compare_exchange(current, new, success, failure)
    }

    fn compare_exchange_weak(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32> {
        self.value.compare_exchange_weak(current, new, success, failure)
    }
}

/// Memory with a header of such words beside the region.
struct NotedMemory {
    region: Owned,
    header: Box<Header<Noted>>,
}

// SAFETY: the region's bytes are those of `region`, and the header stays where it is.
unsafe impl Memory for NotedMemory {
    type Word = Noted;

    fn region(&self) -> NonNull<[u8]> {
        self.region.region()
    }

    fn header(&self) -> NonNull<Header<Noted>> {
        NonNull::from(&*self.header)
    }
}

// SAFETY: nothing else reaches the region or the header.
unsafe impl marena_core::ExclusiveMemory for NotedMemory {}

#[test]
fn a_header_is_no_arenas_from_the_first_store_to_the_last() {
    let stores = Arc::new(Mutex::new(Vec::new()));
    let mut number = 0;
    let header = Header::from_words(|| {
        number += 1;
        Noted { value: AtomicU32::new(0), number: number - 1, stores: Arc::clone(&stores) }
    });
    // The header counts as one of an arena from its second word on: see `LAYOUT.md`.
    let mut arena = Arena::new(NotedMemory { region: Owned::new(LEN), header: Box::new(header) }).unwrap();
    let stores = std::mem::take(&mut *stores.lock().unwrap());
    assert_eq!(stores[0], (1, 0));
    let &(word, value) = stores.last().unwrap();
    assert_eq!((word, value != 0), (1, true));
    assert_eq!(stores.iter().filter(|&&(word, _)| word == 1).count(), 2);
    // SAFETY: initialised, and valid while the arena lives.
    assert_eq!(unsafe { arena.memory().header().as_ref() }.validate(LEN), Ok(()));
    // A reset reads and writes such words as their only user.
    arena.allocate(100).unwrap();
    arena.reset();
    assert_eq!((arena.used(), arena.stats().high_water), (0, 104));
}

/// Zeroed memory of which fewer bytes are ready than it has.
struct Partly {
    memory: Owned,
    ready: usize,
}

// SAFETY: the bytes are those of `memory`, zero at first. More than `ready` are valid.
unsafe impl Memory for Partly {
    type Word = AtomicU32;

    fn region(&self) -> NonNull<[u8]> {
        self.memory.region()
    }

    fn ready(&self) -> usize {
        self.ready
    }

    fn is_zeroed(&self) -> bool {
        true
    }
}

// SAFETY: nothing else reaches `memory`.
unsafe impl marena_core::ExclusiveMemory for Partly {}

#[test]
fn a_new_arena_counts_as_handed_out_no_more_than_is_ready_in_whole_steps() {
    for ready in LEN..LEN + 64 {
        let memory = Owned::new(2 * LEN);
        // SAFETY: in the header, aligned to four bytes, and nobody else uses it.
        unsafe { byte_of(&memory, PEAK).cast().write(1920_u32) };
        let arena = Arena::new(Partly { memory, ready }).unwrap();
        assert_eq!(arena.stats().high_water, (ready & !7) - HEADER, "{ready}");
    }
}

#[test]
fn memory_provides_what_is_ready_and_nothing_else_unless_it_says_otherwise() {
    let memory = Partly { memory: Owned::new(2 * LEN), ready: LEN };
    assert_eq!([1, LEN - 1, LEN, LEN + 1, 2 * LEN].map(|len| memory.provide(len)), [true, true, true, false, false]);
    let arena = Arena::new(memory).unwrap();
    arena.allocate(LEN - HEADER - 8).unwrap();
    arena.allocate(9).unwrap_err();
    assert_eq!(arena.stats().failed, 1);
    arena.allocate(8).unwrap();
    // A request that no memory would serve counts as well.
    arena.allocate(2 * LEN).unwrap_err();
    assert_eq!((arena.stats().failed, arena.used()), (2, LEN - HEADER));
}

#[test]
fn a_lease_says_how_many_ready_bytes_are_left_if_the_memory_provides_no_more() {
    let (ready, limit) = (LEN - HEADER, 2 * LEN - HEADER);
    for chunk in [0, 8, 64, 256, 100_000] {
        for used in [8, 16, 400, ready - 8, ready] {
            let arena = Arena::new(Partly { memory: Owned::new(2 * LEN), ready: LEN }).unwrap();
            let mut lease = arena.lease(chunk);
            lease.allocate(used).unwrap();
            let remaining = ready - used;
            for requested in [remaining + 1, remaining + 8, limit - used - 8, limit - used] {
                let error = AllocError::Full { requested, remaining };
                assert_eq!(lease.allocate(requested).unwrap_err(), error, "{chunk} {used}");
                assert_eq!(lease.scratch().allocate(requested).unwrap_err(), error, "{chunk} {used}");
            }
            // No memory would have room for more.
            let error = AllocError::Full { requested: limit - used + 8, remaining: limit - used };
            assert_eq!(lease.allocate(limit - used + 8).unwrap_err(), error);
            lease.allocate(remaining).unwrap();
        }
    }
}

/// Memory that is asked only for what it has, and only for what is not ready.
struct Strict(Partly);

// SAFETY: as for `Partly`.
unsafe impl Memory for Strict {
    type Word = AtomicU32;

    fn region(&self) -> NonNull<[u8]> {
        self.0.region()
    }

    fn ready(&self) -> usize {
        self.0.ready()
    }

    fn provide(&self, len: usize) -> bool {
        assert!(self.0.ready < len && len <= self.0.region().len(), "asked for {len} bytes");
        false
    }

    fn is_zeroed(&self) -> bool {
        true
    }
}

// SAFETY: as for `Partly`.
unsafe impl marena_core::ExclusiveMemory for Strict {}

#[test]
fn a_block_grows_up_to_the_last_ready_byte_and_the_memory_is_asked_for_no_other() {
    let (ready, len) = (LEN - HEADER, 2 * LEN - HEADER);
    for used in [8, 400, ready - 8, ready] {
        for new in (used..=ready + 32).chain(len - 64..=len + 64).chain([2 * len, 3 * len]) {
            let arena = Arena::new(Strict(Partly { memory: Owned::new(2 * LEN), ready: LEN })).unwrap();
            // SAFETY: a power of two, and not 0.
            let start = unsafe { Claim::claim(&arena, used, 8, None) }.unwrap().start();
            // SAFETY: the whole claim, which becomes no less.
            let extended = unsafe { Claim::extend(&arena, start, used, new) };
            assert_eq!(extended.map(|claimed| claimed.start()), (new <= ready).then_some(start), "{used} to {new}");
            assert_eq!(arena.used(), if new <= ready { new.next_multiple_of(8) } else { used });
        }
    }
}

#[test]
fn a_pointer_is_an_arenas_from_the_first_byte_behind_the_header_to_the_last_of_the_region() {
    let arena = zeroed_arena(LEN);
    let start = arena.memory().region().cast::<u8>();
    for offset in 0..=LEN {
        // SAFETY: in the region, or at its end.
        let pointer = unsafe { start.add(offset) };
        assert_eq!(arena.contains(pointer), (HEADER..LEN).contains(&offset), "{offset}");
    }
}

#[test]
fn memory_keeps_every_alignment_or_that_of_its_mappings() {
    const LARGEST: usize = 1 << (usize::BITS - 1);
    assert_eq!(<&Arena<Owned> as Claim<'_>>::MAX_ALIGN, LARGEST);
    assert_eq!(<&Arena<&'static StaticMemory<LEN>> as Claim<'_>>::MAX_ALIGN, LARGEST);
    assert_eq!(<&Arena<Owned<1>> as Claim<'_>>::MAX_ALIGN, HEADER);
    assert_eq!(<&Arena<Owned<128>> as Claim<'_>>::MAX_ALIGN, HEADER);
    assert_eq!(<&Arena<Owned<4096>> as Claim<'_>>::MAX_ALIGN, 4096);
}
