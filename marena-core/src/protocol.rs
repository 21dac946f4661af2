//! The atomic protocol: which steps the header's words take, in which order, and why that is
//! enough.
//!
//! Integers only. Nothing here reads or writes memory but the words themselves.
//!
//! **Cursor**: how many bytes after the header are used. A *claim* moves it up by compare-and-swap,
//! and owns the bytes that it passed. Only the owner of the last bytes may *give back*: move it
//! down to where those bytes start. The next owner must see what the last one did with them, so a
//! give-back releases and a claim acquires.
//!
//! Claims and give-backs are read-modify-writes. A release sequence runs through all of them and
//! ends at none, so a claim synchronises with *every* give-back before it in the order of the
//! cursor's values, not only with the last. Only stores end a sequence: those of a reset, of
//! formatting, and of a scope that has its growing arena to itself. None runs beside claims.
//!
//! A claim that finds no place writes nothing. With fetch-and-add, requests that fail would add up
//! until the word wraps.
//!
//! The cursor may return to a value, by a give-back and a claim of the same size. That is harmless:
//! "the cursor stands at `end`" means "nobody owns anything behind `end`", however it got there. No
//! compare-and-swap on it assumes more.
//!
//! **Peak**: the high-water mark. No byte behind the larger of peak and cursor was ever handed out.
//! It is raised before a give-back moves the cursor below bytes that were handed out, and read only
//! after a claim that succeeded. The give-back's Release and the claim's Acquire carry it, so its
//! own accesses are Relaxed.
//!
//! **Recent peak, stranded, leased, failed**: numbers for people. A scope of an arena, which has it
//! to itself, goes by the recent peak, which is never above the peak. Nothing depends on the
//! others.

use core::hint::spin_loop;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::placement::Span;
use crate::sync::Word;

/// Why a claim ended without bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unclaimed {
    /// The request has no place at this cursor.
    NoPlace(u32),
    /// Other claims or give-backs came before every attempt.
    Contended,
}

/// Claims a span behind the cursor, which the caller has `seen` just now, in one attempt. It can
/// fail for no reason. `Err` carries the cursor.
#[inline(always)]
pub(crate) fn attempt<W: Word>(cursor: &W, seen: u32, span: Span) -> Result<u32, u32> {
    // ORDERING: Acquire pairs with `give_back` and `reset_shared`: what earlier owners did with
    // these bytes, and their raises of the peak, happen before this. There is nothing to release:
    // the bytes behind `seen` are nobody's yet.
    cursor.compare_exchange_weak(seen, span.end, Acquire, Relaxed)
}

/// Claims what `place` finds behind the cursor, which the caller has `seen` just now. Makes at most
/// `retries` attempts after the first, for interrupt handlers and real-time code, or any number.
/// With `back_off`, an unbounded claim pauses when it says so.
///
/// Lock-free: an attempt fails only because another thread's claim or give-back succeeded. An
/// unbounded claim also goes round again where a weak compare-and-swap fails for no reason, as
/// load-linked and store-conditional can. A bounded claim uses a strong one, so each attempt that
/// it counts was lost to somebody.
#[inline(always)]
pub(crate) fn claim<W: Word>(
    cursor: &W,
    mut seen: u32,
    place: impl Fn(u32) -> Option<Span>,
    retries: Option<u32>,
    mut back_off: Option<&mut BackOff>,
) -> Result<Span, Unclaimed> {
    let mut left = retries.unwrap_or(0);
    loop {
        let Some(span) = place(seen) else { return Err(Unclaimed::NoPlace(seen)) };
        let attempt = match retries {
            None => attempt(cursor, seen, span),
            // ORDERING: Acquire: as in `attempt`.
            Some(_) => cursor.compare_exchange(seen, span.end, Acquire, Relaxed),
        };
        match attempt {
            Ok(_) => return Ok(span),
            Err(found) => {
                lost();
                seen = found;
            }
        }
        if retries.is_some() {
            left = left.checked_sub(1).ok_or(Unclaimed::Contended)?;
        } else if let Some(back_off) = &mut back_off {
            back_off.lost();
        }
    }
}

/// Does nothing. Being cold, it marks its branch as rare, so that a claim that is not repeated runs
/// straight through.
#[cold]
fn lost() {}

/// How a thread that lost a race for the cursor lets the others go on.
///
/// A thread that tries again at once takes the cursor's cache line away from the thread that claims
/// next, and most of the time all of them wait for the line. While a thread pauses, another one
/// claims many times from its own cache.
///
/// After the pause, the cursor is not loaded first. That would fetch its line twice, to read it and
/// again to write it. An attempt that expects the old cursor fetches it once. It mostly fails. The
/// next attempt follows at once, and finds the line here.
pub(crate) struct BackOff {
    /// Whether the last attempt came after a pause.
    has_paused: bool,
}

impl BackOff {
    /// So many let another thread claim dozens of times, and cost a rare loser about a microsecond.
    const PAUSES: u32 = 32;

    pub(crate) const fn new() -> Self {
        Self { has_paused: false }
    }

    /// Pauses after an attempt that was lost, unless it was the first one after a pause.
    #[inline]
    pub(crate) fn lost(&mut self) {
        self.has_paused = !self.has_paused;
        if self.has_paused {
            for _ in 0..Self::PAUSES {
                spin_loop();
            }
        }
    }
}

/// Claims `[end, new_end)` if the cursor stands at `end`, so that nobody owns anything behind it.
/// `Err` carries the cursor otherwise.
#[inline]
pub(crate) fn extend<W: Word>(cursor: &W, end: u32, new_end: u32) -> Result<(), u32> {
    // ORDERING: Acquire pairs with `give_back`: others may have claimed bytes behind `end`, used
    // them and given them back.
    cursor.compare_exchange(end, new_end, Acquire, Relaxed).map(drop)
}

/// Moves the cursor from `end` back to `start` if nobody claimed behind `end`, and returns whether
/// it did.
///
/// The caller owns `[start, end)`, and no longer does if the answer is true. If any of the bytes
/// were handed out, it has called [`raise_peak`] for them.
#[inline]
pub(crate) fn give_back<W: Word>(cursor: &W, start: u32, end: u32) -> bool {
    // ORDERING: Release pairs with the Acquire of every later claim and extension. A failure
    // changes nothing, and nothing depends on what it read.
    cursor.compare_exchange(end, start, Release, Relaxed).is_ok()
}

/// Claims what `place` finds behind the cursor, as its only user.
#[inline(always)]
pub(crate) fn claim_alone<W: Word>(cursor: &W, place: impl Fn(u32) -> Option<Span>) -> Option<Span> {
    // ORDERING: Relaxed: nobody else uses the word before the caller is done with it, and who came
    // before has handed it over.
    let span = place(cursor.load(Relaxed))?;
    // ORDERING: Relaxed: as above.
    cursor.store(span.end, Relaxed);
    Some(span)
}

/// Moves the cursor back to `start`, as its only user. The caller owns what lies behind.
#[inline(always)]
pub(crate) fn give_back_alone<W: Word>(cursor: &W, start: u32) {
    // ORDERING: Relaxed: the caller hands the word over to whoever uses it next.
    cursor.store(start, Relaxed);
}

/// Raises the peak to at least `position`.
#[inline]
pub(crate) fn raise_peak<W: Word>(peak: &W, position: u32) {
    // ORDERING: Relaxed: only the largest value counts, and the give-back that follows releases it
    // to later claims.
    let mut seen = peak.load(Relaxed);
    while seen < position {
        // ORDERING: Relaxed: as above.
        match peak.compare_exchange_weak(seen, position, Relaxed, Relaxed) {
            Ok(_) => return,
            Err(found) => seen = found,
        }
    }
}

/// Adds to a number for people.
#[inline]
pub(crate) fn count<W: Word>(word: &W, bytes: u32) {
    // ORDERING: Relaxed: a number for people, on which nothing depends.
    let mut seen = word.load(Relaxed);
    // ORDERING: Relaxed: as above.
    while let Err(found) = word.compare_exchange_weak(seen, seen.saturating_add(bytes), Relaxed, Relaxed) {
        seen = found;
    }
}

/// Takes away from a number for people what was added before.
#[inline]
pub(crate) fn uncount<W: Word>(word: &W, bytes: u32) {
    // ORDERING: Relaxed: a number for people, on which nothing depends.
    let mut seen = word.load(Relaxed);
    // ORDERING: Relaxed: as above.
    while let Err(found) = word.compare_exchange_weak(seen, seen.saturating_sub(bytes), Relaxed, Relaxed) {
        seen = found;
    }
}

/// Sets the cursor to 0 without exclusive access. The caller promises that nothing races with this.
#[inline]
pub(crate) fn reset_shared<W: Word>(cursor: &W, peak: &W) {
    // ORDERING: Relaxed: every earlier claim happens before this call, and nobody else writes
    // meanwhile.
    let used = cursor.load(Relaxed);
    // ORDERING: Relaxed: as above.
    let before = peak.load(Relaxed);
    // ORDERING: Relaxed: the store below releases it.
    peak.store(before.max(used), Relaxed);
    // ORDERING: Release pairs with the Acquire of `claim`: what the last generation did happens
    // before the next one.
    cursor.store(0, Release);
}
