//! Which bytes are written to the disk, and when.

use std::cell::RefCell;

use marena_std::{Durability, MappedArena};

use crate::calls::{Answer, Call, answering};

const HEADER: usize = 128;

#[test]
fn data_is_flushed_before_a_root_names_it_and_the_root_before_the_call_returns() {
    let directory = tempfile::tempdir().unwrap();
    let builder = MappedArena::builder().capacity(1 << 20);
    for durability in [Durability::None, Durability::FlushOnPublish] {
        let path = directory.path().join(format!("{durability:?}"));
        // SAFETY: the file is this test's, here and below.
        let arena = unsafe { builder.durability(durability).create(path) }.unwrap();
        let base = arena.region().addr().get();
        let first = arena.allocate_copy(&[1; 1000]).unwrap();
        let last = arena.allocate_copy(&[2; 20_000]).unwrap();
        // Each flush, with its place in the region and what the root names at that moment.
        let flushed = RefCell::new(Vec::new());
        let answer = |call: &Call<'_>| {
            if let Call::Flush { start, len } = *call {
                flushed.borrow_mut().push((start - base, len, arena.root(0)));
            }
            Answer::Real
        };
        let everything = HEADER + arena.used();
        answering(answer, || {
            let is_durable = durability == Durability::FlushOnPublish;
            let check = |expected: &[(usize, usize, _)]| {
                let expected = if is_durable { expected } else { &[] };
                assert_eq!(flushed.take(), expected);
            };
            arena.publish_root(0, first).unwrap();
            check(&[(0, everything, None), (0, HEADER, Some(first))]);
            assert!(arena.publish_root_if(0, Some(first), last).unwrap());
            check(&[(0, everything, Some(first)), (0, HEADER, Some(last))]);
            // Another's publication is on the disk, too, when this one sees it.
            assert!(!arena.publish_root_if(0, Some(first), last).unwrap());
            check(&[(0, everything, Some(last)), (0, HEADER, Some(last))]);
            arena.clear_root(0).unwrap();
            check(&[(0, HEADER, None)]);
            // SAFETY: as above; no address from before is used.
            unsafe { arena.reset_shared() }.unwrap();
            check(&[(0, HEADER, None), (0, HEADER, None)]);
        });
    }
}

#[test]
fn a_flush_writes_what_was_handed_out_and_a_range_the_pages_of_its_bytes() {
    let directory = tempfile::tempdir().unwrap();
    // SAFETY: as above.
    let arena = unsafe { MappedArena::create(directory.path().join("arena"), 1 << 20) }.unwrap();
    let base = arena.region().addr().get();
    arena.allocate_address(70_000).unwrap();
    let block = arena.allocate_address(100_000).unwrap();
    let flushed = RefCell::new(Vec::new());
    let answer = |call: &Call<'_>| {
        if let Call::Flush { start, len } = *call {
            flushed.borrow_mut().push((start - base, len));
        }
        Answer::Real
    };
    answering(answer, || {
        arena.flush().unwrap();
        assert_eq!(flushed.take(), [(0, HEADER + 170_000)]);
        arena.flush_range(block).unwrap();
        // The system flushes from the start of a page.
        let [(start, len)] = flushed.take()[..] else { panic!("one flush") };
        assert_eq!(start + len, HEADER + 170_000);
        assert!(start <= HEADER + 70_000 && HEADER + 70_000 - start < 65_536 && start.is_multiple_of(4096), "{start}");
    });
}
