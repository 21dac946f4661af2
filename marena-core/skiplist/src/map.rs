//! The map in an arena.

#![forbid(unsafe_code)]

use core::fmt;
use core::ops::{Bound, RangeBounds};
use core::sync::atomic::Ordering::Relaxed;

use marena_core::{AllocError, Word};

use crate::damage::Damage;
use crate::height::{Heights, draw_seed};
use crate::insert::{Linked, Rule, link_above, link_bottom, occupant};
use crate::layout::block;
use crate::node::{INDEX_LEVEL, NewNode, Nodes, Path, Place};
use crate::order::{ByteOrder, Order};
use crate::range::Range;
use crate::region::{Plain, Region};
use crate::search::{Found, Search, Side, Target, prefix_of};
use crate::space::Space;

/// The number of entries whose searches take turns in [`SkipMap::insert_group`]: about as many as a
/// processor has outstanding cache misses.
pub const GROUP: usize = 16;

/// An ordered map from bytes to bytes in an arena, which any number of threads read and write at
/// once.
///
/// An insert is one allocation in the arena and one compare-and-swap, which makes the entry
/// visible. Further ones add shortcuts to it. Reads do not write and never wait. Nothing is freed
/// before the map is dropped: a newer value of a key, or its removal, is another node in front of
/// the older one. So what a map returns stays valid for as long as the map is borrowed, whatever
/// others insert.
///
/// # Complexity
///
/// With n nodes (one for each insert and removal), a search takes O(log n) steps for any keys in
/// any order, because the heights of nodes are drawn from a secret number. An insert takes as many
/// on average. About when n doubles, one insert also takes n / 8 steps: it makes an index of every
/// eighth node or so, from which reads and inserts begin. It takes 12 bytes for each of them. If
/// the arena has no room for it, the map stays as it is.
///
/// # Memory order
///
/// Everything that a thread did before it inserted an entry happens before everything that another
/// thread does after it read that entry. All inserts and removals of one key have one order. Each
/// of them returns the value that the one before it left.
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
/// use marena_skiplist::SkipMap;
///
/// let mut bytes = [MaybeUninit::uninit(); 4096];
/// let arena = Arena::borrowed(&mut bytes)?;
/// let map = SkipMap::new(&arena)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| map.insert(b"pear", b"green").unwrap());
///     scope.spawn(|| map.insert(b"apple", b"red").unwrap());
/// });
/// assert_eq!(map.insert(b"pear", b"yellow")?, Some(&b"green"[..]));
/// assert_eq!(map.get(b"pear"), Some(&b"yellow"[..]));
/// assert_eq!(map.first(), Some((&b"apple"[..], &b"red"[..])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SkipMap<S, O = ByteOrder> {
    nodes: Nodes<Plain<S>>,
    order: O,
    heights: Heights,
}

/// A node and the search for its place.
type Insert<'m, 'k, S, O> = (NewNode<'m, Plain<S>>, Search<'m, 'k, Plain<S>, O>);

/// An entry's key and value.
pub type Entry<'m> = (&'m [u8], &'m [u8]);

/// Creating.
impl<S: Space> SkipMap<S> {
    /// Creates an empty map in the order of the keys' bytes. It allocates some 250 bytes.
    ///
    /// # Errors
    ///
    /// [`AllocError::Full`].
    pub fn new(space: S) -> Result<Self, AllocError> {
        Self::with_order(space, ByteOrder)
    }
}

impl<S: Space, O: Order> SkipMap<S, O> {
    /// Creates an empty map in your own order.
    ///
    /// # Errors
    ///
    /// [`AllocError::Full`].
    pub fn with_order(space: S, order: O) -> Result<Self, AllocError> {
        let seed = draw_seed(space.region().addr().get());
        Self::with_seed(space, order, seed)
    }

    /// Creates an empty map whose shape follows from a seed. This is for tests that have to repeat,
    /// and for targets with their own source of secret numbers. A user who knows the seed can
    /// choose entries that make the map slow.
    ///
    /// # Errors
    ///
    /// [`AllocError::Full`].
    pub fn with_seed(space: S, order: O, seed: u64) -> Result<Self, AllocError> {
        let nodes = Nodes::create(Plain::new(space), O::ID, seed)?;
        Ok(Self { nodes, order, heights: Heights { seed } })
    }
}

/// Inserting and removing.
impl<S: Space, O: Order> SkipMap<S, O> {
    /// Inserts an entry, and returns the value that the key had before.
    ///
    /// # Errors
    ///
    /// [`AllocError::Full`] and [`AllocError::TooLarge`]. An error changes nothing, and a smaller
    /// entry may still fit.
    pub fn insert(&self, key: &[u8], value: &[u8]) -> Result<Option<&[u8]>, AllocError> {
        self.put(key, Some(value), Rule::Always)
    }

    /// Inserts an entry if the key has no value, or returns the value that it has.
    ///
    /// # Errors
    ///
    /// The same as for [`insert`](Self::insert). If the key has a value, there is no error.
    pub fn insert_if_absent(&self, key: &[u8], value: &[u8]) -> Result<Option<&[u8]>, AllocError> {
        self.put(key, Some(value), Rule::IfAbsent)
    }

    /// Removes a key, and returns the value that it had. A removal takes memory, as an insert does,
    /// for a mark that replaces the value. Nothing is allocated if the key has no value.
    ///
    /// # Errors
    ///
    /// The same as for [`insert`](Self::insert).
    pub fn remove(&self, key: &[u8]) -> Result<Option<&[u8]>, AllocError> {
        if !self.contains_key(key) {
            return Ok(None);
        }
        self.put(key, None, Rule::Always)
    }

    /// Inserts entries in order, from the first on, and returns how many: fewer than all if the
    /// arena has no room for more.
    ///
    /// This is faster than one by one: the searches of up to [`GROUP`] entries take turns, so that
    /// they wait for memory together.
    ///
    /// # Errors
    ///
    /// The same as for [`insert`](Self::insert), if not even the first entry was inserted.
    pub fn insert_group(&self, entries: &[Entry<'_>]) -> Result<usize, AllocError> {
        in_groups(entries, |group| self.insert_some(group))
    }

    /// Inserts up to [`GROUP`] entries.
    fn insert_some(&self, entries: &[Entry<'_>]) -> Result<usize, AllocError> {
        let mut inserts: [Option<Insert<'_, '_, S, O>>; GROUP] = [const { None }; GROUP];
        let mut count = 0;
        for (insert, &(key, value)) in inserts.iter_mut().zip(entries) {
            let node = match self.nodes.make(self.draw_height(), key, Some(value)) {
                Ok(node) => node,
                Err(error) if count == 0 => return Err(error),
                Err(_) => break,
            };
            *insert =
                Search::new(&self.nodes, Target::new(&self.order, key, Side::Before)).ok().map(|search| (node, search));
            count += 1;
        }
        let mut searching = true;
        while searching {
            searching = false;
            for (_, search) in inserts[..count].iter_mut().flatten() {
                searching |= search.advance() == Ok(true);
            }
        }
        for (node, search) in inserts.into_iter().flatten() {
            let (target, path, found) = search.into_parts();
            self.link(&node, &target, &path, found, Rule::Always, true);
        }
        Ok(count)
    }

    fn put(&self, key: &[u8], value: Option<&[u8]>, rule: Rule) -> Result<Option<&[u8]>, AllocError> {
        let target = Target::new(&self.order, key, Side::Before);
        let mut path = Path::new(&self.nodes);
        let height = self.draw_height();
        // A plain region has no damage, here and below.
        let Ok((found, _)) = target.find_or_near(&self.nodes, height, |gap| path.record(gap)) else { return Ok(None) };
        if let Ok(Some(occupant)) = occupant(rule, &found) {
            return Ok(value_of(occupant));
        }
        let node = self.nodes.make(height, key, value)?;
        Ok(self.link(&node, &target, &path, found, rule, value.is_some()).and_then(value_of))
    }

    /// Returns the height of the next node.
    #[inline]
    fn draw_height(&self) -> u32 {
        self.heights.draw(self.nodes.region().space().used() as u64)
    }

    /// Links a node and counts it. Returns the node that it replaces, or the one that keeps it out.
    #[inline]
    fn link<'m>(
        &'m self,
        node: &NewNode<'m, Plain<S>>,
        target: &Target<'_, O>,
        path: &Path<'m, Plain<S>>,
        found: Found<'m, Plain<S>>,
        rule: Rule,
        is_value: bool,
    ) -> Option<Place<'m, Plain<S>>> {
        let replaced = match link_bottom(node, target, found, rule, || Ok::<_, Damage>(())) {
            Ok((Linked::Before(replaced), _)) => replaced,
            Ok((Linked::Not(occupant), _)) => return Some(occupant),
            Err(_) => return None,
        };
        let had_value = replaced.and_then(value_of).is_some();
        if is_value != had_value {
            add(self.nodes.count(block::LIVE), if is_value { 1 } else { u32::MAX });
        }
        add(self.nodes.count(block::BYTES), node.size());
        let _ = link_above(node, target, path);
        if node.height() > INDEX_LEVEL {
            let index_size = self.nodes.add_to_index(|node| prefix_of(&self.order, node), || true);
            add(self.nodes.count(block::BYTES), index_size);
        }
        replaced
    }
}

/// Inserts entries in order, up to [`GROUP`] at a time, until fewer than all of them are inserted.
/// `insert_some` returns how many, or an error if not even the first was.
pub(crate) fn in_groups<E>(
    entries: &[Entry<'_>],
    insert_some: impl Fn(&[Entry<'_>]) -> Result<usize, E>,
) -> Result<usize, E> {
    let mut inserted = 0;
    for group in entries.chunks(GROUP) {
        match insert_some(group) {
            Ok(count) => inserted += count,
            Err(error) if inserted == 0 => return Err(error),
            Err(_) => break,
        }
        if inserted % GROUP != 0 {
            break;
        }
    }
    Ok(inserted)
}

/// Adds to a count, which wraps at the end of its range.
#[inline]
fn add(count: &impl Word, difference: u32) {
    // ORDERING: Relaxed, here and below: the counts order nothing.
    let mut seen = count.load(Relaxed);
    while let Err(found) = count.compare_exchange_weak(seen, seen.wrapping_add(difference), Relaxed, Relaxed) {
        seen = found;
    }
}

#[inline]
fn value_of<'m, S: Space>(place: Place<'m, Plain<S>>) -> Option<&'m [u8]> {
    place.node().ok()?.entry().1
}

/// Reading.
impl<S: Space, O: Order> SkipMap<S, O> {
    /// Returns a key's value.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let found = Target::new(&self.order, key, Side::Before).find(&self.nodes).ok()?;
        value_of(found.node()?)
    }

    /// Returns whether a key has a value.
    #[inline]
    pub fn contains_key(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// Returns the entry with the smallest key.
    pub fn first(&self) -> Option<Entry<'_>> {
        self.iter().next()
    }

    /// Returns the entry with the largest key.
    pub fn last(&self) -> Option<Entry<'_>> {
        self.iter().next_back()
    }

    /// Returns the first entry whose key is `key` or comes after it.
    pub fn seek(&self, key: &[u8]) -> Option<Entry<'_>> {
        self.range((Bound::Included(key), Bound::Unbounded)).next()
    }

    /// Returns the last entry whose key is `key` or comes before it.
    pub fn seek_back(&self, key: &[u8]) -> Option<Entry<'_>> {
        self.range((Bound::Unbounded, Bound::Included(key))).next_back()
    }

    /// Returns the entries between two bounds, in order. There are none if the lower bound lies
    /// behind the upper one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # use marena_skiplist::SkipMap;
    /// # let mut bytes = [MaybeUninit::uninit(); 4096];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let map = SkipMap::new(&arena)?;
    /// for key in ["apple", "cherry", "pear"] {
    ///     map.insert(key.as_bytes(), b"fruit")?;
    /// }
    /// let mut fruits = map.range(&b"b"[..]..=b"pear");
    /// assert_eq!(fruits.next_back().unwrap().0, b"pear");
    /// assert_eq!(fruits.next_back().unwrap().0, b"cherry");
    /// assert_eq!(fruits.next_back(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn range<'k>(&self, bounds: impl RangeBounds<&'k [u8]>) -> Range<'_, 'k, S, O> {
        Range::new(&self.nodes, &self.order, (bounds.start_bound().cloned(), bounds.end_bound().cloned()))
    }

    /// Returns all entries, in order.
    pub fn iter(&self) -> Range<'_, 'static, S, O> {
        self.range(..)
    }
}

/// Statistics.
impl<S: Space, O: Order> SkipMap<S, O> {
    /// Returns how many keys have a value: a snapshot. While others insert and remove, it may lack
    /// what they have not counted yet.
    #[must_use]
    pub fn len(&self) -> usize {
        // ORDERING: Relaxed: a snapshot.
        let live = self.nodes.count(block::LIVE).load(Relaxed);
        // The count is below 0 if a removal was counted before the insert whose value it removed.
        live.cast_signed().max(0) as usize
    }

    /// Returns whether no key has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Returns how many bytes the map's nodes and indexes take, including older values and
    /// removals: a snapshot.
    #[must_use]
    pub fn memory_used(&self) -> usize {
        // ORDERING: Relaxed: a snapshot.
        block::SIZE as usize + self.nodes.count(block::BYTES).load(Relaxed) as usize
    }

    /// Returns the memory that the map is in.
    #[must_use]
    pub fn space(&self) -> &S {
        self.nodes.region().space()
    }

    /// Returns the order of the keys.
    #[must_use]
    pub fn order(&self) -> &O {
        &self.order
    }
}

impl<S: Space, O: Order> fmt::Debug for SkipMap<S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SkipMap")
            .field("len", &self.len())
            .field("memory_used", &self.memory_used())
            .finish_non_exhaustive()
    }
}

impl<'m, S: Space, O: Order> IntoIterator for &'m SkipMap<S, O> {
    type Item = Entry<'m>;
    type IntoIter = Range<'m, 'static, S, O>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;

    use marena_core::Arena;

    use super::*;

    #[test]
    fn a_removal_that_is_counted_before_its_insert_leaves_no_absurd_number() {
        let mut bytes = [MaybeUninit::uninit(); 4096];
        let arena = Arena::borrowed(&mut bytes).unwrap();
        let map = SkipMap::new(&arena).unwrap();
        // What the remover does while the inserter has linked its node and not counted it yet.
        add(map.nodes.count(block::LIVE), u32::MAX);
        assert_eq!(map.len(), 0);
        map.insert(b"key", b"value").unwrap();
        map.insert(b"other", b"value").unwrap();
        assert_eq!(map.len(), 1);
    }
}
