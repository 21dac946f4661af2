//! Where the data of a request lies: the one place in which the two servers differ.

use std::sync::Arc;

use allocator_api2::alloc::Global;
use bytes::Bytes;
use marena_std::{Owned, OwnedPoolGuard, Pool};

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
        let Self::Arenas(pool) = self else {
            let mut page = String::new();
            search(target, catalogue, Global, &mut page)?;
            return Ok(Bytes::from(page));
        };
        let guard = pool.acquire_owned().ok_or(Failure::Busy)?;
        // The arena is recycled when the page is sent, or the connection is lost.
        page(guard, target, catalogue).map(Bytes::from_owner)
    }
}

/// Builds the page where the socket reads it. If there is no page, the guard is dropped, which
/// resets the arena and makes it free again.
fn page(guard: OwnedPoolGuard, target: &str, catalogue: &[Product]) -> Result<Owned<OwnedPoolGuard>, Failure> {
    Owned::build(guard, |arena| {
        // One thread works on a request at a time, so it needs no atomic operation for each piece.
        // (A lease cannot be held across an `await`, because it cannot be shared between threads;
        // pass `arena` itself there.)
        let lease = arena.lease(CHUNK);
        // Nothing is allocated behind it, so it grows where it is.
        let mut page = lease.alloc_string(0)?;
        search(target, catalogue, &lease, &mut page)?;
        Ok(page.finish().as_bytes())
    })
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
    fn an_arena_has_its_page_once() {
        let (pool, catalogue) = (pool(1), catalogue());
        let used = |limit: &str| {
            let page = page(pool.acquire_owned().unwrap(), &format!("/search?limit={limit}"), &catalogue).unwrap();
            (page.len(), Owned::guard(&page).used())
        };
        let ((short, lists), (long, all)) = (used("0"), used("1000"));
        assert!(long > 30_000, "{long}");
        assert!(all - lists <= (long - short).next_multiple_of(8), "{long} bytes in {all}, {lists} without them");
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
        let target = format!("/search?{}limit=1000", "field=1&".repeat(1000));
        let answer = Memory::Arenas(pool.clone()).answer(&target, &catalogue());
        assert_eq!(answer.map(|page| page.len()), Err(Failure::TooLarge));
        assert_eq!(pool.available(), 1);
    }
}
