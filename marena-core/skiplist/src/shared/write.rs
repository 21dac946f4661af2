//! Inserts into a map in a file, without unsafe code outside tests.

use std::vec::Vec;

use marena_std::PublishError;

use super::checked::Checked;
use super::error::SharedMapError;
use super::map::{SharedMap, value_of};
use super::spaces::Mapped;
use crate::damage::Damage;
use crate::insert::{Linked, Rule, link_above, link_bottom, occupant};
use crate::map::{Entry, in_groups};
use crate::node::{INDEX_LEVEL, NewNode, Path, Place};
use crate::order::Order;
use crate::region::Region;
use crate::search::{Found, Search, Side, Target, prefix_of};
use crate::space::Space;

/// Inserting and removing.
impl<O: Order> SharedMap<Mapped, O> {
    /// Inserts an entry, and returns the value that the key had before.
    ///
    /// # Errors
    ///
    /// [`SharedMapError::Alloc`] and [`SharedMapError::Damage`]: the entry is not in the map, but
    /// may be if a peer damages the map during the call. [`SharedMapError::Publish`]: it may be.
    /// [`SharedMapError::NoMemory`]: everything is done, but the value to return could not be
    /// copied.
    pub fn insert(&self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, SharedMapError> {
        self.put(key, Some(value), Rule::Always)
    }

    /// Inserts an entry if the key has no value, or returns the value that it has.
    ///
    /// # Errors
    ///
    /// The same as for [`insert`](Self::insert).
    pub fn insert_if_absent(&self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, SharedMapError> {
        self.put(key, Some(value), Rule::IfAbsent)
    }

    /// Removes a key, and returns the value that it had. The removal takes memory, as an insert
    /// does, if the key has a value.
    ///
    /// # Errors
    ///
    /// The same as for [`insert`](Self::insert).
    pub fn remove(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SharedMapError> {
        if !self.contains_key(key)? {
            return Ok(None);
        }
        self.put(key, None, Rule::Always)
    }

    /// Inserts entries in order, from the first on, and returns how many: fewer than all if the
    /// next one cannot be inserted. This is faster than one by one.
    ///
    /// # Errors
    ///
    /// The same as for [`insert`](Self::insert), if not even the first was inserted.
    pub fn insert_group(&self, entries: &[Entry<'_>]) -> Result<usize, SharedMapError> {
        in_groups(entries, |group| self.insert_some(group))
    }

    /// Inserts up to [`GROUP`](crate::GROUP) entries.
    fn insert_some(&self, entries: &[Entry<'_>]) -> Result<usize, SharedMapError> {
        let space = self.nodes.region().space();
        self.insert_some_with(entries, || space.before_link(), |at| space.after_link(at))
    }

    fn put(&self, key: &[u8], value: Option<&[u8]>, rule: Rule) -> Result<Option<Vec<u8>>, SharedMapError> {
        let space = self.nodes.region().space();
        self.put_with(key, value, rule, || space.before_link(), |at| space.after_link(at))
    }
}

impl<S: Space, O: Order> SharedMap<S, O> {
    /// Returns the height of the next node.
    fn draw_height(&self) -> u32 {
        self.heights.draw(self.nodes.region().space().used() as u64)
    }

    /// Inserts up to [`GROUP`](crate::GROUP) entries. `before` and `after` are those of
    /// [`put_with`](Self::put_with).
    pub(super) fn insert_some_with(
        &self,
        entries: &[Entry<'_>],
        mut before: impl FnMut() -> Result<(), PublishError>,
        mut after: impl FnMut(u32) -> Result<(), PublishError>,
    ) -> Result<usize, SharedMapError> {
        let mut inserts = Vec::with_capacity(entries.len());
        for &(key, value) in entries {
            match self.nodes.make(self.draw_height(), key, Some(value)) {
                Ok(node) => {
                    let target = Target::new(&self.order, key, Side::Before);
                    inserts.push((node, Search::new(&self.nodes, target)?));
                }
                Err(error) if inserts.is_empty() => return Err(error.into()),
                Err(_) => break,
            }
        }
        let mut searching = true;
        while searching {
            searching = false;
            for (_, search) in &mut inserts {
                searching |= search.advance()?;
            }
        }
        let mut count = 0;
        for (node, search) in inserts {
            let (target, path, found) = search.into_parts();
            match self.link_with(&node, &target, &path, found, Rule::Always, &mut before, &mut after) {
                Ok(_) => count += 1,
                Err(error) if count == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(count)
    }

    /// Inserts an entry or a removal. `before` runs before a link makes it a part of the map.
    /// `after` runs afterwards, with the link's offset.
    pub(super) fn put_with(
        &self,
        key: &[u8],
        value: Option<&[u8]>,
        rule: Rule,
        before: impl FnMut() -> Result<(), PublishError>,
        after: impl FnOnce(u32) -> Result<(), PublishError>,
    ) -> Result<Option<Vec<u8>>, SharedMapError> {
        let target = Target::new(&self.order, key, Side::Before);
        let mut path = Path::new(&self.nodes);
        let height = self.draw_height();
        let (found, _) = target.find_or_near(&self.nodes, height, |gap| path.record(gap))?;
        let other = match occupant(rule, &found)? {
            Some(occupant) => Some(occupant),
            None => {
                let node = self.nodes.make(height, key, value)?;
                self.link_with(&node, &target, &path, found, rule, before, after)?
            }
        };
        Ok(match other {
            Some(place) => value_of(place)?,
            None => None,
        })
    }

    /// Links a node, and returns the node that it replaces, or the one that keeps it out.
    #[expect(clippy::too_many_arguments, reason = "a search's result and two hooks")]
    fn link_with<'m>(
        &'m self,
        node: &NewNode<'m, Checked<S>>,
        target: &Target<'_, O>,
        path: &Path<'m, Checked<S>>,
        found: Found<'m, Checked<S>>,
        rule: Rule,
        mut before: impl FnMut() -> Result<(), PublishError>,
        after: impl FnOnce(u32) -> Result<(), PublishError>,
    ) -> Result<Option<Place<'m, Checked<S>>>, SharedMapError> {
        let prepare = || before().map_err(SharedMapError::from);
        match link_bottom(node, target, found, rule, prepare)? {
            (Linked::Not(occupant), _) => Ok(Some(occupant)),
            (Linked::Before(replaced), previous) => {
                after(previous.link_offset())?;
                // Damage there does not make the insert fail, because the entry is in the map
                // already.
                let above: Result<(), Damage> = link_above(node, target, path);
                if node.height() > INDEX_LEVEL && above.is_ok() {
                    // Without an index, the map is slower.
                    self.nodes.add_to_index(|node| prefix_of(&self.order, node), || before().is_ok());
                }
                Ok(replaced)
            }
        }
    }
}

// Miri maps no files.
#[cfg(all(test, unix, not(miri)))]
mod tests {
    use std::fs;

    use marena_std::MappedArena;

    use super::*;
    use crate::order::ByteOrder;

    #[test]
    fn an_entry_is_flushed_complete_before_it_is_linked_and_its_link_after() {
        let path = std::env::temp_dir().join(std::format!("marena-skiplist-flush-{}", std::process::id()));
        // SAFETY: the file is this test's own.
        let arena = unsafe { MappedArena::create(&path, 65_536) }.unwrap();
        // With this seed there is no index, which would be flushed as well.
        let map = SharedMap::allocate_seeded(Mapped(arena), ByteOrder, 0).unwrap();
        map.insert(b"a", b"before").unwrap();
        let holds = |needle: &[u8]| fs::read(&path).unwrap().windows(needle.len()).any(|bytes| bytes == needle);
        let mut prepared = 0;
        let before = || {
            prepared += 1;
            assert!(holds(b"key of the entry and its value") && map.get(b"key of the entry").unwrap().is_none());
            Ok(())
        };
        let mut linked = 0;
        let after = |link: u32| {
            assert!(map.get(b"key of the entry").unwrap().is_some());
            let bytes = fs::read(&path).unwrap();
            let link = &bytes[link as usize..][..4];
            linked = u32::from_ne_bytes(link.try_into().unwrap());
            assert_eq!(&bytes[linked as usize + 4..][..3], b"key");
            Ok(())
        };
        map.put_with(b"key of the entry", Some(b" and its value"), Rule::Always, before, after).unwrap();
        assert_eq!(prepared, 1);
        assert!(linked > 0);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn entries_of_writers_that_were_killed_while_they_waited_for_the_disk_are_found() {
        let path = std::env::temp_dir().join(std::format!("marena-skiplist-killed-{}", std::process::id()));
        // SAFETY: the file is this test's own.
        let arena = unsafe { MappedArena::create(&path, 1 << 18) }.unwrap();
        let map = SharedMap::create(arena, 0, ByteOrder).unwrap();
        let count = 2_000_u32;
        for number in 0..count {
            // As far as a killed writer comes: the entry is linked, and has no shortcuts.
            let killed = |_| Err(PublishError::Undurable);
            assert!(map.put_with(&number.to_be_bytes(), Some(b""), Rule::Always, || Ok(()), killed).is_err());
        }
        assert!(map.verify().unwrap().missing_links > 1_000);
        for number in 0..count {
            assert!(map.contains_key(&number.to_be_bytes()).unwrap());
        }
        let keys = |entry: Result<(Vec<u8>, _), _>| entry.unwrap().0;
        assert!(map.iter().rev().map(keys).eq((0..count).rev().map(|number| number.to_be_bytes().to_vec())));
        // The next writers are not killed.
        map.insert(&count.to_be_bytes(), b"").unwrap();
        assert_eq!(map.insert_group(&[(b"a", b""), (b"\0", b"")]).unwrap(), 2);
        assert_eq!(map.len().unwrap(), count as usize + 3);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_group_that_cannot_go_on_says_how_many_entries_are_in_the_map() {
        let path = std::env::temp_dir().join(std::format!("marena-skiplist-group-{}", std::process::id()));
        // SAFETY: the file is this test's own.
        let arena = unsafe { MappedArena::create(&path, 65_536) }.unwrap();
        // As above.
        let map = SharedMap::allocate_seeded(Mapped(arena), ByteOrder, 0).unwrap();
        let entries: [Entry<'_>; 3] = [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")];
        for inserted in 0..entries.len() {
            let mut left = inserted;
            let before = || {
                left = left.checked_sub(1).ok_or(PublishError::Undurable)?;
                Ok(())
            };
            let outcome = map.insert_some_with(&entries, before, |_| Ok(()));
            assert_eq!(outcome.ok(), Some(inserted).filter(|&count| count > 0));
            assert_eq!(map.len().unwrap(), inserted);
        }
        fs::remove_file(&path).unwrap();
    }
}
