//! What happens in a run, by its seed.

use std::time::Duration;

use shard_core::delivery::DeliveryMode;

use crate::{
    messages::{Message, key_count},
    oracle::Config,
    world::World,
};

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

    /// Whether something of which there are `of` in a hundred happens.
    pub(crate) const fn percent(&mut self, of: u64) -> bool {
        self.below(100) < of
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length.max(1)).unwrap())).unwrap()
    }
}

/// A subscription.
pub(crate) fn config(random: &mut Random) -> Config {
    let mode = match random.below(6) {
        0 => DeliveryMode::AtMostOnce,
        1..=2 => DeliveryMode::ExactlyOnce,
        _ => DeliveryMode::AtLeastOnce,
    };
    Config {
        mode,
        ordered: random.percent(50),
        filtered: random.percent(30),
        max_attempts: random.percent(60).then(|| u32::try_from(random.below(4)).unwrap()),
    }
}

/// One step.
pub(crate) fn step(world: &mut World, random: &mut Random) {
    match random.below(400) {
        0..=49 => publish(world, random),
        50..=119 => {
            let deadline = random.percent(30).then(|| Duration::from_millis(100 + random.below(2_000)));
            world.lease(random.below(3), 1 + u32::try_from(random.below(8)).unwrap(), deadline);
        }
        120..=199 => world.ack(pick(world, random)),
        200..=224 => {
            let delay = match random.below(3) {
                0 => None,
                1 => Some(Duration::ZERO),
                _ => Some(Duration::from_millis(1 + random.below(1_500))),
            };
            world.nack(pick(world, random), delay);
        }
        225..=239 => world.reject(pick(world, random)),
        240..=249 => world.extend(pick(world, random), Duration::from_millis(100 + random.below(3_000))),
        250..=259 => world.release(random.below(3)),
        260..=299 => world.pass(1 + random.below(900)),
        300..=307 => world.jump(i64::try_from(random.below(4_000)).unwrap() - 2_000),
        308..=334 => world.letter_arrives(random.index(8)),
        335..=344 => world.letter_fails(random.index(8), random.percent(50)),
        345..=386 => world.flush(),
        387..=394 => {
            let landed = random.below(u64::MAX);
            world.crash(random.below(1 << 20), landed);
        }
        395..=397 => world.retain(random.below(40)),
        _ => world.seek(random.below(101)),
    }
}

fn publish(world: &mut World, random: &mut Random) {
    let messages: Vec<_> = (0..=random.below(5)).map(|_| message(world.wall(), random)).collect();
    world.publish(&messages);
}

fn message(now: i64, random: &mut Random) -> Message {
    let soon = |random: &mut Random| i64::try_from(random.below(2_000)).unwrap();
    Message {
        key: random.percent(60).then(|| usize::try_from(random.below(key_count())).unwrap()),
        priority: if random.percent(40) { u8::try_from(random.below(10)).unwrap() } else { 4 },
        deliver_at: random.percent(20).then(|| now + soon(random) - 200),
        ttl_ms: random.percent(15).then(|| 1 + random.below(4_000)),
        published: now,
        wanted: random.percent(80),
    }
}

/// Mostly one of the last deliveries: those still matter.
fn pick(world: &World, random: &mut Random) -> usize {
    let given = world.given();
    let recent = given.min(if random.percent(75) { 16 } else { usize::MAX });
    given - recent + random.index(recent)
}
