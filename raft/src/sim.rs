//! The cluster whole, on one thread: nodes with their controllers, the coordinator of groups on the leader, metadata that
//! agree after a while, a store that every node reaches, publishers, consumers and
//! clients that change the metadata; and what goes wrong, by seed.
//!
//! The log of the metadata is a model: one order of commands, which each node sees a while later and keeps when it is
//! killed. All that it decides about is real: how commands are applied, the controller, the groups and their coordinator.
//!
//! A failing run names its seed: `CLUSTER_MODEL_SEED=SEED cargo test -p raft sim::` runs that one alone.

mod clients;
mod events;
mod faults;
mod healed;
pub(crate) mod history;
mod metadata;
mod mutant;
mod node;
mod operators;
pub(crate) mod queue;
mod serve;
mod store;
mod world;

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    ops::Range,
    panic::catch_unwind,
};

use mutant::Mutant;
use world::{Counts, World};

/// Seeds that are the same in each run of the tests, unless `PUBSUB_TEST_SEEDS` says how many.
const FIXED_SEEDS: u64 = 600;
/// Within so many seeds every mutant is to be noticed.
const MUTANT_SEEDS: u64 = 200;
const SEED_VARIABLE: &str = "CLUSTER_MODEL_SEED";
const COUNT_VARIABLE: &str = "PUBSUB_TEST_SEEDS";

/// One run; it panics if anything does not hold.
fn run(seed: u64, mutant: Option<Mutant>) -> Counts {
    let mut world = World::new(seed, mutant);
    world.run_with_faults();
    world.heal();
    world.counts
}

fn run_all(seeds: Range<u64>) -> Counts {
    let mut counts = Counts::default();
    for seed in seeds {
        let outcome = catch_unwind(|| run(seed, None));
        assert!(outcome.is_ok(), "seed {seed} fails as said above; {SEED_VARIABLE}={seed} runs it alone");
        counts.add(&outcome.unwrap());
    }
    counts
}

fn number_in(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().expect("it is a number"))
}

/// F11.
///
/// R1, R2, R9, R12, E8–E10, E13, E14.
#[test]
fn whatever_happens_nothing_acknowledged_is_lost_and_the_cluster_heals() {
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
fn whatever_happens_the_cluster_heals_with_fresh_seeds() {
    // The keys of a hasher are random.
    let first = FIXED_SEEDS + RandomState::new().build_hasher().finish() / 2;
    println!("seeds from {first} on");
    run_all(first..first + number_in(COUNT_VARIABLE).unwrap_or(FIXED_SEEDS) / 4);
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
