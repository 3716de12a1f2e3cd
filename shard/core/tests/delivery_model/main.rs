//! The dispatcher and its journal against a naive model, with crashes that tear what was not synced.
//!
//! Held: no offset is leased twice at once; an offset whose ack was answered is never delivered again; every unacked
//! offset comes back; the floor falls by a seek only; attempts are counted; a replay gives the state of a durable
//! point, which is never older than the last answer.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod disk;
mod model;
mod world;

use std::time::Duration;

use proptest::prelude::*;
use world::World;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Publish { count: u64 },
    Lease { consumer: u64, count: u32, deadline_ms: Option<u64> },
    Ack { pick: usize },
    Nack { pick: usize, delay_ms: Option<u64> },
    Extend { pick: usize, deadline_ms: u64 },
    AckUpTo { offset: u64 },
    Seek { percent: u64 },
    Release { consumer: u64 },
    Pass { ms: u64 },
    Retain { percent: u64 },
    CompleteWrite,
    Crash { sectors: u64, during_write: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let delay = prop_oneof![Just(None), Just(Some(0)), (1..2_000_u64).prop_map(Some)];
    prop_oneof![
        4 => (1..30_u64).prop_map(|count| Step::Publish { count }),
        8 => (0..3_u64, 1..12_u32, prop::option::of(100..3_000_u64))
            .prop_map(|(consumer, count, deadline_ms)| Step::Lease { consumer, count, deadline_ms }),
        12 => any::<usize>().prop_map(|pick| Step::Ack { pick }),
        4 => (any::<usize>(), delay).prop_map(|(pick, delay_ms)| Step::Nack { pick, delay_ms }),
        2 => (any::<usize>(), 100..5_000_u64).prop_map(|(pick, deadline_ms)| Step::Extend { pick, deadline_ms }),
        1 => (0..200_u64).prop_map(|offset| Step::AckUpTo { offset }),
        1 => (0..=100_u64).prop_map(|percent| Step::Seek { percent }),
        2 => (0..3_u64).prop_map(|consumer| Step::Release { consumer }),
        4 => (1..4_000_u64).prop_map(|ms| Step::Pass { ms }),
        1 => (0..=50_u64).prop_map(|percent| Step::Retain { percent }),
        8 => Just(Step::CompleteWrite),
        2 => (any::<u64>(), any::<bool>()).prop_map(|(sectors, during_write)| Step::Crash { sectors, during_write }),
    ]
}

fn perform(world: &mut World, step: &Step) {
    let duration = |ms: &Option<u64>| ms.map(Duration::from_millis);
    match step {
        Step::Publish { count } => world.publish(*count),
        Step::Lease { consumer, count, deadline_ms } => world.lease(*consumer, *count, duration(deadline_ms)),
        Step::Ack { pick } => world.ack(*pick),
        Step::Nack { pick, delay_ms } => world.nack(*pick, duration(delay_ms)),
        Step::Extend { pick, deadline_ms } => world.extend(*pick, Duration::from_millis(*deadline_ms)),
        Step::AckUpTo { offset } => world.ack_up_to(*offset),
        Step::Seek { percent } => world.seek(*percent),
        Step::Release { consumer } => world.release(*consumer),
        Step::Pass { ms } => world.pass(Duration::from_millis(*ms)),
        Step::Retain { percent } => world.retain(*percent),
        Step::CompleteWrite => world.complete_write(),
        Step::Crash { sectors, during_write } => world.crash(*sectors, *during_write),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// F6.
    #[test]
    fn nothing_acked_comes_back_and_nothing_unacked_stays_away(steps in prop::collection::vec(step(), 1..150)) {
        let mut world = World::new();
        for step in &steps {
            perform(&mut world, step);
        }
        world.drain();
    }

    #[test]
    fn the_same_steps_give_the_same_trace(steps in prop::collection::vec(step(), 1..60)) {
        let run = || {
            let mut world = World::new();
            for step in &steps {
                perform(&mut world, step);
            }
            world.trace()
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn a_long_run_of_acks_one_by_one_compacts_and_recovers() {
    let mut world = World::new();
    world.publish(3_000);
    for round in 0..1_500 {
        world.lease(1, 2, None);
        world.ack(round * 2 + 1);
        world.complete_write();
        if round % 300 == 299 {
            world.crash(0x5555_5555_5555_5555, round % 600 == 299);
        }
    }
    assert!(world.compactions() > 2, "{} compactions", world.compactions());
    world.drain();
}
