//! What each hart allocates: page tables, linked, until there is no memory left.

use marena_core::{AllocError, Handle};

use crate::Memory;

/// Bytes that a hart takes from an arena at once, to hand them out without atomics.
const LEASE: usize = 64 * 1024;

/// Tables for each of which a hart also has a note, allocated from the regions that all harts
/// share.
const TABLES_PER_NOTE: usize = 16;

/// A page of the size and alignment that the machine's translation tables have.
#[repr(C, align(4096))]
pub struct Table {
    previous: Option<&'static Table>,
    note: Option<Handle<Note>>,
    entries: [u64; 509],
}

const _: () = assert!(size_of::<Table>() == 4096);

/// Whose table it is.
#[derive(Debug, PartialEq)]
struct Note {
    hart: usize,
    number: usize,
}

/// The entry of a table: nobody else writes this value.
fn entry(hart: usize, number: usize, index: usize) -> u64 {
    ((hart as u64 + 1) << 56) | ((number as u64) << 16) | index as u64
}

/// Allocates tables from every arena until none has room; the last one.
pub fn allocate(memory: &'static Memory, hart: usize) -> Option<&'static Table> {
    let mut last = None;
    let mut number = 0;
    for arena in memory.arenas() {
        let lease = arena.lease(LEASE);
        loop {
            let note = match number % TABLES_PER_NOTE {
                0 => memory.insert(Note { hart, number }).ok(),
                _ => None,
            };
            let table = lease.alloc_with(|| Table {
                previous: last,
                note,
                entries: core::array::from_fn(|index| entry(hart, number, index)),
            });
            match table {
                Ok(table) => last = Some(&*table),
                Err(AllocError::Full { .. }) => break,
                Err(error) => panic!("hart {hart}: {error}"),
            }
            number += 1;
        }
    }
    last
}

/// Reads every table of a hart again, from the last to the first; how many there are.
pub fn check(memory: &Memory, hart: usize, last: Option<&'static Table>) -> usize {
    let tables = || core::iter::successors(last, |table| table.previous);
    let count = tables().count();
    for (table, number) in tables().zip((0..count).rev()) {
        for (index, &found) in table.entries.iter().enumerate() {
            assert_eq!(found, entry(hart, number, index), "hart {hart}, table {number}, entry {index}");
        }
        if let Some(note) = table.note {
            assert_eq!(memory.get(note), Some(&Note { hart, number }));
        }
    }
    count
}
