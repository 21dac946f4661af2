//! What lasts longer than a frame: balls in a box, in whole numbers so that every run is the same. Ordinary vectors hold it.

/// The box is a square with sides of this length.
pub(crate) const SIDE: i32 = 40_000;

/// Balls touch where their centres are no farther apart, along both axes.
pub(crate) const REACH: i32 = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ball {
    pub(crate) x: i32,
    pub(crate) y: i32,
    velocity: (i32, i32),
    /// What is drawn first: lower layers.
    pub(crate) layer: u8,
}

impl Ball {
    pub(crate) fn touches(&self, other: &Self) -> bool {
        (self.x - other.x).abs() <= REACH && (self.y - other.y).abs() <= REACH
    }
}

/// Two balls that touch, by their indices, the smaller first.
pub(crate) type Contact = (u32, u32);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) balls: Vec<Ball>,
}

impl World {
    pub(crate) fn new(balls: usize) -> Self {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |limit: i32| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 33) as i32 % limit
        };
        let ball = |_| Ball {
            x: below(SIDE),
            y: below(SIDE),
            velocity: (below(61) - 30, below(61) - 30),
            layer: below(4) as u8,
        };
        Self { balls: (0..balls).map(ball).collect() }
    }

    /// Moves every ball by its velocity; walls throw it back.
    pub(crate) fn advance(&mut self) {
        fn step(position: &mut i32, velocity: &mut i32) {
            *position += *velocity;
            if !(0..SIDE).contains(position) {
                *velocity = -*velocity;
                *position += 2 * *velocity;
            }
        }
        for ball in &mut self.balls {
            step(&mut ball.x, &mut ball.velocity.0);
            step(&mut ball.y, &mut ball.velocity.1);
        }
    }

    /// Two balls that begin to touch swap their velocities.
    pub(crate) fn collide(&mut self, (a, b): Contact) {
        let (a, b) = (a as usize, b as usize);
        let velocity = self.balls[a].velocity;
        self.balls[a].velocity = self.balls[b].velocity;
        self.balls[b].velocity = velocity;
    }
}

/// The part of the box that is on the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Camera {
    pub(crate) left: i32,
    pub(crate) top: i32,
}

impl Camera {
    const WIDTH: i32 = SIDE / 2;

    /// Wanders along the box's diagonal.
    pub(crate) fn at(frame: u32) -> Self {
        let place = frame.wrapping_mul(40) as i32 & 0x3fff;
        Self { left: place, top: place }
    }

    pub(crate) fn sees(&self, ball: &Ball) -> bool {
        (self.left..self.left + Self::WIDTH).contains(&ball.x) && (self.top..self.top + Self::WIDTH).contains(&ball.y)
    }
}
