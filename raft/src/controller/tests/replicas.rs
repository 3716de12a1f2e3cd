//! Replicas go from node to node, and no partition has ever fewer copies than it had.

use super::*;
use crate::metadata::{Change, TopicPatch};

/// Nodes 1 to `count` with a store of their own each.
fn cluster(count: u64) -> Cluster {
    Cluster::new(count, false)
}

fn numbers(nodes: &[NodeId]) -> Vec<u64> {
    nodes.iter().map(|node| node.get()).collect()
}

fn sets(cluster: &Cluster, index: usize) -> (Vec<u64>, Vec<u64>, u64) {
    let Partition { replicas, isr, owner, .. } = cluster.partition(index);
    (numbers(replicas), numbers(isr), owner.unwrap().get())
}

fn partitions(cluster: &Cluster) -> impl Iterator<Item = &Partition> {
    cluster.state.topics().flat_map(|topic| &topic.partitions)
}

fn kept(cluster: &Cluster) -> Vec<usize> {
    cluster.state.nodes().map(|node| cluster.state.load(node.id).replicas).collect()
}

/// Rounds in which followers catch up, each of which `check` looks at.
fn run_in_sync(cluster: &mut Cluster, rounds: u32, mut check: impl FnMut(&Cluster)) {
    for _ in 0..rounds {
        cluster.round();
        check(cluster);
        cluster.catch_up();
        check(cluster);
    }
}

fn change_replicas(cluster: &mut Cluster, replication_factor: u16, min_insync: u16) {
    let patch = TopicPatch {
        replication_factor: Change::Set(replication_factor),
        min_insync: Change::Set(min_insync),
        ..TopicPatch::default()
    };
    cluster.apply(Command::UpdateTopic { name: TopicName::new("t").unwrap(), expected_revision: None, patch });
}

/// A node says that it can't be counted on to have the first partition.
fn lose(cluster: &mut Cluster, number: u64) {
    let Partition { leader_epoch, partition_epoch, .. } = *cluster.partition(0);
    let TopicPartition { topic, partition } = named(0);
    let to = PartitionTarget::Without(node(number));
    let change = PartitionTransition { topic, partition: partition.get(), leader_epoch, partition_epoch, to };
    cluster.apply(Command::ChangePartitions { changes: vec![change] });
}

fn move_to(cluster: &mut Cluster, number: u64) -> Result<(), MoveRefusal> {
    let command = cluster.controller.move_partition(cluster.now, &cluster.state, named(0), node(number))?;
    cluster.apply(command);
    Ok(())
}

#[test]
fn a_drained_node_gives_its_replicas_to_others_a_few_at_a_time() {
    let mut cluster = cluster(4);
    cluster.create_topic("t", 100, 3);
    let before = cluster.state.load(node(1)).replicas;
    cluster.drain(1, true);
    let mut most = 0;
    run_in_sync(&mut cluster, 100, |cluster| {
        let lacks = |partition: &&Partition| partition.replicas.len() > partition.isr.len();
        most = most.max(partitions(cluster).filter(lacks).count());
        assert!(partitions(cluster).all(|partition| partition.isr.len() >= 3));
    });
    assert_eq!(most, limits::REASSIGNMENTS_MAX.min(before));
    assert_eq!(kept(&cluster), [0, 100, 100, 100]);
    assert_eq!(drain_progress(&cluster.state, node(1)), DrainProgress::default());
    assert!(partitions(&cluster).all(|partition| partition.owner == partition.replicas.first().copied()));
    assert!(cluster.run(limits::NODE_SETTLED * 2).is_empty());
}

#[test]
fn replicas_that_have_nowhere_to_go_stay_until_a_node_comes() {
    let mut cluster = cluster(3);
    cluster.create_topic("t", 6, 3);
    cluster.drain(1, true);
    run_in_sync(&mut cluster, 20, |_| {});
    let progress = DrainProgress { left: 0, stuck: 0, kept: 6, kept_stuck: 6 };
    assert_eq!(drain_progress(&cluster.state, node(1)), progress);
    cluster.join(4);
    run_in_sync(&mut cluster, 100, |_| {});
    assert_eq!(kept(&cluster), [0, 6, 6, 6]);
}

#[test]
fn messages_on_one_node_alone_are_copied_before_it_is_empty() {
    let mut cluster = cluster(2);
    cluster.create_topic("t", 1, 1);
    assert_eq!(sets(&cluster, 0), (vec![1], vec![1], 1));
    cluster.drain(1, true);
    assert_eq!(drain_progress(&cluster.state, node(1)).stuck, 0);
    let epoch = cluster.partition(0).leader_epoch.get();
    cluster.run(limits::PLANNED_MOVES_INTERVAL);
    assert_eq!(sets(&cluster, 0), (vec![2, 1], vec![1], 1));
    assert_eq!(cluster.partition(0).leader_epoch.get(), epoch + 1, "who was alone begins to lead others");
    cluster.run(limits::NODE_SETTLED);
    assert_eq!(sets(&cluster, 0), (vec![2, 1], vec![1], 1), "it waits for the copy");
    run_in_sync(&mut cluster, 20, |_| {});
    assert_eq!(sets(&cluster, 0), (vec![2], vec![2], 2));
}

#[test]
fn more_replicas_come_and_those_that_are_too_many_go() {
    let mut cluster = cluster(3);
    cluster.create_topic("t", 1, 1);
    change_replicas(&mut cluster, 3, 2);
    run_in_sync(&mut cluster, 30, |_| {});
    assert_eq!(sets(&cluster, 0), (vec![1, 2, 3], vec![1, 2, 3], 1));
    cluster.silent.push(2);
    cluster.run(limits::NODE_SESSION * 2);
    change_replicas(&mut cluster, 2, 1);
    assert_eq!(sets(&cluster, 0), (vec![1, 3, 2], vec![1, 3], 1), "the one that is behind is to go");
    cluster.run(limits::NODE_SESSION);
    assert_eq!(sets(&cluster, 0), (vec![1, 3], vec![1, 3], 1));
    change_replicas(&mut cluster, 1, 1);
    cluster.run(limits::NODE_SESSION);
    assert_eq!(sets(&cluster, 0), (vec![1], vec![1], 1));
}

#[test]
fn the_owner_stays_when_replicas_go() {
    let mut cluster = cluster(3);
    cluster.create_topic("t", 1, 3);
    cluster.silent.push(1);
    cluster.run(limits::NODE_SESSION * 2);
    cluster.silent.clear();
    cluster.round();
    cluster.catch_up();
    assert_eq!(sets(&cluster, 0), (vec![1, 2, 3], vec![2, 3, 1], 2));
    change_replicas(&mut cluster, 1, 1);
    cluster.run(limits::NODE_SESSION);
    assert_eq!(sets(&cluster, 0), (vec![2], vec![2], 2));
}

#[test]
fn a_node_that_joins_gets_its_share_when_it_is_asked_for() {
    let mut cluster = cluster(3);
    cluster.create_topic("t", 40, 3);
    cluster.join(4);
    run_in_sync(&mut cluster, 100, |_| {});
    assert_eq!(kept(&cluster), [40, 40, 40, 0]);
    assert_eq!(moves_to_even(&cluster.state), 30, "and then owners");
    assert!(cluster.controller.rebalance());
    run_in_sync(&mut cluster, 100, |cluster| assert!(partitions(cluster).all(|partition| partition.isr.len() >= 3)));
    assert_eq!(kept(&cluster), [30, 30, 30, 30]);
    assert_eq!(cluster.owned(), [10, 10, 10, 10]);
    assert_eq!(moves_to_even(&cluster.state), 0);
}

#[test]
fn an_operator_has_a_node_own_what_it_does_not_keep_yet() {
    let mut cluster = cluster(4);
    cluster.create_topic("t", 1, 3);
    assert_eq!(sets(&cluster, 0), (vec![1, 2, 3], vec![1, 2, 3], 1));
    assert_eq!(move_to(&mut cluster, 1), Err(MoveRefusal::Unchanged { node: node(1) }));
    move_to(&mut cluster, 2).unwrap();
    assert_eq!(sets(&cluster, 0), (vec![2, 1, 3], vec![1, 2, 3], 2), "it is in sync");
    assert!(cluster.run(limits::NODE_SETTLED * 2).is_empty(), "and it stays so");
    move_to(&mut cluster, 4).unwrap();
    assert_eq!(sets(&cluster, 0), (vec![4, 1, 3, 2], vec![1, 2, 3], 2));
    assert_eq!(move_to(&mut cluster, 4), Err(MoveRefusal::Unchanged { node: node(4) }), "it is under way");
    run_in_sync(&mut cluster, 100, |cluster| assert!(cluster.partition(0).isr.len() >= 3));
    assert_eq!(sets(&cluster, 0), (vec![4, 1, 3], vec![1, 3, 4], 4));
    cluster.silent.extend([1, 3, 4]);
    cluster.run(limits::NODE_SESSION * 2);
    assert_eq!(move_to(&mut cluster, 2), Err(MoveRefusal::Offline));
}

#[test]
fn one_that_goes_out_on_its_way_is_replaced() {
    let mut cluster = cluster(5);
    cluster.create_topic("t", 1, 3);
    cluster.drain(1, true);
    cluster.run(limits::NODE_SESSION);
    assert_eq!(sets(&cluster, 0), (vec![4, 2, 3, 1], vec![1, 2, 3], 2));
    cluster.silent.push(4);
    cluster.run(limits::NODE_SESSION * 2);
    assert_eq!(sets(&cluster, 0), (vec![5, 2, 3, 1], vec![1, 2, 3], 2), "and nobody goes");
    run_in_sync(&mut cluster, 100, |_| {});
    assert_eq!(sets(&cluster, 0), (vec![5, 2, 3], vec![2, 3, 5], 5));
}

/// A leader that stood still, or hears nothing of the metadata, counts on those whom the controller has taken from the ISR.
#[test]
fn nobody_goes_while_fewer_are_in_sync_than_acknowledge() {
    let mut cluster = cluster(5);
    cluster.create_topic("t", 1, 3);
    cluster.drain(1, true);
    cluster.run(limits::NODE_SESSION);
    assert_eq!(sets(&cluster, 0), (vec![4, 2, 3, 1], vec![1, 2, 3], 2));
    cluster.silent.push(3);
    cluster.run(limits::NODE_SESSION * 2);
    lose(&mut cluster, 1);
    cluster.run(limits::NODE_SESSION);
    assert_eq!(sets(&cluster, 0), (vec![4, 2, 5, 1], vec![2], 2));
    run_in_sync(&mut cluster, 100, |_| {});
    assert_eq!(sets(&cluster, 0), (vec![4, 2, 5], vec![2, 4, 5], 4));
}

#[test]
fn a_replica_too_few_is_made_good_when_a_node_comes() {
    let mut cluster = cluster(3);
    cluster.create_topic("t", 3, 3);
    cluster.silent.push(3);
    cluster.run(limits::NODE_SESSION * 2);
    cluster.apply(Command::RemoveNode { node: node(3), force: true });
    cluster.run(limits::NODE_SETTLED);
    assert!(partitions(&cluster).all(|partition| partition.replicas.len() == 2));
    assert_eq!(health(&cluster.state), Health { under_replicated: 3, offline: 0 });
    cluster.join(4);
    run_in_sync(&mut cluster, 100, |_| {});
    assert_eq!((kept(&cluster), health(&cluster.state)), (vec![3, 3, 3], Health::default()));
}

#[test]
fn nodes_and_copies_are_counted_by_how_they_stand() {
    let mut cluster = cluster(3);
    cluster.create_topic("t", 2, 3);
    assert_eq!(replica_counts(&cluster.state), ReplicaCounts { in_sync: 6, out_of_sync: 0 });
    cluster.drain(1, true);
    cluster.silent.push(3);
    cluster.run(limits::NODE_SESSION * 2);
    assert_eq!(node_counts(&cluster.state), NodeCounts { up: 1, draining: 1, down: 1 });
    assert_eq!(replica_counts(&cluster.state), ReplicaCounts { in_sync: 4, out_of_sync: 2 });
}

#[test]
fn what_was_acknowledged_is_given_up_only_by_an_operator() {
    let mut cluster = cluster(3);
    cluster.create_topic("t", 1, 2);
    let elect = |cluster: &Cluster, to: Option<u64>| {
        cluster.controller.elect_unclean(&cluster.state, named(0), to.map(NodeId::new))
    };
    assert_eq!(elect(&cluster, None), Err(UncleanRefusal::StillHeld { node: node(1) }));
    cluster.silent.push(2);
    cluster.run(limits::NODE_SESSION * 2);
    cluster.silent.push(1);
    cluster.run(limits::NODE_SESSION * 2);
    assert_eq!(elect(&cluster, None), Err(UncleanRefusal::NoReplicaUp));
    assert_eq!(elect(&cluster, Some(2)), Err(UncleanRefusal::NodeDown { node: node(2) }));
    assert_eq!(elect(&cluster, Some(3)), Err(UncleanRefusal::NotReplica { node: node(3) }));
    cluster.silent.retain(|silent| *silent != 2);
    cluster.run(limits::NODE_SETTLED);
    assert_eq!(sets(&cluster, 0), (vec![1, 2], vec![1], 1), "nobody gives anything up by itself");
    assert_eq!(health(&cluster.state), Health { under_replicated: 1, offline: 1 });
    let command = elect(&cluster, None).unwrap();
    cluster.apply(command);
    assert_eq!((sets(&cluster, 0), cluster.partition(0).incarnation), ((vec![1, 2], vec![2], 2), 1));
    cluster.controller.follows();
    assert_eq!(elect(&cluster, None), Err(UncleanRefusal::NotLeader));
}
