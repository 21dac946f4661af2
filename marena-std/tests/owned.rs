//! Owned guards and values: moved into threads, tasks and structures without a lifetime.

use std::collections::HashMap;
use std::sync::{Arc, mpsc};
use std::thread;

use bytes::Bytes;
use marena_std::marena_core::{CloneStableDeref, StableDeref};
use marena_std::{AllocError, Allocate, Arena, GrowingArena, Handle, Owned, OwnedPoolGuard, Pool};
use static_assertions::assert_impl_all;

assert_impl_all!(OwnedPoolGuard: Send, Sync, Clone, StableDeref, CloneStableDeref);
assert_impl_all!(Owned<OwnedPoolGuard>: Send, Sync, Clone, AsRef<[u8]>);
assert_impl_all!(Owned<Arc<Arena>, u64>: Send, Sync, Clone);

fn pool(arenas: usize) -> Arc<Pool> {
    Arc::new(Pool::with_capacity(arenas, 1 << 16).unwrap())
}

fn publish(guard: OwnedPoolGuard, text: &[u8]) -> Owned<OwnedPoolGuard> {
    let mut block = guard.allocate(text.len()).unwrap();
    block.copy_from_slice(text);
    let handle = block.publish();
    Owned::new(guard, handle).expect("the handle is of this arena")
}

/// A structure without a lifetime, which would otherwise hold an arena and references into it.
struct Document {
    words: Vec<Handle>,
    text: Owned<OwnedPoolGuard>,
}

impl Document {
    fn word(&self, index: usize) -> &[u8] {
        Owned::guard(&self.text).view(self.words[index]).expect("the guard keeps the arena")
    }
}

#[test]
fn a_structure_without_a_lifetime_holds_an_arena_and_what_lies_in_it() {
    let pool = pool(1);
    let guard = pool.acquire_owned().unwrap();
    let words = ["one", "two"].map(|word| publish(guard.clone(), word.as_bytes()));
    let handles = ["three", "four"].map(|word| {
        let mut block = guard.allocate(word.len()).unwrap();
        block.copy_from_slice(word.as_bytes());
        block.publish()
    });
    let document = Document { words: handles.to_vec(), text: publish(guard, b"the text") };
    drop(words);
    let documents = HashMap::from([("a", document)]);
    assert_eq!(*documents["a"].text, *b"the text");
    assert_eq!(documents["a"].word(1), b"four");
    assert_eq!(pool.available(), 0);
    drop(documents);
    assert_eq!(pool.available(), 1);
}

#[test]
fn an_owned_value_moves_into_another_thread_and_back() {
    let pool = pool(2);
    let (sender, receiver) = mpsc::channel();
    let rounds = if cfg!(miri) { 5 } else { 1000 };
    let consumer = thread::spawn(move || receiver.into_iter().map(|text: Owned<OwnedPoolGuard>| text.len()).sum());
    let mut sent: usize = 0;
    for round in 0..rounds {
        let guard = loop {
            if let Some(guard) = pool.acquire_owned() {
                break guard;
            }
            thread::yield_now();
        };
        assert_eq!(guard.used(), 0);
        sent += round % 64;
        sender.send(publish(guard, &vec![1; round % 64])).unwrap();
    }
    drop(sender);
    assert_eq!(sent, consumer.join().unwrap());
    assert_eq!(pool.available(), 2);
}

#[test]
// The runtime asks the system for what Miri lacks.
#[cfg(not(miri))]
fn an_owned_value_moves_into_a_task() {
    let pool = pool(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let text = publish(pool.acquire_owned().unwrap(), b"for a task");
    let share = text.clone();
    let tasks = [runtime.spawn(async move { text.len() }), runtime.spawn(async move { share[0] as usize })];
    let results = tasks.map(|task| runtime.block_on(task).unwrap());
    assert_eq!(results, [10, b'f' as usize]);
    assert_eq!(pool.available(), 1);
}

#[test]
fn shared_bytes_take_an_owned_value_without_a_copy() {
    let pool = pool(1);
    let text = publish(pool.acquire_owned().unwrap(), b"head and body");
    let start = text.as_ptr();
    let bytes = Bytes::from_owner(text);
    let body = bytes.slice(9..);
    drop(bytes);
    assert_eq!((&*body, body.as_ptr()), (&b"body"[..], start.wrapping_add(9)));
    assert_eq!(pool.available(), 0);
    drop(body);
    assert_eq!(pool.available(), 1);
}

#[test]
fn the_last_guard_outlives_the_pool_and_frees_it() {
    let pool = pool(2);
    let watch = Arc::downgrade(&pool);
    let text = publish(pool.acquire_owned().unwrap(), b"kept");
    let other = pool.acquire_owned().unwrap();
    drop(pool);
    drop(other);
    let clone = text.clone();
    thread::spawn(move || drop(text)).join().unwrap();
    assert_eq!(*clone, *b"kept");
    assert_eq!(Owned::guard(&clone).pool().available(), 1);
    drop(clone);
    assert!(watch.upgrade().is_none());
}

#[test]
fn guards_with_and_without_a_lifetime_share_one_pool() {
    let pool = pool(2);
    let borrowed = pool.acquire().unwrap();
    let owned = pool.acquire_owned().unwrap();
    assert!(pool.acquire_owned().is_none() && pool.acquire().is_none());
    let handle = borrowed.insert(1).unwrap();
    assert!(Owned::new(owned, handle).is_none(), "of the other arena");
    drop(borrowed);
    assert_eq!(pool.available(), 2);
}

#[test]
fn no_arena_is_given_twice_while_threads_acquire_clone_and_drop() {
    let pool = pool(3);
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    thread::scope(|scope| {
        for thread in 1..=4_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..rounds {
                    let Some(guard) = pool.acquire_owned() else { continue };
                    assert_eq!(guard.used(), 0);
                    let mark = thread << 32 | round;
                    let handle = guard.insert(mark).unwrap();
                    let owned = Owned::new(guard, handle).unwrap();
                    let clone = owned.clone();
                    drop(owned);
                    assert_eq!((*clone, Owned::guard(&clone).used()), (mark, 8));
                }
            });
        }
    });
    assert_eq!(pool.available(), 3);
}

#[test]
fn owned_values_share_an_arena_in_an_arc() {
    let arena = Arc::new(Arena::with_capacity(1 << 16).unwrap());
    let numbers: Vec<_> =
        (0..10_u64).map(|number| Owned::new(Arc::clone(&arena), arena.insert(number).unwrap()).unwrap()).collect();
    let mut arena = arena;
    assert!(Arc::get_mut(&mut arena).is_none());
    drop(arena);
    let sum = thread::spawn(move || numbers.iter().map(|number| **number).sum::<u64>());
    assert_eq!(sum.join().unwrap(), 45);
}

#[test]
fn owned_values_keep_their_growing_arena() {
    let arena = Arc::new(GrowingArena::new());
    let texts: Vec<Owned<Arc<GrowingArena>, str>> = (0..6000)
        .map(|number| arena.insert_str(&format!("text number {number}")).unwrap())
        .map(|handle| Owned::new(Arc::clone(&arena), handle).unwrap())
        .collect();
    assert!(arena.segments().count() > 1);
    drop(arena);
    let texts = thread::spawn(move || texts).join().unwrap();
    assert!(texts.iter().zip(0..).all(|(text, number)| **text == *format!("text number {number}")));
}

#[test]
fn an_owned_guard_grows_and_gives_back_in_place() {
    let pool = pool(1);
    let guard = pool.acquire_owned().unwrap();
    let mut numbers = Allocate::alloc_vec(&guard, 4).unwrap();
    for number in 0..100_u64 {
        numbers.push(number).unwrap();
    }
    // Nothing was copied to another place.
    assert_eq!(guard.used(), numbers.capacity() * 8);
    assert!(numbers.capacity() < 200, "{}", numbers.capacity());
    drop(numbers);
    assert_eq!(guard.used(), 0);
    let remaining = guard.remaining();
    // Several blocks that no arena has room for.
    let full = Allocate::allocate_multiple(&guard, [1 << 30, 1 << 30, 8]).map(drop);
    assert_eq!(full, Err(AllocError::Full { requested: (2 << 30) + 8, remaining }));
}

#[test]
fn an_owned_guard_allocates_as_its_arena_does() {
    fn sum<'a>(memory: impl Allocate<'a>) -> u32 {
        memory.alloc_slice_from_iter(0..10).unwrap().iter().sum()
    }

    let pool = pool(1);
    let guard = pool.acquire_owned().unwrap();
    assert_eq!((sum(&guard), guard.used()), (45, 40));
    let none = Allocate::insert(&guard, ()).unwrap();
    assert!(Owned::new(guard, none).is_some());
    assert_eq!(pool.available(), 1);
}
