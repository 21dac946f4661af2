//! The check: main and an interrupt handler allocate bytes of one region as fast as they can; no
//! byte may be allocated twice.
//!
//! Every block is filled with a number of its own. When the region is full, interrupts are off and
//! every block is read again: if two of them share a byte, one of the two finds the other's number.
//! The check works on raw pointers, because it is also run on an allocator that does hand out the
//! same bytes twice.

use core::cell::RefCell;
use core::ptr::NonNull;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use critical_section::Mutex;
use heapless::Vec;

use crate::random::Random;
use crate::timer;

/// Interrupts that allocate, before the check ends.
pub const INTERRUPTS: u32 = 10_000;

/// Blocks of each side between two readings.
const ALLOCATIONS: usize = 1_024;

/// Bytes of the region under test.
pub const REGION: usize = 16 * 1024;

/// An allocator to check. Blocks have a multiple of 4 bytes, aligned to 4.
pub trait Allocator: Sync {
    /// Allocates from the main program; `None` when the region is full.
    fn allocate(&self, size: usize) -> Option<NonNull<[u8]>>;

    /// Allocates from the interrupt handler.
    fn allocate_bounded(&self, size: usize) -> Option<NonNull<[u8]>>;

    /// Takes everything back. The check calls it with interrupts off, and uses no block from
    /// before.
    fn restart(&self);
}

/// A block and the number it was filled with.
struct Allocation {
    words: NonNull<[u32]>,
    number: u32,
}

// SAFETY: the pointer is followed only by the side that has the value, and stays valid on the one
// core there is.
unsafe impl Send for Allocation {}

impl Allocation {
    /// Fills a block with `number`.
    fn fill(bytes: NonNull<[u8]>, number: u32) -> Self {
        let words = NonNull::slice_from_raw_parts(bytes.cast::<u32>(), bytes.len() / 4);
        for index in 0..words.len() {
            // SAFETY: inside the block.
            let word = unsafe { words.cast::<u32>().add(index) };
            // SAFETY: the allocator handed the bytes out for writing. Volatile: another block may
            // wrongly have the same bytes.
            unsafe { word.write_volatile(number) };
        }
        Self { words, number }
    }

    /// Whether every word still is what this block got.
    fn is_intact(&self) -> bool {
        (0..self.words.len()).all(|index| {
            // SAFETY: inside the block.
            let word = unsafe { self.words.cast::<u32>().add(index) };
            // SAFETY: initialised by `fill`.
            unsafe { word.read_volatile() == self.number }
        })
    }
}

/// What one side allocated since the last reading, numbered `FIRST`, `FIRST + 2` and so on.
struct Side<const FIRST: u32> {
    allocations: Vec<Allocation, ALLOCATIONS>,
    random: Random,
    total: u32,
}

impl<const FIRST: u32> Side<FIRST> {
    const fn new() -> Self {
        Self { allocations: Vec::new(), random: Random::new(), total: 0 }
    }

    /// Allocates 8 to 36 bytes and fills them. Returns false if there is no room.
    fn allocate(&mut self, allocate: impl FnOnce(usize) -> Option<NonNull<[u8]>>) -> bool {
        let size = self.random.within(2, 8) as usize * 4;
        let Some(bytes) = allocate(size).filter(|_| !self.allocations.is_full()) else { return false };
        let _ = self.allocations.push(Allocation::fill(bytes, FIRST + 2 * self.total));
        self.total += 1;
        true
    }

    /// Forgets all blocks. Returns how many were not intact.
    fn read(&mut self) -> usize {
        let overlaps = self.allocations.iter().filter(|block| !block.is_intact()).count();
        self.allocations.clear();
        overlaps
    }
}

/// What the handler has; main takes it only with interrupts off.
struct Handler {
    side: Side<1>,
    timer: Option<SYST>,
}

static HANDLER: Mutex<RefCell<Handler>> = Mutex::new(RefCell::new(Handler { side: Side::new(), timer: None }));

/// Set by the handler when it found no room.
static FULL: AtomicBool = AtomicBool::new(false);

/// The body of the interrupt handler: one block, and the next interrupt after a time that is never
/// the same.
pub fn interrupt(allocator: &impl Allocator) {
    critical_section::with(|cs| {
        let handler = &mut *HANDLER.borrow_ref_mut(cs);
        if !handler.side.allocate(|size| allocator.allocate_bounded(size)) {
            // ORDERING: Relaxed: one core, and nothing else is passed with it.
            FULL.store(true, Relaxed);
        }
        if let Some(timer) = &mut handler.timer {
            timer.set_reload(handler.side.random.within(400, 600));
            timer.clear_current();
        }
    });
}

/// What the check found.
#[derive(Debug)]
pub struct Report {
    /// Interrupts that allocated.
    pub interrupts: u32,
    /// Blocks of the main program.
    pub allocations: u32,
    /// Blocks whose bytes somebody else wrote.
    pub overlaps: usize,
}

/// Runs the check; `interrupt` must be the SysTick handler meanwhile.
pub fn run(allocator: &impl Allocator) -> Option<Report> {
    let mut timer = Peripherals::take()?.SYST;
    timer::start(&mut timer, 100);
    critical_section::with(|cs| HANDLER.borrow_ref_mut(cs).timer = Some(timer));
    let mut main = Side::<2>::new();
    let mut report = Report { interrupts: 0, allocations: 0, overlaps: 0 };
    while report.interrupts < INTERRUPTS {
        // ORDERING: Relaxed, as where it is stored.
        while main.allocate(|size| allocator.allocate(size)) && !FULL.load(Relaxed) {}
        critical_section::with(|cs| {
            let handler = &mut *HANDLER.borrow_ref_mut(cs);
            report.interrupts = handler.side.total;
            report.allocations = main.total;
            report.overlaps += main.read() + handler.side.read();
            allocator.restart();
            // ORDERING: Relaxed, as above.
            FULL.store(false, Relaxed);
        });
    }
    critical_section::with(|cs| {
        if let Some(timer) = &mut HANDLER.borrow_ref_mut(cs).timer {
            timer::stop(timer);
        }
    });
    Some(report)
}
