//! Where the data of a request lives: the one place in which the two servers differ.

use std::io::Cursor;

use allocator_api2::alloc::Global;
use allocator_api2::vec::Vec;
use bytes::Buf;
use hyper::http::request::Parts;
use marena_std::{Handle, OwnedMemory, Pool, PoolGuard};

use crate::catalogue::Product;
use crate::refusal::Refusal;
use crate::search::search;

/// Bytes that a request's lease claims from its arena at once.
const CHUNK: usize = 16 << 10;

pub(crate) trait RequestMemory: Copy + Send + Sync + 'static {
    /// A finished page. It owns what it needs: the server writes it to the socket after the handler has returned.
    type Page: Buf + Send + 'static;

    fn answer(self, head: &Parts, catalogue: &[Product]) -> Result<Self::Page, Refusal>;
}

/// The system's allocator.
#[derive(Clone, Copy)]
pub(crate) struct Heap;

impl RequestMemory for Heap {
    type Page = Cursor<Vec<u8>>;

    fn answer(self, head: &Parts, catalogue: &[Product]) -> Result<Self::Page, Refusal> {
        search(head, catalogue, Global).map(Cursor::new)
    }
}

/// An arena for each request. The pool is there for good, because connections are tasks that no scope ends.
#[derive(Clone, Copy)]
pub(crate) struct Arenas(pub(crate) &'static Pool);

impl RequestMemory for Arenas {
    type Page = ArenaPage;

    fn answer(self, head: &Parts, catalogue: &[Product]) -> Result<ArenaPage, Refusal> {
        // From here on, every way out lets go of the guard in the end, which resets the arena and makes it free again.
        let arena = self.0.acquire().ok_or(Refusal::Busy)?;
        // One task works on a request at a time, so it needs no atomic operation for each piece. (A lease cannot be held
        // across an `await`, because it cannot be shared between threads; there, pass `&*arena` itself.)
        let lease = arena.lease(CHUNK);
        let page = search(head, catalogue, &lease)?;
        // The page borrows the arena and cannot leave with it; a handle can. It costs one copy of the finished page.
        let mut block = lease.allocate(page.len())?;
        block.copy_from_slice(&page);
        let bytes = block.publish();
        drop(page);
        drop(lease);
        Ok(ArenaPage { arena, bytes, sent: 0 })
    }
}

/// A page in an arena that it keeps: the arena is recycled when the last byte has gone to the socket, or the connection is lost.
pub(crate) struct ArenaPage {
    arena: PoolGuard<'static, OwnedMemory>,
    bytes: Handle,
    sent: usize,
}

impl Buf for ArenaPage {
    fn remaining(&self) -> usize {
        self.bytes.address().size() as usize - self.sent
    }

    fn chunk(&self) -> &[u8] {
        // The handle is of this arena's present life, which the guard keeps from ending.
        let page = self.arena.view(self.bytes).unwrap_or_default();
        page.get(self.sent..).unwrap_or_default()
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.remaining(), "{count} bytes sent, and there were {}", self.remaining());
        self.sent += count;
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;
    use crate::catalogue::catalogue;

    fn head(target: &str) -> Parts {
        Request::get(target).body(()).unwrap().into_parts().0
    }

    fn pool(arenas: usize) -> &'static Pool {
        Box::leak(Box::new(Pool::with_capacity(arenas, 64 << 10).unwrap()))
    }

    #[test]
    fn both_memories_give_the_same_page() {
        let head = head("/search?q=blue&limit=20");
        let heap = Heap.answer(&head, &catalogue()).unwrap();
        let arena = Arenas(pool(1)).answer(&head, &catalogue()).unwrap();
        assert_eq!(heap.chunk(), arena.chunk());
    }

    #[test]
    fn an_arena_is_recycled_when_its_page_has_been_dropped() {
        let pool = pool(1);
        let page = Arenas(pool).answer(&head("/search?q=jug"), &catalogue()).unwrap();
        let refused = Arenas(pool).answer(&head("/search?q=jug"), &catalogue());
        assert_eq!(refused.err(), Some(Refusal::Busy));
        drop(page);
        assert!(Arenas(pool).answer(&head("/search?q=jug"), &catalogue()).is_ok());
    }

    #[test]
    fn a_request_that_needs_more_than_its_arena_is_refused_and_the_arena_is_free_again() {
        let pool = pool(1);
        let refused = Arenas(pool).answer(&head("/search?limit=1000"), &catalogue());
        assert_eq!(refused.err(), Some(Refusal::TooLarge));
        assert_eq!(pool.available(), 1);
    }

    #[test]
    fn a_page_is_read_in_pieces() {
        let mut page = Arenas(pool(1)).answer(&head("/search?q=vase"), &catalogue()).unwrap();
        let whole = page.chunk().to_vec();
        page.advance(15);
        assert_eq!((page.remaining(), page.chunk()), (whole.len() - 15, &whole[15..]));
        page.advance(page.remaining());
        assert!(!page.has_remaining() && page.chunk().is_empty());
    }
}
