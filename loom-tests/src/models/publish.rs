//! Models of publishing to other threads and reading there.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use marena_core::{Address, Handle, Memory};

use crate::acquired::acquired;
use crate::{Fault, LoomMemory, Model, Scene, Start, spawn};

/// A cell for one value and a flag that says whether it is full. Safe code hands over `Copy` values
/// like this.
struct Mailbox<T> {
    full: AtomicU32,
    content: UnsafeCell<Option<T>>,
}

// SAFETY: `content` is written before `full` is set, and read only after `full` was seen set. Loom
// reports a violation.
unsafe impl<T: Send> Sync for Mailbox<T> {}

impl<T: Copy> Mailbox<T> {
    fn new() -> Self {
        Self { full: AtomicU32::new(0), content: UnsafeCell::new(None) }
    }

    fn send(&self, value: T) {
        self.content.with_mut(|content| {
            // SAFETY: one thread sends once, and no thread reads before the flag is set.
            unsafe { *content = Some(value) };
        });
        // ORDERING: Release pairs with `receive`.
        self.full.store(1, Release);
    }

    fn receive(&self) -> Option<T> {
        // ORDERING: Acquire pairs with `send`.
        if self.full.load(Acquire) == 0 {
            return None;
        }
        self.content.with(|content| {
            // SAFETY: the flag is set, so the value is there and is not written again.
            unsafe { *content }
        })
    }
}

type Stage<F, T> = Arc<(Scene<LoomMemory<F>>, Mailbox<T>)>;

fn stage<F: Fault, T: Copy>() -> Stage<F, T> {
    Arc::new((Scene::new(64, Start::Zeroed), Mailbox::new()))
}

fn reads<M: Memory>(scene: &Scene<M>, bytes: &[u8], expected: &[u8]) {
    scene.witness().read(bytes);
    assert_eq!(bytes, expected);
}

/// A published block reads as it was written, on the thread that receives its handle, while the
/// other thread continues to claim.
pub fn a_published_block_is_viewed_whole_while_claims_run<F: Fault>() -> Model {
    Model::unbounded("publish and view", || {
        let stage = stage::<F, Handle>();
        let writer = spawn(&stage, |(scene, mailbox)| {
            mailbox.send(scene.claim(12, 7).unwrap().publish());
            scene.claims(&[8], 8);
        });
        let (scene, mailbox) = &*stage;
        scene.claims(&[8], 9);
        if let Some(handle) = mailbox.receive() {
            reads(scene, scene.view(handle).unwrap(), &[7; 12]);
        }
        writer.join().unwrap();
        reads(scene, scene.view(mailbox.receive().unwrap()).unwrap(), &[7; 12]);
    })
}

/// The same for a value that was inserted.
pub fn an_inserted_value_is_read_whole_while_claims_run<F: Fault>() -> Model {
    Model::unbounded("insert and get", || {
        let stage = stage::<F, Handle<[u32; 3]>>();
        let writer = spawn(&stage, |(scene, mailbox)| {
            mailbox.send(scene.insert([1, 2, 3]).unwrap());
            scene.claims(&[8], 8);
        });
        let (scene, mailbox) = &*stage;
        scene.claims(&[8], 9);
        if let Some(handle) = mailbox.receive() {
            assert_eq!(scene.get(handle), Some(&[1, 2, 3]));
        }
        writer.join().unwrap();
    })
}

/// An address that arrives by release and acquire lies below the cursor that the receiver sees.
pub fn a_received_address_is_in_view_at_once<F: Fault>() -> Model {
    Model::unbounded("address sent, view by pointer", || {
        let scene = Arc::new((Scene::<LoomMemory<F>>::new(64, Start::Zeroed), AtomicU64::new(0)));
        let writer = spawn(&scene, |(scene, sent)| {
            let block = scene.claim(16, 7).unwrap();
            // ORDERING: Release pairs with the Acquire below.
            sent.store(block.address().to_raw(), Release);
        });
        let (scene, sent) = &*scene;
        scene.claims(&[8], 9);
        // ORDERING: Acquire pairs with the Release above.
        if let Some(address) = Address::from_raw(sent.load(Acquire)) {
            // SAFETY: its owner wrote the block before it sent the address, and does not access it
            // again.
            let bytes = unsafe { scene.view_address(address) };
            reads(scene, bytes.expect("a received address is in range"), &[7; 16]);
        }
        writer.join().unwrap();
    })
}

/// The same where the receiver loads as views of files do, by relaxed loads and a fence.
pub fn an_address_that_a_view_loads_is_in_view_at_once<F: Fault>() -> Model {
    Model::unbounded("address sent, loaded by a view", || {
        let scene = Arc::new((Scene::<LoomMemory<F>>::new(64, Start::Zeroed), AtomicU64::new(0)));
        let writer = spawn(&scene, |(scene, root)| {
            let block = scene.claim(16, 7).unwrap();
            // ORDERING: Release pairs with the fence of `acquired`.
            root.store(block.address().to_raw(), Release);
        });
        let (scene, root) = &*scene;
        // ORDERING: Acquire, by `acquired`, pairs with the Release above.
        if let Some(address) = Address::from_raw(acquired(|| root.load(Relaxed))) {
            // SAFETY: as above.
            let bytes = unsafe { scene.view_address(address) };
            reads(scene, bytes.expect("a published address is in range"), &[7; 16]);
        }
        writer.join().unwrap();
    })
}

/// A list of nodes in the arena is complete from every head that a reader loads.
pub fn a_list_of_addresses_is_complete_from_any_head<F: Fault>() -> Model {
    Model::bounded("two writers push on one list, a reader walks it", 3, || {
        let scene = Arc::new((Scene::<LoomMemory<F>>::new(64, Start::Zeroed), AtomicU64::new(0)));
        let push = |(scene, head): &(Scene<LoomMemory<F>>, AtomicU64), mark: u8| {
            let mut node = scene.claim(16, mark).unwrap();
            let address = node.address().to_raw();
            // ORDERING: Relaxed: a guess, which the compare-and-swap verifies.
            let mut next = head.load(Relaxed);
            loop {
                node[..8].copy_from_slice(&next.to_ne_bytes());
                // ORDERING: Release publishes the node; it pairs with the reader's Acquire.
                match head.compare_exchange(next, address, Release, Relaxed) {
                    Ok(_) => return,
                    Err(found) => next = found,
                }
            }
        };
        let writers = [1, 2].map(|mark| spawn(&scene, move |scene| push(scene, mark)));
        let (scene, head) = &*scene;
        let walk = || {
            // ORDERING: Acquire pairs with the push; the releases of earlier pushes are in the same
            // sequence.
            let mut next = head.load(Acquire);
            let mut found = 0;
            while let Some(address) = Address::from_raw(next) {
                // SAFETY: a node is written before it is pushed, and never again.
                let node = unsafe { scene.view_address(address) }.expect("a linked address is in range");
                scene.witness().read(node);
                assert!(matches!(node[8..], [1, 1, 1, 1, 1, 1, 1, 1] | [2, 2, 2, 2, 2, 2, 2, 2]), "{node:?}");
                next = u64::from_ne_bytes(node[..8].try_into().unwrap());
                found += 1;
            }
            found
        };
        assert!(walk() <= 2);
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(walk(), 2);
    })
}
