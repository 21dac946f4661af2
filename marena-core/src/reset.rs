//! Taking everything back: at once, with every byte overwritten, without exclusive access, or only
//! the pages.

use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{Ordering, compiler_fence};

use crate::arena::{Arena, Counters};
use crate::asan;
use crate::memory::{ExclusiveMemory, Memory, Reserve};
use crate::placement::{HEADER_SIZE, STEP};
use crate::protocol;
use crate::root::Root;
use crate::sync::Word;

impl<M: Memory> Arena<M> {
    /// Takes everything back, in constant time. The arena is empty then, and handles from before
    /// read as `None`.
    ///
    /// Values are not dropped. Bytes that are handed out again are zeroed then, not now; see
    /// [`wipe`](Self::wipe).
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let mut arena = Arena::borrowed(&mut bytes)?;
    /// let handle = arena.insert([1_u8; 64]).unwrap();
    /// arena.reset();
    /// assert_eq!(arena.get(handle), None);
    /// assert_eq!(arena.used(), 0);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    #[inline]
    pub fn reset(&mut self)
    where
        M: ExclusiveMemory,
    {
        self.reset_to(0);
    }

    /// Takes back all but the first `position` bytes, which stay as they are. The caller passes a
    /// multiple of the step that is at most the limit.
    #[inline(always)]
    pub(crate) fn reset_to(&mut self, position: u32)
    where
        M: ExclusiveMemory,
    {
        // What is not ready was never handed out, although a leaked scope over the whole arena
        // claimed it.
        let limit = self.ready_limit();
        self.renew_epoch();
        let Counters { cursor, peak, stranded, recent_peak, roots } = self.counters_mut();
        roots.iter_mut().for_each(Root::clear_mut);
        let dirty_end = cursor.read().max(peak.read()).min(limit);
        peak.write(dirty_end);
        cursor.write(position);
        stranded.write(0);
        recent_peak.write(0);
        asan::poison(self.at(position as usize), dirty_end.saturating_sub(position) as usize);
    }

    /// Resets the arena, and overwrites with zeros every byte that it ever handed out. Nothing from
    /// before can be read from the memory afterwards. Takes time in proportion to
    /// [`Stats::high_water`](crate::Stats::high_water).
    ///
    /// The writes are volatile: no optimiser drops them because the memory is given up right after.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use marena_core::Arena;
    /// let mut bytes = [MaybeUninit::uninit(); 1024];
    /// let mut arena = Arena::borrowed(&mut bytes)?;
    /// arena.alloc_str("secret").unwrap();
    /// arena.wipe();
    /// assert_eq!(arena.stats().high_water, 0);
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn wipe(&mut self)
    where
        M: ExclusiveMemory,
    {
        self.reset();
        let dirty_end = self.counters_mut().peak.read() as usize;
        asan::unpoison(self.base(), dirty_end.next_multiple_of(STEP));
        let mut position = 0;
        // Reset bounded the peak by the limit, a multiple of the step; a step is eight bytes.
        while position < dirty_end {
            let word = self.at(position).cast::<u64>();
            // SAFETY: `position` is a multiple of 8 below the limit, so the word lies in the
            // region, aligned. `&mut self` of exclusive memory leaves nobody else who could use
            // these bytes.
            unsafe { word.write_volatile(0) };
            position += STEP;
        }
        // Nothing that the caller does next may be moved up between the writes.
        compiler_fence(Ordering::Release);
        asan::poison(self.base(), dirty_end);
        self.counters_mut().peak.write(0);
    }

    /// Takes everything back without exclusive access: for statics, and for memory that processes
    /// share. Clears the root slots, too.
    ///
    /// # Safety
    ///
    /// - Nothing from before (block, reference, handle, lease, scope, guard, collection) is used or
    ///   dropped afterwards. Handles from before are *not* detected, because the epoch stays.
    /// - Values that were [pinned](crate::ArenaBox::into_pin) have been dropped.
    /// - No other call on this header runs meanwhile, and all earlier ones happen before it.
    ///
    /// ```
    /// use marena_core::{Arena, StaticMemory};
    /// static MEMORY: StaticMemory<1024> = StaticMemory::new();
    /// let arena = Arena::from_static(&MEMORY);
    /// arena.alloc(1_u32).unwrap();
    /// // SAFETY: nobody else knows the static, and the reference above is gone.
    /// unsafe { arena.reset_shared() };
    /// assert_eq!(arena.used(), 0);
    /// ```
    pub unsafe fn reset_shared(&self) {
        let header = self.header();
        // ORDERING: Relaxed: a number for people. The caller lets nothing race with this call.
        header.stranded.store(0, Relaxed);
        // ORDERING: Relaxed: as above.
        header.recent_peak.store(0, Relaxed);
        header.clear_roots();
        asan::poison(self.base(), self.used());
        let ready = self.ready_limit();
        if ready < self.limit() {
            // As in `reset_to`.
            // ORDERING: Relaxed: nothing races with this call.
            header.cursor.store(header.cursor.load(Relaxed).min(ready), Relaxed);
        }
        protocol::reset_shared(&header.cursor, &header.peak);
    }
}

impl<M: Reserve> Arena<M> {
    /// Gives memory that lies wholly past the cursor back to where it came from. It is there anew
    /// when it is touched. Returns the number of bytes that were offered.
    ///
    /// What is allocated stays as it is, under its handles and addresses. After a
    /// [`reset`](Self::reset) nearly everything goes back. With `marena_std`, Linux and Windows
    /// take the pages at once, and other Unix systems when they need them.
    ///
    /// This is no substitute for [`wipe`](Self::wipe): memory that is not taken keeps its bytes.
    ///
    /// # Errors
    ///
    /// Those of the memory. With `marena_std`: `Error::Trim` for locked memory. The arena is
    /// unchanged then.
    ///
    /// ```
    /// # use marena_core::{Arena, Reserve};
    /// fn after_a_burst<M: Reserve>(arena: &mut Arena<M>) -> Result<(), M::Error> {
    ///     arena.reset();
    ///     arena.trim()?;
    ///     Ok(())
    /// }
    /// ```
    pub fn trim(&mut self) -> Result<usize, M::Error> {
        let kept = HEADER_SIZE + self.used();
        let (free, len) = (self.at(self.used()), self.capacity() - kept);
        // The memory may write to these bytes, which are its own meanwhile.
        asan::unpoison(free, len);
        // SAFETY: behind the header and the used bytes nothing is handed out, and `&mut self` of
        // exclusive memory keeps others from claiming meanwhile. The arena counts on zeros only
        // past its peak, and those stay zero; below, it zeroes what it hands out.
        let given = unsafe { self.memory().give_back_past(kept) };
        asan::poison(free, len);
        let given = given?;
        if self.memory().is_zeroed() {
            // Whatever a memory says, the sums do not wrap: past the region it says nothing.
            let zero_from = given.zero_from.max(kept).min(self.capacity()).next_multiple_of(STEP) - HEADER_SIZE;
            let Counters { peak, recent_peak, .. } = self.counters_mut();
            let dirty_end = peak.read().min(zero_from as u32);
            peak.write(dirty_end);
            // Never above the peak, since scopes go by it.
            let recent = recent_peak.read().min(dirty_end);
            recent_peak.write(recent);
        }
        Ok(given.bytes)
    }
}
