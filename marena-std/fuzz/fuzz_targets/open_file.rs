//! Opening a file: whatever bytes it has, a typed error, or an arena and a view that stay in range.
#![no_main]

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Relaxed, Release};

use libfuzzer_sys::fuzz_target;
use marena_std::{AccessError, Address, AllocError, MapError, MappedArena, MappedView};

/// Bytes of a header.
const HEADER: usize = 128;

/// A file in memory, and its name.
fn file() -> &'static (File, String) {
    static FILE: OnceLock<(File, String)> = OnceLock::new();
    FILE.get_or_init(|| {
        // SAFETY: the name ends with a zero; the descriptor is new.
        let file = unsafe { File::from_raw_fd(libc::memfd_create(c"arena".as_ptr(), 0)) };
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        (file, path)
    })
}

fn contents(mut file: &File, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    file.seek(SeekFrom::Start(0)).expect("memory");
    file.read_exact(&mut bytes).expect("the file's length stays");
    bytes
}

/// Every number in the file.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|&word| u64::from_ne_bytes(word))
}

/// Whether the first `len` bytes of an address may be used, as wide arithmetic has it.
fn usable(address: Address, len: usize, used: usize) -> bool {
    let end = u64::from(address.offset()) + u64::from(address.size());
    // The fault that `.ci/fuzz` plants: this target must find that the view disagrees.
    let end = end + u64::from(cfg!(marena_planted));
    end <= (HEADER + used) as u64 && len <= address.size() as usize
}

fn look(view: &MappedView, bytes: &[u8]) {
    let capacity = bytes.len() & !7;
    assert_eq!(view.capacity(), capacity);
    let stats = view.stats();
    assert!(stats.used <= capacity - HEADER && stats.used.is_multiple_of(8));
    assert_eq!(stats.used + stats.remaining, capacity - HEADER);
    assert!(stats.high_water >= stats.used && stats.high_water <= capacity - HEADER);
    assert!(stats.stranded <= capacity - HEADER);
    assert_eq!(view.root(4), None);
    let roots = (0..4).filter_map(|slot| view.root(slot));
    for address in
        roots.inspect(|&root| assert!(usable(root, 0, stats.used))).chain(words(bytes).filter_map(Address::from_raw))
    {
        let (offset, size) = (address.offset() as usize, address.size() as usize);
        // Addresses of much more than there is are read from by as much.
        let mut into = vec![0xA5; size.min(2 * bytes.len())];
        let read = view.read_into(address, &mut into);
        assert_eq!(read.is_ok(), usable(address, into.len(), stats.used), "{address:?}: {read:?}");
        if read.is_ok() {
            assert_eq!(into, bytes[offset..offset + size]);
            // SAFETY: nobody writes the file meanwhile.
            assert_eq!(unsafe { view.bytes_at(address) }, Ok(&bytes[offset..offset + size]));
        } else {
            assert!(into.iter().all(|&byte| byte == 0xA5));
        }
        match view.load_u64(address) {
            Ok(number) => assert_eq!(number.to_ne_bytes(), bytes[offset..offset + 8]),
            Err(AccessError::Misaligned { .. }) => assert!(!offset.is_multiple_of(8)),
            Err(_) => assert!(!usable(address, 8, stats.used)),
        }
    }
}

fn allocate(arena: &MappedArena, path: &str, bytes: &[u8]) -> Result<(), marena_std::Error> {
    let end = bytes.len() & !7;
    let mut last = None;
    // The file's numbers are the requests, and small ones that fit now and then.
    for size in words(bytes).flat_map(|word| [word as usize, word as usize % 64]) {
        let used = arena.used();
        let block = match arena.allocate_address(size) {
            Ok(block) => block,
            Err(AllocError::Full { .. } | AllocError::TooLarge { .. }) => {
                assert_eq!(arena.used(), used, "a refusal changes nothing");
                continue;
            }
            Err(other) => panic!("{other}"),
        };
        let (offset, size) = (block.offset() as usize, block.size() as usize);
        assert!(size == 0 || offset >= HEADER + used && offset.is_multiple_of(8));
        assert!(offset + size <= end && arena.used() <= end - HEADER);
        let mut content = vec![1; size];
        arena.read_into(block, &mut content)?;
        assert!(content.iter().all(|&byte| byte == 0));
        content.fill(0xEE);
        arena.write_from(block, &content)?;
        if size >= 8 {
            arena.atomic_u64_at(block)?.store(size as u64, Release);
            assert_eq!(arena.atomic_u64_at(block)?.load(Relaxed), size as u64);
        }
        last = Some(block);
    }
    if let Some(block) = last {
        arena.publish_root(3, block)?;
        // SAFETY: only this target has the file.
        let again = unsafe { MappedArena::open(path) }?;
        assert_eq!(again.root(3), Some(block));
        assert_eq!(again.used(), arena.used());
    }
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let (mut file, path) = (&file().0, &file().1);
    file.set_len(bytes.len() as u64).expect("memory");
    file.seek(SeekFrom::Start(0)).expect("memory");
    file.write_all(bytes).expect("memory");

    // SAFETY: only this target has the file, and shortens it when nothing is mapped.
    let (view, arena) = unsafe { (MappedArena::open_read_only(path), MappedArena::open(path)) };
    let (view, arena) = match (view, arena) {
        (Ok(view), Ok(arena)) => (view, arena),
        (Err(MapError::Attach { source, .. }), Err(MapError::Attach { source: other, .. })) => {
            assert_eq!(source, other);
            return;
        }
        // No file of no bytes can be mapped.
        (Err(MapError::Io { action: "map", .. }), Err(MapError::Io { action: "map", .. })) if bytes.is_empty() => {
            return;
        }
        (view, arena) => panic!("one opens {:?}, the other {:?}", view.err(), arena.err()),
    };
    look(&view, bytes);
    let used = view.used();
    allocate(&arena, path, bytes).expect("addresses of this arena");
    assert_eq!(view.used(), arena.used());
    // What was handed out before is as it was, the header's roots and figures aside.
    assert_eq!(contents(file, bytes.len())[HEADER..HEADER + used], bytes[HEADER..HEADER + used]);
});
