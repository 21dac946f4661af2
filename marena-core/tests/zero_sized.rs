//! Safe code may ask an allocator for zero bytes.
#![cfg(feature = "allocator-api2")]

use std::alloc::Layout;

use allocator_api2::alloc::Allocator;
use marena_core::{Arena, StaticMemory};

#[test]
fn zero_sized_zeroed_requests_succeed_over_zeroed_memory_and_in_its_leases() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    let mut arena = Arena::from_static(&MEMORY);
    for align in [1, 64, 4096] {
        let layout = Layout::from_size_align(0, align).unwrap();
        let lease = arena.lease(64);
        assert_eq!((&arena).allocate_zeroed(layout).unwrap().len(), 0);
        assert_eq!((&lease).allocate_zeroed(layout).unwrap().len(), 0);
        drop(lease);
        assert_eq!((&arena.scratch()).allocate_zeroed(layout).unwrap().len(), 0);
    }
    assert_eq!(arena.used(), 0);
}
