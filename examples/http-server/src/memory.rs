//! Where the data of a request lies: the one place in which the two servers differ.

use std::sync::Arc;

use allocator_api2::alloc::Global;
use bytes::Bytes;
use marena_std::{Owned, Pool};

use crate::catalogue::Product;
use crate::handler::{Failure, search};

/// Bytes that a request's lease takes from its arena at once.
const CHUNK: usize = 16 << 10;

#[derive(Clone, Debug)]
pub(crate) enum Memory {
    /// The system's allocator.
    Heap,
    /// An arena for each request.
    Arenas(Arc<Pool>),
}

impl Memory {
    /// Answers a request with a page, or with the reason why not. The page owns what it needs: the
    /// server writes it to the socket after the handler has returned.
    pub(crate) fn answer(&self, target: &str, catalogue: &[Product]) -> Result<Bytes, Failure> {
        let Self::Arenas(pool) = self else { return Ok(Bytes::from_owner(search(target, catalogue, Global)?)) };
        // Every way out lets go of the guard in the end, which resets the arena and makes it free
        // again.
        let arena = pool.acquire_owned().ok_or(Failure::Busy)?;
        // One thread works on a request at a time, so it needs no atomic operation for each piece.
        // (A lease cannot be held across an `await`, because it cannot be shared between threads;
        // pass `&*arena` itself there.)
        let lease = arena.lease(CHUNK);
        let text = search(target, catalogue, &lease)?;
        // The text borrows the arena and cannot leave with it. A handle can.
        let page = lease.insert_slice(&text)?;
        drop(text);
        drop(lease);
        // The arena is recycled when the page is sent, or the connection is lost.
        Ok(Owned::new(arena, page).map_or_else(Bytes::new, Bytes::from_owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::catalogue;

    fn pool(arenas: usize) -> Arc<Pool> {
        Arc::new(Pool::with_capacity(arenas, 64 << 10).unwrap())
    }

    #[test]
    fn both_memories_give_the_same_page() {
        let [heap, arena] = [Memory::Heap, Memory::Arenas(pool(1))]
            .map(|memory| memory.answer("/search?q=blue&limit=20", &catalogue()));
        assert_eq!(heap.unwrap(), arena.unwrap());
    }

    #[test]
    fn an_arena_is_recycled_when_its_page_has_been_dropped() {
        let memory = Memory::Arenas(pool(1));
        let page = memory.answer("/search?q=jug", &catalogue()).unwrap();
        assert_eq!(memory.answer("/search?q=jug", &catalogue()), Err(Failure::Busy));
        drop(page);
        assert!(memory.answer("/search?q=jug", &catalogue()).is_ok());
    }

    #[test]
    fn a_request_that_needs_more_than_its_arena_fails_and_its_arena_is_free_again() {
        let pool = pool(1);
        assert_eq!(Memory::Arenas(pool.clone()).answer("/search?limit=1000", &catalogue()), Err(Failure::TooLarge));
        assert_eq!(pool.available(), 1);
    }
}
