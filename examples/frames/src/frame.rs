//! One frame after another: what a frame found, and how it is computed on two threads.

use std::time::{Duration, Instant};

use marena_std::Arena;

use crate::error::Error;
use crate::systems::{Draw, contacts, draws};
use crate::world::{Camera, Contact, World};

/// Bytes that a system claims from the frame's arena at once.
const CHUNK: usize = 16 << 10;

/// Bytes of each system's own arena.
const TEMPORARY: usize = 1 << 20;

/// What a frame found. `'a` is the borrow of the arena that it lies in: the compiler lets nobody keep it past that arena's reset.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Frame<'a> {
    pub(crate) contacts: &'a [Contact],
    /// Those that were none in the frame before.
    pub(crate) fresh: &'a [Contact],
    pub(crate) draws: &'a [Draw],
    pub(crate) caption: &'a str,
}

/// The game, less the frames' own memory.
pub(crate) struct Game {
    pub(crate) world: World,
    /// Frames so far.
    pub(crate) frames: u32,
    /// What each of them took.
    pub(crate) times: Vec<Duration>,
    /// For what the systems do not keep.
    contacts_temporary: Arena,
    draws_temporary: Arena,
}

impl Game {
    pub(crate) fn new(world: World) -> Result<Self, marena_std::Error> {
        Ok(Self {
            world,
            frames: 0,
            times: Vec::new(),
            contacts_temporary: Arena::with_capacity(TEMPORARY)?,
            draws_temporary: Arena::with_capacity(TEMPORARY)?,
        })
    }

    /// Computes the next frame into `arena`, which held the one before the last. `last` lies in the other arena.
    pub(crate) fn next<'a>(&mut self, last: &Frame<'_>, arena: &'a mut Arena) -> Result<Frame<'a>, Error> {
        let started = Instant::now();
        // One store. That it is mutable here proves that nobody looks at the old frame any more; from here on it is shared.
        arena.reset();
        let arena: &'a Arena = arena;

        self.world.advance();
        let (balls, camera) = (&self.world.balls, Camera::at(self.frames));
        let (touching, drawn) = rayon::join(
            || contacts(balls, last.contacts, &arena.lease(CHUNK), &mut self.contacts_temporary),
            || draws(balls, camera, &arena.lease(CHUNK), &mut self.draws_temporary),
        );
        let ((contacts, fresh), draws) = (touching?, drawn?);
        for &contact in fresh {
            self.world.collide(contact);
        }
        let caption = arena.alloc_fmt(format_args!(
            "frame {}: {} balls drawn, {} contacts, {} of them new",
            self.frames,
            draws.len(),
            contacts.len(),
            fresh.len()
        ))?;
        self.frames += 1;
        self.times.push(started.elapsed());
        Ok(Frame { contacts, fresh, draws, caption })
    }

    /// The most bytes that a system had in use without keeping them.
    pub(crate) fn temporary_high_water(&self) -> usize {
        self.contacts_temporary.stats().high_water.max(self.draws_temporary.stats().high_water)
    }
}
