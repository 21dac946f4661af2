//! Repeats system calls that a signal interrupted.

use std::io::{self, ErrorKind};

/// Repeats the call until no signal interrupts it.
///
/// The standard library does this for its own calls, but not for all, and the crates for locks and
/// mappings do not.
pub(super) fn repeat<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
