//! Nodes that searches remember where a map has no shortcuts.

#![forbid(unsafe_code)]

use std::sync::RwLock;
use std::vec::Vec;

/// The number of nodes from one checkpoint to the next.
pub(crate) const SPACING: u32 = 64;

/// Offsets of nodes on the lowest level, in the order of the list. Nodes are never unlinked, so
/// they stay good places to begin at.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    offsets: RwLock<Vec<u32>>,
    /// The largest number of checkpoints. Damage may make the same nodes come again.
    most: usize,
}

/// A checkpoint, and where others go that lie behind it.
#[derive(Debug)]
pub(crate) struct Nearest {
    pub(crate) offset: Option<u32>,
    index: usize,
    /// The number of all checkpoints at that time.
    len: usize,
}

impl Checkpoints {
    pub(crate) fn new(most: usize) -> Self {
        Self { offsets: RwLock::new(Vec::new()), most }
    }

    /// Returns the last checkpoint for which `is_before` holds. Nobody waits: there is none while
    /// another thread adds some.
    pub(crate) fn nearest(&self, is_before: impl FnMut(&u32) -> bool) -> Nearest {
        match self.offsets.try_read() {
            Ok(offsets) => {
                let index = offsets.partition_point(is_before);
                let offset = index.checked_sub(1).and_then(|last| offsets.get(last)).copied();
                Nearest { offset, index, len: offsets.len() }
            }
            Err(_) => Nearest { offset: None, index: 0, len: usize::MAX },
        }
    }

    /// Adds checkpoints behind the nearest one. They are lost if others came first, or if there is
    /// no memory for them.
    pub(crate) fn add(&self, nearest: &Nearest, new: &[u32]) {
        let Ok(mut offsets) = self.offsets.try_write() else { return };
        let is_new = offsets.len() == nearest.len;
        if is_new && new.len() <= self.most.saturating_sub(offsets.len()) && offsets.try_reserve(new.len()).is_ok() {
            offsets.splice(nearest.index..nearest.index, new.iter().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_stay_in_order_and_are_as_many_as_there_may_be() {
        let checkpoints = Checkpoints::new(5);
        let nearest = |number: u32| checkpoints.nearest(|&offset| offset < number);
        assert_eq!(nearest(9).offset, None);
        let early = nearest(9);
        checkpoints.add(&early, &[3, 6]);
        // Another thread had looked before.
        checkpoints.add(&early, &[2]);
        checkpoints.add(&nearest(5), &[4]);
        assert_eq!([3, 4, 5, 7].map(|number| nearest(number).offset), [None, Some(3), Some(4), Some(6)]);
        checkpoints.add(&nearest(9), &[7, 8, 9]);
        checkpoints.add(&nearest(9), &[7, 8]);
        checkpoints.add(&nearest(2), &[1]);
        assert_eq!(checkpoints.offsets.read().unwrap()[..], [3, 4, 6, 7, 8]);
    }
}
