//! A tour of an arena in one short program: `cargo run -p quickstart`.
//!
//! Four threads read "log lines" into one arena, others look at them, and everything goes back at once.

use std::thread;

use marena_std::{AllocError, Arena, Block, Error, Handle};

fn main() -> Result<(), Error> {
    // Reserves addresses; memory is used page by page, as it is touched. Capacities are rounded up to 64 KiB.
    let mut arena = Arena::with_capacity(100_000)?;
    println!("a new arena: {} bytes, {} of them left after its header", arena.capacity(), arena.remaining());

    values(&arena)?;
    all_or_nothing(&arena)?;
    let published = publish_and_view(&arena)?;
    fill_up(&arena);

    let stats = arena.stats();
    println!("\nfigures: {} of {} bytes used, {} left", stats.used, stats.capacity, stats.remaining);

    // One store, whatever the arena holds. `&mut` proves that nobody has a reference into it any more. Handles are plain
    // numbers that may well be left over, so they carry the life they belong to.
    arena.reset();
    println!("after a reset: {} bytes used, {} at most so far", arena.used(), arena.stats().high_water);
    println!("an old handle reads as {:?}", arena.view(published));

    // The next life starts at the first byte again, and its blocks are zero.
    let block = arena.allocate(8)?;
    println!("a new block at offset {}: {:?}", block.address().offset(), &*block);

    // Between two loads, the memory can go back to the system as well.
    let given_back = arena.trim()?;
    println!("trimmed: {given_back} bytes offered to the system");
    Ok(())
}

/// Values, slices and text live as long as the arena is borrowed, and are written through ordinary references.
fn values(arena: &Arena) -> Result<(), Error> {
    let total = arena.alloc(0_u64)?;
    let squares = arena.alloc_slice_fill_with(5, |index| (index * index) as u64)?;
    *total = squares.iter().sum();
    let text = arena.alloc_fmt(format_args!("the sum of {squares:?} is {total}"))?;
    println!("\nvalues: {text}");
    Ok(())
}

/// An index entry needs a node, a key and a value. Claimed together they lie side by side, and a full arena never leaves a node
/// without its key.
fn all_or_nothing(arena: &Arena) -> Result<(), Error> {
    let [node, mut key, mut value] = arena.allocate_multiple([16, 5, 11])?;
    key.copy_from_slice(b"pages");
    value.copy_from_slice(b"sixty-four!");
    println!("\nnode, key and value at {:?}", [&node, &key, &value].map(Block::address));

    let used = arena.used();
    let refused = arena.allocate_multiple([16, 5, 1 << 20]).unwrap_err();
    println!("refused: {refused}");
    println!("bytes taken by the refused request: {}", arena.used() - used);
    Ok(())
}

/// A block belongs to its owner alone until it is published; from then on anyone may read it and nobody may write it.
fn publish_and_view(arena: &Arena) -> Result<Handle, Error> {
    let write_lines = |writer: usize| -> Result<Vec<Handle>, AllocError> {
        (0..3)
            .map(|line| {
                let text = format!("writer {writer} line {line}");
                let mut block = arena.allocate(text.len())?;
                block.copy_from_slice(text.as_bytes());
                Ok(block.publish())
            })
            .collect()
    };

    // Writers share the arena by reference. A claim is one compare-and-swap, so none waits for another's lock.
    let lines = thread::scope(|scope| {
        let writers: Vec<_> = (0..4).map(|writer| scope.spawn(move || write_lines(writer))).collect();
        let lines = writers.into_iter().map(|writer| writer.join().expect("writers do not panic"));
        lines.collect::<Result<Vec<_>, _>>()
    })?;
    let lines = lines.concat();

    // Handles are 16 bytes and `Copy`; the readers find the text where the writers put it.
    let letters: usize = thread::scope(|scope| {
        let readers: Vec<_> = lines
            .chunks(lines.len() / 2)
            .map(|part| {
                scope.spawn(|| part.iter().filter_map(|&line| arena.view(line)).map(<[u8]>::len).sum::<usize>())
            })
            .collect();
        readers.into_iter().map(|reader| reader.join().expect("readers do not panic")).sum()
    });
    println!("\n4 writers published {} lines, 2 readers counted {letters} bytes", lines.len());

    let first = lines[0];
    let bytes = arena.view(first).expect("the arena was not reset since");
    println!("the first line, at offset {}: {:?}", first.address().offset(), String::from_utf8_lossy(bytes));
    Ok(first)
}

/// A full arena is an ordinary error: it names what is left, and a smaller request still fits.
fn fill_up(arena: &Arena) {
    let mut blocks = 0;
    let error = loop {
        match arena.allocate(1000) {
            Ok(_) => blocks += 1,
            Err(error) => break error,
        }
    };
    println!("\nfull after {blocks} more blocks of 1000 bytes: {error}");
    if let AllocError::Full { remaining, .. } = error {
        println!("the last {remaining} bytes: {}", if arena.allocate(remaining).is_ok() { "taken" } else { "refused" });
    }
}
