//! The works, one a file.

mod boxed;
mod chunks;
mod cold;
mod everyone;
mod layouts;
mod lease;

mod multiple;
mod owned;
mod reset;
mod scaling;
mod scratch;
mod shared;
mod strand;
mod streaming;
mod threads;
mod vector;
mod view;
mod zeroed;

use crate::work::Work;

pub use scaling::{CONTENDERS as SCALING_CONTENDERS, entry_name as scaling_entry_name};
pub use strand::{Stranded, strand};

/// Makes one work, with its contenders' memory.
pub type Maker = fn() -> Work;

/// All of them. Each is made when its turn comes: together they would hold gigabytes.
pub const ALL: &[Maker] = &[
    shared::work,
    zeroed::work,
    lease::work,
    everyone::work,
    layouts::work,
    scratch::long,
    scratch::short,
    multiple::work,
    view::work,
    reset::work,
    owned::work,
    boxed::work,
    vector::work,
    cold::work,
    scaling::work,
    chunks::work,
    streaming::work,
];

/// A small node: three words.
type Node = [u64; 3];

/// Nodes in a batch: 192 KiB, which stay in a core's own cache.
const NODES: usize = 8192;
