//! What is published again is recognised: the appender against a model that looks the whole log through.
//!
//! Held: an append is told what the model says, repeats in flight included; it is acknowledged when every message of it
//! is stored, where the model has it, and never before; after a rejection, a failure or a crash what the log holds counts,
//! and nothing else does; no id is in the log twice within the window, no sequence twice.
//!
//! A failing run names its seed: `DEDUP_MODEL_SEED=SEED cargo test -p shard-core --test dedup_model` runs that one alone.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod model;
mod steps;
mod world;

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    ops::Range,
    panic::catch_unwind,
};

use world::{Counts, Mutant, World};

/// Seeds that are the same in each run of the tests.
const FIXED_SEEDS: u64 = 4_000;
/// Seeds that are not.
const FRESH_SEEDS: u64 = 1_000;
/// Within so many seeds every mutant is to be noticed.
const MUTANT_SEEDS: u64 = 500;
const SEED_VARIABLE: &str = "DEDUP_MODEL_SEED";

/// One run; it panics if anything does not hold.
fn run(seed: u64, mutant: Option<Mutant>) -> Counts {
    let mut random = steps::Random::new(seed);
    let mut world = World::new(mutant);
    for _ in 0..120 {
        steps::step(&mut world, &mut random);
    }
    world.settle();
    world.check_log();
    world.counts
}

fn run_all(seeds: Range<u64>) -> Counts {
    let chosen = std::env::var(SEED_VARIABLE).ok().map(|seed| seed.parse().expect("a seed is a number"));
    let seeds = chosen.map_or(seeds, |seed: u64| seed..seed + 1);
    let mut counts = Counts::default();
    for seed in seeds {
        let outcome = catch_unwind(|| run(seed, None));
        assert!(outcome.is_ok(), "seed {seed} fails as said above; {SEED_VARIABLE}={seed} runs it alone");
        counts.add(outcome.unwrap());
    }
    counts
}

#[test]
fn whatever_happens_is_what_the_model_says() {
    let counts = run_all(0..FIXED_SEEDS);
    if std::env::var(SEED_VARIABLE).is_err() {
        let enough = counts.known > 1_000 && counts.joined > 1_000 && counts.mixed > 1_000;
        assert!(enough && counts.refused > 1_000 && counts.learned > 1_000 && counts.rejected > 1_000, "{counts:?}");
    }
}

#[test]
fn whatever_happens_is_what_the_model_says_with_fresh_seeds() {
    // The keys of a hasher are random.
    let first = FIXED_SEEDS + RandomState::new().build_hasher().finish() / 2;
    println!("seeds from {first} on");
    run_all(first..first + FRESH_SEEDS);
}

#[test]
fn a_core_or_driver_that_breaks_a_promise_is_noticed() {
    for mutant in Mutant::ALL {
        let noticed = (0..MUTANT_SEEDS).any(|seed| catch_unwind(|| run(seed, Some(mutant))).is_err());
        assert!(noticed, "{mutant:?}");
    }
}
