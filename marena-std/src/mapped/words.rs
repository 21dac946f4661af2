//! Copies between this process's memory and words that others may write meanwhile.
//!
//! A plain access to bytes that another thread or process may write would be a data race. So all
//! accesses to them are atomic. They also have one size and one alignment, that of a `u64`, because
//! accesses of different sizes that overlap and race are as undefined as plain ones. So a byte is
//! read as a part of its word, and written by replacing its word.

use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// The size and the alignment of a word, in bytes.
pub(super) const WORD: usize = size_of::<u64>();

/// Copies bytes out. `load` reads each word by its address.
///
/// # Safety
///
/// - `load` may be called with every multiple of 8 whose word overlaps the `into.len()` bytes at
///   `source`.
#[inline]
pub(super) unsafe fn copy_out(source: NonNull<u8>, into: &mut [u8], load: impl Fn(NonNull<u64>) -> u64) {
    let skipped = source.addr().get() % WORD;
    // SAFETY: the first byte's word begins at most seven bytes before it, in the same mapping,
    // because mappings start at a page.
    let mut word = unsafe { source.sub(skipped) }.cast::<u64>();
    let head = into.len().min((WORD - skipped) % WORD);
    let (head, rest) = into.split_at_mut(head);
    if !head.is_empty() {
        head.copy_from_slice(&load(word).to_ne_bytes()[skipped..][..head.len()]);
        // SAFETY: the word overlaps the bytes, so it ends in the mapping or at its end, which is
        // that of a page.
        word = unsafe { word.add(1) };
    }
    let (words, tail) = rest.as_chunks_mut::<WORD>();
    for bytes in words {
        *bytes = load(word).to_ne_bytes();
        // SAFETY: as above.
        word = unsafe { word.add(1) };
    }
    if !tail.is_empty() {
        tail.copy_from_slice(&load(word).to_ne_bytes()[..tail.len()]);
    }
}

/// Copies bytes in. Words that they fill are stored. Words that they share with other bytes are
/// replaced by compare-and-swap, so that the others stay.
///
/// # Safety
///
/// - Every word that overlaps the `bytes.len()` bytes at `target` is mapped, writable, for the time
///   of the call.
/// - This process accesses those words by 64-bit atomics only.
#[inline]
pub(super) unsafe fn copy_in(target: NonNull<u8>, bytes: &[u8]) {
    let skipped = target.addr().get() % WORD;
    // SAFETY: as in `copy_out`.
    let mut word = unsafe { target.sub(skipped) }.cast::<u64>();
    let (head, rest) = bytes.split_at(bytes.len().min((WORD - skipped) % WORD));
    if !head.is_empty() {
        // SAFETY: the caller's promise.
        replace_part(unsafe { atomic(word) }, skipped, head);
        // SAFETY: as in `copy_out`.
        word = unsafe { word.add(1) };
    }
    let (words, tail) = rest.as_chunks::<WORD>();
    for &bytes in words {
        // SAFETY: the caller's promise.
        let atomic = unsafe { atomic(word) };
        // ORDERING: Relaxed: a Release store of the caller orders the bytes for readers.
        atomic.store(u64::from_ne_bytes(bytes), Relaxed);
        // SAFETY: as in `copy_out`.
        word = unsafe { word.add(1) };
    }
    if !tail.is_empty() {
        // SAFETY: the caller's promise.
        replace_part(unsafe { atomic(word) }, 0, tail);
    }
}

/// Makes `len` bytes zero, and also the rest of the last word.
///
/// # Safety
///
/// - The same as for [`copy_in`].
/// - `target` is a multiple of 8.
#[inline]
pub(super) unsafe fn zero(target: NonNull<u8>, len: usize) {
    let mut word = target.cast::<u64>();
    for _ in 0..len.div_ceil(WORD) {
        // SAFETY: the caller's promise.
        let atomic = unsafe { atomic(word) };
        // ORDERING: Relaxed, as in `copy_in`.
        atomic.store(0, Relaxed);
        // SAFETY: as in `copy_out`.
        word = unsafe { word.add(1) };
    }
}

/// Returns a word of a writable mapping as an atomic.
///
/// # Safety
///
/// - The same as for [`copy_in`], for this word and as long as the result is used.
/// - `word` is a multiple of 8.
#[inline]
pub(super) unsafe fn atomic<'m>(word: NonNull<u64>) -> &'m AtomicU64 {
    debug_assert!(word.is_aligned(), "{word:?}");
    // SAFETY: by the caller's promise the word is aligned, mapped for `'m`, and accessed by 64-bit
    // atomics only.
    unsafe { AtomicU64::from_ptr(word.as_ptr()) }
}

/// Replaces some bytes of a word and keeps the others, which may change meanwhile. The bytes fit in
/// the word from `start` on.
#[inline]
fn replace_part(word: &AtomicU64, start: usize, bytes: &[u8]) {
    let replaced = |seen: u64| {
        let mut all = seen.to_ne_bytes();
        all[start..start + bytes.len()].copy_from_slice(bytes);
        Some(u64::from_ne_bytes(all))
    };
    // ORDERING: Relaxed, as in `copy_in`.
    let stored = word.fetch_update(Relaxed, Relaxed, replaced);
    debug_assert!(stored.is_ok(), "every word can be replaced");
}
