//! Threads that the system may not have.

use std::io;
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Starts a thread in a scope.
///
/// # Errors
///
/// If the system starts no more threads, where [`Scope::spawn`] panics.
pub fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    let started = Builder::new().spawn_scoped(scope, work);
    started.map_err(|error| io::Error::new(error.kind(), format!("cannot start another thread: {error}")))
}
