//! What computes a frame. A system keeps its results in the frame, by a lease, and all else in a scratch.
//!
//! Lists whose length is not known grow in the scratch and move to the frame when they are complete, so that the frame has no
//! vectors that outgrew their place.

use allocator_api2::vec::Vec;
use marena_std::{Arena, Lease, OwnedMemory};

use crate::error::Error;
use crate::world::{Ball, Camera, Contact, REACH};

/// A ball to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Draw {
    pub(crate) layer: u8,
    pub(crate) ball: u32,
    pub(crate) x: i32,
    pub(crate) y: i32,
}

/// All balls that touch, and those of them that did not touch in the last frame; both in ascending order.
pub(crate) fn contacts<'a>(
    balls: &[Ball],
    last: &[Contact],
    frame: &Lease<'a, OwnedMemory>,
    temporary: &mut Arena,
) -> Result<(&'a [Contact], &'a [Contact]), Error> {
    let scratch = temporary.scratch();
    // From left to right, so that each ball is compared with those within its reach only.
    let sorted = scratch.alloc_slice_fill_with(balls.len(), |index| (balls[index].x, index as u32))?;
    sorted.sort_unstable();

    let mut found = Vec::new_in(&scratch);
    for (position, &(x, a)) in sorted.iter().enumerate() {
        for &(_, b) in sorted[position + 1..].iter().take_while(|&&(other, _)| other - x <= REACH) {
            if balls[a as usize].touches(&balls[b as usize]) {
                // `push` alone would end the process where the memory is full.
                found.try_reserve(1)?;
                found.push((a.min(b), a.max(b)));
            }
        }
    }
    found.sort_unstable();
    let mut fresh = Vec::new_in(&scratch);
    fresh.try_reserve(found.len())?;
    fresh.extend(found.iter().filter(|contact| last.binary_search(contact).is_err()));
    Ok((frame.alloc_slice_copy(&found)?, frame.alloc_slice_copy(&fresh)?))
}

/// The balls on the screen, in the order in which they are drawn.
pub(crate) fn draws<'a>(
    balls: &[Ball],
    camera: Camera,
    frame: &Lease<'a, OwnedMemory>,
    temporary: &mut Arena,
) -> Result<&'a [Draw], Error> {
    let scratch = temporary.scratch();
    let mut seen = Vec::new_in(&scratch);
    seen.try_reserve(balls.len())?;
    seen.extend((0..).zip(balls).filter(|(_, ball)| camera.sees(ball)).map(|(index, ball)| Draw {
        layer: ball.layer,
        ball: index,
        x: ball.x - camera.left,
        y: ball.y - camera.top,
    }));
    seen.sort_unstable();
    Ok(frame.alloc_slice_copy(&seen)?)
}
