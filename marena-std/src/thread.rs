//! What each thread keeps: its number, and the value that it looked up last.
//!
//! A number belongs to one thread at a time, from the thread's first lookup to its end. Then the
//! next new thread gets the number, and with it the values of the old thread. So a thread that ends
//! leaves nothing behind in a table of values by number.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::ptr;
use std::sync::{Mutex, PoisonError};

thread_local! {
    /// The last lookup. It needs no destructor, so it can be read while other destructors run.
    static LAST: Cell<Last> = const { Cell::new(Last::NONE) };
    /// The number. It needs no destructor either.
    static STATE: Cell<State> = const { Cell::new(State::New) };
    /// Returns the number when the thread ends.
    static END: End = const { End };
}

/// An owner's number, which is never used twice, and this thread's value at that owner.
#[derive(Clone, Copy)]
struct Last {
    owner: u64,
    value: *const (),
}

impl Last {
    const NONE: Self = Self { owner: 0, value: ptr::null() };
}

#[derive(Clone, Copy)]
enum State {
    /// The thread has no number yet.
    New,
    Numbered(usize),
    /// The thread had a number, which another thread may have by now.
    Ended,
}

struct End;

impl Drop for End {
    fn drop(&mut self) {
        // From here on the value that this thread looked up belongs to the next thread.
        let _ = LAST.try_with(|last| last.set(Last::NONE));
        if let Ok(State::Numbered(number)) = STATE.try_with(|state| state.replace(State::Ended)) {
            NUMBERS.lock().unwrap_or_else(PoisonError::into_inner).free.push(Reverse(number));
        }
    }
}

/// The numbers that no thread has.
struct Numbers {
    /// The numbers that were given back. The smallest goes first, so that tables stay short.
    free: BinaryHeap<Reverse<usize>>,
    /// The smallest number that was never given out.
    unused: usize,
}

/// Its lock orders threads: what one did with the values of its number happens before what the next
/// thread with that number does.
static NUMBERS: Mutex<Numbers> = Mutex::new(Numbers { free: BinaryHeap::new(), unused: 0 });

/// The number of the calling thread. No other thread has it until this one runs its destructors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadNumber {
    number: usize,
    /// The value stays on its thread.
    not_send: PhantomData<*const ()>,
}

impl ThreadNumber {
    /// Returns the calling thread's number. Returns `None` while the thread ends: in the
    /// destructors of some thread-local values, another thread may have the number already.
    pub(crate) fn current() -> Option<Self> {
        let number = match STATE.try_with(Cell::get).ok()? {
            State::Numbered(number) => number,
            State::New => Self::assign()?,
            State::Ended => return None,
        };
        Some(Self { number, not_send: PhantomData })
    }

    #[cold]
    fn assign() -> Option<usize> {
        // From here on the destructor runs when the thread ends. Without it, the number would never
        // come back.
        END.try_with(|_| ()).ok()?;
        let mut numbers = NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
        let number = match numbers.free.pop() {
            Some(Reverse(number)) => number,
            None => {
                let number = numbers.unused;
                numbers.unused += 1;
                number
            }
        };
        STATE.try_with(|state| state.set(State::Numbered(number))).ok()?;
        Some(number)
    }

    pub(crate) fn get(self) -> usize {
        self.number
    }
}

/// Returns the value that this thread passed to [`remember`] last, if it is this owner's.
#[inline(always)]
pub(crate) fn last(owner: NonZeroU64) -> Option<*const ()> {
    let last = LAST.try_with(Cell::get).ok()?;
    (last.owner == owner.get()).then_some(last.value)
}

/// Makes [`last`] return this owner's value of the thread's `number`. The value is forgotten before
/// the number goes to another thread.
#[inline]
pub(crate) fn remember(_number: ThreadNumber, owner: NonZeroU64, value: *const ()) {
    let _ = LAST.try_with(|last| last.set(Last { owner: owner.get(), value }));
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn number() -> usize {
        ThreadNumber::current().unwrap().get()
    }

    #[test]
    fn threads_that_run_at_once_have_different_numbers_and_keep_them() {
        let barrier = std::sync::Barrier::new(8);
        let mut numbers = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let first = number();
                        barrier.wait();
                        assert_eq!(number(), first);
                        first
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 8);
    }

    #[test]
    fn a_thousand_threads_in_a_row_use_few_numbers() {
        let threads = if cfg!(miri) { 20 } else { 1000 };
        // Other tests of this process run meanwhile and hold some numbers.
        let largest = (0..threads).map(|_| thread::spawn(number).join().unwrap()).max().unwrap();
        assert!(largest < threads / 2, "{largest}");
    }

    #[test]
    fn no_number_is_left_out() {
        const THREADS: usize = if cfg!(miri) { 40 } else { 200 };
        let barrier = std::sync::Barrier::new(THREADS);
        let largest = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        let number = number();
                        barrier.wait();
                        number
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
        });
        // The threads of other tests have some, too.
        assert!((THREADS - 1..THREADS + THREADS / 2).contains(&largest), "{largest}");
    }

    #[test]
    fn what_was_looked_up_is_another_owners_or_nobodys() {
        let owner = |number| NonZeroU64::new(number).unwrap();
        let value = ptr::dangling::<u64>().cast();
        let thread = ThreadNumber::current().unwrap();
        assert_eq!(last(owner(u64::MAX)), None);
        remember(thread, owner(u64::MAX), value);
        assert_eq!((last(owner(u64::MAX)), last(owner(u64::MAX - 1))), (Some(value), None));
        assert!(thread::spawn(move || last(owner(u64::MAX)).is_none()).join().unwrap());
        remember(thread, owner(u64::MAX - 1), value);
        assert_eq!(last(owner(u64::MAX)), None);
    }
}
