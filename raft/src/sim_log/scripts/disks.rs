//! Disks fail, fill up, and lose what they had.

use super::*;

/// F43. A follower was away for so long that the log begins behind its end: it begins anew, once.
#[test]
fn a_follower_behind_the_beginning_of_the_log_begins_anew() {
    let mut world = World::calm(Shape::THREE, 1);
    (0..5).for_each(|_| _ = world.publish_to(0));
    world.die(2);
    world.run_for(3_000);
    (0..20).for_each(|_| _ = world.publish_to(0));
    for place in [0, 1] {
        let start = world.nodes[place].disks[0].trim(shard_core::model::Offset::new(15));
        if let Some(leading) = world.leading(place, 0) {
            leading.core.on_log_start(start);
            leading.appender.as_mut().unwrap().on_log_start(start);
        }
        if let Some(following) = world.following(place, 0) {
            following.core.on_log_start(start);
        }
    }
    world.start_again(2);
    world.run_for(4_000);
    assert_eq!((world.counts.restarts, world.nodes[2].disks[0].start().get(), world.end_of(2)), (1, 15, 25));
    assert_eq!(world.isr(), [0, 1, 2]);
    world.mend();
}

/// A node finds less than it had promised, and says so: others lead once they are there, though it was the last one in sync.
#[test]
fn who_has_lost_something_does_not_lead() {
    let mut world = World::calm(Shape { nodes: 5, ..Shape::THREE }, 4);
    let leader = world.owner().unwrap();
    let others: Vec<usize> = world.isr().into_iter().filter(|place| *place != leader).collect();
    (0..5).for_each(|_| _ = world.publish_to(leader));
    for place in others {
        world.die(place);
    }
    world.run_for(4_000);
    assert_eq!(world.isr(), [leader]);
    world.die(leader);
    world.nodes[leader].disks[0].damage(&mut crate::chance::Random::new(3));
    world.start_again(leader);
    world.run_for(3_000);
    assert!(world.leading(leader, 0).is_none() && world.following(leader, 0).is_none(), "who has all is down");
    world.mend();
    assert!(world.end_of(leader) >= 5);
}

/// A leader's disk fails once: another one leads.
#[test]
fn a_leader_whose_disk_fails_hands_over() {
    let mut world = World::calm(Shape::THREE, 1);
    let kept = world.publish_to(0);
    let message = world.begin_message(0);
    while world.nodes[0].disks[0].end().get() < 2 {
        world.step();
    }
    world.done(0, 0, world.nodes[0].replicas[0].opening, crate::sim_log::events::Done::Failed);
    assert!(world.is_acknowledged(kept) && !world.is_acknowledged(message));
    world.run_for(2_000);
    assert!(world.owner() != Some(0));
    world.mend();
}

/// A disk is full: what can't be stored is refused, or is left to wait, and all is well once there is room.
#[test]
fn a_full_disk_loses_nothing() {
    for place in 0..3 {
        let mut world = World::calm(Shape::THREE, 1);
        world.begin_clients();
        world.run_for(1_000);
        world.nodes[place].full_until = world.now + 4_000;
        world.run_for(4_000);
        world.mend();
        assert!(world.counts.acknowledged > 10);
    }
}
