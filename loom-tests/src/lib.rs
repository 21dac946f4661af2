//! Models of every interleaving of the real `marena-core`, under loom.
//!
//! Nothing of the arena is copied here and nothing in it is switched by a `cfg`: the arena is generic over its memory, a
//! memory names its atomic word, and the memory here names a word of loom's ([`LoomWord`]). What loom cannot see, the bytes of the
//! region, is paired with witness cells that it can ([`Witness`]).
//!
//! A model is a function that is generic over a [`Fault`]: with [`Faithful`](fault::Faithful) it must hold, with
//! a planted fault it must fail. `tests/models.rs` runs the first kind and prints how many interleavings each had;
//! `tests/mutants.rs` runs the second.

mod explore;
pub mod fault;
mod memory;
pub mod models;
mod scene;
mod witness;
mod word;

pub use explore::Model;
pub use fault::Fault;
pub use memory::{LoomMemory, SharedMemory};
pub use scene::{Scene, Start, spawn};
pub use witness::Witness;
pub use word::LoomWord;
