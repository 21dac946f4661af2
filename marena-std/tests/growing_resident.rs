//! The memory that growing arenas occupy, as the system counts it for this process.
// An emulator of another processor also counts its own memory.
#![cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]

use marena_std::GrowingArena;

/// Returns how many bytes of this process are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn ten_thousand_arenas_of_a_kibibyte_take_two_pages_each() {
    const ARENAS: usize = 10_000;
    let before = resident();
    let arenas: Vec<_> = (0..ARENAS)
        .map(|_| {
            let arena = GrowingArena::new();
            arena.alloc([1_u8; 1024]).unwrap();
            arena
        })
        .collect();
    let each = (resident() - before) / ARENAS;
    assert!(each <= 8 << 10, "{each} bytes each");
    drop(arenas);
    assert!(resident() < before + (8 << 20), "{} bytes are left", resident() - before);
}
