//! Replicated partitions whole, on one thread: nodes that lead and follow, the metadata that say who does, disks that lose
//! what was not synced, lines that lose, delay and repeat, publishers and consumers; and what goes wrong, by seed.
//!
//! All that decides is real: the leader, the follower and the appender of a partition, the feed of its cursors, how commands
//! are applied, and the controller. A model are the log of the metadata, which is one order of commands that each node sees
//! a while later, and the disk of a partition, which keeps whole batches: how segments are written and recovered is shown
//! by the log's own model. It shares queue and chance with the simulation of the cluster beside it; that one's nodes have a
//! store that all reach, so there is little else to share.
//!
//! A failing run names its seed: `REPLICATION_MODEL_SEED=SEED cargo test -p raft sim_log::` runs that one alone, and
//! with `REPLICATION_MODEL_TELL=1` it says what happens.

mod clients;
mod counts;
mod disk;
mod events;
mod faults;
mod following;
mod healed;
mod leading;
mod metadata;
mod mutant;
mod node;
mod observe;
mod oracle;
mod replica;
mod scripts;
mod shape;
mod ticks;
mod world;

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    ops::Range,
    panic::catch_unwind,
};

use counts::Counts;
use mutant::Mutant;
use shape::Shape;
use world::World;

/// Seeds that are the same in each run of the tests, unless `PUBSUB_TEST_SEEDS` says how many.
const FIXED_SEEDS: u64 = 1_000;
/// Within so many seeds every mutant is to be noticed.
const MUTANT_SEEDS: u64 = 300;
const SEED_VARIABLE: &str = "REPLICATION_MODEL_SEED";
const TELL_VARIABLE: &str = "REPLICATION_MODEL_TELL";
const COUNT_VARIABLE: &str = "PUBSUB_TEST_SEEDS";

/// One run; it panics if anything does not hold.
fn run(seed: u64, mutant: Option<Mutant>) -> Counts {
    let mut world = World::new(seed, Shape::of(seed), mutant);
    world.tells = number_in(TELL_VARIABLE).is_some();
    world.run_with_faults();
    world.heal();
    world.counts
}

fn run_all(seeds: Range<u64>) -> Counts {
    let (mut counts, mut quiet, count) = (Counts::default(), 0, seeds.end - seeds.start);
    for seed in seeds {
        let outcome = catch_unwind(|| run(seed, None));
        assert!(outcome.is_ok(), "seed {seed} fails as said above; {SEED_VARIABLE}={seed} runs it alone");
        let outcome = outcome.unwrap();
        assert!(outcome.acknowledged > 0, "nothing is acknowledged with seed {seed}");
        quiet += u64::from(outcome.is_quiet());
        counts.add(&outcome);
    }
    assert!(quiet * 100 <= count, "{quiet} of {count} runs were quiet");
    counts
}

fn number_in(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().expect("it is a number"))
}

/// E1–E7, E10, E14, R1–R11.
#[test]
fn whatever_happens_nothing_acknowledged_is_lost_and_partitions_heal() {
    if let Some(seed) = number_in(SEED_VARIABLE) {
        println!("{:?}", run(seed, None));
        return;
    }
    let count = number_in(COUNT_VARIABLE).unwrap_or(FIXED_SEEDS);
    let counts = run_all(0..count);
    println!("{counts:?}");
    counts.assert_enough(count);
}

#[test]
fn whatever_happens_partitions_heal_with_fresh_seeds() {
    // The keys of a hasher are random.
    let first = FIXED_SEEDS + RandomState::new().build_hasher().finish() / 2;
    println!("seeds from {first} on");
    run_all(first..first + number_in(COUNT_VARIABLE).unwrap_or(FIXED_SEEDS) / 6);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..10 {
        assert_eq!(run(seed, None), run(seed, None), "seed {seed}");
    }
}

#[test]
fn who_breaks_a_promise_is_noticed() {
    for mutant in Mutant::ALL {
        let noticed = (0..MUTANT_SEEDS).find(|&seed| catch_unwind(|| run(seed, Some(mutant))).is_err());
        assert!(noticed.is_some(), "{mutant:?}");
        println!("{mutant:?}: noticed with seed {}", noticed.unwrap());
    }
}
