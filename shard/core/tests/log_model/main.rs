//! The log on a simulated disk that loses, tears and reorders whatever was not synced.
//!
//! Held: what was acknowledged is recovered; what is recovered was appended, densely and in order; recovery is
//! idempotent, also when it is interrupted; a crash is never taken for damage; the log goes on from there; no write
//! touches what another one holds; the high watermark and the start never fall; what retention gave up stays away.
//!
//! A failing run names its seed: `LOG_MODEL_SEED=SEED cargo test -p shard-core --test log_model` runs that one alone.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod disk;
mod mutants;
mod steps;
mod world;

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    ops::Range,
    panic::catch_unwind,
};

use disk::Stop;
use shard_core::log::FlushPolicy;
use world::{Mutant, World};

/// Seeds that are the same in each run of the tests; as many parts as share them.
const FIXED_SEEDS: u64 = 10_000;
const PARTS: u64 = 4;
/// Seeds that are not.
const FRESH_SEEDS: u64 = 1_000;
const SEED_VARIABLE: &str = "LOG_MODEL_SEED";

/// One run; it panics if anything does not hold.
fn run(seed: u64, mutant: Option<Mutant>) {
    let (flush, steps) = steps::of_seed(seed);
    let mut world = World::new(flush, mutant);
    for step in &steps {
        steps::perform(&mut world, step);
    }
    world.crash(Stop::PowerCut, seed);
    world.append(1, 1);
    world.poll();
    world.restart();
}

fn run_all(seeds: Range<u64>) {
    let chosen = std::env::var(SEED_VARIABLE).ok().map(|seed| seed.parse().expect("a seed is a number"));
    let seeds = chosen.map_or(seeds, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let outcome = catch_unwind(|| run(seed, None));
        assert!(outcome.is_ok(), "seed {seed} fails as said above; {SEED_VARIABLE}={seed} runs it alone");
    }
}

fn part(part: u64) -> Range<u64> {
    let length = FIXED_SEEDS / PARTS;
    part * length..(part + 1) * length
}

/// F1.
#[test]
fn what_was_acknowledged_outlives_every_crash_1() {
    run_all(part(0));
}

/// F9.
#[test]
fn what_was_acknowledged_outlives_every_crash_2() {
    run_all(part(1));
}

/// F14.
#[test]
fn what_was_acknowledged_outlives_every_crash_3() {
    run_all(part(2));
}

/// F28.
#[test]
fn what_was_acknowledged_outlives_every_crash_4() {
    run_all(part(3));
}

#[test]
fn what_was_acknowledged_outlives_every_crash_with_fresh_seeds() {
    // The keys of a hasher are random.
    let first = FIXED_SEEDS + RandomState::new().build_hasher().finish() / 2;
    println!("seeds from {first} on");
    run_all(first..first + FRESH_SEEDS);
}

/// F9.
#[test]
fn a_long_run_rolls_deletes_and_tears() {
    for flush in [FlushPolicy::Always, FlushPolicy::Os] {
        let mut world = World::new(flush, None);
        for round in 0..2_000_u64 {
            world.append(1 + round % 3, usize::try_from(round * 37 % 4_000).unwrap());
            world.poll();
            world.complete(usize::try_from(round).unwrap());
            world.complete(usize::try_from(round * 7).unwrap());
            if round % 11 == 0 {
                world.run_out_of_room(round % 33 != 0, round);
            }
            world.read(round % 101);
            if round % 7 == 0 {
                world.note();
                world.retain(0);
            }
            if round % 50 == 49 {
                world.crash(if round % 100 == 49 { Stop::Kill } else { Stop::PowerCut }, round);
            }
        }
        let counts = world.counts;
        assert!(counts.acked > 500 && counts.rolls > 20 && counts.deleted > 10, "{counts:?}");
        assert!(counts.crashes >= 40 && counts.torn > 5 && counts.indexed > 5, "{counts:?}");
        assert!(counts.undone > 5, "{counts:?}");
    }
}

/// F10.
#[test]
fn a_log_that_nobody_writes_to_is_emptied_and_never_gives_an_offset_twice() {
    let mut world = World::new(FlushPolicy::Always, None);
    for round in 0..200 {
        world.append(2, 100);
        world.poll();
        while world.complete(0) {}
        world.retain(2_000);
        // Stopped anywhere in the round of retention.
        for pick in 0..round % 12 {
            world.complete(pick);
        }
        world.crash(if round % 2 == 0 { Stop::Kill } else { Stop::PowerCut }, u64::try_from(round).unwrap());
    }
    assert_eq!(world.log_end(), 400, "dense over all restarts");
    for _ in 0..10 {
        world.retain(10_000);
        while world.complete(0) {}
    }
    assert_eq!(world.readable(), 400..400);
}
