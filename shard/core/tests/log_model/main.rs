//! The log on a simulated disk that loses, tears and reorders whatever was not synced.
//!
//! Held: what was acknowledged is recovered; what is recovered was appended, densely and in order; recovery is
//! idempotent, also when it is interrupted; a crash is never taken for damage; the log goes on from there; no write
//! touches what another one holds; the high watermark and the start never fall.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod disk;
mod world;

use std::time::Duration;

use disk::Stop;
use proptest::prelude::*;
use shard_core::log::FlushPolicy;
use world::World;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Append { records: u64, payload_bytes: usize },
    Poll,
    Complete { pick: usize },
    Configure { flush: FlushPolicy },
    Pass,
    Note,
    Retain { later_ms: i64 },
    Delete { count: usize },
    Read { percent: u64 },
    Fail,
    Restart,
    Crash { seed: u64, stop: Stop },
}

fn step() -> impl Strategy<Value = Step> {
    let payload_bytes = prop_oneof![4 => 1..300_usize, 2 => 300..5_000_usize, 1 => 5_000..40_000_usize];
    let stop = prop_oneof![Just(Stop::Kill), Just(Stop::PowerCut)];
    prop_oneof![
        30 => (1..4_u64, payload_bytes).prop_map(|(records, payload_bytes)| Step::Append { records, payload_bytes }),
        15 => Just(Step::Poll),
        40 => any::<usize>().prop_map(|pick| Step::Complete { pick }),
        1 => flush().prop_map(|flush| Step::Configure { flush }),
        4 => Just(Step::Pass),
        5 => Just(Step::Note),
        4 => prop_oneof![Just(0), Just(2_000)].prop_map(|later_ms| Step::Retain { later_ms }),
        4 => (1..4_usize).prop_map(|count| Step::Delete { count }),
        10 => (0..=100_u64).prop_map(|percent| Step::Read { percent }),
        1 => Just(Step::Fail),
        2 => Just(Step::Restart),
        4 => (any::<u64>(), stop).prop_map(|(seed, stop)| Step::Crash { seed, stop }),
    ]
}

fn flush() -> impl Strategy<Value = FlushPolicy> {
    let interval = FlushPolicy::Interval(Duration::from_millis(5));
    prop_oneof![2 => Just(FlushPolicy::Always), 1 => Just(interval), 1 => Just(FlushPolicy::Os)]
}

fn perform(world: &mut World, step: &Step) {
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
        Step::Delete { count } => world.delete(count),
        Step::Read { percent } => world.read(percent),
        Step::Fail => world.fail(),
        Step::Restart => world.restart(),
        Step::Crash { seed, stop } => world.crash(stop, seed),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_outlives_every_crash(
        flush in flush(),
        steps in prop::collection::vec(step(), 1..200),
        seed in any::<u64>(),
    ) {
        let mut world = World::new(flush);
        for step in &steps {
            perform(&mut world, step);
        }
        world.crash(Stop::PowerCut, seed);
        world.append(1, 1);
        world.poll();
        world.restart();
    }
}

#[test]
fn a_long_run_rolls_deletes_and_tears() {
    for flush in [FlushPolicy::Always, FlushPolicy::Os] {
        let mut world = World::new(flush);
        for round in 0..2_000_u64 {
            world.append(1 + round % 3, usize::try_from(round * 37 % 4_000).unwrap());
            world.poll();
            world.complete(usize::try_from(round).unwrap());
            world.read(round % 101);
            if round % 7 == 0 {
                world.note();
                world.retain(0);
                world.delete(1);
            }
            if round % 50 == 49 {
                world.crash(if round % 100 == 49 { Stop::Kill } else { Stop::PowerCut }, round);
            }
        }
        let counts = world.counts;
        assert!(counts.acked > 500 && counts.rolls > 20 && counts.deleted > 10, "{counts:?}");
        assert!(counts.crashes >= 40 && counts.torn > 5 && counts.indexed > 5, "{counts:?}");
    }
}
