//! Damaged files, and a peer that damages a file while it is used. The result is a typed error or
//! blocks in range, never a panic or a signal.
#![cfg(all(unix, target_has_atomic = "64", not(miri)))]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use marena_std::marena_core::AttachError;
use marena_std::{Address, AllocError, MapError, MappedArena};

const CAPACITY: usize = 1 << 16;
const CONTENTS: &[u8] = b"what the root names";

/// Creates a file with an arena whose slot 1 names `CONTENTS`.
fn sample(directory: &Path) -> PathBuf {
    let path = directory.join("arena");
    // SAFETY: tests have their files to themselves.
    let arena = unsafe { MappedArena::create(&path, CAPACITY) }.unwrap();
    arena.publish_root(1, arena.allocate_copy(CONTENTS).unwrap()).unwrap();
    path
}

fn open(path: &Path) -> Result<MappedArena, MapError> {
    // SAFETY: as in `sample`. Any content of the file is allowed, and this is what the tests check.
    unsafe { MappedArena::open(path) }
}

/// Uses an arena in all ways. Asserts that each block is aligned and in the region, whatever the
/// header says.
fn serve(arena: &MappedArena) -> usize {
    let mut blocks = 0;
    assert!(arena.used() <= CAPACITY - 128);
    assert!(arena.remaining() <= CAPACITY - 128);
    for slot in 0..5 {
        if let Some(root) = arena.root(slot) {
            assert!(root.offset() as usize + root.size() as usize <= CAPACITY, "{root:?}");
            // The peer may have changed the cursor since.
            let _ = arena.read_into(root, &mut vec![0; root.size() as usize]);
        }
    }
    for (size, align) in [(1, 8), (100, 8), (24, 64), (512, 4096)] {
        match arena.allocate_address_aligned(size, align) {
            Ok(address) => {
                blocks += 1;
                let offset = address.offset() as usize;
                assert!(offset >= 128 && offset + size <= CAPACITY && offset.is_multiple_of(align), "{address:?}");
                let _ = arena.write_from(address, &vec![1; size]);
                let _ = arena.atomic_u64_at(address).map(|word| word.fetch_add(1, Relaxed));
                let _ = arena.publish_root(3, address);
            }
            Err(AllocError::Full { requested, .. }) => assert_eq!(requested, size),
            Err(error) => panic!("{error}"),
        }
    }
    let _ = arena.allocate_address_array([8, 16]);
    let _ = arena.stats();
    blocks
}

#[test]
fn every_flipped_bit_of_the_header_is_a_typed_error_or_service_in_range() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let intact = fs::read(&path).unwrap();
    let (mut errors, mut served) = (0, 0);
    for bit in 0..128 * 8 {
        let (byte, mask) = (bit / 8, 1 << (bit % 8));
        let mut bytes = intact.clone();
        bytes[byte] ^= mask;
        fs::write(&path, &bytes).unwrap();
        // SAFETY: as in `sample`.
        let view = unsafe { MappedArena::open_read_only(&path) };
        match open(&path) {
            Ok(arena) => {
                let view = view.expect("a view opens what an arena opens");
                assert_eq!((view.used(), view.root(1)), (arena.used(), arena.root(1)));
                serve(&arena);
                served += 1;
            }
            Err(MapError::Attach { source, .. }) => {
                assert!(matches!(view, Err(MapError::Attach { source: same, .. }) if same == source), "{source:?}");
                let field = match source {
                    AttachError::NotAnArena => 0..8,
                    AttachError::Version { .. } => 8..12,
                    AttachError::Capacity { .. } => 16..24,
                    AttachError::Root { slot, .. } => 24 + 8 * slot..32 + 8 * slot,
                    AttachError::Cursor { .. } => 64..72,
                    other => panic!("{other:?} for bit {bit}"),
                };
                // If the cursor is too low, the error names the root above it.
                assert!(
                    field.contains(&byte) || (field.start == 32 && (64..68).contains(&byte)),
                    "{source:?} for {byte}"
                );
                errors += 1;
            }
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
    // A bit of the magic, the version or the capacity is always an error. Reserved bytes are not
    // checked.
    assert!(errors >= 8 * (8 + 4 + 8), "{errors} errors, {served} served");
    assert!(served >= 8 * (128 - 76), "{errors} errors, {served} served");
}

#[test]
fn opening_fails_at_every_length_but_the_arenas_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let intact = fs::read(&path).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let lengths = (0..=128 + 4096).chain([CAPACITY - 4096, CAPACITY - 8, CAPACITY - 1, CAPACITY + 8, CAPACITY + 4096]);
    for len in lengths {
        // The length goes up or down. Bytes that were cut off are lost.
        file.set_len(len as u64).unwrap();
        let error = open(&path).expect_err(&format!("{len} bytes"));
        let MapError::Attach { source, .. } = error else { panic!("{len} bytes: {error}") };
        assert!(!source.to_string().is_empty());
        // SAFETY: as in `sample`.
        let view = unsafe { MappedArena::open_read_only(&path) };
        assert!(
            matches!(view, Err(MapError::Attach { source: same, .. }) if same == source),
            "{len} bytes: {source:?}"
        );
    }
    // Bytes behind the last step of eight bytes are no part of the arena.
    file.set_len(CAPACITY as u64).unwrap();
    file.write_all_at(&intact, 0).unwrap();
    file.set_len(CAPACITY as u64 + 3).unwrap();
    let arena = open(&path).unwrap();
    assert_eq!((arena.capacity(), arena.remaining() + arena.used()), (CAPACITY, CAPACITY - 128));
    drop(arena);
    // A file that is larger than any arena, without a byte on the disk.
    file.set_len(1 << 33).unwrap();
    assert!(matches!(open(&path), Err(MapError::Attach { .. } | MapError::Io { action: "map", .. })));
}

#[test]
fn a_wrong_capacity_in_the_header_and_a_wrong_byte_order_are_typed_errors() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&(2 * CAPACITY as u64).to_ne_bytes(), 16).unwrap();
    let Err(MapError::Attach { source, .. }) = open(&path) else { panic!("opened") };
    assert_eq!(source, AttachError::Capacity { header: 2 * CAPACITY as u64, region: CAPACITY as u64 });
    file.write_all_at(&(CAPACITY as u64).to_ne_bytes(), 16).unwrap();
    file.write_all_at(&u64::from_le_bytes(*b"marena\x1a\n").swap_bytes().to_ne_bytes(), 0).unwrap();
    assert!(matches!(open(&path), Err(MapError::Attach { source: AttachError::Endianness, .. })));
}

/// Returns how long the peer runs. Before a release the variable sets 60 seconds.
fn duration() -> Duration {
    let seconds = std::env::var("MARENA_HOSTILE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(1.0))
}

#[test]
fn a_peer_that_rewrites_the_header_cannot_move_an_address_out_of_range() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let arena = open(&path).unwrap();
    // SAFETY: as in `sample`.
    let view = unsafe { MappedArena::open_read_only(&path) }.unwrap();
    let peer = File::options().write(true).open(&path).unwrap();
    let done = AtomicBool::new(false);
    let (rounds, blocks) = thread::scope(|scope| {
        scope.spawn(|| {
            // The peer writes through the file, as another process may. An xorshift generator
            // chooses the writes.
            let mut random = 0x9E37_79B9_7F4A_7C15_u64;
            let mut next = || {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random
            };
            while !done.load(Relaxed) {
                let value = match next() % 5 {
                    0 => next(),
                    1 => next() % CAPACITY as u64,
                    2 => (next() % CAPACITY as u64) & !7,
                    3 => u64::MAX - next() % 16,
                    _ => Address::new((next() as u32 % CAPACITY as u32) | 128, next() as u32 % 4096).unwrap().to_raw(),
                };
                let (offset, len) = match next() % 20 {
                    field @ 0..=3 => (24 + 8 * field, 8),
                    4 => (0, 8),
                    5 => (16, 8),
                    6..=8 => (68, 4),
                    9 => (72, 4),
                    10 => (next() % 120, 8),
                    _ => (64, 4),
                };
                peer.write_all_at(&value.to_ne_bytes()[..len], offset).unwrap();
            }
        });
        let workers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let start = Instant::now();
                    let (mut rounds, mut blocks) = (0, 0);
                    while start.elapsed() < duration() {
                        blocks += serve(&arena);
                        rounds += 1;
                        assert!(view.used() <= CAPACITY - 128);
                        if let Some(root) = view.root(rounds % 4) {
                            assert!(root.offset() as usize + root.size() as usize <= CAPACITY);
                            let _ = view.read_into(root, &mut vec![0; root.size() as usize]);
                        }
                        if rounds % 64 == 0 {
                            // Opens the file with its header of this moment.
                            match open(&path) {
                                Ok(other) => drop(serve(&other)),
                                Err(MapError::Attach { .. }) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                    (rounds, blocks)
                })
            })
            .collect();
        let results: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Relaxed);
        results.into_iter().map(Result::unwrap).fold((0, 0), |sum, add| (sum.0 + add.0, sum.1 + add.1))
    });
    assert!(blocks > 0, "{rounds} rounds found no room at all");
}
