//! An iterator over the entries of a map in a file.

use core::fmt;
use core::ops::Bound;
use std::vec::Vec;

use super::checked::Checked;
use super::error::SharedMapError;
use crate::map::Entry;
use crate::node::{Node, Nodes};
use crate::order::Order;
use crate::space::Space;
use crate::walk::Walk;

/// A copy of an entry's key and value.
pub type OwnedEntry = (Vec<u8>, Vec<u8>);

/// An iterator over a shared map's entries between two bounds, in order.
/// [`SharedMap::range`](super::SharedMap::range) makes one.
///
/// Others may insert meanwhile, as with [`Range`](crate::Range). As an iterator, it copies each
/// entry into new vectors. [`next_entry`](Self::next_entry) and
/// [`next_back_entry`](Self::next_back_entry) copy into buffers that are used again. It ends after
/// damage. Going back, it also ends where there is no memory for a copy of a key of more than 128
/// bytes.
pub struct SharedRange<'m, 'k, S, O> {
    walk: Walk<'m, 'k, Checked<S>, O>,
    buffer: Vec<[u8; 4]>,
}

impl<'m, 'k, S: Space, O: Order> SharedRange<'m, 'k, S, O> {
    pub(super) fn new(nodes: &'m Nodes<Checked<S>>, order: &'m O, bounds: (Bound<&'k [u8]>, Bound<&'k [u8]>)) -> Self {
        Self { walk: Walk::new(nodes, order, bounds), buffer: Vec::new() }
    }

    /// Returns the next entry. It is valid until the next call.
    ///
    /// # Errors
    ///
    /// [`SharedMapError::Damage`] and [`SharedMapError::NoMemory`].
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_>>, SharedMapError> {
        match self.walk.next()? {
            Some(node) => node.copy_entry(&mut self.buffer).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the next entry from the back. It is valid until the next call.
    ///
    /// # Errors
    ///
    /// The same as for [`next_entry`](Self::next_entry).
    pub fn next_back_entry(&mut self) -> Result<Option<Entry<'_>>, SharedMapError> {
        match self.walk.next_back()? {
            Some(node) => node.copy_entry(&mut self.buffer).map(Some),
            None => Ok(None),
        }
    }

    /// Takes an entry without copying it. Returns `false` if there is none.
    pub(super) fn skip_entry(&mut self) -> Result<bool, SharedMapError> {
        Ok(self.walk.next()?.is_some())
    }
}

fn copy<S: Space>(node: Node<'_, Checked<S>>, (key, value): &mut OwnedEntry) -> Result<(), SharedMapError> {
    node.copy_key(key)?;
    node.copy_value(value)
}

fn owned<S: Space>(node: Node<'_, Checked<S>>) -> Result<OwnedEntry, SharedMapError> {
    let mut entry = OwnedEntry::default();
    copy(node, &mut entry)?;
    Ok(entry)
}

impl<S: Space, O: Order> Iterator for SharedRange<'_, '_, S, O> {
    type Item = Result<OwnedEntry, SharedMapError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.walk.next().transpose()?.map_err(SharedMapError::from).and_then(owned))
    }
}

impl<S: Space, O: Order> DoubleEndedIterator for SharedRange<'_, '_, S, O> {
    fn next_back(&mut self) -> Option<Self::Item> {
        Some(self.walk.next_back().transpose()?.map_err(SharedMapError::from).and_then(owned))
    }
}

impl<S, O> fmt::Debug for SharedRange<'_, '_, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRange").finish_non_exhaustive()
    }
}
