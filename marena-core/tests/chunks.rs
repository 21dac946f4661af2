//! How many bytes of the arena a lease claims at once.

use std::mem::MaybeUninit;

use marena_core::Arena;

#[repr(align(128))]
struct Bytes<const N: usize>([MaybeUninit<u8>; N]);

impl<const N: usize> Bytes<N> {
    fn new() -> Self {
        Self([MaybeUninit::uninit(); N])
    }
}

#[test]
fn chunks_double_from_256_bytes_up_to_the_size_that_was_asked_for() {
    let mut bytes = Bytes::<65_536>::new();
    let arena = Arena::borrowed(&mut bytes.0).unwrap();
    let lease = arena.lease(1024);
    for chunk in [256, 512, 1024, 1024] {
        // Nothing is claimed behind the lease, so each chunk lies behind the previous one.
        let used = arena.used();
        lease.allocate(8).unwrap();
        assert_eq!(arena.used() - used, chunk);
        while lease.remaining() > arena.remaining() {
            lease.allocate(8).unwrap();
        }
    }
}

#[test]
fn a_chunk_takes_at_most_an_eighth_of_the_rest_in_whole_steps() {
    // An eighth of the rest is no multiple of 8: 1,848 / 8 = 231.
    let mut bytes = Bytes::<{ 128 + 2048 }>::new();
    let arena = Arena::borrowed(&mut bytes.0).unwrap();
    arena.allocate(200).unwrap();
    let lease = arena.lease(4096);
    lease.allocate(8).unwrap();
    assert_eq!(arena.used(), 200 + 224);
    // Behind another claim: 1,416 / 8 = 177.
    while lease.remaining() > arena.remaining() {
        lease.allocate(8).unwrap();
    }
    arena.allocate(208).unwrap();
    lease.allocate(8).unwrap();
    assert_eq!(arena.used(), 632 + 176);
    // In place: 1,240 / 8 = 155.
    while lease.remaining() > arena.remaining() {
        lease.allocate(8).unwrap();
    }
    lease.allocate(8).unwrap();
    assert_eq!(arena.used(), 808 + 152);
}

#[test]
fn a_large_request_takes_nothing_ahead_while_the_chunk_has_room() {
    // A request of more than a quarter of a chunk is large.
    for (kept, size, taken) in [(200, 64, 256), (200, 72, 72), (256, 72, 256)] {
        let mut bytes = Bytes::<65_536>::new();
        let arena = Arena::borrowed(&mut bytes.0).unwrap();
        let lease = arena.lease(256);
        for _ in 0..kept / 8 {
            lease.allocate(8).unwrap();
        }
        arena.allocate(8).unwrap();
        let used = arena.used();
        lease.allocate(size).unwrap();
        assert_eq!(arena.used() - used, taken, "{size} after {kept}");
    }
}
