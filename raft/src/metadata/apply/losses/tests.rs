//! Nodes lose what they had promised to have.

use super::*;
use crate::metadata::{
    Command,
    apply::fixture::{Cluster, node},
};

fn lose(cluster: &mut Cluster, id: u64) -> Result<Outcome, Refusal> {
    let topic = cluster.state.topic("t").unwrap().id;
    let partitions = vec![LostPartition { topic, partition: 0 }, LostPartition { topic, partition: 9 }];
    let epoch = cluster.epoch(id);
    cluster.apply(Command::LoseReplicas { node: node(id), epoch, partitions })
}

const fn lost(changed: usize) -> Outcome {
    Outcome::ReplicasLost { changed }
}

#[test]
fn who_has_lost_something_is_neither_in_sync_nor_eligible() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    cluster.fence(3);
    cluster.fence(2);
    assert_eq!(cluster.sets(), (vec![1], vec![2]));
    assert_eq!(lose(&mut cluster, 2), Ok(lost(1)));
    assert_eq!(cluster.sets(), (vec![1], vec![]));
    assert_eq!(lose(&mut cluster, 2), Ok(lost(0)), "it is known");
    assert_eq!(cluster.owner(), 1);
}

#[test]
fn who_owns_a_partition_and_has_lost_something_owns_it_no_more() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    let epoch = cluster.partition().leader_epoch.get();
    assert_eq!(lose(&mut cluster, 1), Ok(lost(1)));
    assert_eq!((cluster.partition().owner, cluster.sets()), (None, (vec![2, 3], vec![])));
    assert_eq!(cluster.partition().leader_epoch.get(), epoch + 1);
    cluster.give_to(2).unwrap();
}

#[test]
fn those_of_the_elr_are_in_sync_when_nobody_else_is() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    cluster.fence(3);
    cluster.fence(2);
    assert_eq!(lose(&mut cluster, 1), Ok(lost(1)));
    assert_eq!(cluster.sets(), (vec![2], vec![]));
    assert_eq!(lose(&mut cluster, 2), Ok(lost(1)));
    assert_eq!((cluster.partition().owner, cluster.sets()), (None, (vec![], vec![])), "nobody has it");
}

#[test]
fn what_an_earlier_run_says_is_refused() {
    let mut cluster = Cluster::new(3, false);
    cluster.create_topic(3, 2);
    let earlier = Command::LoseReplicas { node: node(2), epoch: cluster.epoch(2), partitions: Vec::new() };
    cluster.join(2, 1).unwrap();
    assert_eq!(cluster.apply(earlier), Err(Refusal::StaleNodeEpoch { epoch: cluster.epoch(2) }));
}
