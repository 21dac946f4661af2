//! The atomic protocol: what may happen to the header's words, in which order, and why that is enough.
//!
//! Integers only; no memory is read or written here but the words themselves.
//!
//! **Cursor**: bytes used after the header. A *claim* moves it up by compare-and-swap and thereby owns the bytes passed
//! over, exclusively. The owner of the last bytes, and nobody else, may *give back*: move it down to where those bytes
//! start. Whoever then claims them must see what the owner did with them before, so the give-back releases
//! and the claim acquires. Claims are read-modify-writes, so a give-back's release sequence runs through all of them
//! up to the next give-back: a claim synchronises with *every* give-back before it, not only with the last one.
//! A refused claim never writes; with fetch-and-add, refused requests would add up until the word wraps.
//!
//! The value can come back (a give-back, then a claim of the same size) without harm: "the cursor stands at `end`"
//! means "nobody owns anything behind `end`" however it got there, and that is all that a compare-and-swap on it assumes.
//!
//! **Peak**: no byte past max(peak, cursor) was ever handed out. It is raised before a give-back moves the cursor
//! below bytes that were handed out, and is read only after a successful claim; the give-back's Release and the claim's
//! Acquire carry it, so its own accesses are Relaxed.
//!
//! **Stranded**: a counter for people. Nothing depends on it.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::placement::Span;
use crate::sync::Word;

/// Why a claim ended without bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unclaimed {
    /// No place at this cursor.
    NoPlace(u32),
    /// Every attempt lost its race.
    Contended,
}

/// Claims what `place` finds behind the cursor, by one who has `seen` it just now; with at most `retries` attempts after
/// the first, where interrupt handlers and real-time code need a bound.
///
/// Lock-free: an attempt fails only because another claim or give-back succeeded (or, on machines with load-linked and
/// store-conditional, spuriously).
#[inline(always)]
pub(crate) fn claim<W: Word>(
    cursor: &W,
    mut seen: u32,
    place: impl Fn(u32) -> Option<Span>,
    retries: Option<u32>,
) -> Result<Span, Unclaimed> {
    let mut left = retries.unwrap_or(0);
    loop {
        let Some(span) = place(seen) else { return Err(Unclaimed::NoPlace(seen)) };
        // ORDERING: Acquire pairs with `give_back` and `reset_shared`: their owner's accesses to these bytes, and its
        // raise of the peak, happen before ours. Nothing of ours is released: the bytes above are nobody's yet.
        match cursor.compare_exchange_weak(seen, span.end, Acquire, Relaxed) {
            Ok(_) => return Ok(span),
            Err(found) => seen = found,
        }
        if retries.is_some() {
            left = left.checked_sub(1).ok_or(Unclaimed::Contended)?;
        }
    }
}

/// Claims `[end, new_end)` if nobody claimed behind `end`, which the caller's own bytes end at; `Err` carries the cursor if
/// somebody did.
#[inline]
pub(crate) fn extend<W: Word>(cursor: &W, end: u32, new_end: u32) -> Result<(), u32> {
    // ORDERING: Acquire, as in `claim`: others may have claimed behind `end` and given back since.
    cursor.compare_exchange(end, new_end, Acquire, Relaxed).map(drop)
}

/// Moves the cursor from `end` back to `start`, if nobody claimed behind `end`; true if it did.
///
/// Only the exclusive owner of `[start, end)` may call this, and owns those bytes no longer if the answer is true. If any
/// of them was handed out, [`raise_peak`] to `end` comes first.
#[inline]
pub(crate) fn give_back<W: Word>(cursor: &W, start: u32, end: u32) -> bool {
    // ORDERING: Release pairs with the Acquire of every later claim. A failure changes nothing and reads nothing.
    cursor.compare_exchange(end, start, Release, Relaxed).is_ok()
}

/// Raises the peak to at least `position`.
#[inline]
pub(crate) fn raise_peak<W: Word>(peak: &W, position: u32) {
    // ORDERING: Relaxed throughout: the give-back that follows releases the new value to whoever claims afterwards.
    let mut seen = peak.load(Relaxed);
    while seen < position {
        match peak.compare_exchange_weak(seen, position, Relaxed, Relaxed) {
            Ok(_) => return,
            Err(found) => seen = found,
        }
    }
}

/// Counts bytes that nobody can use until the next reset.
#[inline]
pub(crate) fn strand<W: Word>(stranded: &W, bytes: u32) {
    // ORDERING: Relaxed throughout: a figure for people, on which nothing depends.
    let mut seen = stranded.load(Relaxed);
    while let Err(found) = stranded.compare_exchange_weak(seen, seen.saturating_add(bytes), Relaxed, Relaxed) {
        seen = found;
    }
}

/// Sets the cursor to 0 without exclusive access; the caller promises that nothing races with it.
#[inline]
pub(crate) fn reset_shared<W: Word>(cursor: &W, peak: &W) {
    // ORDERING: Relaxed: the caller has ordered every earlier claim before this call, and nobody else writes meanwhile.
    let (used, before) = (cursor.load(Relaxed), peak.load(Relaxed));
    // ORDERING: Relaxed: the store below releases it.
    peak.store(before.max(used), Relaxed);
    // ORDERING: Release pairs with `claim`: the previous life's accesses happen before the next life's.
    cursor.store(0, Release);
}
