//! A map in a file.

use core::fmt;
use core::ops::{Bound, RangeBounds};
use std::vec::Vec;

use marena_core::{Address, Stats};
use marena_std::{MappedArena, MappedView, PublishError};

use super::checked::Checked;
use super::error::SharedMapError;
use super::range::{OwnedEntry, SharedRange};
use super::spaces::{Mapped, ReadOnly};
use crate::damage::Damage;
use crate::height::{Heights, draw_seed};
use crate::layout::{WORD, block};
use crate::node::{Nodes, Place, VERSION, magic_words};
use crate::order::Order;
use crate::region::Region;
use crate::search::{Side, Target};
use crate::space::Space;

/// An ordered map in a file. Several processes read and write it at once, and it is still there
/// after a restart.
///
/// It is a [`SkipMap`](crate::SkipMap) in a [`MappedArena`], named by one of the arena's root
/// slots. The differences are:
///
/// - Reads copy entries, because another process may write the bytes meanwhile.
/// - Everything that is read is checked. A damaged file, or a process that writes other bytes than
///   maps do, causes errors or wrong entries, and nothing worse: no undefined behaviour, no panic
///   and no endless loop.
/// - If a process is killed at any moment, every insert that returned stays, and nobody waits for
///   it. Each insert that it was in may leave a node that is in no map, or one without shortcuts to
///   it. [`insert_group`](SharedMap::insert_group) may leave up to [`GROUP`](crate::GROUP) nodes
///   that are in no map. If the process was making an index, that stays incomplete, and searches
///   begin in a shorter one until the map is twice as large.
/// - Where many shortcuts are missing, because writers were killed or the file is damaged, a search
///   follows the list and remembers its way. Later ones take the same way faster.
///
/// A map that is opened by [`open_read_only`](SharedMap::open_read_only) sees what other processes
/// write, and needs no permission to write the file.
///
/// With [`Durability::FlushOnPublish`](marena_std::Durability::FlushOnPublish), an insert returns
/// when its entry is on the disk: first the entry is written there, then the link to it. All
/// writers of the map must open it with this setting. Otherwise an entry of another writer that is
/// not on the disk can make the entries behind it unreachable after a power loss.
///
/// `LAYOUT.md` describes the layout of the bytes, for programs in other languages.
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
/// use marena_skiplist::{ByteOrder, SharedMap};
/// use marena_std::MappedArena;
///
/// let path = std::env::temp_dir().join(format!("shared-map-{}.arena", std::process::id()));
/// // SAFETY: the file is new, and every process that opens it uses this type.
/// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
/// let map = SharedMap::create(arena, 0, ByteOrder)?;
/// map.insert(b"pear", b"green")?;
///
/// // Another process, or this one after a restart.
/// // SAFETY: as above.
/// let view = unsafe { MappedArena::open_read_only(&path) }?;
/// let reader = SharedMap::open_read_only(view, 0, ByteOrder)?;
/// map.insert(b"apple", b"red")?;
/// assert_eq!(reader.get(b"apple")?, Some(b"red".to_vec()));
/// assert_eq!(reader.len()?, 2);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedMap<S, O> {
    pub(super) nodes: Nodes<Checked<S>>,
    pub(super) order: O,
    pub(super) heights: Heights,
}

/// The counts of [`SharedMap::verify`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The number of keys with a value.
    pub entries: usize,
    /// The number of nodes: one for each insert and removal.
    pub nodes: usize,
    /// The number of bytes that the map takes in the arena.
    pub bytes: usize,
    /// The number of levels that nodes have and are not on. A killed writer may leave some, and
    /// damage many. Searches then take longer.
    pub missing_links: usize,
}

/// Creating and opening.
impl<O: Order> SharedMap<Mapped, O> {
    /// Creates an empty map and publishes it in a root slot of the arena. If several processes try
    /// that in one slot, one succeeds.
    ///
    /// # Errors
    ///
    /// [`SharedMapError::Occupied`] if the slot is in use, [`SharedMapError::Alloc`] and
    /// [`SharedMapError::Publish`]. No bytes are allocated then, unless another process took the
    /// slot meanwhile, or the disk failed.
    pub fn create(arena: MappedArena, slot: usize, order: O) -> Result<Self, SharedMapError> {
        let space = Mapped(arena);
        if space.root_number(slot)? != 0 {
            return Err(SharedMapError::Occupied { slot });
        }
        let map = Self::allocate(space, order)?;
        if !map.publish(slot)? {
            return Err(SharedMapError::Occupied { slot });
        }
        Ok(map)
    }

    /// Opens the map that a root slot of the arena names. The time does not depend on its size.
    ///
    /// # Errors
    ///
    /// [`SharedMapError::NoMap`], [`SharedMapError::NotAMap`], [`SharedMapError::Order`], and
    /// [`SharedMapError::Damage`].
    pub fn open(arena: MappedArena, slot: usize, order: O) -> Result<Self, SharedMapError> {
        let root = arena.root(slot);
        Self::at(Mapped(arena), slot, root, order)
    }

    /// Opens the map that a root slot of the arena names, or creates it. Processes that do this at
    /// once get the same map.
    ///
    /// # Errors
    ///
    /// The same as for [`open`](Self::open) and [`create`](Self::create).
    pub fn open_or_create(arena: MappedArena, slot: usize, order: O) -> Result<Self, SharedMapError> {
        let space = Mapped(arena);
        if space.root_number(slot)? != 0 {
            // It cannot be an address, or another process has published since.
            let root = space.0.root(slot).ok_or(SharedMapError::NotAMap { slot })?;
            return Self::at(space, slot, Some(root), order);
        }
        let map = Self::allocate(space, order)?;
        if map.publish(slot)? {
            return Ok(map);
        }
        let Self { nodes, order, .. } = map;
        let space = nodes.into_region().into_space();
        // The slot is in use. If its content cannot be an address, it does not name a map.
        let root = space.0.root(slot).ok_or(SharedMapError::NotAMap { slot })?;
        Self::at(space, slot, Some(root), order)
    }

    /// Publishes the map, unless the slot is in use.
    fn publish(&self, slot: usize) -> Result<bool, PublishError> {
        let Some(address) = Address::new(self.nodes.block(), block::SIZE) else { return Ok(false) };
        self.nodes.region().space().0.publish_root_if(slot, None, address)
    }
}

impl<O: Order> SharedMap<ReadOnly, O> {
    /// Opens the map that a root slot names, read-only.
    ///
    /// # Errors
    ///
    /// The same as for [`open`](SharedMap::open).
    pub fn open_read_only(view: MappedView, slot: usize, order: O) -> Result<Self, SharedMapError> {
        let root = view.root(slot);
        Self::at(ReadOnly(view), slot, root, order)
    }
}

impl<S: Space, O: Order> SharedMap<S, O> {
    /// Makes an empty map that nothing names yet.
    fn allocate(space: S, order: O) -> Result<Self, SharedMapError> {
        let seed = draw_seed(space.region().addr().get());
        Self::allocate_seeded(space, order, seed)
    }

    pub(super) fn allocate_seeded(space: S, order: O, seed: u64) -> Result<Self, SharedMapError> {
        // SAFETY: a file's bytes are initialised, and so are a model's words. The space belongs to
        // this crate and has no other user.
        let region = unsafe { Checked::new(space) };
        Ok(Self { nodes: Nodes::create(region, O::ID, seed)?, order, heights: Heights { seed } })
    }

    /// Opens the map that a root names.
    fn at(space: S, slot: usize, root: Option<Address>, order: O) -> Result<Self, SharedMapError> {
        let root = root.ok_or(SharedMapError::NoMap { slot })?;
        if root.size() != block::SIZE {
            return Err(SharedMapError::NotAMap { slot });
        }
        // SAFETY: as in `allocate`.
        let nodes = Nodes::open(unsafe { Checked::new(space) }, root.offset())?;
        let magic = [nodes.field(block::MAGIC), nodes.field(block::MAGIC + WORD)];
        if magic != magic_words() || nodes.field(block::VERSION) != VERSION {
            return Err(SharedMapError::NotAMap { slot });
        }
        let (found, expected) = (nodes.field(block::ORDER), O::ID);
        if found != expected {
            return Err(SharedMapError::Order { found, expected });
        }
        nodes.head().node()?;
        let seed = u64::from(nodes.field(block::SEED)) | u64::from(nodes.field(block::SEED + WORD)) << 32;
        Ok(Self { nodes, order, heights: Heights { seed } })
    }
}

pub(super) fn value_of<S: Space>(place: Place<'_, Checked<S>>) -> Result<Option<Vec<u8>>, SharedMapError> {
    let node = place.node()?;
    if node.is_tombstone() {
        return Ok(None);
    }
    let mut value = Vec::new();
    node.copy_value(&mut value)?;
    Ok(Some(value))
}

/// Reading.
///
/// # Errors
///
/// [`SharedMapError::Damage`], and [`SharedMapError::NoMemory`] where an entry is copied.
impl<S: Space, O: Order> SharedMap<S, O> {
    fn find(&self, key: &[u8]) -> Result<Option<Place<'_, Checked<S>>>, Damage> {
        Ok(Target::new(&self.order, key, Side::Before).find(&self.nodes)?.node())
    }

    /// Returns a key's value.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SharedMapError> {
        match self.find(key)? {
            Some(place) => value_of(place),
            None => Ok(None),
        }
    }

    /// Replaces the contents of `into` by a key's value, and returns whether there is one.
    pub fn get_into(&self, key: &[u8], into: &mut Vec<u8>) -> Result<bool, SharedMapError> {
        let Some(place) = self.find(key)? else { return Ok(false) };
        let node = place.node()?;
        if !node.is_tombstone() {
            node.copy_value(into)?;
        }
        Ok(!node.is_tombstone())
    }

    /// Returns whether a key has a value.
    pub fn contains_key(&self, key: &[u8]) -> Result<bool, SharedMapError> {
        match self.find(key)? {
            Some(place) => Ok(!place.node()?.is_tombstone()),
            None => Ok(false),
        }
    }

    /// Returns the entry with the smallest key.
    pub fn first(&self) -> Result<Option<OwnedEntry>, SharedMapError> {
        self.iter().next().transpose()
    }

    /// Returns the entry with the largest key.
    pub fn last(&self) -> Result<Option<OwnedEntry>, SharedMapError> {
        self.iter().next_back().transpose()
    }

    /// Returns the first entry whose key is `key` or comes after it.
    pub fn seek(&self, key: &[u8]) -> Result<Option<OwnedEntry>, SharedMapError> {
        self.range((Bound::Included(key), Bound::Unbounded)).next().transpose()
    }

    /// Returns the last entry whose key is `key` or comes before it.
    pub fn seek_back(&self, key: &[u8]) -> Result<Option<OwnedEntry>, SharedMapError> {
        self.range((Bound::Unbounded, Bound::Included(key))).next_back().transpose()
    }

    /// Returns the entries between two bounds, in order, from both ends.
    pub fn range<'k>(&self, bounds: impl RangeBounds<&'k [u8]>) -> SharedRange<'_, 'k, S, O> {
        SharedRange::new(&self.nodes, &self.order, (bounds.start_bound().cloned(), bounds.end_bound().cloned()))
    }

    /// Returns all entries, in order.
    pub fn iter(&self) -> SharedRange<'_, 'static, S, O> {
        self.range(..)
    }

    /// Counts the entries by a walk over all of them. A count in the file would be wrong after a
    /// process was killed.
    pub fn len(&self) -> Result<usize, SharedMapError> {
        let mut range = self.iter();
        let mut count = 0;
        while range.skip_entry()? {
            count += 1;
        }
        Ok(count)
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> Result<bool, SharedMapError> {
        Ok(!self.iter().skip_entry()?)
    }

    /// Checks the whole map: on every level, each node lies in the region, has that level, and
    /// comes in order. Complete indexes name nodes on their level.
    pub fn verify(&self) -> Result<Verified, SharedMapError> {
        let bytes = (block::SIZE as usize).next_multiple_of(8);
        let mut verified = Verified { entries: self.len()?, nodes: 0, bytes, missing_links: 0 };
        let mut links = 0;
        self.nodes.walk_levels(&self.order, |level, node| {
            links += 1;
            if level == 0 {
                verified.nodes += 1;
                verified.bytes += node.size().next_multiple_of(8);
                verified.missing_links += node.height() as usize;
            }
        })?;
        verified.bytes += self.nodes.walk_indexes(&self.order)?;
        // Others may have linked nodes after they were counted.
        verified.missing_links = verified.missing_links.saturating_sub(links);
        Ok(verified)
    }
}

/// Statistics and the disk.
impl<O: Order> SharedMap<Mapped, O> {
    /// Returns the arena's statistics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.nodes.region().space().0.stats()
    }

    /// Writes everything to the disk.
    ///
    /// # Errors
    ///
    /// The same as for [`MappedArena::flush`].
    pub fn flush(&self) -> Result<(), PublishError> {
        self.nodes.region().space().0.flush()
    }

    /// Returns the arena. The map stays in the file.
    #[must_use]
    pub fn into_arena(self) -> MappedArena {
        self.nodes.into_region().into_space().0
    }
}

impl<O: Order> SharedMap<ReadOnly, O> {
    /// Returns the arena's statistics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.nodes.region().space().0.stats()
    }
}

impl<S, O> fmt::Debug for SharedMap<S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMap").finish_non_exhaustive()
    }
}

// Miri maps no files.
#[cfg(all(test, unix, not(miri)))]
mod tests {
    use super::*;
    use crate::order::ByteOrder;

    #[test]
    fn all_that_open_a_map_draw_heights_from_its_seed() {
        let path = std::env::temp_dir().join(std::format!("marena-skiplist-seed-{}", std::process::id()));
        // SAFETY: the file is this test's own, here and below.
        let arena = unsafe { MappedArena::create(&path, 65_536) }.unwrap();
        let seed = 0x0123_4567_89AB_CDEF;
        let map = SharedMap::allocate_seeded(Mapped(arena), ByteOrder, seed).unwrap();
        assert!(map.publish(0).unwrap());
        // SAFETY: as above.
        let arena = unsafe { MappedArena::open(&path) }.unwrap();
        assert_eq!(SharedMap::open(arena, 0, ByteOrder).unwrap().heights.seed, seed);
        std::fs::remove_file(&path).unwrap();
    }
}
