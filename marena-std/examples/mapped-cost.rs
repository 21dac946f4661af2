//! What a mapped arena costs beside an owned one, and what opening a large one does:
//! `cargo run --release -p marena-std --example mapped-cost`.
//!
//! Prints ratios. Each measurement takes turns with the one it is compared to, and the median of
//! many is printed.

#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    measure::all()
}

#[cfg(not(all(any(unix, windows), target_has_atomic = "64")))]
fn main() {
    eprintln!("there are no mapped arenas on this system");
}

#[cfg(all(any(unix, windows), target_has_atomic = "64"))]
mod measure {
    use std::error::Error;
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use marena_std::{Arena, MappedArena};

    const CAPACITY: usize = 64 << 20;
    const ROUNDS: usize = 31;

    pub(super) fn all() -> Result<(), Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        // SAFETY: the file is new, and nobody else knows it.
        let mapped = unsafe { MappedArena::create(directory.path().join("arena"), CAPACITY) }?;
        let mut owned = Arena::with_capacity(CAPACITY)?;
        // Every page is there before anything is measured, and the owned arena zeroes as the mapped
        // one does, since its bytes are used.
        owned.allocate_uninit(owned.remaining(), 8)?.fill(std::mem::MaybeUninit::new(1));
        mapped.allocate_address(mapped.remaining())?;

        for size in [16, 64, 256] {
            let count = CAPACITY / 2 / size;
            let uninit = ratio(
                || {
                    // SAFETY: nothing of what was allocated before is used, and nobody else has the
                    // file.
                    unsafe { mapped.reset_shared() }.expect("nothing is flushed");
                    // SAFETY: as above.
                    let plain = unsafe { mapped.plain() };
                    timed(count, || _ = black_box(plain.allocate_uninit(black_box(size), 8)))
                },
                || {
                    owned.reset();
                    timed(count, || _ = black_box(owned.allocate_uninit(black_box(size), 8)))
                },
            );
            let zeroed = ratio(
                || {
                    // SAFETY: as above.
                    unsafe { mapped.reset_shared() }.expect("nothing is flushed");
                    timed(count, || _ = black_box(mapped.allocate_address(black_box(size))))
                },
                || {
                    owned.reset();
                    timed(count, || _ = black_box(owned.allocate_address(black_box(size))))
                },
            );
            println!("{size} bytes, mapped against owned: {uninit:.2} uninitialised, {zeroed:.2} zeroed");
        }
        open(directory.path())
    }

    fn open(directory: &std::path::Path) -> Result<(), Box<dyn Error>> {
        let path = directory.join("large");
        // SAFETY: the file is new, and nobody else knows it.
        drop(unsafe { MappedArena::builder().capacity(2 << 30).reserve(false).create(&path) }?);
        let mut times: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                // SAFETY: as above.
                let arena = unsafe { MappedArena::open(&path) };
                let taken = start.elapsed();
                arena.map(|_| taken)
            })
            .collect::<Result<_, _>>()?;
        times.sort();
        println!("opening 2 GiB: median {:?}, longest {:?}", times[ROUNDS / 2], times[ROUNDS - 1]);
        Ok(())
    }

    fn timed(count: usize, mut action: impl FnMut()) -> Duration {
        let start = Instant::now();
        (0..count).for_each(|_| action());
        start.elapsed()
    }

    /// The median of the ratios of two measurements taken in turns.
    fn ratio(mut one: impl FnMut() -> Duration, mut other: impl FnMut() -> Duration) -> f64 {
        let mut ratios: Vec<f64> = (0..ROUNDS).map(|_| one().as_secs_f64() / other().as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        ratios[ROUNDS / 2]
    }
}
