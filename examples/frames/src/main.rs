//! The frame allocator of a game loop: `cargo run --release -p frames`
//!
//! Two arenas take turns. A frame is computed into one while the last frame is still read in the other; then that one is
//! reset, by one store, and takes the next frame.

mod error;
mod frame;
mod naive;
mod systems;
mod world;

use std::error::Error;
use std::process::ExitCode;

use marena_std::Arena;
use rayon::ThreadPoolBuilder;

use crate::frame::{Frame, Game};
use crate::naive::Naive;
use crate::world::World;

const BALLS: usize = 1500;
const FRAMES: u32 = 600;
/// One for each system.
const THREADS: usize = 2;
/// Bytes of each of the two arenas.
const CAPACITY: usize = 1 << 20;

type AnyError = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let threads = ThreadPoolBuilder::new().num_threads(THREADS).build();
    match threads.map_err(AnyError::from).and_then(|threads| threads.install(|| play(BALLS, FRAMES))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("frames: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays two frames at a time, so that each arena has a name and the compiler sees which frame lies in which.
fn play(balls: usize, frames: u32) -> Result<(), AnyError> {
    let mut game = Game::new(World::new(balls))?;
    let mut naive = Naive::new(game.world.clone());
    let (mut even, mut odd) = (Arena::with_capacity(CAPACITY)?, Arena::with_capacity(CAPACITY)?);

    let mut last = Frame::default();
    for number in (0..frames).step_by(2) {
        let this = game.next(&last, &mut even)?;
        naive.check(number, &this, &game.world)?;
        if number % 100 == 0 {
            println!("{}", this.caption);
        }
        last = game.next(&this, &mut odd)?;
        naive.check(number + 1, &last, &game.world)?;
    }

    println!("\n{} frames, each as a game without arenas computes it", game.frames);
    game.times.sort_unstable();
    let most = game.times.len() * 99 / 100;
    println!("a frame takes {:?} (median), {:?} (99 %)", game.times[game.times.len() / 2], game.times[most]);
    for (name, arena) in [("even", &even), ("odd", &odd)] {
        let stats = arena.stats();
        println!(
            "{name} frames: {} bytes at most; {} in the last one, {} of them stranded by leases",
            stats.high_water, stats.used, stats.stranded
        );
    }
    println!("what systems did not keep: {} bytes at most", game.temporary_high_water());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_game_is_the_one_that_is_played_without_arenas() {
        play(100, if cfg!(miri) { 4 } else { 100 }).unwrap();
    }
}
