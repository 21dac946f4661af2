//! An ordered map in an arena.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(test, feature = "std"))]
extern crate std;

mod damage;
mod height;
mod insert;
mod layout;
mod map;
mod node;
mod order;
mod prefetch;
mod range;
mod region;
mod search;
mod shape;
#[cfg(all(feature = "mapped", any(unix, windows), target_has_atomic = "64"))]
mod shared;
mod space;
mod walk;

#[cfg(feature = "mapped")]
pub use damage::Damage;
pub use map::{Entry, GROUP, SkipMap};
pub use order::{ByteOrder, Order};
pub use range::Range;
#[cfg(all(feature = "mapped", any(unix, windows), target_has_atomic = "64"))]
pub use shared::{Mapped, OwnedEntry, ReadOnly, ReadOnlyWord, SharedMap, SharedMapError, SharedRange, Verified};
pub use space::Space;
