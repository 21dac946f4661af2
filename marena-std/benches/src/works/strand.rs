//! Bytes that nobody can use: counted, not timed.

use marena_std::Arena;

/// What leases left stranded.
pub struct Stranded {
    /// What they did.
    pub what: &'static str,
    /// Bytes that nobody can use.
    pub stranded: usize,
    /// Of so many.
    pub capacity: usize,
    /// What the share is to be at most, if anything is aimed at.
    pub limit: Option<f64>,
}

/// Leases that are hardly used, and some that are used unevenly.
pub fn strand() -> Vec<Stranded> {
    vec![
        leases("64 leases of 100 bytes each on 64 MiB", 64 << 20, Some(0.001), |_| 100),
        leases("64 leases on 64 MiB, one of 32 MiB and 63 of 100 bytes", 64 << 20, None, |lease| match lease {
            0 => 32 << 20,
            _ => 100,
        }),
        leases("64 leases on 1 MiB until it is full", 1 << 20, None, |_| usize::MAX),
    ]
}

/// Opens 64 leases, has them take turns with blocks of up to 100 bytes until each has its bytes or
/// the arena is full, and drops them all.
fn leases(what: &'static str, capacity: usize, limit: Option<f64>, bytes: impl Fn(usize) -> usize) -> Stranded {
    let arena = Arena::with_capacity(capacity).expect("address space");
    let mut leases: Vec<_> = (0..64).map(|index| (arena.lease(64 << 10), bytes(index))).collect();
    while leases.iter().any(|(_, left)| *left > 0) {
        for (lease, left) in &mut leases {
            let size = 100.min(*left);
            *left = if lease.allocate_uninit(size, 8).is_ok() { *left - size } else { 0 };
        }
    }
    drop(leases);
    Stranded { what, stranded: arena.stats().stranded, capacity: arena.capacity(), limit }
}
