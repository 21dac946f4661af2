//! What there is to say about a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use common::{AnyError, Shown};
use marena_std::{Address, Stats};
use serde::Serialize;

/// Root slots of an arena.
const ROOTS: usize = 4;

/// What every arena begins with: see `LAYOUT.md` of `marena-core`.
pub(crate) const MAGIC: [u8; 8] = *b"marena\x1a\n";

/// An arena's file at one moment.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) file: String,
    pub(crate) header: Header,
    pub(crate) stats: Stats,
    /// What each slot names.
    pub(crate) roots: [Option<Root>; ROOTS],
}

/// The fields that never change: see `LAYOUT.md` of `marena-core`.
#[derive(Serialize)]
pub(crate) struct Header {
    /// Its bytes, in hexadecimal.
    pub(crate) magic: String,
    pub(crate) version: u32,
    pub(crate) flags: u32,
    pub(crate) capacity: u64,
}

/// What a root slot names.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Root {
    /// As it stands in the slot: offset and size. Not in JSON, where large numbers lose digits.
    #[serde(skip)]
    pub(crate) address: u64,
    pub(crate) offset: u32,
    pub(crate) size: u32,
}

impl Report {
    pub(crate) fn of(path: &Path) -> Result<Self, AnyError> {
        // SAFETY: only numbers and addresses are read, which a writer that keeps to no protocol can
        // spoil and not make unsafe. Whoever names the file sees to it that nobody cuts it off
        // meanwhile, which would end this program.
        let view = unsafe { common::open_read_only(path) }?;
        let roots = [0, 1, 2, 3].map(|slot| view.root(slot).map(Root::from));
        Ok(Self { file: Shown(path).to_string(), header: Header::of(path)?, stats: view.stats(), roots })
    }
}

impl Header {
    /// Read from the file's first bytes, which the view has found to be a header.
    fn of(path: &Path) -> Result<Self, AnyError> {
        let mut bytes = [0; 24];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
        read.map_err(|error| format!("cannot read {}: {error}", Shown(path)))?;
        let ([magic, [v0, v1, v2, v3, f0, f1, f2, f3], capacity], _) = bytes.as_chunks() else { unreachable!() };
        Ok(Self {
            magic: magic.map(|byte| format!("{byte:02x}")).join(" "),
            version: u32::from_ne_bytes([*v0, *v1, *v2, *v3]),
            flags: u32::from_ne_bytes([*f0, *f1, *f2, *f3]),
            capacity: u64::from_ne_bytes(*capacity),
        })
    }
}

impl From<Address> for Root {
    fn from(address: Address) -> Self {
        Self { address: address.to_raw(), offset: address.offset(), size: address.size() }
    }
}
