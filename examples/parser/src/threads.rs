//! Several texts, several threads.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use allocator_api2::alloc::Global;
use marena_std::Arena;

use crate::boxed::{Boxed, Boxes};
use crate::error::Error;
use crate::parse::parse;
use crate::tree::Node;

pub(crate) const THREADS: usize = 2;

/// Bytes that a thread claims from the arena at once.
const CHUNK: usize = 64 << 10;

/// Bytes for the lists that a thread has not read to their end.
const TEMPORARY: usize = 16 << 20;

/// The trees of all texts, in their order and in one arena. Leases end with their threads, what was built in them does not.
pub(crate) fn parse_all<'a>(
    texts: &[&str],
    arena: &'a Arena,
) -> Result<Vec<Result<Node<'a>, Error>>, marena_std::Error> {
    in_threads(texts, |texts| {
        let lease = arena.lease(CHUNK);
        let mut temporary = Arena::with_capacity(TEMPORARY)?;
        // A scratch for each text: the next one's pending lists take the same memory again.
        Ok(texts.map(|(index, text)| (index, parse(text, &lease, &temporary.scratch()))).collect())
    })
}

/// The same in boxes.
pub(crate) fn parse_all_boxed(texts: &[&str]) -> Result<Vec<Result<Boxed, Error>>, marena_std::Error> {
    in_threads(texts, |texts| Ok(texts.map(|(index, text)| (index, parse(text, Boxes, Global))).collect()))
}

/// Has each thread work on the texts that it gets, one after another, and puts the results in the texts' order.
fn in_threads<T: Send, E: Send>(
    texts: &[&str],
    work: impl Fn(&mut dyn Iterator<Item = (usize, &str)>) -> Result<Vec<(usize, T)>, E> + Sync,
) -> Result<Vec<T>, E> {
    let taken = AtomicUsize::new(0);
    // ORDERING: Relaxed: each index is drawn once, and tells nothing else.
    let next = || Some(taken.fetch_add(1, Relaxed)).and_then(|index| Some((index, *texts.get(index)?)));
    let mut all = Vec::with_capacity(texts.len());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| work(&mut std::iter::from_fn(next)))).collect();
        for thread in threads {
            all.extend(thread.join().expect("parsers do not panic")?);
        }
        Ok(())
    })?;
    all.sort_unstable_by_key(|&(index, _)| index);
    Ok(all.into_iter().map(|(_, made)| made).collect())
}
