//! What the file is about: addresses in its header, and how they and what they name reach the disk.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use marena_core::{ARENA_MIN_ADDRESS, Address, Memory};

use super::access::checked;
use super::arena::MappedArena;
use super::builder::Durability;
use super::error::MapError;

/// The four root slots, and the disk.
impl MappedArena {
    /// What a slot (0 to 3) names: what was last published there, by any process, before or after a restart. `None` if that is nothing, or damaged.
    ///
    /// Whatever was written before it was published is visible after this.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("root-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// assert_eq!(arena.root(0), None);
    /// let text = arena.allocate_copy(b"hello")?;
    /// arena.publish_root(0, text)?;
    /// assert_eq!(arena.root(0), Some(text));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn root(&self, slot: usize) -> Option<Address> {
        // ORDERING: Acquire pairs with the Release of `publish_root` and `publish_root_if`.
        let found = Address::from_raw(self.slot(slot)?.load(Acquire))?;
        checked(found, 0, self.used()).is_ok().then_some(found)
    }

    /// Makes a slot (0 to 3) name `address`.
    ///
    /// With [`Durability::FlushOnPublish`], everything in the arena is written to the disk before the slot is, and the slot before this returns: whenever the
    /// power fails, the slot on the disk names complete data, what it named before or this.
    ///
    /// # Errors
    ///
    /// [`MapError::Slot`] and [`MapError::Access`]; where data has to be flushed, [`MapError::Flush`] and [`MapError::Undurable`]. If the data could
    /// not be flushed, the slot is unchanged. If the slot itself could not be, it is changed for all processes, but perhaps not on the disk.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::{Durability, MappedArena};
    ///
    /// let path = std::env::temp_dir().join(format!("publish-root-{}.arena", std::process::id()));
    /// let builder = MappedArena::builder().capacity(65_536).durability(Durability::FlushOnPublish);
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { builder.create(&path) }?;
    /// let text = arena.allocate_copy(b"on the disk before its root is")?;
    /// arena.publish_root(0, text)?;
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn publish_root(&self, slot: usize, address: Address) -> Result<(), MapError> {
        let root = self.slot(slot).ok_or(MapError::Slot { slot })?;
        self.before_publication(address)?;
        // ORDERING: Release pairs with the Acquire of `root`, and the fence of `MappedView::root`.
        root.store(address.to_raw(), Release);
        self.after_publication()
    }

    /// [`publish_root`](Self::publish_root) if the slot names `current` (`None`: nothing, as in a new arena) at that moment; whether it did.
    ///
    /// Of several processes that set up the same structure, one wins, and the others find the winner's with [`root`](Self::root).
    ///
    /// # Errors
    ///
    /// As for [`publish_root`](Self::publish_root).
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("publish-root-if-{}.arena", std::process::id()));
    /// // SAFETY: the file is new, and nobody else knows it.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let (mine, other) = (arena.allocate_address(8)?, arena.allocate_address(8)?);
    /// assert!(arena.publish_root_if(0, None, mine)?);
    /// assert!(!arena.publish_root_if(0, None, other)?);
    /// assert_eq!(arena.root(0), Some(mine));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn publish_root_if(&self, slot: usize, current: Option<Address>, address: Address) -> Result<bool, MapError> {
        let root = self.slot(slot).ok_or(MapError::Slot { slot })?;
        self.before_publication(address)?;
        let current = current.map_or(0, Address::to_raw);
        // ORDERING: Release and Acquire pair as in `publish_root` and `root`: this both publishes and replaces what others published.
        let published = root.compare_exchange(current, address.to_raw(), AcqRel, Relaxed).is_ok();
        self.after_publication()?;
        Ok(published)
    }

    /// Writes everything that was handed out to the disk, and returns when it is there. The system writes only pages that have changed since.
    ///
    /// # Errors
    ///
    /// [`MapError::Flush`] and [`MapError::Undurable`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use std::sync::atomic::Ordering::Relaxed;
    ///
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("flush-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let counter = arena.allocate_address(8)?;
    /// arena.atomic_u64_at(counter)?.fetch_add(1, Relaxed);
    /// arena.flush()?;
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush(&self) -> Result<(), MapError> {
        self.flush_bytes(0, ARENA_MIN_ADDRESS as usize + self.used())
    }

    /// Writes the bytes of an address to the disk, and returns when they are there. Not the header: what was allocated since the last [`flush`](Self::flush) or
    /// publication may be handed out again after a power loss.
    ///
    /// # Errors
    ///
    /// [`MapError::Access`], [`MapError::Flush`] and [`MapError::Undurable`].
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("flush-range-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let text = arena.allocate_address(5)?;
    /// arena.publish_root(0, text)?;
    /// arena.flush()?;
    /// // From here on, the text is all that changes.
    /// arena.write_from(text, b"hello")?;
    /// arena.flush_range(text)?;
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush_range(&self, address: Address) -> Result<(), MapError> {
        let offset = checked(address, 0, self.used())?;
        self.flush_bytes(offset, address.size() as usize)
    }

    /// The data goes first: the header's page goes with it, whose cursor then covers the data and whose slot still names what it did.
    fn before_publication(&self, address: Address) -> Result<(), MapError> {
        checked(address, 0, self.used())?;
        match self.durability {
            Durability::None => Ok(()),
            Durability::FlushOnPublish => self.flush(),
        }
    }

    fn after_publication(&self) -> Result<(), MapError> {
        match self.durability {
            Durability::None => Ok(()),
            Durability::FlushOnPublish => self.flush_bytes(0, ARENA_MIN_ADDRESS as usize),
        }
    }

    fn flush_bytes(&self, start: usize, len: usize) -> Result<(), MapError> {
        // ORDERING: Relaxed, here and below: the flag says something about the system's pages, not about bytes of this process.
        if self.undurable.load(Relaxed) {
            return Err(MapError::Undurable);
        }
        self.core.memory().flush(start, len).map_err(|source: io::Error| {
            self.undurable.store(true, Relaxed);
            MapError::Flush { source }
        })
    }

    pub(super) fn slot(&self, slot: usize) -> Option<&AtomicU64> {
        // SAFETY: the header lies in the mapping, which lives as long as `self`, and consists of atomics.
        let header = unsafe { self.core.memory().header().as_ref() };
        header.root_slot(slot)
    }
}
