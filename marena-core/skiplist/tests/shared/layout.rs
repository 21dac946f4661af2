//! The documented layout, read by a program that was written from the document alone.

use std::fs;
use std::process::Command;

use crate::{TestFile, numbers};

#[test]
fn a_program_in_another_language_reads_the_same_entries() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("no python3: the second implementation is not run");
        return;
    }
    let file = TestFile::new();
    let map = file.map(1 << 20);
    for number in numbers(9).take(2_000) {
        let key = format!("{:x}", number % 900);
        if number & 0x300 == 0 {
            map.remove(key.as_bytes()).unwrap();
        } else {
            map.insert(key.as_bytes(), number.to_string().as_bytes()).unwrap();
        }
    }
    map.insert(&[b'k'; 3_000], &[b'v'; 20_000]).unwrap();
    map.insert(b"", b"").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/read_map.py");
    let output = Command::new("python3").arg(script).arg(file.as_ref()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let expected: String =
        map.iter().map(Result::unwrap).map(|(key, value)| format!("{} {}\n", hex(&key), hex(&value))).collect();
    assert!(String::from_utf8(output.stdout).unwrap() == expected);
}

#[test]
fn the_bytes_of_a_small_map_are_those_that_the_document_shows() {
    let file = TestFile::new();
    let map = file.map(65_536);
    map.insert(b"key", b"value").unwrap();
    let bytes = fs::read(&file).unwrap();
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    // The root: 248 bytes at offset 128.
    assert_eq!((word(24), word(28)), if cfg!(target_endian = "little") { (248, 128) } else { (128, 248) });
    assert_eq!(&bytes[128..136], b"marenasl");
    assert_eq!((word(136), word(140)), (3, 0));
    let head = 128 + 160;
    assert_eq!(word(head), 23 | 1 << 5);
    let node = word(head - 4) as usize;
    assert_eq!(node % 4, 0);
    let height = word(node) % 32 + 1;
    assert_eq!(node, 128 + 248 + 4 * height as usize);
    assert_eq!(word(node), (height - 1) | 3 << 7 | 5 << 18);
    assert_eq!(&bytes[node + 4..node + 12], b"keyvalue");
    for level in 1..=24 {
        let link = word(head - 4 * level);
        assert_eq!(link, if level <= height as usize { node as u32 } else { 0 });
    }
}
