//! Models of every interleaving of the real `marena-core`, under loom.
//!
//! Nothing of the arena is copied here and nothing in it is switched by a `cfg`: the arena is
//! generic over its memory, a memory names its atomic word, and the memory here names a word of
//! loom's ([`LoomWord`]). What loom cannot see, the bytes of the region, is paired with witness
//! cells that it can ([`Witness`]).
//!
//! A model is a function that is generic over a [`Fault`]: it must hold with
//! [`Faithful`](fault::Faithful), and with [`Spurious`](fault::Spurious), whose weak
//! compare-and-swap fails on purpose. `tests/models.rs` runs each and prints how many interleavings
//! it had. That the models notice faults is what `.ci/mutants.py` checks: it plants them in the
//! sources.

mod explore;
pub mod fault;
mod memory;
pub mod models;
mod scene;
/// What the core's file below expects of its own crate.
mod sync {
    #[cfg(test)]
    pub(crate) use marena_core::AtomicU32;
    pub(crate) use marena_core::Word;
}
/// The core's own file: its numbers are no part of the core's interface.
#[path = "../../marena-core/src/tickets.rs"]
mod tickets;
mod witness;
mod word;

pub use explore::Model;
pub use fault::Fault;
pub use memory::{LoomMemory, SharedMemory};
pub use scene::{Scene, Start, spawn};
pub use witness::Witness;
pub use word::LoomWord;
