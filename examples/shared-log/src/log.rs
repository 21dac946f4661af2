//! The log's structure in the arena, for writers.
//!
//! Root slot 0 names the table: one word for each lane, on a cache line of its own. A lane is a list whose head is that word and whose links lead
//! back: each record's first word is the address of the one committed before it. A record is committed by one exchange of its lane's
//! head, so it is there completely or not at all; a writer that is killed before leaves one block that nobody finds.
//!
//! Writers are spread over lanes so that they seldom meet. What a lane holds is in the order of commits; order between lanes is not kept.

use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::Ordering::{Relaxed, Release};

use marena_std::{Address, Durability, MapError, MappedArena};

use crate::record::{self, LINK};

/// Lanes of a log.
pub(crate) const LANES: u32 = 16;

/// Bytes from lane to lane.
const STRIDE: u32 = 128;

/// The slot that names the table.
const TABLE_SLOT: usize = 0;

/// The table's bytes.
pub(crate) const TABLE_SIZE: usize = (LANES * STRIDE) as usize;

/// A log that can be appended to.
pub(crate) struct Log {
    pub(crate) arena: MappedArena,
    table: Address,
    durable: bool,
    /// Bytes to claim at once, for many records; 0: each record by itself.
    chunk: usize,
    /// What is left of the last chunk: bytes that nobody else knows.
    rest: Option<Address>,
    /// Bytes at the ends of chunks that were too few for the next record.
    pub(crate) tails: u64,
    buffer: Vec<u8>,
}

impl Log {
    /// Opens the log in a file, or makes it.
    pub(crate) fn open(path: &Path, capacity: usize, durable: bool) -> Result<Self, Box<dyn Error>> {
        let durability = if durable { Durability::FlushOnPublish } else { Durability::None };
        let builder = MappedArena::builder().durability(durability);
        // SAFETY: the file is a log's: all that writes it is this program, through `MappedArena`, and nobody truncates it.
        let arena = match unsafe { builder.open(path) } {
            // A log that is there keeps the capacity it was made with.
            Err(MapError::Io { action: "open", source, .. }) if source.kind() == ErrorKind::NotFound => {
                // SAFETY: as above.
                unsafe { builder.capacity(capacity).open_or_create(path) }
            }
            outcome => outcome,
        }?;
        Self::over(arena, durable)
    }

    /// The log in an arena, which is set up if the arena is empty.
    pub(crate) fn over(arena: MappedArena, durable: bool) -> Result<Self, Box<dyn Error>> {
        let table = match arena.root(TABLE_SLOT) {
            Some(table) => table,
            None => {
                // Another process may be doing the same: one table is published, and only that one is used.
                let table = arena.allocate_address_aligned(TABLE_SIZE, STRIDE as usize)?;
                arena.publish_root_if(TABLE_SLOT, None, table)?;
                arena.root(TABLE_SLOT).ok_or("the log's root is damaged")?
            }
        };
        if table.size() as usize != TABLE_SIZE {
            return Err("the file is no log: its root names something else".into());
        }
        Ok(Self { arena, table, durable, chunk: 0, rest: None, tails: 0, buffer: Vec::new() })
    }

    /// Has the log claim `bytes` at a time, so that writers meet at the arena's cursor once for many records. A writer that is killed then
    /// leaves up to a chunk behind instead of a record.
    pub(crate) fn chunked(mut self, bytes: usize) -> Self {
        self.chunk = bytes;
        self
    }

    /// A block with the buffer's bytes in it.
    fn place(&mut self) -> Result<Address, marena_std::Error> {
        let step = self.buffer.len().next_multiple_of(8);
        if step > self.chunk {
            return Ok(self.arena.allocate_copy(&self.buffer)?);
        }
        if self.rest.is_none_or(|rest| (rest.size() as usize) < step) {
            self.tails += self.rest.map_or(0, |rest| rest.size().into());
            // Not zeroed: records fill it. Zeroing a whole chunk at once has each of its cache lines fetched in a burst, and then again.
            self.rest = self.arena.allocate_address_uninit(self.chunk).ok();
        }
        let Some(rest) = self.rest else {
            // Room for a record, but for no chunk.
            return Ok(self.arena.allocate_copy(&self.buffer)?);
        };
        let part = |offset: usize, size| Address::new(rest.offset() + offset as u32, size as u32);
        self.rest = part(step, rest.size() as usize - step);
        // In whole words, which are stored without a look at what they held.
        let len = self.buffer.len();
        self.buffer.resize(step, 0);
        self.arena.write_from(part(0, step).unwrap_or(rest), &self.buffer).map_err(MapError::from)?;
        Ok(part(0, len).unwrap_or(rest))
    }

    /// Appends a record. It is committed when this returns; with durability, on the disk.
    pub(crate) fn append(&mut self, writer: u64, number: u64, text: &[u8]) -> Result<Address, marena_std::Error> {
        record::encode(&mut self.buffer, writer, number, text);
        let record = self.place()?;
        let lane = lane(self.table, (writer % u64::from(LANES)) as u32);
        let head = self.arena.atomic_u64_at(lane).map_err(MapError::from)?;
        let link = self.arena.atomic_u64_at(record).map_err(MapError::from)?;
        // ORDERING: Relaxed: the number is only stored. Who finds this record also sees those before it: all heads are exchanged, so each
        // Release below is carried on by the exchanges after it.
        let mut before = head.load(Relaxed);
        loop {
            // ORDERING: Relaxed: nobody sees the record before the exchange below.
            link.store(before, Relaxed);
            if self.durable {
                // A head on the disk must not name a record that is not there, or that a cursor on the disk does not cover.
                self.arena.flush()?;
            }
            // ORDERING: Release pairs with the reader's load of the head: it sees the record.
            match head.compare_exchange_weak(before, record.to_raw(), Release, Relaxed) {
                Ok(_) => break,
                Err(found) => before = found,
            }
        }
        if self.durable {
            self.arena.flush_range(lane)?;
        }
        Ok(record)
    }
}

/// The address of a lane's head in the table.
pub(crate) fn lane(table: Address, lane: u32) -> Address {
    let offset = table.offset() + lane * STRIDE;
    Address::new(offset, LINK as u32).unwrap_or(table)
}

/// The table of a log that is only read, if it has one yet.
pub(crate) fn table(view: &marena_std::MappedView) -> Option<Address> {
    view.root(TABLE_SLOT).filter(|table| table.size() as usize == TABLE_SIZE)
}
