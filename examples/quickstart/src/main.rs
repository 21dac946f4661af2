//! A tour of an arena in one short program: `cargo run -p quickstart`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec as ArenaVec;
use clap::Parser;
use common::{AnyError, EXIT_CODES, Output, Shown};
use hashbrown::{DefaultHashBuilder, HashMap};
use marena_std::{AllocError, Arena, Block, Handle};

/// Shows what an arena does, then counts the words of files in it
#[derive(Parser)]
#[command(name = "quickstart", version, after_help = EXIT_CODES)]
struct Arguments {
    /// Text files; this program's own source without any
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    common::main(|Arguments { files }, output| {
        tour(output)?;
        // Addresses are reserved. Memory is used page by page, as it is touched.
        let mut arena = Arena::with_capacity(1 << 30)?;
        if files.is_empty() {
            return count_words("this program", include_str!("main.rs"), &mut arena, output);
        }
        for path in files {
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", Shown(&path)))?;
            count_words(&Shown(&path).to_string(), &text, &mut arena, output)?;
        }
        Ok(())
    })
}

fn tour(out: &mut Output) -> Result<(), AnyError> {
    let mut arena = Arena::with_capacity(64 << 10)?;

    // Values, slices and text live as long as the arena is borrowed, and are written through
    // ordinary references.
    let total = arena.alloc(0_u64)?;
    let squares = arena.alloc_slice_fill_with(5, |index| (index * index) as u64)?;
    *total = squares.iter().sum();
    writeln!(out, "values: the sum of {squares:?} is {total}")?;

    // A text that grows gives back the room it does not need. Values are not dropped, but in a box
    // they are.
    let mut text = arena.alloc_string(0)?;
    for square in squares.iter() {
        write!(text, "{square}, ")?;
    }
    let text: &str = text.finish();
    let list = arena.alloc_box(vec!["a vector", "on the heap"])?;
    writeln!(out, "text: {text}and in a box {list:?}")?;
    drop(list);

    // A scope gives back all that was allocated in it. What the scope around it holds stays usable.
    let used = arena.used();
    let letters = arena.scoped(|outer| {
        let most = outer.alloc(0)?;
        for word in ["one", "seventeen"] {
            *most = outer.scoped(|inner| inner.alloc_str(word).map(|copy| copy.len().max(*most)))?;
        }
        Ok::<_, AllocError>(*most)
    })?;
    writeln!(out, "scopes: {letters} letters at most, and {} bytes are kept", arena.used() - used)?;

    // An index entry needs a node, a key and a value. Allocated together they are all there or none
    // is, so a full arena never leaves a node without its key.
    let [node, mut key, mut value] = arena.allocate_multiple([16, 5, 11])?;
    key.copy_from_slice(b"pages");
    value.copy_from_slice(b"sixty-four!");
    writeln!(out, "node, key and value at {:?}", [&node, &key, &value].map(Block::address))?;
    let used = arena.used();
    if let Err(error) = arena.allocate_multiple([16, 5, 1 << 20]) {
        writeln!(out, "too much: {error} ({} bytes were taken)", arena.used() - used)?;
    }

    let published = write_and_read(&arena)?;
    let line = arena.view(published).map(String::from_utf8_lossy);
    writeln!(out, "four threads wrote, two read; the first line: {line:?}")?;

    // A reset is one store, whatever the arena holds. `&mut` proves that nobody has a reference
    // into it any more. Handles are plain numbers that may be left over, so they are checked.
    arena.reset();
    writeln!(out, "after a reset: {} bytes used, an old handle reads as {:?}\n", arena.used(), arena.view(published))?;
    Ok(())
}

/// Threads share the arena by reference. A block belongs to its owner until it is published; from
/// then on anyone may read it and nobody may write it.
fn write_and_read(arena: &Arena) -> Result<Handle, AnyError> {
    let write_line = |writer: usize| -> Result<Handle, AllocError> {
        let text = format!("a line of writer {writer}");
        let mut block = arena.allocate(text.len())?;
        block.copy_from_slice(text.as_bytes());
        Ok(block.publish())
    };
    let lines = thread::scope(|scope| {
        let writers: Vec<_> = (0..4).map(|writer| scope.spawn(move || write_line(writer))).collect();
        let lines = writers.into_iter().map(|writer| writer.join().expect("writers do not panic"));
        lines.collect::<Result<Vec<_>, _>>()
    })?;
    thread::scope(|scope| {
        for part in lines.chunks(2) {
            scope.spawn(move || assert!(part.iter().all(|&line| arena.view(line).is_some())));
        }
    });
    Ok(lines[0])
}

/// Counts words with a map and a list in a scope of the arena. Nothing here frees memory, and
/// nothing has to: it all goes back when the scope ends.
fn count_words(name: &str, text: &str, arena: &mut Arena, out: &mut Output) -> Result<(), AnyError> {
    let scratch = arena.scratch();
    let ranked = ranked(text, &scratch)?;
    writeln!(out, "{name}: {} different words", ranked.len())?;
    for (count, word) in ranked.iter().take(8) {
        writeln!(out, "{count:8} {word}")?;
    }
    Ok(())
}

/// The words of a text, the most frequent first, in any allocator.
fn ranked<A: Allocator + Copy>(text: &str, alloc: A) -> Result<ArenaVec<(u32, &str), A>, AnyError> {
    let mut counts = HashMap::with_hasher_in(DefaultHashBuilder::default(), alloc);
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        // Insertion alone would end the process where the arena is full.
        counts.try_reserve(1).map_err(|_| FULL)?;
        *counts.entry(word).or_insert(0) += 1;
    }
    let mut ranked = ArenaVec::new_in(alloc);
    ranked.try_reserve_exact(counts.len()).map_err(|_| FULL)?;
    ranked.extend(counts.iter().map(|(&word, &count)| (count, word)));
    ranked.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    Ok(ranked)
}

const FULL: &str = "the text has more words than the arena has room for";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ranked_and_too_many_of_them_are_an_error_that_leaves_the_arena_as_it_was() {
        let mut arena = Arena::with_capacity(1 << 20).unwrap();
        let text: String = (0..50_000).map(|number| format!("word{number} ")).collect();
        assert!(ranked(&text, &arena.scratch()).is_err());
        assert_eq!(ranked("b a, b c: b a", &arena.scratch()).unwrap().as_slice(), [(3, "b"), (2, "a"), (1, "c")]);
        assert_eq!(arena.used(), 0);
    }
}
