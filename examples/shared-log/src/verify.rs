//! What must hold of a log at any time, whoever was killed before.

use std::collections::HashMap;
use std::error::Error;

use crate::log::TABLE_SIZE;
use crate::reader::Reader;

/// What has been found so far.
#[derive(Default)]
pub(crate) struct Findings {
    /// For each writer, how many of its records there are: numbers 0 up to this, none missing.
    pub(crate) records: HashMap<u64, u64>,
    /// Bytes of all records, in whole steps.
    pub(crate) bytes: usize,
    pub(crate) largest: usize,
}

impl Findings {
    /// Takes in what was committed since the last time. Fails if a record is damaged, or not the next one of its writer.
    pub(crate) fn update(&mut self, reader: &mut Reader) -> Result<(), Box<dyn Error>> {
        for (address, record) in reader.new_records()? {
            let expected = self.records.entry(record.writer).or_default();
            if record.number != *expected {
                let found = record.number;
                return Err(
                    format!("writer {}: record {found} at {address:?}, expected {expected}", record.writer).into()
                );
            }
            *expected += 1;
            let size = (address.size() as usize).next_multiple_of(8);
            self.bytes += size;
            self.largest = self.largest.max(size);
        }
        Ok(())
    }

    pub(crate) fn total(&self) -> u64 {
        self.records.values().sum()
    }

    /// Bytes handed out that are neither the table nor a record: what killed writers had claimed, and writers are about to commit.
    pub(crate) fn unaccounted(&self, used: usize) -> usize {
        used.saturating_sub(TABLE_SIZE + self.bytes)
    }
}
