//! Roots: addresses in the header that say where to start reading. Publishing them, and writing
//! them and their data to the disk.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};

use marena_core::{Address, Memory};

use super::arena::MappedArena;
use super::bounds::checked;
use super::builder::Durability;
use super::header::{HEADER_SIZE, ROOTS};
use super::publish_error::PublishError;

/// Publishing in the four root slots.
impl MappedArena {
    /// Makes a root slot (0 to 3) name `address`.
    ///
    /// With [`Durability::FlushOnPublish`], everything in the arena is written to the disk before
    /// the slot is, and the slot before this returns. Whenever the power fails, the slot on the
    /// disk names complete data: the previous or the new address.
    ///
    /// # Errors
    ///
    /// [`PublishError::Slot`] and [`PublishError::Access`]. If data has to be flushed, also
    /// [`PublishError::Flush`] and [`PublishError::Undurable`]. If the data could not be flushed,
    /// the slot is unchanged. If the slot could not be flushed, it is changed for all processes,
    /// but perhaps not on the disk.
    pub fn publish_root(&self, slot: usize, address: Address) -> Result<(), PublishError> {
        let root = self.slot(slot)?;
        self.before_publication(address)?;
        // ORDERING: Release pairs with the fence of `MappedView::root`.
        root.store(address.to_raw(), Release);
        self.after_publication()
    }

    /// Makes a root slot name `address` if it names `current` at that moment (`None` for nothing,
    /// as in a new arena). Returns whether it did.
    ///
    /// If several processes set up the same structure, one wins, and the others find the winner's
    /// address with [`root`](super::MappedView::root).
    ///
    /// # Errors
    ///
    /// The same as for [`publish_root`](Self::publish_root).
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("root-if-{}.arena", std::process::id()));
    /// // SAFETY: the file is new, and nobody else knows it.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// let (mine, other) = (arena.allocate_address(8)?, arena.allocate_address(8)?);
    /// assert!(arena.publish_root_if(0, None, mine)?);
    /// assert!(!arena.publish_root_if(0, None, other)?);
    /// assert_eq!(arena.root(0), Some(mine));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn publish_root_if(
        &self,
        slot: usize,
        current: Option<Address>,
        address: Address,
    ) -> Result<bool, PublishError> {
        let root = self.slot(slot)?;
        self.before_publication(address)?;
        let current = current.map_or(0, Address::to_raw);
        // ORDERING: Release pairs with the fence of `MappedView::root`, Acquire with the Release of
        // the publication that this one replaces.
        let published = root.compare_exchange(current, address.to_raw(), AcqRel, Relaxed).is_ok();
        self.after_publication()?;
        Ok(published)
    }

    /// Makes a root slot (0 to 3) name nothing. With [`Durability::FlushOnPublish`], the slot on
    /// the disk is cleared when this returns.
    ///
    /// # Errors
    ///
    /// [`PublishError::Slot`]. If the slot has to be flushed, also [`PublishError::Flush`] and
    /// [`PublishError::Undurable`]. After a failed flush it is cleared for all processes, but
    /// perhaps not on the disk.
    pub fn clear_root(&self, slot: usize) -> Result<(), PublishError> {
        // ORDERING: Relaxed: nothing is published.
        self.slot(slot)?.store(0, Relaxed);
        self.after_publication()
    }

    /// Takes everything back: the arena and its root slots are empty.
    ///
    /// With [`Durability::FlushOnPublish`], the cleared slots are on the disk before any byte can
    /// be handed out again. Whenever the power fails, no slot on the disk names bytes that were
    /// handed out since then and not published.
    ///
    /// # Errors
    ///
    /// If the slots have to be flushed, [`PublishError::Flush`] and [`PublishError::Undurable`].
    /// After a failed flush they are cleared for all processes, and no byte is handed out again.
    ///
    /// # Safety
    ///
    /// - No other call on this file runs meanwhile, in any process.
    /// - Nobody uses addresses, references or handles from before afterwards. They are not
    ///   detected. Values that were [pinned](crate::ArenaBox::into_pin) have been dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
    /// use marena_std::MappedArena;
    ///
    /// let path = std::env::temp_dir().join(format!("reset-shared-{}.arena", std::process::id()));
    /// // SAFETY: nobody else knows the file.
    /// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
    /// arena.publish_root(0, arena.allocate_copy(b"hello")?)?;
    /// // SAFETY: nobody else has the file, and the address from before is not used.
    /// unsafe { arena.reset_shared() }?;
    /// assert_eq!((arena.used(), arena.root(0)), (0, None));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn reset_shared(&self) -> Result<(), PublishError> {
        for slot in 0..ROOTS {
            // ORDERING: Relaxed: by the caller's promise, no other call runs meanwhile.
            self.slot(slot)?.store(0, Relaxed);
        }
        // A separate flush, because a page that is written while it changes may have the new cursor
        // and an old slot.
        self.after_publication()?;
        // SAFETY: the caller's promise.
        unsafe { self.core.reset_shared() };
        self.after_publication()
    }

    /// Checks the address, and flushes the data. The header's page is flushed with it: its cursor
    /// covers the data, and its slot does not name it yet.
    fn before_publication(&self, address: Address) -> Result<(), PublishError> {
        checked(address, 0, self.used())?;
        match self.durability {
            Durability::None => Ok(()),
            Durability::FlushOnPublish => self.flush(),
        }
    }

    fn after_publication(&self) -> Result<(), PublishError> {
        match self.durability {
            Durability::None => Ok(()),
            Durability::FlushOnPublish => self.flush_bytes(0, HEADER_SIZE),
        }
    }

    fn slot(&self, slot: usize) -> Result<&AtomicU64, PublishError> {
        // SAFETY: the header lies in the mapping, which stays as long as `self`, and consists of
        // atomics.
        let header = unsafe { self.core.memory().header().as_ref() };
        header.root_slot(slot).ok_or(PublishError::Slot { slot })
    }
}

/// Writing to the disk.
impl MappedArena {
    /// Writes everything that was handed out to the disk, and returns when it is there. The system
    /// writes only pages that changed since it last wrote them.
    ///
    /// # Errors
    ///
    /// [`PublishError::Flush`] and [`PublishError::Undurable`].
    pub fn flush(&self) -> Result<(), PublishError> {
        self.flush_bytes(0, HEADER_SIZE + self.used())
    }

    /// Writes the bytes of an address to the disk, and returns when they are there. It does not
    /// write the header: bytes that were allocated since the last [`flush`](Self::flush) or
    /// publication may be handed out again after a power loss.
    ///
    /// # Errors
    ///
    /// [`PublishError::Access`], [`PublishError::Flush`] and [`PublishError::Undurable`].
    pub fn flush_range(&self, address: Address) -> Result<(), PublishError> {
        let offset = checked(address, 0, self.used())?;
        self.flush_bytes(offset, address.size() as usize)
    }

    fn flush_bytes(&self, start: usize, len: usize) -> Result<(), PublishError> {
        // ORDERING: Relaxed, here and below: the flag is about the system's pages, and not about
        // bytes of this process.
        if self.undurable.load(Relaxed) {
            return Err(PublishError::Undurable);
        }
        self.core.memory().view().flush(start, len).map_err(|source: io::Error| {
            self.undurable.store(true, Relaxed);
            PublishError::Flush { source }
        })
    }
}
