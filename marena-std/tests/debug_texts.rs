//! What debug output says of each type: what tells one value from another, and no contents.

use std::fmt::Debug;
use std::sync::Arc;

use marena_std::marena_core::Memory;
use marena_std::{Arena, OwnedMemory, Pool, ThreadValues};

fn text(value: &impl Debug) -> String {
    format!("{value:?}")
}

#[test]
fn a_builder_shows_its_settings() {
    let plain = Arena::builder().capacity(1000);
    assert_eq!(text(&plain), "Builder { capacity: 1000, align: 65536, huge_pages: false, prefault: false }");
    let full = Arena::builder().capacity(7).align(1 << 20).huge_pages(true).prefault(|_, _| ());
    assert_eq!(text(&full), "Builder { capacity: 7, align: 1048576, huge_pages: true, prefault: true }");
}

#[test]
fn memory_shows_where_it_lies() {
    let memory = OwnedMemory::reserve(1).unwrap();
    assert_eq!(text(&memory), format!("OwnedMemory {{ region: {:?} }}", memory.region()));
}

#[test]
fn a_pool_shows_how_many_arenas_are_free_and_a_guard_its_arena() {
    let pool = Arc::new(Pool::with_capacity(3, 1).unwrap());
    let guard = pool.acquire_owned().unwrap();
    assert_eq!(text(&pool), "Pool { arenas: 3, available: 2 }");
    assert_eq!(text(&guard), format!("OwnedPoolGuard({:?})", *guard));
}

#[test]
fn values_of_threads_show_their_own_number() {
    let [one, other] = [(); 2].map(|()| text(&ThreadValues::<u8>::default()));
    assert!(one.starts_with("ThreadValues { owner: ") && one.ends_with(", .. }"), "{one}");
    assert_ne!(one, other);
}
