//! What loom sees in place of the region's bytes.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use marena_core::Memory;

/// How many bytes one cell stands for. Every claim starts at a multiple of it, and takes one.
const GRANULE: usize = 8;

/// One loom cell for each 8 bytes of a region. A thread that accesses bytes accesses their cells
/// too, and loom reports two accesses that nothing orders.
#[derive(Debug)]
pub struct Witness {
    /// Address of the region's first byte: for arithmetic only.
    start: usize,
    cells: Vec<UnsafeCell<()>>,
}

// SAFETY: the cells hold nothing; sharing them is what makes loom report races.
unsafe impl Sync for Witness {}
// SAFETY: as above.
unsafe impl Send for Witness {}

impl Witness {
    /// Creates cells for all bytes of `memory`, those of the header included.
    pub fn of(memory: &impl Memory) -> Arc<Self> {
        let region = memory.region();
        let cells = (0..region.len().div_ceil(GRANULE)).map(|_| UnsafeCell::new(())).collect();
        Arc::new(Self { start: region.addr().get(), cells })
    }

    /// Returns the cells of `len` bytes at `start`.
    fn cells(&self, start: *const u8, len: usize) -> &[UnsafeCell<()>] {
        let first = start.addr().checked_sub(self.start).expect("bytes behind the region's start");
        assert!(first + len <= self.cells.len() * GRANULE, "{len} bytes at {first} of the region");
        &self.cells[first / GRANULE..(first + len).div_ceil(GRANULE)]
    }

    /// Notes that their exclusive owner wrote `len` bytes at `start`.
    pub fn written(&self, start: *const u8, len: usize) {
        for cell in self.cells(start, len) {
            cell.with_mut(|_| ());
        }
    }

    /// Notes that somebody read these bytes.
    pub fn read(&self, bytes: &[u8]) {
        for cell in self.cells(bytes.as_ptr(), bytes.len()) {
            cell.with(|_| ());
        }
    }
}
