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

/// Returns the word that two loads of its halves make, in memory order 0 and 1. `load` returns a
/// half.
///
/// The upper half of an address says where a block lies. If it is the same before and after the
/// load of the lower half, both belong together, because no two blocks begin at the same place.
#[cfg(any(test, not(target_pointer_width = "64")))]
#[inline]
pub(super) fn join_halves(load: impl Fn(usize) -> u32) -> u64 {
    use super::acquired::acquired;

    let (upper, lower) = if cfg!(target_endian = "little") { (1, 0) } else { (0, 1) };
    loop {
        // ORDERING: Acquire keeps the three loads in this order.
        let (first, second) = (acquired(|| load(upper)), acquired(|| load(lower)));
        if load(upper) == first {
            return (u64::from(first) << 32) | u64::from(second);
        }
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn halves_are_joined_when_the_upper_one_stays() {
        const WORD: u64 = 0x8123_4567_89AB_CDEF;
        let halves: [u32; 2] = zerocopy::transmute!(WORD);
        assert_eq!(join_halves(|half| halves[half]), WORD);
        // Each load returns the next number. The upper half changes between the first two, so the
        // lower half between them is not used.
        let loads = RefCell::new(vec![5, 6, 5, 4, 9, 1]);
        let upper = if cfg!(target_endian = "little") { 1 } else { 0 };
        let seen = RefCell::new(Vec::new());
        let word = join_halves(|half| {
            seen.borrow_mut().push(half == upper);
            loads.borrow_mut().pop().unwrap()
        });
        assert_eq!(word, 5 << 32 | 6);
        assert_eq!((loads.take(), seen.take()), (vec![], vec![true, false, true, true, false, true]));
    }

    #[test]
    fn a_copy_out_loads_the_words_of_its_bytes_and_no_other() {
        // Not every target aligns a `u64` to a word.
        let words = [const { AtomicU64::new(0) }; 4];
        let start = NonNull::from(&words).cast::<u8>();
        for (skipped, len, expected) in [
            (0, 0, 0..0),
            (0, 8, 0..1),
            (0, 16, 0..2),
            (3, 5, 0..1),
            (3, 6, 0..2),
            (3, 13, 0..2),
            (8, 8, 1..2),
            (7, 10, 0..3),
        ] {
            let loaded = RefCell::new(Vec::new());
            let mut into = vec![0; len];
            let load = |word: NonNull<u64>| {
                loaded.borrow_mut().push((word.addr().get() - start.addr().get()) / WORD);
                0
            };
            // SAFETY: within `words`.
            let source = unsafe { start.add(skipped) };
            // SAFETY: the bytes lie in `words`, and `load` reads nothing.
            unsafe { copy_out(source, &mut into, load) };
            assert_eq!(loaded.take(), expected.collect::<Vec<_>>(), "{len} bytes from {skipped}");
        }
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn a_copy_in_touches_no_word_behind_its_bytes() {
        const PAGES: usize = 2 << 16;
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, where nothing else is mapped.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), PAGES, access, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        let middle = NonNull::new(start.cast::<u8>().wrapping_add(PAGES / 2)).unwrap();
        // An access to the second half ends the process.
        // SAFETY: this half of the mapping is not used.
        assert_eq!(unsafe { libc::mprotect(middle.as_ptr().cast(), PAGES / 2, libc::PROT_NONE) }, 0);
        for len in [1, 8, 13, 16] {
            // SAFETY: within the mapping.
            let target = unsafe { middle.sub(len) };
            // SAFETY: the words that overlap the bytes lie in the first half.
            unsafe { copy_in(target, &vec![0xA5; len]) };
        }
        // SAFETY: within the mapping.
        let end = unsafe { middle.sub(24) }.cast::<[u8; 24]>();
        // SAFETY: the first half can be read.
        let found = unsafe { end.read() };
        assert_eq!((&found[..8], &found[8..]), (&[0; 8][..], &[0xA5; 16][..]));
        // SAFETY: mapped above, and not used any more.
        unsafe { libc::munmap(start, PAGES) };
    }
}
