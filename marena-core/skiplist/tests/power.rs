//! Power that fails at any moment: whatever pages the disk holds then, a durable map has all that
//! was inserted.
#![cfg(all(feature = "mapped", target_os = "linux", target_pointer_width = "64", not(miri)))]

#[path = "../../../marena-std/tests/mapped_power/images.rs"]
#[expect(dead_code, reason = "marena-std's tests look at single flushes")]
mod images;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use marena_skiplist::{ByteOrder, Mapped, SharedMap};
use marena_std::{Durability, MappedArena};

use images::{History, PAGE, during_flushes, folder};

const CAPACITY: usize = 8 * PAGE;

type Map = SharedMap<Mapped, ByteOrder>;

/// A change that returned.
struct Change {
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    /// The number of flushes that had ended by then.
    flushed: usize,
}

/// A durable map whose changes are recorded.
struct Recorded {
    folder: tempfile::TempDir,
    map: Map,
    history: Rc<RefCell<History>>,
    changes: Rc<RefCell<Vec<Change>>>,
}

fn durable() -> marena_std::MappedBuilder {
    MappedArena::builder().capacity(CAPACITY).durability(Durability::FlushOnPublish)
}

impl Recorded {
    fn new() -> Self {
        let folder = folder();
        let path = folder.path().join("map");
        // SAFETY: the file is this test's, here and below.
        let map = SharedMap::create(unsafe { durable().create(&path) }.unwrap(), 0, ByteOrder).unwrap();
        let arena = map.into_arena();
        let history = History::new(&path, arena.region());
        let map = SharedMap::open(arena, 0, ByteOrder).unwrap();
        Self { folder, map, history: Rc::new(RefCell::new(history)), changes: Rc::default() }
    }

    /// A second writer, as another process is one.
    fn other(&self) -> Map {
        // SAFETY: as above.
        let arena = unsafe { durable().open(self.folder.path().join("map")) }.unwrap();
        self.history.borrow().also(arena.region());
        SharedMap::open(arena, 0, ByteOrder).unwrap()
    }

    fn put(&self, key: &str, value: Option<&str>) {
        change(&self.map, &self.history, &self.changes, key, value);
        self.history.borrow_mut().look();
    }

    /// Checks every disk that a power failure may leave. The map can be opened and is whole. Each
    /// key has the value of its last durable change, or of a later one.
    fn check(self) {
        let Self { folder, history, changes, .. } = self;
        let history = history.borrow();
        history.end();
        let crashed = folder.path().join("crashed");
        let disk = File::create(&crashed).unwrap();
        let mut by_key = BTreeMap::<_, Vec<_>>::new();
        let changes = changes.borrow();
        for Change { key, value, flushed } in changes.iter() {
            by_key.entry(key).or_default().push((value, *flushed));
        }
        let (mut images, mut early) = (0, 0);
        history.for_each_image(|now, flushed, image| {
            disk.write_all_at(image, 0).unwrap();
            // SAFETY: as above.
            let view = unsafe { MappedArena::open_read_only(&crashed) }.unwrap();
            let map = SharedMap::open_read_only(view, 0, ByteOrder).unwrap();
            let place = format!("state {now}, {flushed} flushes");
            let verified = map.verify().unwrap_or_else(|error| panic!("{place}: {error}"));
            let mut entries: BTreeMap<_, _> = map.iter().map(Result::unwrap).collect();
            assert_eq!(entries.len(), verified.entries, "{place}");
            for (key, changes) in &by_key {
                assert_eq!(map.get(key).unwrap().as_ref(), entries.get(*key), "{place}: a scan and a search differ");
                let found = entries.remove(*key);
                let durable = changes.iter().filter(|(_, at)| *at <= flushed).count();
                let is_one = |(value, _): &(&Option<Vec<u8>>, usize)| **value == found;
                let is_known = changes[durable.saturating_sub(1)..].iter().any(is_one);
                let text = String::from_utf8_lossy(key);
                let len = found.as_ref().map(Vec::len);
                assert!(is_known || (durable == 0 && found.is_none()), "{place}: {text} has {len:?} bytes");
                early += usize::from(durable == 0 && found.is_some());
            }
            assert!(entries.is_empty(), "{place}: {entries:?} was never inserted");
            images += 1;
            drop(map);
            // The map goes on: with a key behind each that was inserted, also behind lost ones.
            // SAFETY: as above.
            let map = SharedMap::open(unsafe { MappedArena::open(&crashed) }.unwrap(), 0, ByteOrder).unwrap();
            for key in by_key.keys() {
                map.insert(&[key, &b"+"[..]].concat(), b"").unwrap();
            }
            assert_eq!(map.verify().unwrap().entries, verified.entries + by_key.len(), "{place}");
        });
        assert!(images > 1000 && early > images / 100, "{images} images, {early} changes before they returned");
        println!("{images} images of the disk, {early} changes in them before they returned");
    }
}

/// Inserts or removes, and records that.
fn change(map: &Map, history: &RefCell<History>, changes: &RefCell<Vec<Change>>, key: &str, value: Option<&str>) {
    match value {
        Some(value) => map.insert(key.as_bytes(), value.as_bytes()).unwrap(),
        None => map.remove(key.as_bytes()).unwrap(),
    };
    let flushed = history.borrow().flushed();
    let (key, value) = (key.as_bytes().to_vec(), value.map(|value| value.as_bytes().to_vec()));
    changes.borrow_mut().push(Change { key, value, flushed });
}

/// Longer than some pages.
fn value(number: usize) -> String {
    format!("value {number} ").repeat(1 + number * 37 % 150)
}

#[test]
fn whenever_the_power_fails_all_that_was_inserted_is_there() {
    let recorded = Recorded::new();
    for number in 0..14 {
        let key = format!("k{:02}", number * 7 % 16);
        recorded.put(&key, (number % 9 != 3).then(|| value(number)).as_deref());
    }
    recorded.check();
}

#[test]
fn whenever_the_power_fails_what_another_writer_inserted_meanwhile_is_there() {
    let recorded = Recorded::new();
    let (other, history, changes) = (recorded.other(), Rc::clone(&recorded.history), Rc::clone(&recorded.changes));
    let mut turn = 0;
    // In the middle of each insert, before its node is on the disk and before its link is.
    during_flushes(move || {
        turn += 1;
        let key = format!("k{:02}o", (turn * 5 + 3) % 16);
        change(&other, &history, &changes, &key, Some(&format!("other {turn}")));
        turn < 14
    });
    for number in 0..8 {
        recorded.put(&format!("k{:02}", number * 7 % 16), Some(&value(number)));
    }
    assert!(recorded.changes.borrow().len() > 20);
    recorded.check();
}
