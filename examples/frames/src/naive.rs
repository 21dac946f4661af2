//! The oracle: the same game without arenas, threads or cleverness. Every ball is compared with every other.

use std::collections::BTreeSet;

use crate::frame::Frame;
use crate::systems::Draw;
use crate::world::{Camera, Contact, World};

pub(crate) struct Naive {
    world: World,
    contacts: BTreeSet<Contact>,
}

impl Naive {
    pub(crate) fn new(world: World) -> Self {
        Self { world, contacts: BTreeSet::new() }
    }

    /// Computes the next frame, and says what is wrong with the one that the game found.
    pub(crate) fn check(&mut self, number: u32, frame: &Frame<'_>, world: &World) -> Result<(), String> {
        self.world.advance();
        let balls = &self.world.balls;
        let mut contacts = BTreeSet::new();
        for (a, ball) in (0..).zip(balls) {
            for (b, other) in (0..).zip(balls).skip(a as usize + 1) {
                if ball.touches(other) {
                    contacts.insert((a, b));
                }
            }
        }
        let fresh: Vec<_> = contacts.difference(&self.contacts).copied().collect();
        let camera = Camera::at(number);
        let mut draws = Vec::new();
        for (index, ball) in (0..).zip(balls).filter(|(_, ball)| camera.sees(ball)) {
            draws.push(Draw { layer: ball.layer, ball: index, x: ball.x - camera.left, y: ball.y - camera.top });
        }
        draws.sort();
        self.contacts = contacts;
        for &contact in &fresh {
            self.world.collide(contact);
        }
        let checks = [
            (self.contacts.iter().eq(frame.contacts), "contacts"),
            (fresh == frame.fresh, "new contacts"),
            (draws == frame.draws, "balls to draw"),
            (self.world == *world, "world"),
        ];
        match checks.iter().find(|(right, _)| !right) {
            Some((_, what)) => Err(format!("frame {number} has the wrong {what}")),
            None => Ok(()),
        }
    }
}
