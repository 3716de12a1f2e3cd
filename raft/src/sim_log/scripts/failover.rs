//! Leaders change, and the logs of those that led before differ.

use super::*;

/// KIP-101. The former leader has messages that nobody else has; it cuts them off by comparing epochs, and nothing that
/// was acknowledged.
#[test]
fn who_led_before_cuts_off_what_only_it_has() {
    let mut world = World::calm(Shape::THREE, 1);
    let kept = world.publish_to(0);
    assert!(world.is_acknowledged(kept));
    world.is_cut_off(0, &[1, 2]);
    let lost: Vec<u64> = (0..3).map(|_| world.publish_to(0)).collect();
    assert_eq!(world.end_of(0), 4);
    world.run_for(4_000);
    let owner = world.owner().filter(|owner| *owner != 0).expect("another one leads");
    let later = world.publish_to(owner);
    assert!(world.is_acknowledged(later));
    world.mend();
    assert!(world.counts.truncations >= 1);
    assert!(lost.iter().all(|message| !world.is_acknowledged(*message)));
}

/// KIP-101. A follower starts again before it knows what is committed, and then leads: it has cut nothing off.
#[test]
fn who_starts_again_keeps_what_it_has() {
    let mut world = World::calm(Shape::TWO, 2);
    let (leader, follower) = (world.owner().unwrap(), world.isr().into_iter().find(|place| *place != 0).unwrap());
    let message = world.begin_message(leader);
    while !world.is_acknowledged(message) {
        world.step();
    }
    // The follower does not know yet that it is committed.
    world.die(follower);
    world.start_again(follower);
    while world.isr().len() < 2 || !world.nodes[follower].is_in() {
        world.run_for(50);
    }
    world.die(leader);
    world.run_for(4_000);
    assert_eq!(world.owner(), Some(follower));
    assert!(world.end_of(follower) >= 1);
    world.mend();
}

/// KIP-279. Two leaders fail soon after another, each with messages of its own epoch that nobody else has.
#[test]
fn two_leaders_fail_soon_after_another() {
    let mut world = World::calm(Shape { nodes: 5, ..Shape::THREE }, 4);
    let leader = world.owner().unwrap();
    let replicas = world.places(&world.agreed_partition(0).unwrap().replicas.clone());
    world.publish_to(leader);
    world.is_cut_off(leader, &[0, 1, 2, 3, 4]);
    (0..3).for_each(|_| _ = world.publish_to(leader));
    world.run_for(4_000);
    let second = world.owner().filter(|owner| *owner != leader).expect("another one leads");
    assert!(world.is_acknowledged(world.clients.acknowledged.len() as u64));
    let committed = world.publish_to(second);
    assert!(world.is_acknowledged(committed));
    world.is_cut_off(second, &[0, 1, 2, 3, 4]);
    (0..5).for_each(|_| _ = world.publish_to(second));
    world.run_for(4_000);
    let third = world.owner().expect("somebody leads");
    assert!(third != leader && third != second && replicas.contains(&third));
    // The first leader comes back to the third one, which has messages of an epoch that the first knows nothing of.
    world.cuts.retain(|(from, to)| ![*from, *to].contains(&leader) || [*from, *to].contains(&second));
    world.run_for(4_000);
    let message = world.publish_to(third);
    assert!(world.is_acknowledged(message));
    world.mend();
    assert!(world.counts.truncations >= 2, "{:?}", world.counts);
}

/// KIP-320, F39. A leader stands still for long, is replaced and goes on: it acknowledges nothing.
#[test]
fn a_leader_that_stood_still_acknowledges_nothing() {
    let mut world = World::calm(Shape::THREE, 1);
    world.publish_to(0);
    let late: Vec<u64> = (0..3).map(|_| world.begin_message(0)).collect();
    world.stand_still(0, 30_000);
    world.run_for(5_000);
    let owner = world.owner().filter(|owner| *owner != 0).expect("another one leads");
    let message = world.publish_to(owner);
    assert!(world.is_acknowledged(message));
    world.run_for(25_000);
    assert!(late.iter().all(|message| !world.is_acknowledged(*message)));
    world.mend();
}

/// KIP-966, F31. Nodes fail one after another until one is left; whoever of the last two comes back first leads on.
#[test]
fn the_last_one_in_sync_is_not_the_only_one_that_may_lead() {
    let mut world = World::calm(Shape { nodes: 5, ..Shape::THREE }, 4);
    let leader = world.owner().unwrap();
    world.publish_to(leader);
    let others: Vec<usize> = world.isr().into_iter().filter(|place| *place != leader).collect();
    world.die(others[0]);
    world.run_for(3_500);
    let message = world.publish_to(leader);
    assert!(world.is_acknowledged(message), "two are enough");
    world.die(others[1]);
    world.run_for(3_500);
    assert_eq!(world.isr(), [leader]);
    let refused = world.publish_to(leader);
    assert!(!world.is_acknowledged(refused), "one is not");
    world.die(leader);
    world.start_again(others[0]);
    world.run_for(4_000);
    assert_eq!(world.owner(), Some(leader), "who was left behind before does not lead");
    world.start_again(others[1]);
    world.run_for(4_000);
    assert_eq!(world.owner(), Some(others[1]));
    assert_eq!(world.counts.from_elr, 1);
    world.mend();
}

/// F31. All nodes go, one after another, and come back in every order.
#[test]
fn nodes_come_back_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut world = World::calm(Shape { nodes: 5, ..Shape::THREE }, 4);
        world.begin_clients();
        world.run_for(500);
        for place in [2, 1, 0] {
            world.die(place);
            world.run_for(2_700);
        }
        for place in order {
            world.start_again(place);
            world.run_for(2_000);
        }
        world.mend();
    }
}

/// All nodes lose their power at once, with messages under way.
#[test]
fn all_nodes_lose_their_power_at_once() {
    for shape in [Shape::THREE, Shape::TWO] {
        let mut world = World::calm(shape, 0);
        world.begin_clients();
        for _ in 0..5 {
            world.run_for(3_333);
            (0..3).for_each(|place| world.die(place));
            world.run_for(100);
            (0..3).for_each(|place| world.start_again(place));
        }
        world.mend();
        assert!(world.counts.acknowledged > 10);
    }
}
