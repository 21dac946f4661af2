//! Reading a log, while it is written or afterwards.

use std::error::Error;
use std::path::Path;

use marena_std::{Address, MappedArena, MappedView};

use crate::log::{LANES, lane, table};
use crate::record::{HEAD, Record, decode};

/// Follows a log: each call of [`new_records`](Self::new_records) gives what was committed since the last.
pub(crate) struct Reader {
    pub(crate) view: MappedView,
    /// For each lane, the head that was seen last.
    seen: [Option<Address>; LANES as usize],
}

impl Reader {
    /// A reader that has seen nothing yet. Needs no permission to write the file.
    pub(crate) fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        // SAFETY: the file is a log's: all that writes it is this program, through `MappedArena`, and nobody truncates it.
        let view = unsafe { MappedArena::open_read_only(path) }?;
        Ok(Self { view, seen: [None; LANES as usize] })
    }

    /// Records committed since the last call, each lane's in the order of their commits, with their addresses.
    pub(crate) fn new_records(&mut self) -> Result<Vec<(Address, Record)>, Box<dyn Error>> {
        let Some(table) = table(&self.view) else { return Ok(Vec::new()) };
        let mut records = Vec::new();
        let mut bytes = Vec::new();
        for (index, seen) in (0..LANES).zip(&mut self.seen) {
            let head = Address::from_raw(self.view.load_u64(lane(table, index))?);
            let mut next = head;
            let first = records.len();
            // A damaged link could lead round in a circle; more records than fit are none.
            let most = self.view.used() / HEAD;
            while let Some(address) = next.filter(|_| next != *seen) {
                bytes.resize(address.size() as usize, 0);
                self.view.read_into(address, &mut bytes)?;
                let record = decode(&bytes).ok_or_else(|| format!("the record at {address:?} is damaged"))?;
                next = record.before;
                records.push((address, record));
                if records.len() - first > most {
                    return Err(format!("the list of lane {index} has no end").into());
                }
            }
            records[first..].reverse();
            *seen = head;
        }
        Ok(records)
    }
}
