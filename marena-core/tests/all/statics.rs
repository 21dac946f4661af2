//! Arenas in statics: built at compile time, shared by all code, in `.bss`.

use std::ptr::NonNull;
#[cfg(target_has_atomic = "64")]
use std::sync::atomic::Ordering::Relaxed;

use marena_core::{Arena, AttachError, Memory, StaticMemory};

#[test]
fn an_arena_in_a_static_needs_no_start_up_code() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    static ARENA: Arena<&'static StaticMemory<1024>> = Arena::from_static(&MEMORY);
    assert_eq!((ARENA.capacity(), ARENA.used()), (1024, 0));
    let block: marena_core::Block<'static> = ARENA.allocate(16).unwrap();
    assert_eq!(*block, [0; 16]);
}

#[test]
fn two_arenas_over_one_static_are_one_arena() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    let (first, second) = (Arena::from_static(&MEMORY), Arena::from_static(&MEMORY));
    let handle = first.insert(1_u64).unwrap();
    assert_eq!((second.used(), second.get(handle)), (8, Some(&1)));
    let other = second.insert(2_u64).unwrap();
    assert_ne!(handle.address(), other.address());
    assert_eq!((first.get(other), first.get(handle)), (Some(&2), Some(&1)));
}

#[test]
fn a_scratch_of_one_static_arena_leaves_what_the_other_published() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    let (mut first, mut second) = (Arena::from_static(&MEMORY), Arena::from_static(&MEMORY));
    let handle = second.insert(7_u64).unwrap();
    {
        let scratch = first.scratch();
        scratch.allocate(100).unwrap().fill(0xFF);
        assert_eq!(second.remaining(), 0, "full for others meanwhile");
        let empty = second.scratch();
        empty.allocate(8).unwrap_err();
        assert_eq!(scratch.remaining(), 1024 - 128 - 8 - 104);
    }
    assert_eq!((first.get(handle), second.used()), (Some(&7), 8));
    assert_eq!(*second.allocate(100).unwrap(), [0; 100]);
}

#[test]
fn a_lease_of_one_static_arena_and_a_scratch_of_another_stay_apart() {
    static MEMORY: StaticMemory<4096> = StaticMemory::new();
    let (first, mut second) = (Arena::from_static(&MEMORY), Arena::from_static(&MEMORY));
    let lease = first.lease(256);
    let mut kept = vec![lease.allocate(16).unwrap()];
    {
        let scratch = second.scratch();
        scratch.allocate(1000).unwrap().fill(0xFF);
        while let Ok(block) = lease.allocate(16) {
            kept.push(block);
        }
    }
    for block in &mut kept {
        assert_eq!(**block, [0; 16]);
        block.fill(1);
    }
    drop(lease);
    assert_eq!(*second.allocate(500).unwrap(), [0; 500]);
    assert!(kept.iter().all(|block| **block == [1; 16]));
}

#[test]
fn the_epoch_of_a_static_is_its_address_made_odd() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    let arena = Arena::from_static(&MEMORY);
    let base = arena.memory().region().addr().get();
    assert!(base.is_multiple_of(128));
    assert!(format!("{arena:?}").contains(&format!("epoch: {}", base | 1)), "{arena:?}");
}

#[test]
fn handles_of_one_static_are_foreign_to_another_and_to_arenas_with_tickets() {
    static ONE: StaticMemory<1024> = StaticMemory::new();
    static TWO: StaticMemory<1024> = StaticMemory::new();
    let (one, two) = (Arena::from_static(&ONE), Arena::from_static(&TWO));
    let drawn = crate::owned::zeroed_arena(1024);
    let (a, b, c) = (one.insert(1).unwrap(), two.insert(2).unwrap(), drawn.insert(3).unwrap());
    assert_eq!((one.get(a), one.get(b), one.get(c)), (Some(&1), None, None));
    assert_eq!((two.get(a), two.get(b), two.get(c)), (None, Some(&2), None));
    assert_eq!((drawn.get(a), drawn.get(b), drawn.get(c)), (None, None, Some(&3)));
}

#[test]
fn a_static_that_was_never_formatted_is_no_arena_to_attach_to() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    // SAFETY: zeroed bytes, which are used only through arenas.
    let attached = unsafe { Arena::attach(&MEMORY) };
    assert_eq!(attached.unwrap_err(), AttachError::NotAnArena);
}

#[test]
fn a_formatted_static_can_be_attached_to_and_has_zero_blocks_after_a_shared_reset() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    Arena::from_static(&MEMORY).allocate(300).unwrap().fill(0xFF);
    // SAFETY: the block is gone.
    let formatted = unsafe { Arena::format(&MEMORY) }.unwrap();
    // SAFETY: formatted above.
    let attached = unsafe { Arena::attach(&MEMORY) }.unwrap();
    assert_eq!((formatted.used(), attached.used()), (0, 0));
    assert_eq!(*attached.allocate(300).unwrap(), [0; 300]);
    attached.allocate(100).unwrap().fill(0xFF);
    // SAFETY: all blocks are gone, and no other call runs.
    unsafe { formatted.reset_shared() };
    assert_eq!(*attached.allocate(500).unwrap(), [0; 500]);
}

#[test]
fn an_attached_arena_has_handles_of_its_own() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    // SAFETY: the first use of the static.
    let formatted = unsafe { Arena::format(&MEMORY) }.unwrap();
    // SAFETY: formatted above, and never reset.
    let [one, other] = [(); 2].map(|()| unsafe { Arena::attach(&MEMORY) }.unwrap());
    let handle = one.insert(7).unwrap();
    assert_eq!(one.get(handle), Some(&7));
    assert_eq!((other.get(handle), formatted.get(handle)), (None, None));
    assert_eq!(Arena::from_static(&MEMORY).get(handle), None);
}

#[cfg(target_has_atomic = "64")]
#[test]
fn formatting_clears_the_roots() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    let first = Arena::from_static(&MEMORY);
    let address = first.allocate_address(8).unwrap();
    // SAFETY: the header of a static, and no reset happens meanwhile.
    let root = unsafe { first.memory().header().as_ref() }.root_slot(2).unwrap();
    root.store(address.to_raw(), Relaxed);
    // SAFETY: the address is not used any more.
    unsafe { Arena::format(&MEMORY) }.unwrap();
    assert_eq!(root.load(Relaxed), 0);
    // SAFETY: formatted above.
    assert!(unsafe { Arena::attach(&MEMORY) }.is_ok());
}

#[cfg(target_has_atomic = "64")]
#[test]
fn a_shared_reset_clears_the_roots_so_that_the_arena_can_be_attached_to() {
    static MEMORY: StaticMemory<1024> = StaticMemory::new();
    // SAFETY: the first use of the static.
    let arena = unsafe { Arena::format(&MEMORY) }.unwrap();
    let address = arena.allocate_address(8).unwrap();
    for slot in 0..4 {
        // SAFETY: the header of a static, and no reset happens meanwhile.
        let root = unsafe { arena.memory().header().as_ref() }.root_slot(slot).unwrap();
        root.store(address.to_raw(), Relaxed);
    }
    // SAFETY: the address is not used any more.
    unsafe { arena.reset_shared() };
    // SAFETY: formatted above.
    assert!(unsafe { Arena::attach(&MEMORY) }.is_ok());
}

/// The section of this program in which a static lies.
#[cfg(not(miri))]
mod image {
    use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

    use super::*;

    const LEN: usize = 1 << 20;

    #[unsafe(no_mangle)]
    static MARENA_TEST_ZERO_STATIC: StaticMemory<LEN> = StaticMemory::new();

    /// A static that is not zero, which tests the check itself.
    #[unsafe(no_mangle)]
    static MARENA_TEST_FULL_STATIC: [u8; 4096] = [1; 4096];

    /// Returns the kind of the section that holds a symbol, or `None` in formats that keep symbols
    /// elsewhere.
    fn section_of(file: &object::File<'_>, name: &str) -> Option<SectionKind> {
        let symbol =
            file.symbols().find(|symbol| symbol.name().is_ok_and(|found| found.trim_start_matches('_') == name))?;
        let section = file.section_by_index(symbol.section_index()?).unwrap();
        Some(section.kind())
    }

    #[test]
    fn a_static_arena_lies_in_bss() {
        // The static is used, so the linker keeps it.
        let arena = Arena::from_static(&MARENA_TEST_ZERO_STATIC);
        let block = arena.allocate(8).unwrap();
        assert_eq!((block.len(), std::hint::black_box(&MARENA_TEST_FULL_STATIC)[7]), (8, 1));

        let image = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let file = object::File::parse(&*image).unwrap();
        if file.symbols().next().is_none() {
            eprintln!("this platform's programs carry no symbols");
            return;
        }
        assert_eq!(section_of(&file, "MARENA_TEST_ZERO_STATIC"), Some(SectionKind::UninitializedData));
        assert_ne!(section_of(&file, "MARENA_TEST_FULL_STATIC").unwrap(), SectionKind::UninitializedData);
    }
}

#[test]
fn the_region_of_a_static_is_the_static() {
    static MEMORY: StaticMemory<2048> = StaticMemory::new();
    let region = (&raw const MEMORY).addr();
    assert_eq!((&MEMORY).region().cast::<u8>().addr().get(), region);
    assert_eq!((&MEMORY).region().len(), 2048);
    assert!((&MEMORY).is_zeroed());
    assert_eq!((&MEMORY).header().addr(), NonNull::from(&MEMORY).addr());
}
