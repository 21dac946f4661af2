//! A signal handler allocates from the shared arena while the thread that it interrupts allocates
//! from it too.
#![cfg(all(unix, not(miri)))]

use std::os::unix::thread::JoinHandleExt;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};
use std::thread;

use marena_std::Arena;

const SIGNALS: usize = 200;
/// The most blocks that the thread allocates. It needs fewer unless the machine is very busy.
const MOST: usize = 1 << 24;
const OURS: u64 = 0x0123_4567_89AB_CDEF;
const ITS: u64 = !OURS;

/// All threads and the handler share the arena, and it is never dropped.
static ARENA: OnceLock<Arena> = OnceLock::new();
/// The blocks of the handler, in order.
static BLOCKS: [AtomicPtr<[u64; 5]>; SIGNALS] = [const { AtomicPtr::new(ptr::null_mut()) }; SIGNALS];
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler(_signal: libc::c_int) {
    // ORDERING: Relaxed: handlers of one thread do not interrupt each other, and the thread is
    // joined.
    let index = HANDLED.load(Relaxed);
    if let (Some(arena), Some(place)) = (ARENA.get(), BLOCKS.get(index)) {
        // A handler makes a bounded number of attempts. Here no other thread can win meanwhile.
        let block = arena.allocate_bounded(40, 100).expect("there is room, and a hundred attempts do not all fail");
        assert!(block.iter().all(|&byte| byte == 0));
        let words = block.into_mut().as_mut_ptr().cast::<[u64; 5]>();
        // SAFETY: 40 bytes at a multiple of 8, which have no other owner.
        unsafe { words.write([ITS; 5]) };
        // ORDERING: Relaxed, as above.
        place.store(words, Relaxed);
        // ORDERING: Release pairs with the load of the thread that sends signals.
        HANDLED.store(index + 1, Release);
    }
}

#[test]
fn a_handler_and_the_thread_that_it_interrupts_get_disjoint_blocks() {
    let arena = ARENA.get_or_init(|| Arena::with_capacity(1 << 30).unwrap());
    // SAFETY: all-zero bytes are a valid value of this structure.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler does only what a handler may do: atomic accesses, and allocations from an
    // arena, which are lock-free.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) }, 0);

    static DONE: AtomicBool = AtomicBool::new(false);
    let allocating = thread::spawn(move || {
        let mut blocks = Vec::with_capacity(MOST);
        // ORDERING: Acquire pairs with the store below.
        while !DONE.load(Acquire) {
            if blocks.len() < MOST {
                let block = arena.alloc_with(|| [OURS; 3]).unwrap();
                blocks.push(&*block);
            }
        }
        blocks
    });
    for before in 0..SIGNALS {
        // SAFETY: the thread is not joined yet, so its identifier is valid.
        let sent = unsafe { libc::pthread_kill(allocating.as_pthread_t(), libc::SIGUSR1) };
        assert_eq!(sent, 0);
        // ORDERING: Acquire pairs with the handler's store.
        while HANDLED.load(Acquire) == before && !allocating.is_finished() {
            thread::yield_now();
        }
    }
    // ORDERING: Release pairs with the thread's load.
    DONE.store(true, Release);
    let blocks = allocating.join().unwrap();

    let handled = HANDLED.load(Acquire);
    assert_eq!(handled, SIGNALS);
    assert!(blocks.iter().all(|block| **block == [OURS; 3]));
    for block in &BLOCKS[..handled] {
        // SAFETY: the handler wrote the block, and no code writes it any more.
        assert_eq!(unsafe { *block.load(Relaxed) }, [ITS; 5]);
    }
    assert_eq!(arena.used(), blocks.len() * 24 + handled * 40);
}
