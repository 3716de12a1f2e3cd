//! What happens in a run, made from its seed.

use std::time::Duration;

use shard_core::log::FlushPolicy;

use crate::{
    disk::{Random, Stop},
    world::World,
};

const STEPS_MAX: usize = 200;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Append { records: u64, payload_bytes: usize },
    Poll,
    Complete { pick: usize },
    Configure { flush: FlushPolicy },
    Pass,
    Note,
    Retain { later_ms: i64 },
    Read { percent: u64 },
    Fail,
    Reject,
    RunOutOfRoom { touched: bool, seed: u64 },
    Restart,
    Crash { seed: u64, stop: Stop },
}

/// A flush policy and steps: the same for the same seed.
pub(crate) fn of_seed(seed: u64) -> (FlushPolicy, Vec<Step>) {
    let mut random = Random::new(seed);
    let flush = flush(&mut random);
    let count = 1 + random.below(STEPS_MAX);
    let steps = (0..count).map(|_| step(&mut random)).collect();
    (flush, steps)
}

/// Makes a step happen.
pub(crate) fn perform(world: &mut World, step: &Step) {
    match *step {
        Step::Append { records, payload_bytes } => world.append(records, payload_bytes),
        Step::Poll => world.poll(),
        Step::Complete { pick } => {
            world.complete(pick);
        }
        Step::Configure { flush } => world.configure(flush),
        Step::Pass => world.pass(),
        Step::Note => world.note(),
        Step::Retain { later_ms } => world.retain(later_ms),
        Step::Read { percent } => world.read(percent),
        Step::Fail => world.fail(),
        Step::Reject => world.reject(),
        Step::RunOutOfRoom { touched, seed } => world.run_out_of_room(touched, seed),
        Step::Restart => world.restart(),
        Step::Crash { seed, stop } => world.crash(stop, seed),
    }
}

fn step(random: &mut Random) -> Step {
    let weights = [30, 15, 40, 1, 4, 5, 6, 10, 1, 1, 4, 2, 4];
    let mut left = random.below(weights.iter().sum());
    let mut kind = 0;
    while left >= weights[kind] {
        left -= weights[kind];
        kind += 1;
    }
    match kind {
        0 => Step::Append { records: 1 + random.next() % 3, payload_bytes: payload_bytes(random) },
        1 => Step::Poll,
        2 => Step::Complete { pick: random.below(1 << 20) },
        3 => Step::Configure { flush: flush(random) },
        4 => Step::Pass,
        5 => Step::Note,
        6 => Step::Retain { later_ms: if random.below(2) == 0 { 0 } else { 2_000 } },
        7 => Step::Read { percent: random.next() % 101 },
        8 => Step::Fail,
        9 => Step::Reject,
        10 => Step::RunOutOfRoom { touched: random.below(3) != 0, seed: random.next() },
        11 => Step::Restart,
        _ => {
            let stop = if random.below(2) == 0 { Stop::Kill } else { Stop::PowerCut };
            Step::Crash { seed: random.next(), stop }
        }
    }
}

fn payload_bytes(random: &mut Random) -> usize {
    match random.below(7) {
        0..4 => 1 + random.below(300),
        4 | 5 => 300 + random.below(4_700),
        _ => 5_000 + random.below(35_000),
    }
}

fn flush(random: &mut Random) -> FlushPolicy {
    match random.below(4) {
        0 | 1 => FlushPolicy::Always,
        2 => FlushPolicy::Interval(Duration::from_millis(5)),
        _ => FlushPolicy::Os,
    }
}
