//! How large a lease's chunk has to be.

use super::scaling::named;
use crate::contenders::Leased;
use crate::machine;
use crate::work::{Effort, Entry, Work};

pub(super) fn work() -> Work {
    Work {
        id: "chunks",
        title: "24 B from leases of several sizes, a thread on each core",
        unit: "block of all threads",
        how: "As above, claims alone. A lease starts with 256 B and doubles up to its size.",
        entries: vec![
            entry::<1_048_576>(),
            entry::<262_144>(),
            entry::<65_536>(),
            entry::<16_384>(),
            entry::<4096>(),
            entry::<1024>(),
            entry::<256>(),
            entry::<64>(),
        ],
        absent: vec![],
        targets: vec![],
        effort: Effort::THREADS,
    }
}

fn entry<const BYTES: usize>() -> Entry {
    named::<Leased<BYTES>>(format!("marena lease of {BYTES} B"), machine::cores())
}
