//! Cells that loom can see, in place of the region's bytes.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use marena_core::Memory;

/// The number of bytes that one cell stands for. Each claim starts at a multiple of it and takes a
/// multiple of it.
const GRANULE: usize = 8;

/// One loom cell for each 8 bytes of a region. A thread that accesses bytes accesses their cells
/// too, and loom reports two accesses without an order.
#[derive(Debug)]
pub struct Witness {
    /// The address of the region's first byte, for arithmetic only.
    start: usize,
    cells: Vec<UnsafeCell<()>>,
}

// SAFETY: the cells hold no value. Sharing them lets loom report races.
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

    /// Records a write of `len` bytes at `start` by their exclusive owner.
    pub fn written(&self, start: *const u8, len: usize) {
        for cell in self.cells(start, len) {
            cell.with_mut(|_| ());
        }
    }

    /// Records a read of these bytes.
    pub fn read(&self, bytes: &[u8]) {
        for cell in self.cells(bytes.as_ptr(), bytes.len()) {
            cell.with(|_| ());
        }
    }
}
