//! Reads and writes files as `LAYOUT.md` describes them, with `std::fs` and numbers only.
#![cfg(all(unix, target_has_atomic = "64", not(miri)))]

use std::fs;
use std::path::Path;

use marena_std::{Address, MappedArena};

const CAPACITY: usize = 65_536;
const LAYOUT: &str = include_str!("../../marena-core/LAYOUT.md");

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_ne_bytes(bytes[offset..offset + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_ne_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

fn create(path: &Path) -> MappedArena {
    // SAFETY: tests have their files to themselves.
    unsafe { MappedArena::create(path, CAPACITY) }.unwrap()
}

#[test]
fn a_reader_of_the_document_finds_what_was_published() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let arena = create(&path);
    // A list of three records. Each holds the address of the next one, then text.
    let mut next = 0_u64;
    for text in ["third", "second", "first"] {
        let node = [&next.to_ne_bytes(), text.as_bytes()].concat();
        let address = arena.allocate_copy(&node).unwrap();
        next = address.to_raw();
    }
    arena.publish_root(2, Address::from_raw(next).unwrap()).unwrap();
    drop(arena);

    let file = fs::read(&path).unwrap();
    let magic = if cfg!(target_endian = "little") { *b"marena\x1a\n" } else { *b"\n\x1aaneram" };
    assert_eq!(file[..8], magic);
    assert_eq!((u32_at(&file, 8), u32_at(&file, 12), u64_at(&file, 16)), (1, 0, CAPACITY as u64));
    assert_eq!([0, 1, 3].map(|slot| u64_at(&file, 24 + 8 * slot)), [0; 3]);
    let used = u32_at(&file, 64) as usize;
    assert_eq!(used, 16 + 16 + 16);
    assert!(file[128 + used..].iter().all(|&byte| byte == 0));

    let mut texts = Vec::new();
    let mut address = u64_at(&file, 24 + 8 * 2);
    while address != 0 {
        let (offset, size) = ((address >> 32) as usize, address as u32 as usize);
        assert!(offset >= 128 && offset % 8 == 0 && offset + size <= 128 + used);
        texts.push(std::str::from_utf8(&file[offset + 8..offset + size]).unwrap());
        address = u64_at(&file, offset);
    }
    assert_eq!(texts, ["first", "second", "third"]);
}

#[test]
fn a_file_written_by_the_document_is_an_arena() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let mut file = vec![0_u8; CAPACITY];
    let magic = if cfg!(target_endian = "little") { *b"marena\x1a\n" } else { *b"\n\x1aaneram" };
    file[..8].copy_from_slice(&magic);
    file[8..12].copy_from_slice(&1_u32.to_ne_bytes());
    file[16..24].copy_from_slice(&(CAPACITY as u64).to_ne_bytes());
    // Two blocks, of which slot 3 names the second.
    file[64..68].copy_from_slice(&(8_u32 + 16).to_ne_bytes());
    file[48..56].copy_from_slice(&((128_u64 + 8) << 32 | 11).to_ne_bytes());
    file[136..147].copy_from_slice(b"by the book");
    fs::write(&path, &file).unwrap();

    // SAFETY: as in `create`.
    let arena = unsafe { MappedArena::open(&path) }.unwrap();
    assert_eq!((arena.capacity(), arena.used()), (CAPACITY, 24));
    let mut text = [0; 11];
    arena.read_into(arena.root(3).unwrap(), &mut text).unwrap();
    assert_eq!(&text, b"by the book");
    assert_eq!(arena.allocate_address(1).unwrap().offset(), 128 + 24);
}

#[test]
#[cfg(target_endian = "little")]
fn the_example_in_the_document_matches_a_real_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("arena");
    let arena = create(&path);
    arena.publish_root(0, arena.allocate_copy(b"hello").unwrap()).unwrap();
    let file = fs::read(&path).unwrap();
    let (_, dump) = LAYOUT.split_once("```text\n").unwrap();
    let (dump, _) = dump.split_once("```").unwrap();
    let bytes: Vec<u8> = dump
        .lines()
        .flat_map(|line| line.split_whitespace().skip(1))
        .flat_map(|word| (0..word.len()).step_by(2).map(|at| u8::from_str_radix(&word[at..at + 2], 16).unwrap()))
        .collect();
    assert_eq!(bytes.len(), 136);
    assert_eq!(file[..bytes.len()], bytes);
}
