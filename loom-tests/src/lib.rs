//! Models of every interleaving of the real `marena-core`, under loom.
//!
//! The models run the arena's own code, without a copy and without a `cfg`. The arena is generic
//! over its memory, and a memory names its atomic word. The memory here names a word of loom's
//! ([`LoomWord`]). Loom cannot see the bytes of the region, so each has a witness cell that loom
//! can see ([`Witness`]).
//!
//! A model is a function that is generic over a [`Fault`]. It must hold with
//! [`Faithful`](fault::Faithful), and with [`Spurious`](fault::Spurious), whose weak
//! compare-and-swap fails on purpose. `tests/models.rs` runs each model and prints its number of
//! interleavings. `.ci/mutants.py` plants faults in the sources and checks that the models notice
//! them.

/// The file of mapped views that has their fence. Models map no files.
#[path = "../../marena-std/src/mapped/acquired.rs"]
mod acquired;
mod explore;
pub mod fault;
mod memory;
pub mod models;
mod scene;
/// The items that the core's file below imports from its own crate.
mod sync {
    #[cfg(test)]
    pub(crate) use marena_core::AtomicU32;
    pub(crate) use marena_core::Word;
}
/// The core's own file. Tickets are no part of the core's public interface.
#[path = "../../marena-core/src/tickets.rs"]
mod tickets;
mod witness;
mod word;

/// What the file of mapped views imports from its parent.
use loom::sync::atomic::fence;

pub use explore::Model;
pub use fault::Fault;
pub use memory::{LoomMemory, SharedMemory};
pub use scene::{Scene, Start, spawn};
pub use witness::Witness;
pub use word::LoomWord;
