//! Consumer groups whole: coordinator, metadata, consumers and the owners of partitions, with faults, by seed.
//!
//! Held: no two members of a group use a partition at a time, by what they were told; an owner that accepts who has the
//! partition since the stated generation or before never accepts an older member after a newer one; a generation is one
//! assignment; no membership ends without a reason; when the faults are over every partition has an owner, evenly.
//!
//! A failing run names its seed: `GROUP_MODEL_SEED=SEED cargo test -p raft groups::tests` runs that one alone.

mod consumer;
mod coordination;
mod events;
mod owners;
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
const MUTANT_SEEDS: u64 = 60;
const SEED_VARIABLE: &str = "GROUP_MODEL_SEED";

/// One run; it panics if anything does not hold.
fn run(seed: u64, mutant: Option<Mutant>) -> Counts {
    let mut world = World::new(seed, mutant);
    world.run_with_faults();
    world.heal();
    world.counts
}

fn run_all(seeds: Range<u64>) -> Counts {
    let chosen = std::env::var(SEED_VARIABLE).ok().map(|seed| seed.parse().expect("a seed is a number"));
    let seeds = chosen.map_or(seeds, |seed: u64| seed..seed + 1);
    let mut counts = Counts::default();
    for seed in seeds {
        let outcome = catch_unwind(|| run(seed, None));
        assert!(outcome.is_ok(), "seed {seed} fails as said above; {SEED_VARIABLE}={seed} runs it alone");
        counts.add(&outcome.unwrap());
    }
    counts
}

/// A run in which too little happened shows nothing.
fn assert_enough(counts: &Counts, seeds: u64) {
    let enough = [
        ("generations", counts.generations, 1_000),
        ("partitions revoked", counts.revoked, 500),
        ("members expelled", counts.expelled, 40),
        ("sessions expired", counts.expired, 200),
        ("uses accepted", counts.accepted, 20_000),
        ("uses refused", counts.refused, 1_000),
        ("coordinators replaced", counts.crashes, 200),
        ("coordinators paused", counts.pauses, 200),
        ("consumers back in their session", counts.resumed, 100),
        ("proposals lost", counts.lost, 100),
    ];
    for (what, count, in_a_hundred_seeds) in enough {
        assert!(count * 100 >= in_a_hundred_seeds * seeds, "{what}: {count} in {seeds} runs; {counts:?}");
    }
}

/// F8, F53.
#[test]
fn whatever_happens_no_partition_has_two_users_and_each_finds_an_owner() {
    let counts = run_all(0..FIXED_SEEDS);
    println!("{counts:?}");
    if std::env::var(SEED_VARIABLE).is_err() {
        assert_enough(&counts, FIXED_SEEDS);
    }
}

#[test]
fn whatever_happens_no_partition_has_two_users_with_fresh_seeds() {
    // The keys of a hasher are random.
    let first = FIXED_SEEDS + RandomState::new().build_hasher().finish() / 2;
    println!("seeds from {first} on");
    run_all(first..first + FRESH_SEEDS);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
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
