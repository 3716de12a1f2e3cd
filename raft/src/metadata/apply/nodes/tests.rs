//! Nodes come, go silent and come back.

use super::*;
use crate::metadata::{
    Command,
    apply::fixture::{Cluster, node},
};

#[test]
fn the_first_node_is_in_and_later_ones_wait_to_be_heard_of() {
    let mut cluster = Cluster { state: ClusterState::default(), shared_store: true };
    assert_eq!(cluster.join(1, 1), Ok(Outcome::NodeJoined { epoch: 1 }));
    assert!(cluster.state.is_live(node(1)));
    assert_eq!(cluster.join(2, 1), Ok(Outcome::NodeJoined { epoch: 2 }));
    assert!(!cluster.state.is_live(node(2)));
    cluster.unfence(2);
    assert!(cluster.state.is_live(node(2)));
    assert_eq!(cluster.state.shared_store(), Some(true));
}

#[test]
fn a_node_that_starts_again_has_a_new_epoch_and_stays_to_be_emptied() {
    let mut cluster = Cluster::new(2, true);
    cluster.apply(Command::SetDraining { node: node(2), draining: true }).unwrap();
    let before = cluster.epoch(2);
    cluster.join(2, 1).unwrap();
    let known = cluster.state.node(node(2)).unwrap();
    assert!(known.epoch > before && known.fenced && known.draining, "{known:?}");
    let stale = Err(Refusal::StaleNodeEpoch { epoch: known.epoch });
    assert_eq!(cluster.apply(Command::FenceNode { node: node(2), epoch: before }), stale);
    assert_eq!(cluster.apply(Command::UnfenceNode { node: node(2), epoch: before }), stale);
}

#[test]
fn a_node_that_starts_again_leads_in_new_epochs() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    let epochs = |cluster: &Cluster| (cluster.partition().leader_epoch.get(), cluster.partition().partition_epoch);
    cluster.fence(2);
    cluster.fence(3);
    let before = epochs(&cluster);
    cluster.join(1, 1).unwrap();
    assert_eq!(cluster.sets().0, [1], "it stays the last one in sync");
    assert_eq!(epochs(&cluster), (before.0 + 1, before.1), "but what its former run has said holds no more");
    cluster.join(2, 1).unwrap();
    assert_eq!(epochs(&cluster), (before.0 + 1, before.1), "this one leads nothing");
}

#[test]
fn two_runs_of_a_node_in_one_log_entry_have_different_epochs() {
    let mut cluster = Cluster::new(1, true);
    cluster.join(2, 1).unwrap();
    let first = cluster.epoch(2);
    cluster.state.advance_to(cluster.state.version() - 1);
    cluster.join(2, 1).unwrap();
    assert_eq!(cluster.epoch(2), first + 1);
}

#[test]
fn a_number_belongs_to_one_data_directory() {
    let mut cluster = Cluster::new(1, true);
    let join = |incarnation| Command::JoinNode {
        node: node(1),
        incarnation: Incarnation::new([incarnation; 16]),
        address: String::new(),
        client_address: String::new(),
        rack: None,
        shards: 1,
        software: 1,
        shared_store: true,
    };
    assert_eq!(cluster.apply(join(9)), Err(Refusal::NodeIdTaken { node: node(1) }));
    cluster.apply(Command::RegisterNode { node: node(3), address: String::new() }).unwrap();
    let mut adopted = join(9);
    if let Command::JoinNode { node, .. } = &mut adopted {
        *node = NodeId::new(3);
    }
    cluster.apply(adopted).unwrap();
    assert_eq!(cluster.state.node(node(3)).unwrap().incarnation, Incarnation::new([9; 16]));
}

#[test]
fn a_removed_number_is_never_used_again() {
    let mut cluster = Cluster::new(2, true);
    let remove = Command::RemoveNode { node: node(2), force: false };
    let removed = Ok(Outcome::NodeRemoved { lost: 0, first_lost: Vec::new() });
    assert_eq!(cluster.apply(remove.clone()), removed);
    assert_eq!(cluster.apply(remove), removed, "asking again changes nothing");
    let refusal = Err(Refusal::NodeRemoved { node: node(2) });
    assert_eq!(cluster.join(2, 1), refusal);
    assert_eq!(cluster.apply(Command::RegisterNode { node: node(2), address: String::new() }), refusal);
    assert_eq!(cluster.apply(Command::FenceNode { node: node(2), epoch: 2 }), refusal);
    assert_eq!(cluster.apply(Command::RemoveNode { node: node(7), force: true }), Err(Refusal::NodeNotFound));
    assert_eq!(cluster.apply(Command::RemoveNode { node: node(1), force: true }), Err(Refusal::NoOtherNode));
}

#[test]
fn all_nodes_keep_messages_alike() {
    let mut cluster = Cluster::new(1, true);
    cluster.shared_store = false;
    assert_eq!(cluster.join(2, 1), Err(Refusal::StoreMismatch { shared_store: true }));
    cluster.join(1, 1).unwrap();
    assert_eq!(cluster.state.shared_store(), Some(false), "alone it may choose anew");
    cluster.create_topic(1, 1);
    cluster.shared_store = true;
    cluster.join(1, 1).unwrap();
    assert_eq!(cluster.state.shared_store(), Some(true), "with topics too");
    cluster.join(2, 1).unwrap();
    cluster.shared_store = false;
    assert_eq!(cluster.join(1, 1), Err(Refusal::StoreMismatch { shared_store: true }));
}

#[test]
fn the_level_rises_when_every_node_understands_it() {
    let mut cluster = Cluster { state: ClusterState::default(), shared_store: true };
    cluster.join(1, 2).unwrap();
    assert_eq!(cluster.state.level(), 2, "a new cluster begins with what its first node understands");
    assert_eq!(cluster.join(2, 1), Err(Refusal::SoftwareTooOld { needed: 2, has: 1 }));
    cluster.join(2, 2).unwrap();
    cluster.join(1, 3).unwrap();
    let upgrade = |level| Command::Upgrade { level };
    assert_eq!(cluster.apply(upgrade(3)), Err(Refusal::SoftwareTooOld { needed: 3, has: 2 }));
    cluster.join(2, 4).unwrap();
    assert_eq!(cluster.apply(upgrade(3)), Ok(Outcome::Upgraded { level: 3 }));
    assert_eq!(cluster.apply(upgrade(3)), Ok(Outcome::Upgraded { level: 3 }));
    assert_eq!(cluster.apply(upgrade(2)), Err(Refusal::NoWayBack { level: 3 }));
    assert_eq!(cluster.state.check_level(3), Ok(()));
    assert_eq!(cluster.state.check_level(4), Err(Refusal::LevelTooLow { needed: 4, level: 3 }));
}

#[test]
fn texts_of_a_node_are_bounded() {
    let mut cluster = Cluster::new(1, true);
    let join = |address: usize, rack: usize| Command::JoinNode {
        node: node(2),
        incarnation: Incarnation::new([2; 16]),
        address: "a".repeat(address),
        client_address: String::new(),
        rack: Some("r".repeat(rack)),
        shards: 1,
        software: 1,
        shared_store: true,
    };
    let refused = |outcome| matches!(outcome, Err(Refusal::TextTooLong { .. }));
    assert!(refused(cluster.apply(join(limits::ADDRESS_BYTES_MAX + 1, 0))));
    assert!(refused(cluster.apply(join(0, limits::RACK_BYTES_MAX + 1))));
    cluster.apply(join(limits::ADDRESS_BYTES_MAX, limits::RACK_BYTES_MAX)).unwrap();
}

#[test]
fn a_fenced_node_leaves_every_isr_it_is_not_alone_in_and_keeps_what_it_owns() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    let owner = cluster.owner();
    cluster.fence(3);
    assert_eq!(cluster.sets(), (vec![1, 2], vec![]), "enough are in sync: what is acknowledged from now on, 3 lacks");
    cluster.fence(1);
    assert_eq!(cluster.sets(), (vec![2], vec![1]), "too few are in sync: nothing is acknowledged that 1 lacks");
    cluster.fence(2);
    assert_eq!(cluster.sets(), (vec![2], vec![1]));
    assert_eq!((cluster.owner(), cluster.partition().leader_epoch.get()), (owner, 1));
    assert_eq!(cluster.partition().partition_epoch, 2);
    cluster.fence(2);
    assert_eq!(cluster.partition().partition_epoch, 2, "fencing again changes nothing");
}

#[test]
fn a_node_that_starts_again_is_out_of_sync() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    cluster.join(2, 1).unwrap();
    assert_eq!(cluster.sets(), (vec![1, 3], vec![]));
}
