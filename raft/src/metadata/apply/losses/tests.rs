//! Nodes lose what they had promised to have.

use super::*;
use crate::metadata::{
    Command, PartitionTarget,
    apply::fixture::{Cluster, node},
};

fn without(cluster: &mut Cluster, id: u64) -> Result<(), TransitionRefusal> {
    cluster.change(cluster.transition(PartitionTarget::Without(node(id))))
}

#[test]
fn an_owner_that_is_not_counted_on_any_more_is_followed_by_one_in_sync() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    let before = cluster.transition(PartitionTarget::Without(node(1)));
    without(&mut cluster, 1).unwrap();
    assert_eq!((cluster.owner(), cluster.sets()), (2, (vec![2, 3], vec![])));
    assert_eq!(cluster.partition().leader_epoch.get(), before.leader_epoch.get() + 1);
    let refused = cluster.change(before);
    assert!(matches!(refused, Err(TransitionRefusal::Stale { .. })), "{refused:?}");
    assert_eq!(without(&mut cluster, 1), Err(TransitionRefusal::Unchanged), "it is so");
    assert!(cluster.give_to(1).is_err(), "it may have lost something");
}

#[test]
fn who_is_not_to_be_emptied_rather_takes_over_from_a_failed_owner() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    cluster.apply(Command::SetDraining { node: node(2), draining: true }).unwrap();
    without(&mut cluster, 1).unwrap();
    assert_eq!((cluster.owner(), cluster.sets()), (3, (vec![2, 3], vec![])));
    without(&mut cluster, 3).unwrap();
    assert_eq!((cluster.owner(), cluster.sets()), (2, (vec![2], vec![])));
    assert_eq!(without(&mut cluster, 2), Err(TransitionRefusal::NobodyElse { node: node(2) }));
    assert_eq!((cluster.owner(), cluster.sets()), (2, (vec![2], vec![])), "it stays what it is");
}

#[test]
fn one_of_the_elr_takes_over_from_a_failed_owner_when_it_lives() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    cluster.fence(3);
    cluster.fence(2);
    assert_eq!(cluster.sets(), (vec![1], vec![2]));
    assert_eq!(without(&mut cluster, 1), Err(TransitionRefusal::NobodyElse { node: node(1) }), "2 does not live");
    cluster.unfence(3);
    assert_eq!(without(&mut cluster, 1), Err(TransitionRefusal::NobodyElse { node: node(1) }), "3 may lack something");
    cluster.unfence(2);
    without(&mut cluster, 1).unwrap();
    assert_eq!((cluster.owner(), cluster.sets()), (2, (vec![2], vec![])), "1 is not counted on");
}

#[test]
fn a_follower_that_is_not_counted_on_any_more_is_in_neither_set() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    let epoch = cluster.partition().leader_epoch;
    without(&mut cluster, 2).unwrap();
    assert_eq!((cluster.owner(), cluster.sets()), (1, (vec![1, 3], vec![])));
    cluster.fence(3);
    assert_eq!(cluster.sets(), (vec![1], vec![3]));
    without(&mut cluster, 3).unwrap();
    assert_eq!((cluster.owner(), cluster.sets()), (1, (vec![1], vec![])));
    assert_eq!(cluster.partition().leader_epoch, epoch, "nobody else leads");
    assert_eq!(without(&mut cluster, 3), Err(TransitionRefusal::Unchanged));
}

#[test]
fn those_of_the_elr_are_in_sync_once_the_last_in_sync_is_not_counted_on() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    cluster.fence(3);
    cluster.fence(2);
    cluster.fence(1);
    cluster.partition_mut(Partition::disown);
    without(&mut cluster, 1).unwrap();
    assert_eq!((cluster.partition().owner, cluster.sets()), (None, (vec![2], vec![])));
}

#[test]
fn nobody_is_given_up_for_where_it_makes_no_sense() {
    let mut cluster = Cluster::new(4, false);
    cluster.create_topic(3, 2);
    assert_eq!(without(&mut cluster, 4), Err(TransitionRefusal::NotReplica { node: node(4) }));
    let mut shared = Cluster::new(2, true);
    shared.create_topic(1, 1);
    assert_eq!(without(&mut shared, 1), Err(TransitionRefusal::SharedStore));
}
