//! An arena that grows: a list of segments, which are arenas.

mod arena;
mod builder;
mod current;
mod grow;
mod lease;
mod scope;
mod scratch;
mod segments;
mod sizes;

pub use arena::GrowingArena;
pub use builder::{GrowingBuilder, GrowthError};
pub use lease::GrowingLease;
pub use scope::GrowingScope;
pub use scratch::GrowingScratch;
