//! Partitions change their owners and replicas, and lose nothing by it.

use shard_core::model::{TopicId, TopicName};

use super::*;
use crate::metadata::{
    Change, Command, TopicPatch,
    apply::fixture::{Cluster, node, nodes},
};

fn replicas(replicas: &[u64], isr: &[u64], elr: &[u64], owner: u64) -> PartitionTarget {
    PartitionTarget::Replicas { replicas: nodes(replicas), isr: nodes(isr), elr: nodes(elr), owner: node(owner) }
}

#[test]
fn where_every_node_reaches_the_messages_any_live_node_may_own_them() {
    let mut cluster = Cluster::new(3, true);
    cluster.create_topic(3, 2);
    assert_eq!(cluster.partition().replicas, nodes(&[1]));
    cluster.fence(3);
    assert_eq!(cluster.give_to(3), Err(TransitionRefusal::NodeNotLive { node: node(3) }));
    assert_eq!(cluster.give_to(9), Err(TransitionRefusal::NodeNotLive { node: node(9) }));
    assert_eq!(cluster.give_to(1), Err(TransitionRefusal::Unchanged));
    cluster.give_to(2).unwrap();
    let partition = cluster.partition();
    assert_eq!((partition.owner, &partition.replicas, &partition.isr), (Some(node(2)), &nodes(&[2]), &nodes(&[2])));
    assert_eq!((partition.leader_epoch.get(), partition.partition_epoch), (2, 1));
    assert_eq!(cluster.change(cluster.transition(replicas(&[2], &[2], &[], 2))), Err(TransitionRefusal::SharedStore));
}

#[test]
fn a_change_of_what_was_before_is_left_out_and_named() {
    let mut cluster = Cluster::new(3, true);
    cluster.create_topic(1, 1);
    let late = cluster.transition(PartitionTarget::Owner(node(3)));
    let moved = cluster.transition(PartitionTarget::Owner(node(2)));
    let nowhere = PartitionTransition { partition: 1, ..moved.clone() };
    let gone = PartitionTransition { topic: TopicId::new(7), ..moved.clone() };
    let before = Arc::clone(cluster.state.topic("t").unwrap());
    let changes = vec![gone.clone(), moved, late.clone(), nowhere];
    let Ok(Outcome::PartitionsChanged { changed: 1, refused }) = cluster.apply(Command::ChangePartitions { changes })
    else {
        panic!("not one")
    };
    let reasons: Vec<_> = refused.iter().map(|refused| (refused.topic, refused.partition, refused.reason)).collect();
    let stale = TransitionRefusal::Stale { leader_epoch: shard_core::model::LeaderEpoch::new(2), partition_epoch: 1 };
    let not_found = TransitionRefusal::PartitionNotFound;
    assert_eq!(reasons, [(gone.topic, 0, not_found), (before.id, 0, stale), (before.id, 1, not_found)]);
    assert_eq!(cluster.owner(), 2);
    let after = Arc::clone(cluster.state.topic("t").unwrap());
    assert_eq!(cluster.change(late), Err(stale));
    assert!(Arc::ptr_eq(&after, cluster.state.topic("t").unwrap()), "what is not changed is not made anew");
    assert_eq!(before.revision, after.revision, "the configuration is the same");
}

#[test]
fn with_their_owner_messages_go_only_to_a_node_in_sync() {
    let mut cluster = Cluster::new(4, false);
    cluster.create_topic(3, 2);
    assert_eq!(cluster.give_to(4), Err(TransitionRefusal::NotInSync { node: node(4) }));
    cluster.fence(3);
    cluster.unfence(3);
    assert_eq!(cluster.give_to(3), Err(TransitionRefusal::NotInSync { node: node(3) }));
    cluster.give_to(2).unwrap();
    assert_eq!((cluster.owner(), cluster.partition().leader_epoch.get()), (2, 2));
    assert_eq!(cluster.sets(), (vec![1, 2], vec![]));
}

#[test]
fn one_of_the_elr_owns_it_when_nobody_in_sync_lives() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    cluster.fence(3);
    cluster.fence(2);
    assert_eq!(cluster.sets(), (vec![1], vec![2]));
    cluster.unfence(2);
    assert_eq!(cluster.give_to(2), Err(TransitionRefusal::NotInSync { node: node(2) }), "1 lives");
    cluster.fence(1);
    cluster.unfence(3);
    assert_eq!(cluster.give_to(3), Err(TransitionRefusal::NotInSync { node: node(3) }));
    cluster.give_to(2).unwrap();
    assert_eq!(cluster.sets(), (vec![2], vec![1]), "what was acknowledged, 1 has as well");
}

#[test]
fn replicas_come_into_sync_and_leave_it() {
    let mut cluster = Cluster::new(4, false);
    cluster.create_topic(3, 2);
    cluster.change(cluster.transition(replicas(&[1, 2, 3], &[1], &[2], 1))).unwrap();
    assert_eq!(cluster.sets(), (vec![1], vec![2]), "3 left while two were in sync, so it may lack something");
    let grow = cluster.transition(replicas(&[1, 2, 3, 4], &[1, 4], &[], 1));
    assert_eq!(cluster.change(grow), Err(TransitionRefusal::NotInSync { node: node(4) }), "it was no replica yet");
    cluster.change(cluster.transition(replicas(&[1, 2, 3, 4], &[1], &[2], 1))).unwrap();
    cluster.change(cluster.transition(replicas(&[4, 1, 2], &[1, 4], &[2], 1))).unwrap();
    assert_eq!(cluster.sets(), (vec![1, 4], vec![]), "enough are in sync: from now on 2 may lack something");
    let elr = cluster.transition(replicas(&[4, 1, 2], &[1], &[2], 1));
    assert_eq!(cluster.change(elr), Err(TransitionRefusal::NotInSync { node: node(2) }));
    assert_eq!(cluster.owner(), 1);
    assert_eq!(cluster.partition().leader_epoch.get(), 1, "the same owner, the same epoch");
    cluster.change(cluster.transition(replicas(&[4, 1, 2], &[1, 4], &[], 4))).unwrap();
    assert_eq!((cluster.owner(), cluster.partition().leader_epoch.get()), (4, 2));
}

#[test]
fn sets_that_contradict_themselves_are_refused() {
    let mut cluster = Cluster::new(4, false);
    cluster.create_topic(3, 2);
    for sets in [
        replicas(&[1, 1, 2], &[1], &[], 1),
        replicas(&[], &[], &[], 1),
        replicas(&[1, 2, 9], &[1], &[], 1),
        replicas(&[1, 2], &[1, 3], &[], 1),
        replicas(&[1, 2], &[1], &[1], 1),
        replicas(&[1, 2], &[2], &[], 1),
        replicas(&[1, 2, 3], &[1, 1], &[], 1),
    ] {
        let change = cluster.transition(sets.clone());
        assert_eq!(cluster.change(change), Err(TransitionRefusal::InvalidReplicas), "{sets:?}");
    }
    let same = cluster.transition(replicas(&[1, 2, 3], &[1, 2, 3], &[], 1));
    assert_eq!(cluster.change(same), Err(TransitionRefusal::Unchanged));
    cluster.fence(1);
    let fenced = cluster.transition(replicas(&[1, 2, 3], &[1, 2, 3], &[], 1));
    assert_eq!(cluster.change(fenced), Err(TransitionRefusal::NodeNotLive { node: node(1) }));
}

#[test]
fn another_min_insync_leaves_nobody_eligible_but_those_in_sync() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 3);
    cluster.fence(3);
    assert_eq!(cluster.sets(), (vec![1, 2], vec![3]));
    let patch = TopicPatch { min_insync: Change::Set(2), ..TopicPatch::default() };
    let name = TopicName::new("t").unwrap();
    cluster.apply(Command::UpdateTopic { name, expected_revision: None, patch }).unwrap();
    assert_eq!(cluster.sets(), (vec![1, 2], vec![]));
    assert_eq!(cluster.partition().partition_epoch, 2);
}

#[test]
fn the_same_owner_opens_its_partition_again_in_a_new_epoch() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    let epoch = cluster.partition().leader_epoch.get();
    cluster.give_to(1).unwrap();
    assert_eq!((cluster.owner(), cluster.partition().leader_epoch.get()), (1, epoch + 1));
    assert_eq!(cluster.sets(), (vec![1, 2, 3], vec![]));
}

#[test]
fn what_the_owner_has_said_before_does_not_hold_after_it_says_that_nothing_changes() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    cluster.change(cluster.transition(in_sync(&[1, 2], &[]))).unwrap();
    let before = cluster.transition(in_sync(&[1, 2, 3], &[(3, cluster.epoch(3))]));
    cluster.change(cluster.transition(in_sync(&[2, 1], &[]))).unwrap();
    assert!(matches!(cluster.change(before), Err(TransitionRefusal::Stale { .. })));
}

fn in_sync(isr: &[u64], joining: &[(u64, u64)]) -> PartitionTarget {
    let run = |&(number, epoch): &(u64, u64)| NodeRun { node: node(number), epoch };
    PartitionTarget::InSync { isr: nodes(isr), joining: joining.iter().map(run).collect() }
}

#[test]
fn the_owner_says_who_is_in_sync() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    let sets = |cluster: &Cluster| {
        let (isr, elr) = cluster.sets();
        (isr, elr, cluster.partition().partition_epoch)
    };
    let before = cluster.partition().leader_epoch;
    cluster.change(cluster.transition(in_sync(&[1, 2], &[]))).unwrap();
    assert_eq!(sets(&cluster), (vec![1, 2], vec![], 1), "two are enough: what comes is not on the third");
    cluster.change(cluster.transition(in_sync(&[1], &[]))).unwrap();
    assert_eq!(sets(&cluster), (vec![1], vec![2], 2), "nothing comes that the second lacks");
    let third = cluster.epoch(3);
    cluster.change(cluster.transition(in_sync(&[1, 3], &[(3, third)]))).unwrap();
    assert_eq!(sets(&cluster), (vec![1, 3], vec![], 3));
    assert_eq!(cluster.partition().leader_epoch, before, "its owner is the same");
}

#[test]
fn who_is_in_sync_has_to_make_sense() {
    let mut cluster = Cluster::new(4, false);
    cluster.create_topic(3, 2);
    let change = |cluster: &mut Cluster, to| cluster.change(cluster.transition(to));
    let invalid = Err(TransitionRefusal::InvalidReplicas);
    assert_eq!(change(&mut cluster, in_sync(&[2, 3], &[])), invalid, "without its owner");
    assert_eq!(change(&mut cluster, in_sync(&[1, 4], &[(4, 1)])), invalid, "with a stranger");
    assert_eq!(change(&mut cluster, in_sync(&[1, 2, 2], &[])), invalid);
    change(&mut cluster, in_sync(&[1, 2], &[])).unwrap();
    let third = cluster.epoch(3);
    let unnamed = Err(TransitionRefusal::NotInSync { node: node(3) });
    assert_eq!(change(&mut cluster, in_sync(&[1, 2, 3], &[(2, third)])), unnamed);
    let earlier = in_sync(&[1, 2, 3], &[(3, third - 1)]);
    assert_eq!(change(&mut cluster, earlier), Err(TransitionRefusal::StaleRun { node: node(3), epoch: third }));
    cluster.fence(3);
    let fenced = in_sync(&[1, 2, 3], &[(3, third)]);
    assert_eq!(change(&mut cluster, fenced), Err(TransitionRefusal::NodeNotLive { node: node(3) }));
}
