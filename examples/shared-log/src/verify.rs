//! What must hold of a log at any time, whichever writers were killed.

use std::collections::HashMap;

use common::AnyError;

use crate::log::TABLE_SIZE;
use crate::reader::{Damage, Reader};
use crate::record::WORD;

/// What has been found so far.
#[derive(Default)]
pub(crate) struct Findings {
    /// For each writer, the number after its last record. Without damage, none before it is
    /// missing.
    pub(crate) records: HashMap<u64, u64>,
    pub(crate) damaged: Vec<Damage>,
    count: u64,
    /// Bytes of all records, in whole words.
    bytes: usize,
    pub(crate) largest: usize,
}

impl Findings {
    /// Takes in what was committed since the last time.
    pub(crate) fn update(&mut self, reader: &mut Reader) -> Result<(), AnyError> {
        let mut missing = Vec::new();
        let damaged = reader.for_each_new(|address, record| {
            let next = self.records.entry(record.writer).or_default();
            if record.number != *next {
                missing.push(Damage::Missing { writer: record.writer, number: *next });
            }
            *next = record.number.wrapping_add(1);
            self.count += 1;
            let size = (address.size() as usize).next_multiple_of(WORD as usize);
            self.bytes += size;
            self.largest = self.largest.max(size);
            Ok(())
        })?;
        self.damaged.extend(damaged);
        self.damaged.extend(missing);
        Ok(())
    }

    pub(crate) fn total(&self) -> u64 {
        self.count
    }

    /// Bytes handed out that are neither the table nor a record: what killed writers had allocated,
    /// and writers are about to commit.
    pub(crate) fn unaccounted(&self, used: usize) -> usize {
        used.saturating_sub(TABLE_SIZE + self.bytes)
    }
}
