//! Power that fails at any moment: whatever pages the disk holds then, the arena's file is whole.
#![cfg(all(target_os = "linux", target_pointer_width = "64", not(miri)))]

#[expect(dead_code, reason = "the maps' tests have a second writer")]
mod images;

use std::fs::File;
use std::os::unix::fs::FileExt;

use marena_std::{Address, Durability, MappedArena};

use images::{History, PAGE};

const CAPACITY: usize = 16 * PAGE;

/// Returns the record that publication `number` names. It is longer than a page.
fn record(number: u64) -> Vec<u8> {
    (0..3000 + number * 700 % 3000).map(|index| (number * 31 + index * 7) as u8).collect()
}

/// A step that changes what root slot 0 names.
struct Step {
    /// The address and record that the slot names afterwards, or `None` if it is cleared.
    names: Option<(Address, Vec<u8>)>,
    /// The number of states when the step began, and of flushes when it was done.
    begun: usize,
    flushed: usize,
}

/// A durable arena whose steps are recorded.
struct Recorded {
    folder: tempfile::TempDir,
    arena: MappedArena,
    history: History,
    steps: Vec<Step>,
}

impl Recorded {
    fn new() -> Self {
        let folder = images::folder();
        let path = folder.path().join("arena");
        let builder = MappedArena::builder().capacity(CAPACITY).durability(Durability::FlushOnPublish);
        // SAFETY: the file is this test's, here and below.
        let arena = unsafe { builder.create(&path) }.unwrap();
        let history = History::new(&path, arena.region());
        Self { folder, arena, history, steps: Vec::new() }
    }

    /// Allocates and writes a record, in parts.
    fn write(&mut self, number: u64) -> (Address, Vec<u8>) {
        let bytes = record(number);
        let address = self.arena.allocate_address(bytes.len()).unwrap();
        self.history.look();
        for (at, part) in bytes.chunks(2000).enumerate() {
            let part_address = Address::new(address.offset() + 2000 * at as u32, part.len() as u32).unwrap();
            self.arena.write_from(part_address, part).unwrap();
            self.history.look();
        }
        (address, bytes)
    }

    fn step(&mut self, names: Option<(Address, Vec<u8>)>, change: impl FnOnce(&MappedArena)) {
        let begun = self.history.states();
        change(&self.arena);
        self.history.look();
        self.steps.push(Step { names, begun, flushed: self.history.flushed() });
    }

    fn publish(&mut self, number: u64) {
        let (address, bytes) = self.write(number);
        self.step(Some((address, bytes)), |arena| arena.publish_root(0, address).unwrap());
    }

    /// Checks every disk that a power failure may leave. The file can be opened, and its root names
    /// a complete published record, which is not older than the last durable one.
    fn check(self) {
        let Self { folder, history, steps, .. } = self;
        history.end();
        let crashed = folder.path().join("crashed");
        let disk = File::create(&crashed).unwrap();
        let (mut images, mut rooted) = (0, 0);
        history.for_each_image(|now, flushed, image| {
            disk.write_all_at(image, 0).unwrap();
            // SAFETY: the file is this test's.
            let after = unsafe { MappedArena::open(&crashed) }.unwrap_or_else(|error| {
                panic!("state {now}, {flushed} flushes: {:?}", std::error::Error::source(&error))
            });
            images += 1;
            let durable = steps.iter().filter(|step| step.flushed <= flushed).count();
            let Some(root) = after.root(0) else {
                let cleared = steps[durable..].iter().any(|step| step.names.is_none() && step.begun <= now);
                let named = durable > 0 && steps[durable - 1].names.is_some();
                assert!(!named || cleared, "a durable root is lost at state {now}");
                return;
            };
            rooted += 1;
            let mut bytes = vec![0; root.size() as usize];
            after.read_into(root, &mut bytes).unwrap();
            let first = durable.saturating_sub(1);
            let whole = steps[first..]
                .iter()
                .any(|step| step.names.as_ref().is_some_and(|(address, record)| *address == root && *record == bytes));
            assert!(whole, "state {now}, {flushed} flushes: {root:?} names no complete record since step {first}");
        });
        assert!(images > 1000 && rooted > images / 3, "{images} images, {rooted} with a root");
        println!("{images} images of the disk, {rooted} with a root");
    }
}

#[test]
fn whenever_the_power_fails_the_root_names_complete_data() {
    let mut recorded = Recorded::new();
    for number in 0..6 {
        recorded.publish(number);
    }
    recorded.check();
}

#[test]
fn whenever_the_power_fails_after_a_reset_no_root_names_what_was_written_since() {
    let mut recorded = Recorded::new();
    for number in 0..3 {
        recorded.publish(number);
    }
    // SAFETY: no other process has the file, and no block from before is used.
    recorded.step(None, |arena| unsafe { arena.reset_shared() }.unwrap());
    // This record overwrites the bytes that the root named, and is not published.
    recorded.write(10);
    recorded.write(11);
    recorded.publish(12);
    // SAFETY: as above.
    recorded.step(None, |arena| unsafe { arena.reset_shared() }.unwrap());
    recorded.write(20);
    recorded.check();
}

#[test]
fn flushing_a_range_writes_its_pages_and_not_the_header() {
    let mut recorded = Recorded::new();
    let arena = &recorded.arena;
    arena.allocate_address(2 * PAGE).unwrap();
    let block = arena.allocate_copy(&[7; PAGE]).unwrap();
    arena.flush_range(block).unwrap();
    arena.flush().unwrap();
    recorded.history.look();
    recorded.history.end();
    let pages: Vec<_> = recorded.history.flushes(0).iter().map(|(offset, bytes)| (*offset, bytes.len())).collect();
    assert_eq!(pages, [(2 * PAGE, 2 * PAGE), (0, 4 * PAGE)]);
}

/// If a page changes while the disk writes it, the disk may hold old and new words side by side.
#[test]
fn the_cleared_roots_are_on_the_disk_before_the_cursor_moves() {
    let mut recorded = Recorded::new();
    recorded.publish(1);
    let before = recorded.history.flushed();
    // SAFETY: no other process has the file, and no block from before is used.
    recorded.step(None, |arena| unsafe { arena.reset_shared() }.unwrap());
    recorded.history.end();
    let flushed = recorded.history.flushes(before).into_iter().map(|(_, bytes)| (&bytes[24..56], &bytes[64..68]));
    let states: Vec<_> = flushed.map(|(roots, cursor)| (roots == [0; 32], cursor == [0; 4])).collect();
    assert_eq!(states, [(true, false), (true, true)]);
}

#[test]
fn whenever_the_power_fails_a_cleared_root_is_cleared() {
    let mut recorded = Recorded::new();
    for number in 0..3 {
        recorded.publish(number);
    }
    recorded.step(None, |arena| arena.clear_root(0).unwrap());
    recorded.write(10);
    recorded.publish(11);
    recorded.step(None, |arena| arena.clear_root(0).unwrap());
    recorded.check();
}
