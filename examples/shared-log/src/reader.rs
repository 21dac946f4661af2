//! Reading a log, while it is written or afterwards.

use std::fmt;
use std::path::Path;

use common::{AnyError, Negative};
use marena_std::{Address, MappedView};

use crate::log::{LANES, Table};
use crate::record::{HEAD, Links, Record, damaged_links, decode};

/// Records of a lane whose addresses are in memory at the same time.
const BLOCK: usize = 4096;

/// Follows a log: each call of [`for_each_new`](Self::for_each_new) shows what was committed since
/// the last.
pub(crate) struct Reader {
    pub(crate) view: MappedView,
    /// For each lane, the head that was seen last.
    seen: [Option<Address>; LANES as usize],
}

/// Something that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    Head(u32),
    Record(Address),
    /// Of a writer, the record of this number is not where it should be.
    Missing {
        writer: u64,
        number: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(lane) => write!(f, "the head of lane {lane} is damaged"),
            Self::Record(address) => write!(f, "the record at offset {} is damaged", address.offset()),
            Self::Missing { writer, number } => write!(f, "record {number} of writer {writer:#x} is missing"),
        }
    }
}

impl Reader {
    /// Opens a log without having seen anything of it. Needs no permission to write the file.
    pub(crate) fn open(path: &Path) -> Result<Self, AnyError> {
        // SAFETY: the file is a log's: all that writes it is this program, through `MappedArena`,
        // and nobody truncates it.
        let view = unsafe { common::open_read_only(path) }?;
        Ok(Self { view, seen: [None; LANES as usize] })
    }

    /// Fails if the arena has no log in it. A follower waits for one.
    pub(crate) fn check_is_log(&self) -> Result<(), AnyError> {
        match Table::of(&self.view)? {
            Some(_) => Ok(()),
            None => Err(Negative("the arena in the file has no root, so it holds no log".into()).into()),
        }
    }

    /// Shows the records committed since the last call, each lane's in the order of their commits,
    /// and returns what is damaged.
    pub(crate) fn for_each_new(
        &mut self,
        mut show: impl FnMut(Address, Record<'_>) -> Result<(), AnyError>,
    ) -> Result<Vec<Damage>, AnyError> {
        let mut damaged = Vec::new();
        let Some(table) = Table::of(&self.view)? else { return Ok(damaged) };
        let mut bytes = Vec::new();
        for (lane, seen) in (0..LANES).zip(&mut self.seen) {
            let word = self.view.load_u64(table.head(lane))?;
            let head = Address::from_raw(word);
            if word != 0 && head.is_none() {
                damaged.push(Damage::Head(lane));
            }
            // The links lead from the newest record to the oldest, and all addresses of a lane may
            // be too many to remember. So the first walk remembers one in many, and the others go
            // from there, the oldest first.
            let mut walk = Walk::new(&self.view, head, *seen);
            let mut starts = Vec::new();
            while walk.next.is_some() {
                starts.push(walk);
                walk.go(&mut bytes, BLOCK, |_| ());
            }
            for start in starts.into_iter().rev() {
                let mut block = Vec::with_capacity(BLOCK);
                let mut walk = start;
                walk.go(&mut bytes, BLOCK, |step| block.push(step));
                for step in block.into_iter().rev() {
                    match step.and_then(|address| Ok((address, read(&self.view, address, &mut bytes).ok_or(address)?)))
                    {
                        Ok((address, record)) => show(address, record)?,
                        Err(address) => damaged.push(Damage::Record(address)),
                    }
                }
            }
            *seen = head;
        }
        Ok(damaged)
    }
}

fn read<'b>(view: &MappedView, address: Address, bytes: &'b mut Vec<u8>) -> Option<Record<'b>> {
    if address.size() as usize > view.used() {
        return None;
    }
    bytes.clear();
    bytes.resize(address.size() as usize, 0);
    view.read_into(address, bytes).ok()?;
    decode(bytes)
}

/// A way along a lane, from newer records to older ones.
#[derive(Clone, Copy)]
struct Walk<'v> {
    view: &'v MappedView,
    next: Option<Address>,
    /// What comes after `next`, if the record before said so.
    after_next: Option<Option<Address>>,
    /// Where to stop.
    seen: Option<Address>,
    /// Bytes left to be read. A damaged link could lead round in a circle, and sound records have
    /// no byte in common.
    left: u64,
}

impl<'v> Walk<'v> {
    fn new(view: &'v MappedView, head: Option<Address>, seen: Option<Address>) -> Self {
        let next = head.filter(|_| head != seen);
        // Sound records take no more than what is used. A damaged one may claim as much.
        Self { view, next, after_next: None, seen, left: 16 * view.used() as u64 }
    }

    /// Goes up to `steps` records further. Each is shown by its address, which is the error if it
    /// is damaged.
    fn go(&mut self, bytes: &mut Vec<u8>, steps: usize, mut show: impl FnMut(Result<Address, Address>)) {
        for _ in 0..steps {
            let Some(address) = self.next else { return };
            let record = read(self.view, address, bytes).map(|record| record.links);
            let [next, after_next] = match (record, self.after_next) {
                (Some([next, after_next]), _) => [Some(next), Some(after_next)],
                // The record that led here also names the one behind this.
                (None, Some(next)) => [Some(next), None],
                (None, None) => {
                    let [next, _]: Links = damaged_links(bytes);
                    [Some(next), None]
                }
            };
            self.left = self.left.saturating_sub(u64::from(address.size()).max(HEAD as u64));
            self.next = next.flatten().filter(|&next| self.left > 0 && Some(next) != self.seen);
            self.after_next = after_next;
            show(record.map(|_| address).ok_or(address));
        }
    }
}
