//! What happens in a run, by its seed.

use crate::world::{Publish, World};

/// A generator of numbers (splitmix64), the same for a seed wherever it runs.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// One step.
pub(crate) fn step(world: &mut World, random: &mut Random) {
    match random.below(20) {
        0..=6 => world.publish(&messages(random)),
        7..=11 => {
            let publish = batch(world, random);
            world.publish(&publish);
        }
        12..=15 => world.complete(),
        16 => world.advance(1 + random.below(40)),
        17 => world.reject(),
        18 => world.fail(random.below(3)),
        _ => world.crash(random.below(3)),
    }
}

/// Few ids, so that many come again; some messages have none.
fn messages(random: &mut Random) -> Publish {
    let id = |random: &mut Random| (random.below(4) > 0).then(|| random.below(12));
    Publish::Messages((0..=random.below(4)).map(|_| id(random)).collect())
}

/// Mostly what comes next for its producer, or what it has sent before; sometimes anything.
fn batch(world: &World, random: &mut Random) -> Publish {
    let producer = 1 + random.below(3);
    let (epoch, next) = world.next_of(producer);
    let count = 1 + u32::try_from(random.below(3)).unwrap();
    let back = u32::try_from(random.below(12)).unwrap();
    let (epoch, first_sequence) = match random.below(8) {
        0..=3 => (epoch, next),
        4..=5 => (epoch, next.wrapping_sub(back)),
        6 => (epoch + u16::from(random.below(2) == 0), 0),
        _ => (epoch.saturating_sub(u16::from(random.below(2) == 0)), next.wrapping_add(back)),
    };
    Publish::Batch { producer, epoch, first_sequence, count }
}
