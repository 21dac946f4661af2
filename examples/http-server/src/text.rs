//! Text and lists that refuse to grow, instead of ending the process, where there is no room.

use std::fmt;

use allocator_api2::alloc::Allocator;
use allocator_api2::collections::TryReserveError;
use allocator_api2::vec::Vec;

/// A growing text in any allocator.
pub(crate) struct Text<A: Allocator>(Vec<u8, A>);

impl<A: Allocator> Text<A> {
    pub(crate) fn new_in(alloc: A) -> Self {
        Self(Vec::new_in(alloc))
    }

    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) -> Result<(), TryReserveError> {
        self.0.try_reserve(bytes.len())?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Vec<u8, A> {
        self.0
    }
}

impl<A: Allocator> fmt::Write for Text<A> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_bytes(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// `Vec::push` aborts the process when its allocator is full, which in an arena is an ordinary event.
pub(crate) fn push<T, A: Allocator>(list: &mut Vec<T, A>, value: T) -> Result<(), TryReserveError> {
    list.try_reserve(1)?;
    list.push(value);
    Ok(())
}
