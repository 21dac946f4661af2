//! The map in memory.

mod bounds;
mod cost;
mod full;
mod groups;
mod index;
mod map;
mod threads;

use core::mem::MaybeUninit;
use std::cmp::Ordering;

use marena_core::{Arena, BorrowedMemory};
use marena_skiplist::{Entry, Order, SkipMap, Space};

/// Memory for an arena.
fn bytes(len: usize) -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); len]
}

/// An arena over memory that is never freed.
fn arena(len: usize) -> Arena<BorrowedMemory<'static>> {
    Arena::borrowed(Vec::leak(bytes(len))).unwrap()
}

fn map(len: usize) -> SkipMap<Arena<BorrowedMemory<'static>>> {
    SkipMap::new(arena(len)).unwrap()
}

/// The same numbers at every run.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    })
}

fn owned(entry: Entry<'_>) -> (Vec<u8>, Vec<u8>) {
    (entry.0.to_vec(), entry.1.to_vec())
}

/// The order of bytes, from the largest key to the smallest.
#[derive(Clone, Copy, Debug)]
struct Descending;

impl Order for Descending {
    const ID: u32 = 1;

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        b.cmp(a)
    }

    fn prefix(&self, first: u64, _: usize) -> u64 {
        !first
    }
}

fn all<S: Space, O: Order>(map: &SkipMap<S, O>) -> Vec<(Vec<u8>, Vec<u8>)> {
    map.iter().map(owned).collect()
}
