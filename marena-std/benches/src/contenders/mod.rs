//! Everyone who takes part, each through its own public interface.

mod blink;
mod bumping;
mod floor;
mod heap;
mod marena;
mod marena_growing;
mod multitude;
mod rarena;
mod scoped;
mod statics;
mod stores;

pub use blink::{Blink, SyncBlink};
pub use bumping::{Bumpalo, Herd};
pub use floor::Floor;
pub use heap::{Heap, HeapAllocator, Jemalloc, Mimalloc, System};
pub use marena::{HugePages, Leased, LeasedScratch, Scratched, Shared};
pub use marena_growing::{AllThreads, Growing, GrowingAllThreads, GrowingLeased, GrowingScratched};
pub use multitude::Multitude;
pub use rarena::{Rarena, RarenaUnwrapped};
pub use scoped::{BumpScope, BumpScopePool, BumpScoped};
pub use statics::StaticAlloc;
pub use stores::Stores;
