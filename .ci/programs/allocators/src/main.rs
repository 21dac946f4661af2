//! Collections of four crates in everything that allocates.
#![cfg_attr(any(feature = "nightly", feature = "foreign-nightly"), feature(allocator_api))]

use std::sync::Arc;

use marena_std::marena_core::Regions;
use marena_std::{Arena, GrowingArena, Pool};

/// A vector of each crate that has an allocator trait, and a map.
macro_rules! collect_in {
    ($memory:expr) => {{
        let mut one = api2::vec::Vec::new_in($memory);
        one.extend(0..100_u32);
        let mut other = api2_04::vec::Vec::new_in($memory);
        other.extend(0..100_u32);
        assert_eq!(one[..], other[..]);
        #[cfg(feature = "map")]
        {
            let mut map = hashbrown::HashMap::new_in($memory);
            map.extend([(1_u32, 2_u32)]);
            assert_eq!(map[&1], 2);
        }
        #[cfg(feature = "nightly")]
        {
            let mut std = Vec::new_in($memory);
            std.extend(0..100_u32);
            assert_eq!(std[..], one[..]);
        }
    }};
}

fn main() {
    let mut arena = Arena::with_capacity(1 << 20).unwrap();
    collect_in!(&arena);
    let mut lease = arena.lease(4096);
    collect_in!(&lease);
    let scratch = lease.scratch();
    collect_in!(&scratch);
    drop(scratch);
    drop(lease);
    let leases = arena.leases(4096);
    collect_in!(&leases);
    drop(leases);
    let growing = GrowingArena::new();
    collect_in!(&growing);
    let lease = growing.lease(4096);
    collect_in!(&lease);
    drop(lease);
    let scratch = arena.scratch();
    collect_in!(&scratch);
    drop(scratch);
    let pool = Arc::new(Pool::with_capacity(2, 1 << 20).unwrap());
    let guard = pool.acquire().unwrap();
    collect_in!(&guard);
    let owned = pool.acquire_owned().unwrap();
    collect_in!(&owned);
    let mut regions: Regions<_, 1> = Regions::new();
    regions.push(arena).unwrap();
    collect_in!(&regions);
}
