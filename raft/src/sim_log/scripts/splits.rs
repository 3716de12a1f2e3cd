//! Nodes don't hear each other.

use super::*;
use crate::chance::Random;

/// In how many runs something is counted that one run shows by chance alone.
const SEEDS: u64 = 20;

/// F32. The leader is with the minority: it acknowledges nothing, and another one leads the majority.
#[test]
fn the_minority_acknowledges_nothing() {
    let mut world = World::calm(Shape { nodes: 5, replication_factor: 5, min_insync: 3, partitions: 1 }, 0);
    let leader = world.owner().unwrap();
    assert_eq!(leader, 0);
    let shared = world.publish_to(0);
    assert!(world.is_acknowledged(shared));
    world.is_cut_off(0, &[2, 3, 4]);
    world.is_cut_off(1, &[2, 3, 4]);
    let there: Vec<u64> = (0..4).map(|_| world.publish_to(0)).collect();
    world.run_for(5_000);
    let refused = world.publish_to(0);
    assert!(there.iter().chain([&refused]).all(|message| !world.is_acknowledged(*message)));
    let owner = world.owner().filter(|owner| *owner > 1).expect("the majority has a leader");
    let message = world.publish_to(owner);
    assert!(world.is_acknowledged(message));
    world.mend();
    assert!(world.counts.truncations >= 1);
}

/// F33. A node hears and is not heard: another one leads, and elections have an end.
#[test]
fn who_is_not_heard_is_replaced() {
    let mut world = World::calm(Shape::THREE, 1);
    world.cuts.extend([(0, 1), (0, 2)]);
    world.run_for(6_000);
    let owner = world.owner().filter(|owner| *owner != 0).expect("another one leads");
    let message = world.publish_to(owner);
    assert!(world.is_acknowledged(message));
    let elections = world.counts.elections;
    world.run_for(5_000);
    assert_eq!(world.counts.elections, elections);
    world.mend();
}

/// F33. A node is heard and does not hear: the metadata take it to be there, and what it led waits until it hears again;
/// it acknowledges nothing, as nobody follows it.
#[test]
fn who_does_not_hear_acknowledges_nothing() {
    let mut world = World::calm(Shape::THREE, 1);
    world.cuts.extend([(1, 0), (2, 0)]);
    let message = world.publish_to(0);
    let elections = world.counts.elections;
    world.run_for(8_000);
    assert!(!world.is_acknowledged(message));
    assert_eq!(world.counts.elections, elections);
    world.mend();
    assert!(world.is_acknowledged(message));
}

/// F33. Two nodes that don't hear each other both hear a third.
#[test]
fn a_node_that_all_hear_is_a_bridge() {
    for leaderless in [false, true] {
        let mut world = World::calm(Shape::THREE, 2);
        world.is_cut_off(0, &[1]);
        if leaderless {
            world.log.leader = None;
        }
        world.run_for(6_000);
        let owner = world.owner().unwrap();
        let message = world.publish_to(owner);
        world.run_for(4_000);
        assert!(world.is_acknowledged(message));
        world.mend();
    }
}

/// F34. The leader of a partition does not reach the leader of the metadata: another one leads, and the former
/// acknowledges nothing more.
#[test]
fn a_leader_that_is_cut_off_from_the_controller_is_replaced() {
    let mut world = World::calm(Shape { nodes: 5, ..Shape::THREE }, 4);
    let leader = world.owner().unwrap();
    world.is_cut_off(leader, &[4]);
    world.run_for(4_000);
    let owner = world.owner().filter(|owner| *owner != leader).expect("another one leads");
    let late = world.publish_to(leader);
    let message = world.publish_to(owner);
    assert!(world.is_acknowledged(message) && !world.is_acknowledged(late));
    world.mend();
}

/// F34. The leader of a partition does not reach its followers, and they are too many to do without: nothing is
/// acknowledged until it does. Where one is enough, the leader goes on alone once the metadata say so.
#[test]
fn a_leader_that_is_cut_off_from_its_followers_does_without_as_far_as_it_may() {
    let mut world = World::calm(Shape { nodes: 5, ..Shape::THREE }, 4);
    let leader = world.owner().unwrap();
    world.is_cut_off(leader, &world.isr().into_iter().filter(|place| *place != leader).collect::<Vec<_>>());
    let message = world.publish_to(leader);
    world.run_for(4_000);
    assert!(!world.is_acknowledged(message));
    assert_eq!(world.isr(), [leader]);
    world.mend();
    assert!(world.is_acknowledged(message));

    let mut world = World::calm(Shape::TWO, 2);
    world.is_cut_off(0, &[1]);
    let message = world.publish_to(0);
    assert!(!world.is_acknowledged(message), "the other one is in sync yet");
    world.run_for(4_000);
    assert!(world.is_acknowledged(message));
    world.mend();
}

/// F35. Lines that come and go: who is in sync changes no faster than followers fall behind.
#[test]
fn lines_that_flap_do_not_have_the_metadata_flap() {
    let mut changes = 0;
    for seed in 0..SEEDS {
        let mut world = World::calm(Shape::THREE, 1);
        world.random = Random::new(seed);
        world.begin_clients();
        let before = world.counts.isr_changes;
        for _ in 0..100 {
            world.is_cut_off(0, &[2]);
            world.run_for(60);
            world.cuts.clear();
            world.run_for(60);
        }
        changes += world.counts.isr_changes - before;
        world.mend();
    }
    assert!(changes <= 4 * SEEDS, "{changes} changes in {SEEDS} runs of twelve seconds");
}
