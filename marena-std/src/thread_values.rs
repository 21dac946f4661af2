//! A value for each thread, by the thread's number.

use std::cell::UnsafeCell;
use std::fmt;
use std::num::NonZeroU64;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::{Mutex, PoisonError};

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
    /// INVARIANT: null, or from [`new_table`] with the table's index, and freed on drop only.
    tables: [AtomicPtr<Slot<T>>; TABLES],
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
        // SAFETY: the slot is in a table of `self`, which stays as long as `self`.
        let cell = unsafe { slot.as_ref() }.0.get();
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
    fn slot(&self, number: usize) -> Option<NonNull<Slot<T>>> {
        let position = number.checked_add(1)?;
        let index = position.ilog2() as usize;
        let entry = self.tables.get(index)?;
        // ORDERING: Acquire pairs with the Release of `install`: the table's slots are there.
        let mut table = entry.load(Acquire);
        if table.is_null() {
            table = Self::install(entry, index);
        }
        // SAFETY: the table has `2^index` slots, and `position` is `2^index` to `2^(index + 1) -
        // 1`.
        NonNull::new(unsafe { table.add(position - (1 << index)) })
    }

    /// Makes the table of this index, and returns it, or that of another thread that was first.
    #[cold]
    fn install(entry: &AtomicPtr<Slot<T>>, index: usize) -> *mut Slot<T> {
        let new = new_table(index);
        // ORDERING: Release publishes the slots. Acquire pairs with the Release of a thread that
        // was first: the slots of its table are there.
        match entry.compare_exchange(ptr::null_mut(), new, AcqRel, Acquire) {
            Ok(_) => new,
            Err(first) => {
                // SAFETY: the table was made above with this index, and nobody else knows it.
                unsafe { free_table(new, index) };
                first
            }
        }
    }
}

/// Makes the table with this index, without values.
fn new_table<T>(index: usize) -> *mut Slot<T> {
    let slots: Box<[Slot<T>]> = (0..1_usize << index).map(|_| Slot(UnsafeCell::new(None))).collect();
    Box::into_raw(slots).cast()
}

/// Frees a table.
///
/// # Safety
///
/// - `table` is from [`new_table`] with this index, and is not used afterwards.
unsafe fn free_table<T>(table: *mut Slot<T>, index: usize) {
    let slots = ptr::slice_from_raw_parts_mut(table, 1 << index);
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(slots) });
}

impl<T> Default for ThreadValues<T> {
    fn default() -> Self {
        // Under a lock, because some targets have no 64-bit atomics. Numbers last for centuries.
        static LAST_OWNER: Mutex<NonZeroU64> = Mutex::new(NonZeroU64::MIN);
        let mut last = LAST_OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        *last = last.saturating_add(1);
        Self { owner: *last, tables: [const { AtomicPtr::new(ptr::null_mut()) }; TABLES] }
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

impl<T> Drop for ThreadValues<T> {
    fn drop(&mut self) {
        for (index, table) in self.tables.iter_mut().enumerate() {
            let table = *table.get_mut();
            if !table.is_null() {
                // SAFETY: the invariant of `tables`. Threads do not look up again what they
                // remember of it, because that needs this value's number.
                unsafe { free_table(table, index) };
            }
        }
    }
}

// SAFETY: the values move with it.
unsafe impl<T: Send> Send for ThreadValues<T> {}
// SAFETY: one thread makes and uses a value, then the next one with the same number uses it, and
// another may drop it. So it must be `Send`. No two threads use it at once.
unsafe impl<T: Send> Sync for ThreadValues<T> {}

impl<T> fmt::Debug for ThreadValues<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadValues").field("owner", &self.owner).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
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
        let expected: Vec<_> = values.tables[..3]
            .iter()
            .enumerate()
            .flat_map(|(index, table)| (0..1_usize << index).map(move |at| table.load(Acquire).wrapping_add(at)))
            .collect();
        assert_eq!(slots.iter().map(|slot| slot.as_ptr()).collect::<Vec<_>>(), expected);
        assert!(values.tables[3].load(Acquire).is_null());
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

    #[test]
    fn the_first_of_two_tables_stays() {
        let values = ThreadValues::<u8>::default();
        let table = ThreadValues::install(&values.tables[3], 3);
        // Where memory that is lost counts, as in Miri, the second table does not stay.
        assert_eq!(ThreadValues::install(&values.tables[3], 3), table);
        assert_eq!(values.tables[3].load(Acquire), table);
    }
}
