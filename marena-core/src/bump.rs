//! The fast path of leases and scopes: a run of bytes that one owner hands out without atomics.

use core::cell::Cell;
use core::ptr::NonNull;

use crate::asan;
use crate::placement::{STEP, round_up};

/// The longest block that the fast path claims by one comparison, in bytes: a multiple of the step.
/// The last bytes of a run, as many as this, are handed out by the slow path.
const SHORT: usize = 64;

/// The bytes `[next, end)`, which belong to one owner alone.
pub(crate) struct Bump {
    /// INVARIANT: a multiple of the step, derived from the region's pointer, at or below `end`.
    next: Cell<NonNull<u8>>,
    /// An address. INVARIANT: a multiple of the step. The bytes from `next` up to it belong to this
    /// value.
    end: Cell<usize>,
    /// INVARIANT: `SHORT` bytes before `end`, or 0 if there is no such address.
    short_end: Cell<usize>,
    run: asan::Run,
}

impl Bump {
    /// Creates a bump over `len` bytes at `start`.
    ///
    /// # Safety
    ///
    /// - `start` lies in a region, and `start + len` in it or at its end. Both are multiples of the
    ///   step.
    /// - Nobody else uses the bytes between while this value hands them out.
    #[inline]
    pub(crate) unsafe fn new(start: NonNull<u8>, len: usize) -> Self {
        let end = start.addr().get() + len;
        Self {
            next: Cell::new(start),
            end: Cell::new(end),
            short_end: Cell::new(end.saturating_sub(SHORT)),
            run: asan::Run::from(start),
        }
    }

    /// Returns a second bump over the same bytes.
    ///
    /// # Safety
    ///
    /// - What this value hands out while the copy lives, the copy does not hand out, and the other
    ///   way round.
    #[inline(always)]
    pub(crate) unsafe fn copy(&self) -> Self {
        Self {
            next: self.next.clone(),
            end: self.end.clone(),
            short_end: self.short_end.clone(),
            run: self.run.clone(),
        }
    }

    /// Returns a second bump over the same bytes, whose owner answers for none that were handed out
    /// before.
    ///
    /// # Safety
    ///
    /// - The same as for [`copy`](Self::copy).
    #[inline(always)]
    pub(crate) unsafe fn rest(&self) -> Self {
        // SAFETY: the caller's promise.
        let rest = unsafe { self.copy() };
        rest.run.restart(rest.next.get());
        rest
    }

    /// Goes on where a copy of this bump is by now.
    ///
    /// # Safety
    ///
    /// - The copy hands out nothing any more.
    #[inline(always)]
    pub(crate) unsafe fn go_on_as(&self, copy: &Self) {
        self.next.set(copy.next.get());
        self.end.set(copy.end.get());
        self.short_end.set(copy.short_end.get());
        self.run.go_on_as(&copy.run);
    }

    /// Replaces the bytes.
    ///
    /// # Safety
    ///
    /// - The same as for [`new`](Self::new).
    #[inline]
    pub(crate) unsafe fn set(&self, start: NonNull<u8>, len: usize) {
        if start != self.next.get() {
            self.run.restart(start);
        }
        self.next.set(start);
        let end = start.addr().get() + len;
        self.end.set(end);
        self.short_end.set(end.saturating_sub(SHORT));
    }

    /// Claims `size` bytes at a multiple of `align`, a power of two. Returns `None` and changes
    /// nothing if they do not fit, or if they are few and the run has few left. The slow path then
    /// [claims them exactly](Self::claim_exactly).
    #[inline(always)]
    pub(crate) fn claim(&self, size: usize, align: usize) -> Option<NonNull<u8>> {
        if size > SHORT || align > STEP {
            return self.claim_exactly(size, align);
        }
        let start = self.next.get();
        if start.addr().get() > self.short_end.get() {
            return None;
        }
        // SAFETY: an address is not 0, so `SHORT` bytes behind the start lie in the run. The
        // rounded size is no more.
        self.next.set(unsafe { start.add(round_up(size)) });
        asan::unpoison(start, size);
        Some(start)
    }

    /// Claims `size` bytes at a multiple of `align`, a power of two. Returns `None` and changes
    /// nothing if they do not fit.
    #[inline(always)]
    pub(crate) fn claim_exactly(&self, size: usize, align: usize) -> Option<NonNull<u8>> {
        let next = self.next.get();
        let (at, end) = (next.addr().get(), self.end.get());
        // SAFETY: the invariant of `next`. It spares a comparison where nothing has to be aligned.
        unsafe { core::hint::assert_unchecked(at <= end) };
        // `next` is a multiple of the step.
        let mask = if align <= STEP { 0 } else { align - 1 };
        let start = at.checked_add(mask)? & !mask;
        let room = end.checked_sub(start)?;
        if size > room {
            return None;
        }
        // SAFETY: the start is at least `next` and at most `end`, so it lies in the run or at its
        // end.
        let start = unsafe { next.add(start - at) };
        // SAFETY: start and end are multiples of the step, so the rounded size fits as well. The
        // new `next` lies in the run or at its end.
        self.next.set(unsafe { start.add(round_up(size)) });
        asan::unpoison(start, size);
        Some(start)
    }

    /// Returns whether `[start, start + size)` was claimed last. The bytes belong to the caller,
    /// and `size` is not 0.
    #[inline]
    pub(crate) fn is_last(&self, start: NonNull<u8>, size: usize) -> bool {
        // The bytes lie in a region, so nothing wraps.
        (start.addr().get() + size).next_multiple_of(STEP) == self.next.get().addr().get()
    }

    /// Takes back the whole steps of `[start, start + size)` if they were claimed last, and returns
    /// whether they were. The caller owns them, and `size` is not 0.
    #[inline]
    pub(crate) fn give_back(&self, start: NonNull<u8>, size: usize) -> bool {
        asan::poison(start, size);
        if !self.is_last(start, size) {
            return false;
        }
        let next = self.next.get();
        // The bytes end at `next`, so they lie directly before it: in this run, or in one that this
        // run continues.
        let len = (next.addr().get() - start.addr().get()) & !(STEP - 1);
        // SAFETY: the bytes before `next` belong to the caller, so they lie in the region.
        self.next.set(unsafe { next.sub(len) });
        true
    }

    /// Makes the block `[start, start + old_size)` one of `new_size` bytes, which is not less.
    /// Returns whether the block was claimed last and there was room for it.
    #[inline]
    pub(crate) fn extend(&self, start: NonNull<u8>, old_size: usize, new_size: usize) -> bool {
        if !self.is_last(start, old_size) {
            return false;
        }
        let missing = self.missing(start, new_size);
        if missing > self.room() {
            return false;
        }
        // SAFETY: the room is a multiple of the step, so the rounded size fits as well.
        self.next.set(unsafe { self.next.get().add(round_up(missing)) });
        asan::unpoison(start, new_size);
        true
    }

    /// Poisons what was handed out from the current run, at the end of a scope.
    #[inline(always)]
    pub(crate) fn poison(&self) {
        self.run.poison(self.next.get());
    }

    /// Returns how many bytes the last block, which starts at `start`, needs more for `new_size`.
    #[inline]
    pub(crate) fn missing(&self, start: NonNull<u8>, new_size: usize) -> usize {
        new_size.saturating_sub(self.next.get().addr().get() - start.addr().get())
    }

    /// Returns how many bytes are left.
    #[inline(always)]
    pub(crate) fn room(&self) -> usize {
        self.end.get() - self.next.get().addr().get()
    }

    /// Returns where the next claim starts.
    #[inline(always)]
    pub(crate) fn next(&self) -> NonNull<u8> {
        self.next.get()
    }

    /// Returns the address behind the last byte.
    #[inline(always)]
    pub(crate) fn end(&self) -> usize {
        self.end.get()
    }
}
