//! A node leaves: nothing is lost but what is said to be.

use super::*;
use crate::metadata::{
    Command,
    apply::fixture::{Cluster, node, nodes},
};

fn remove(cluster: &mut Cluster, number: u64, force: bool) -> Result<Outcome, Refusal> {
    cluster.apply(Command::RemoveNode { node: node(number), force })
}

fn nothing_lost() -> Outcome {
    Outcome::NodeRemoved { lost: 0, first_lost: Vec::new() }
}

#[test]
fn a_node_with_partitions_goes_only_by_force_and_fenced() {
    let mut cluster = Cluster::new(2, true);
    cluster.create_topic(1, 1);
    let in_use = Err(Refusal::NodeInUse { partitions: 1 });
    assert_eq!(remove(&mut cluster, 1, false), in_use);
    assert_eq!(remove(&mut cluster, 1, true), in_use, "it lives");
    cluster.fence(1);
    assert_eq!(remove(&mut cluster, 1, false), in_use);
    cluster.fence(2);
    assert_eq!(remove(&mut cluster, 1, true), Err(Refusal::NoOtherNode));
    cluster.unfence(2);
    assert_eq!(remove(&mut cluster, 1, true), Ok(nothing_lost()), "the other reaches its messages");
    assert_eq!((cluster.owner(), cluster.partition().leader_epoch.get()), (2, 2));
    assert!(cluster.state.node(node(1)).is_none() && cluster.state.is_removed(node(1)));
}

#[test]
fn what_others_hold_they_take_over() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    cluster.fence(1);
    assert_eq!(remove(&mut cluster, 1, true), Ok(nothing_lost()));
    assert_eq!(cluster.owner(), 2);
    assert_eq!((cluster.sets(), &cluster.partition().replicas), ((vec![2, 3], vec![]), &nodes(&[2, 3])));
}

#[test]
fn what_the_eligible_hold_waits_for_them() {
    let mut cluster = Cluster::new(4, false);
    cluster.create_topic(3, 2);
    for number in [3, 2, 1] {
        cluster.fence(number);
    }
    assert_eq!(cluster.sets(), (vec![1], vec![2]));
    assert_eq!(remove(&mut cluster, 1, true), Ok(nothing_lost()));
    assert_eq!((cluster.partition().owner, cluster.sets()), (None, (vec![2], vec![])));
    cluster.unfence(2);
    cluster.give_to(2).unwrap();
    assert_eq!((cluster.owner(), cluster.partition().leader_epoch.get()), (2, 3));
}

#[test]
fn what_only_it_had_is_given_up_and_named() {
    let mut cluster = Cluster::new(2, false);
    cluster.create_topic(1, 1);
    cluster.fence(1);
    let lost = LostPartition { topic: cluster.state.topic("t").unwrap().id, partition: 0 };
    assert_eq!(remove(&mut cluster, 1, true), Ok(Outcome::NodeRemoved { lost: 1, first_lost: vec![lost] }));
    let partition = cluster.partition();
    assert_eq!((partition.owner, &partition.isr), (Some(node(2)), &nodes(&[2])));
    assert_eq!((partition.leader_epoch.get(), partition.partition_epoch), (2, 1));
}

#[test]
fn a_node_that_was_behind_keeps_what_it_has() {
    let mut cluster = Cluster::new(4, false);
    cluster.create_topic(2, 1);
    assert_eq!(cluster.partition().replicas, nodes(&[1, 2]));
    cluster.fence(2);
    cluster.unfence(2);
    cluster.fence(1);
    assert!(matches!(remove(&mut cluster, 1, true), Ok(Outcome::NodeRemoved { lost: 1, .. })));
    let partition = cluster.partition();
    assert_eq!((partition.owner, &partition.isr), (Some(node(2)), &nodes(&[2])));
    assert_eq!(partition.replicas, nodes(&[2, 3]), "another follows it");
}
