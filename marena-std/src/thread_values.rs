//! A value for each thread, by the thread's number.

use std::cell::UnsafeCell;
use std::fmt;
use std::num::NonZeroU64;
use std::panic::RefUnwindSafe;
use std::ptr::NonNull;
use std::sync::{Mutex, OnceLock, PoisonError};

use marena_core::PerThread;

use crate::thread::{self, ThreadNumber};

/// The number of tables. Table `k` has the values of threads `2^k - 1` to `2^(k + 1) - 2`. More
/// threads than that do not fit into memory.
const TABLES: usize = 31;

/// A value for each thread that asked for one. [`Leases`](crate::Leases) keep the threads' leases
/// here.
///
/// A thread that ends leaves its value to the next new thread.
pub struct ThreadValues<T> {
    /// No other `ThreadValues` of this process has or had this number, so a value that a thread
    /// remembers by it belongs to this one.
    owner: NonZeroU64,
    tables: [OnceLock<Box<[Slot<T>]>>; TABLES],
}

/// A thread's value, if it has one, on its own cache lines.
///
/// INVARIANT: only the thread with the slot's number uses it, or the exclusive owner of the whole.
#[repr(align(128))]
struct Slot<T>(UnsafeCell<Option<T>>);

impl<T> ThreadValues<T> {
    #[inline(never)]
    fn find(&self, make: impl FnOnce() -> T) -> Option<NonNull<T>> {
        let thread = ThreadNumber::current()?;
        let slot = self.slot(thread.get())?;
        let cell = slot.0.get();
        // SAFETY: the slot's number is this thread's, so nobody else uses its content, and this
        // thread only reads it here. What the previous thread with the number did with it happened
        // before the number was given back.
        if unsafe { &*cell }.is_none() {
            let value = make();
            // SAFETY: as above.
            if unsafe { &*cell }.is_none() {
                // SAFETY: as above; there is no value yet, so no reference to one.
                unsafe { cell.write(Some(value)) };
            }
        }
        // SAFETY: as above.
        let value = NonNull::from(unsafe { &*cell }.as_ref()?);
        thread::remember(thread, self.owner, value.as_ptr().cast_const().cast());
        Some(value)
    }

    /// Returns the slot of a number. Makes its table if there is none.
    fn slot(&self, number: usize) -> Option<&Slot<T>> {
        let position = number.checked_add(1)?;
        let index = position.ilog2() as usize;
        let slots = 1 << index;
        let table = self.tables.get(index)?;
        table.get_or_init(|| (0..slots).map(|_| Slot(UnsafeCell::new(None))).collect()).get(position - slots)
    }
}

impl<T> Default for ThreadValues<T> {
    fn default() -> Self {
        // Under a lock, because some targets have no 64-bit atomics. Numbers last for centuries.
        static LAST_OWNER: Mutex<NonZeroU64> = Mutex::new(NonZeroU64::MIN);
        let mut last = LAST_OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        *last = last.saturating_add(1);
        Self { owner: *last, tables: [const { OnceLock::new() }; TABLES] }
    }
}

// SAFETY: a slot's value is lent to the thread that has the slot's number. Between two threads with
// one number lies the lock under which numbers are given back and given out. Values are dropped
// with their table.
unsafe impl<T: Send> PerThread<T> for ThreadValues<T> {
    // The value is lent to `f` and no longer: a reference that stayed on the thread could be used
    // at its very end.
    #[inline(always)]
    fn with<R>(&self, make: impl FnOnce() -> T, f: impl FnOnce(&T) -> R) -> Option<R> {
        let value = match thread::last(self.owner) {
            Some(value) => NonNull::new(value.cast::<T>().cast_mut())?,
            None => self.find(make)?,
        };
        // SAFETY: it was found, or remembered, for this thread's number and for this owner, whose
        // number nobody else has. So it is a value of a table of `self`, initialised, where it
        // stays until `self` is dropped. The thread still has the number: it forgets what it
        // remembers first. Values are written before they are found, and never again.
        Some(f(unsafe { value.as_ref() }))
    }
}

// SAFETY: one thread makes and uses a value, then the next one with the same number uses it, and
// another may drop it. So it must be `Send`. No two threads use it at once.
unsafe impl<T: Send> Sync for Slot<T> {}

// A panic leaves no value behind, or a whole one. A lease is whole: only blocks are left behind.
impl<T> RefUnwindSafe for Slot<T> {}

impl<T> fmt::Debug for ThreadValues<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadValues").field("owner", &self.owner).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::ptr;
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn a_thread_makes_its_value_once_and_finds_it_again() {
        let (one, other) = (ThreadValues::default(), ThreadValues::default());
        assert_ne!(one.owner, other.owner);
        let made = Cell::new(0);
        let number = |values: &ThreadValues<i32>, make| {
            values.with(
                || {
                    made.set(made.get() + 1);
                    make
                },
                |&found| found,
            )
        };
        // Each lookup forgets the other's last one.
        for _ in 0..3 {
            assert_eq!((number(&one, 1), number(&other, 2)), (Some(1), Some(2)));
        }
        assert_eq!(made.get(), 2);
    }

    #[test]
    fn a_value_that_was_made_while_another_was_made_stays() {
        let values = ThreadValues::default();
        let inner = || values.with(|| 1, |&value| value);
        assert_eq!(values.with(|| 2 + inner().unwrap(), |&value| value), Some(1));
        assert_eq!(values.with(|| 4, |&value| value), Some(1));
    }

    #[test]
    fn the_first_slots_lie_in_the_first_tables() {
        let values = ThreadValues::<u8>::default();
        let slots: Vec<_> = (0..7).map(|number| values.slot(number).unwrap()).collect();
        let expected: Vec<_> = values.tables[..3].iter().flat_map(|table| table.get().unwrap()).collect();
        assert!(expected.len() == 7 && slots.into_iter().zip(expected).all(|(slot, place)| ptr::eq(slot, place)));
        assert!(values.tables[3].get().is_none());
        assert!(values.slot(usize::MAX).is_none() && values.slot((1 << TABLES) - 1).is_none());
    }

    #[test]
    fn the_values_of_all_threads_are_dropped_with_the_whole() {
        struct Counted<'c>(&'c AtomicUsize);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Relaxed);
            }
        }
        const THREADS: usize = if cfg!(miri) { 4 } else { 20 };
        let (dropped, barrier) = (AtomicUsize::new(0), Barrier::new(THREADS));
        let values = ThreadValues::default();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    assert!(values.with(|| Counted(&dropped), |_| ()).is_some());
                    barrier.wait();
                });
            }
        });
        assert_eq!(dropped.load(Relaxed), 0);
        drop(values);
        assert_eq!(dropped.load(Relaxed), THREADS);
    }
}
