//! An arena to look at, with something of everything.

use std::path::Path;

use common::AnyError;
use marena_std::{MappedArena, MappedBuilder};

const CAPACITY: usize = 1 << 20;

/// Makes the file, in which nobody else must write while this runs.
pub(crate) fn make(path: &Path) -> Result<(), AnyError> {
    let builder: MappedBuilder = MappedArena::builder().capacity(CAPACITY);
    // SAFETY: the file is new, and its name says nobody what to do with it.
    let arena = unsafe { builder.create(path) }?;
    Ok(fill(&arena)?)
}

fn fill(arena: &MappedArena) -> Result<(), marena_std::Error> {
    // An earlier generation, which reached further than this one.
    arena.allocate_address(CAPACITY / 2)?;
    // SAFETY: nobody else knows the file, and the address above is not used.
    unsafe { arena.reset_shared() }?;

    let table = arena.allocate_address(4096)?;
    arena.publish_root(0, table)?;
    for record in 0..1000_u64 {
        arena.allocate_copy(&[record as u8; 200])?;
    }
    arena.publish_root(1, arena.allocate_copy(b"a text that root 1 names")?)?;

    // A lease whose chunk was not used up when others had allocated behind it.
    // SAFETY: nobody else has the file, and the lease's bytes are used by nothing else.
    let plain = unsafe { arena.plain() };
    let lease = plain.lease(64 << 10);
    for _ in 0..600 {
        lease.alloc([0_u64; 8])?;
    }
    arena.allocate_address(8192)?;
    drop(lease);
    Ok(())
}
