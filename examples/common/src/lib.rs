//! What the example programs share, so that each of them shows its own idea and nothing else.

mod counting;
#[cfg(unix)]
mod crash;
mod mapped;
#[cfg(unix)]
mod processes;
mod program;
mod random;
mod replace;
mod sizes;
mod spawn;
mod stdio;
mod tool;

pub use counting::{CountingAllocator, Heap, count};
#[cfg(unix)]
pub use crash::{Counters, CrashOptions, Dead, Kills, Kind, Outcome};
pub use mapped::{open_or_create, open_read_only, opened};
#[cfg(unix)]
pub use processes::{Process, fork, temporary_folder};
pub use program::{AnyError, Chain, EXIT_CODES, Negative, Shown, main, warn};
pub use random::{Random, median};
pub use replace::FileOutput;
pub use sizes::{bytes, size, threads};
pub use spawn::spawn;
pub use stdio::{Output, stdin};
pub use tool::Tool;
