//! New partitions are spread over nodes and racks.

use super::*;
use crate::metadata::{Command, Incarnation};

/// A cluster of unfenced nodes with numbers from 1, one for each rack given.
fn cluster(racks: &[Option<&str>]) -> ClusterState {
    let mut state = ClusterState::default();
    for (number, rack) in (1..).zip(racks) {
        let node = NodeId::new(number);
        state.advance_to(number);
        state.apply(join(node, *rack)).unwrap();
        state.apply(Command::UnfenceNode { node, epoch: number }).unwrap();
    }
    state
}

fn join(node: NodeId, rack: Option<&str>) -> Command {
    Command::JoinNode {
        node,
        incarnation: Incarnation::new([1; 16]),
        address: String::new(),
        client_address: String::new(),
        rack: rack.map(str::to_owned),
        shards: 2,
        software: 1,
        shared_store: false,
    }
}

fn numbers(nodes: &[NodeId]) -> Vec<u64> {
    nodes.iter().map(|node| node.get()).collect()
}

fn owners(placer: &mut Placer, partitions: u32) -> Vec<u64> {
    (0..partitions).map(|_| placer.place(1).owner.unwrap().get()).collect()
}

#[test]
fn neighbouring_partitions_have_different_owners() {
    let mut placer = Placer::new(&cluster(&[None, None, None]));
    let replicas: Vec<_> = (0..4).map(|_| numbers(&placer.place(2).replicas)).collect();
    assert_eq!(replicas, [[1, 2], [3, 2], [2, 1], [3, 1]]);
}

#[test]
fn a_new_partition_is_owned_by_its_first_replica_in_epoch_one() {
    let partition = Placer::new(&cluster(&[None])).place(1);
    assert_eq!(partition.owner, Some(NodeId::new(1)));
    assert_eq!(partition.leader_epoch, LeaderEpoch::new(1));
    assert_eq!(partition.isr, partition.replicas);
}

#[test]
fn replicas_lie_in_different_racks_while_there_are_any() {
    let mut placer = Placer::new(&cluster(&[Some("a"), Some("a"), Some("b"), Some("b"), Some("a")]));
    for _ in 0..20 {
        let replicas = numbers(&placer.place(3).replicas);
        let in_a = replicas.iter().filter(|node| [1, 2, 5].contains(*node)).count();
        assert!((1..3).contains(&in_a), "{replicas:?}");
    }
}

#[test]
fn nodes_that_are_fenced_or_to_be_emptied_get_partitions_only_for_want_of_others() {
    let mut state = cluster(&[None, None, None]);
    let (drained, fenced) = (NodeId::new(1), NodeId::new(3));
    state.apply(Command::SetDraining { node: drained, draining: true }).unwrap();
    state.apply(Command::FenceNode { node: fenced, epoch: 3 }).unwrap();
    let mut placer = Placer::new(&state);
    assert_eq!(owners(&mut placer, 3), [2, 2, 2]);
    assert_eq!(numbers(&placer.place(2).replicas), [2, 1]);
    let partition = placer.place(3);
    assert_eq!(numbers(&partition.replicas), [2, 1, 3]);
    assert_eq!(numbers(&partition.isr), [2, 1], "a fenced node does not follow");
    state.apply(Command::FenceNode { node: NodeId::new(2), epoch: 2 }).unwrap();
    assert_eq!(owners(&mut Placer::new(&state), 2), [1, 1]);
}

#[test]
fn a_node_with_little_gets_more() {
    let mut placer = Placer::new(&cluster(&[None, None]));
    placer.nodes[0].load = Load { owned: 2, replicas: 2 };
    assert_eq!(owners(&mut placer, 4), [2, 2, 1, 2]);
}
