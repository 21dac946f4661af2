//! The log's structure in the arena, and appending to it.
//!
//! Root slot 0 names the table: one word for each lane, on a cache line of its own. A lane is a
//! list whose head is that word and whose links lead back: each record names the two that were
//! committed before it in its lane. One compare-and-swap of its lane's head commits a record, so it
//! is there completely or not at all; a writer that is killed before leaves one block that nobody
//! finds.
//!
//! Writers are spread over lanes so that they seldom meet. What a lane holds is in the order of
//! commits; order between lanes is not kept. Durable writers have lanes of their own: a record that
//! is not on the disk cannot stand between a head and a record that is.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use common::{AnyError, Negative, Shown};
use marena_std::{Address, Durability, MappedArena, MappedView};

use crate::record::{self, WORD};

/// Lanes of a log. The second half is for durable writers.
pub(crate) const LANES: u32 = 16;

/// Bytes from lane to lane.
const STRIDE: u32 = 128;

/// The slot that names the table.
const TABLE_SLOT: usize = 0;

/// The table's bytes.
pub(crate) const TABLE_SIZE: usize = (LANES * STRIDE) as usize;

/// What the table's second word holds.
const MAGIC: u64 = u64::from_ne_bytes(*b"a log v2");

/// Where the table is.
#[derive(Clone, Copy)]
pub(crate) struct Table(Address);

impl Table {
    /// The table of a log that is only read; `None` if it has none yet.
    pub(crate) fn of(view: &MappedView) -> Result<Option<Self>, AnyError> {
        let Some(root) = view.root(TABLE_SLOT) else { return Ok(None) };
        let table = Self(root);
        let is_log = root.size() as usize == TABLE_SIZE && view.load_u64(table.magic())? == MAGIC;
        if is_log { Ok(Some(table)) } else { Err(no_log()) }
    }

    /// The address of a lane's head.
    pub(crate) fn head(self, lane: u32) -> Address {
        part(self.0, lane * STRIDE, WORD)
    }

    fn magic(self) -> Address {
        part(self.0, WORD, WORD)
    }
}

fn no_log() -> AnyError {
    Negative("the arena in the file is no log: its root names something else".into()).into()
}

/// A part of a block, which is not empty.
fn part(block: Address, start: u32, size: u32) -> Address {
    Address::new(block.offset() + start, size).unwrap_or(block)
}

/// A log that can be appended to.
pub(crate) struct Log {
    pub(crate) arena: MappedArena,
    table: Table,
    durable: bool,
    /// Bytes to allocate at once, for many records; 0: each record by itself.
    chunk: usize,
    /// What is left of the last chunk: bytes that nobody else knows.
    rest: Option<Address>,
    /// Bytes at the ends of chunks that were too few for the next record.
    pub(crate) tails: u64,
    buffer: Vec<u8>,
}

impl Log {
    /// Opens the log in a file, or makes it. A log that is there keeps the capacity it was made
    /// with.
    pub(crate) fn open(path: &Path, capacity: usize, durable: bool) -> Result<Self, AnyError> {
        let durability = if durable { Durability::FlushOnPublish } else { Durability::None };
        let builder = MappedArena::builder().durability(durability);
        // SAFETY: the file is a log's: all that writes it is this program, through `MappedArena`,
        // and nobody truncates it.
        let arena = unsafe { common::open_or_create(builder, path, capacity) }?;
        #[cfg(unix)]
        if durable {
            // The writer that made the file need not have brought its name to the disk.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            std::fs::File::open(folder)?.sync_all().map_err(|error| format!("{}: {error}", Shown(folder)))?;
        }
        Self::over(arena, durable)
    }

    /// The log in an arena, which is set up if the arena is empty.
    pub(crate) fn over(arena: MappedArena, durable: bool) -> Result<Self, AnyError> {
        if arena.root(TABLE_SLOT).is_none() {
            let table = Table(arena.allocate_address_aligned(TABLE_SIZE, STRIDE as usize)?);
            // ORDERING: Relaxed: publishing the root makes it visible.
            arena.atomic_u64_at(table.magic())?.store(MAGIC, Relaxed);
            // Another process may be doing the same: one table is published, and only that one is
            // used.
            arena.publish_root_if(TABLE_SLOT, None, table.0)?;
        }
        let table = Table(arena.root(TABLE_SLOT).ok_or_else(no_log)?);
        // ORDERING: Relaxed: it was written before the root was published, which the look at the
        // root acquires.
        if table.0.size() as usize != TABLE_SIZE || arena.atomic_u64_at(table.magic())?.load(Relaxed) != MAGIC {
            return Err(no_log());
        }
        Ok(Self { arena, table, durable, chunk: 0, rest: None, tails: 0, buffer: Vec::new() })
    }

    /// Has the log allocate `bytes` at a time, so that writers meet at the arena's cursor once for
    /// many records. A writer that is killed then leaves up to a chunk behind instead of a record.
    pub(crate) fn chunked(mut self, bytes: usize) -> Self {
        self.chunk = bytes;
        self
    }

    /// A block with the buffer's bytes in it.
    fn place(&mut self) -> Result<Address, AnyError> {
        let len = self.buffer.len();
        let step = len.next_multiple_of(WORD as usize);
        if step > self.chunk {
            return Ok(self.arena.allocate_copy(&self.buffer)?);
        }
        if self.rest.is_none_or(|rest| (rest.size() as usize) < step) {
            self.tails += self.rest.map_or(0, |rest| rest.size().into());
            // Not zeroed: records fill it. Zeroing a whole chunk at once has each of its cache
            // lines fetched in a burst, and then again.
            self.rest = self.arena.allocate_address_uninit(self.chunk).ok();
        }
        let Some(rest) = self.rest else {
            // Room for a record, but for no chunk.
            return Ok(self.arena.allocate_copy(&self.buffer)?);
        };
        self.rest = Address::new(rest.offset() + step as u32, rest.size() - step as u32);
        // In whole words, which are stored without a look at what they held.
        self.buffer.resize(step, 0);
        self.arena.write_from(part(rest, 0, step as u32), &self.buffer)?;
        Ok(part(rest, 0, len as u32))
    }

    fn word(&self, block: Address, index: u32) -> Result<&AtomicU64, AnyError> {
        Ok(self.arena.atomic_u64_at(part(block, index * WORD, WORD))?)
    }

    /// Appends a record. It is committed when this returns; with durability, on the disk.
    pub(crate) fn append(&mut self, writer: u64, number: u64, text: &[u8]) -> Result<Address, AnyError> {
        let sum = record::encode(&mut self.buffer, writer, number, text);
        let record = self.place()?;
        let half = LANES / 2;
        let lane = (writer % u64::from(half)) as u32 + if self.durable { half } else { 0 };
        let head = self.arena.atomic_u64_at(self.table.head(lane))?;
        let [first, second, check_sum] = [self.word(record, 0)?, self.word(record, 1)?, self.word(record, 2)?];
        // ORDERING: Acquire, here and where the compare-and-swap fails: pairs with the commit
        // below, so that the link of the record before is there to be read.
        let mut before = head.load(Acquire);
        loop {
            // A damaged head names nothing that could be read.
            let last = Address::from_raw(before).and_then(|last| self.word(last, 0).ok());
            // ORDERING: Relaxed: nobody changes a committed record.
            let links = [before, last.map_or(0, |link| link.load(Relaxed))];
            for (word, value) in [(first, links[0]), (second, links[1]), (check_sum, record::seal(sum, links))] {
                // ORDERING: Relaxed: nobody sees the record before the compare-and-swap below.
                word.store(value, Relaxed);
            }
            if self.durable {
                // A head on the disk must not name a record that is not there, or that a cursor on
                // the disk does not cover.
                self.arena.flush()?;
            }
            // ORDERING: Release pairs with the reader's load of the head: it sees the record. All
            // heads change by compare-and-swap, so each Release is carried on by those after it.
            match head.compare_exchange_weak(before, record.to_raw(), Release, Acquire) {
                Ok(_) => break,
                Err(found) => before = found,
            }
        }
        if self.durable {
            self.arena.flush_range(self.table.head(lane))?;
        }
        Ok(record)
    }
}
