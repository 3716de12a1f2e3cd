//! Commands about nodes and where partitions lie.

use proptest::prelude::*;
use shard_core::model::{LeaderEpoch, TopicId};

use crate::metadata::{ClusterState, Command, Incarnation, NodeId, NodeRun, PartitionTarget, PartitionTransition};

/// One command of each kind, always the same: for golden files.
pub(crate) fn one_of_each_about_nodes() -> Vec<Command> {
    let node = NodeId::new(2);
    let nodes = |numbers: &[u64]| numbers.iter().copied().map(NodeId::new).collect::<Vec<_>>();
    let transition = |partition, to| PartitionTransition {
        topic: TopicId::new(1),
        partition,
        leader_epoch: LeaderEpoch::new(1),
        partition_epoch: 0,
        to,
    };
    let sets =
        PartitionTarget::Replicas { replicas: nodes(&[2, 3, 1]), isr: nodes(&[2]), elr: nodes(&[3]), owner: node };
    let joining = vec![NodeRun { node: NodeId::new(3), epoch: 300 }];
    let in_sync = PartitionTarget::InSync { isr: nodes(&[2, 3]), joining };
    vec![
        join(node, Some("east"), 1),
        Command::FenceNode { node, epoch: 300 },
        Command::UnfenceNode { node, epoch: 300 },
        Command::SetDraining { node, draining: true },
        Command::RemoveNode { node, force: false },
        Command::ChangePartitions {
            changes: vec![
                transition(0, PartitionTarget::Owner(node)),
                transition(1, sets),
                transition(2, in_sync),
                transition(3, PartitionTarget::Unclean(node)),
                transition(4, PartitionTarget::Without(node)),
            ],
        },
        Command::Upgrade { level: 1 },
    ]
}

/// A node with a rack, one that is to be emptied, and one that was removed.
pub(super) fn nodes_of_small_state() -> impl Iterator<Item = Command> {
    let (second, third, fourth) = (NodeId::new(2), NodeId::new(3), NodeId::new(4));
    [
        join(second, Some("east"), 1),
        join(third, None, 2),
        join(fourth, None, 1),
        Command::UnfenceNode { node: second, epoch: 42 },
        Command::SetDraining { node: third, draining: true },
        Command::RemoveNode { node: fourth, force: false },
    ]
    .into_iter()
}

fn join(node: NodeId, rack: Option<&str>, software: u32) -> Command {
    Command::JoinNode {
        node,
        incarnation: Incarnation::new([7; 16]),
        address: format!("10.0.0.{node}:7081"),
        client_address: format!("10.0.0.{node}:8080"),
        rack: rack.map(str::to_owned),
        shards: 2,
        software,
        shared_store: false,
    }
}

/// Any command about nodes: few nodes and low epochs, so that most of them fit what is there.
pub(super) fn command() -> impl Strategy<Value = Command> {
    let node = || (0..5_u64).prop_map(NodeId::new);
    let epoch = || 0..60_u64;
    let join = (node(), 0..3_u8, prop::option::of("[ab]"), 1..4_u32, prop::bool::weighted(0.2)).prop_map(
        |(node, incarnation, rack, software, shared_store)| Command::JoinNode {
            node,
            incarnation: Incarnation::new([incarnation; 16]),
            address: "a".to_owned(),
            client_address: "c".to_owned(),
            rack,
            shards: 1,
            software,
            shared_store,
        },
    );
    prop_oneof![
        4 => join,
        4 => (node(), epoch()).prop_map(|(node, epoch)| Command::FenceNode { node, epoch }),
        4 => (node(), epoch()).prop_map(|(node, epoch)| Command::UnfenceNode { node, epoch }),
        2 => (node(), any::<bool>()).prop_map(|(node, draining)| Command::SetDraining { node, draining }),
        2 => (node(), any::<bool>()).prop_map(|(node, force)| Command::RemoveNode { node, force }),
        6 => proptest::collection::vec(transition(), 0..5).prop_map(|changes| Command::ChangePartitions { changes }),
        1 => (0..4_u32).prop_map(|level| Command::Upgrade { level }),
    ]
}

fn transition() -> impl Strategy<Value = PartitionTransition> {
    let node = || (0..5_u64).prop_map(NodeId::new);
    let nodes = move || proptest::collection::vec(node(), 0..4);
    let to = prop_oneof![
        2 => node().prop_map(PartitionTarget::Owner),
        1 => (nodes(), nodes(), nodes(), node())
            .prop_map(|(replicas, isr, elr, owner)| PartitionTarget::Replicas { replicas, isr, elr, owner }),
        2 => (nodes(), proptest::collection::vec((node(), 0..60_u64), 0..3)).prop_map(|(isr, joining)| {
            let joining = joining.into_iter().map(|(node, epoch)| NodeRun { node, epoch }).collect();
            PartitionTarget::InSync { isr, joining }
        }),
        1 => node().prop_map(PartitionTarget::Unclean),
        2 => node().prop_map(PartitionTarget::Without),
    ];
    (1..4_u64, 0..4_u32, 1..4_u32, 0..4_u32, to).prop_map(|(topic, partition, leader_epoch, partition_epoch, to)| {
        PartitionTransition {
            topic: TopicId::new(topic),
            partition,
            leader_epoch: LeaderEpoch::new(leader_epoch),
            partition_epoch,
            to,
        }
    })
}

/// Has a command meet what is there, by the luck of its numbers: without that, most would be refused for their epochs.
pub(crate) fn aimed(state: &ClusterState, mut command: Command) -> Command {
    if let Command::FenceNode { node, epoch } | Command::UnfenceNode { node, epoch } = &mut command
        && !epoch.is_multiple_of(4)
    {
        *epoch = state.node(*node).map_or(*epoch, |node| node.epoch);
    }
    if let Command::ChangePartitions { changes } = &mut command {
        for change in changes.iter_mut().filter(|change| change.partition_epoch != 3) {
            let turn = usize::try_from(change.topic.get()).unwrap() % state.topics().len().max(1);
            let Some(topic) = state.topics().nth(turn) else { continue };
            change.topic = topic.id;
            let index = usize::try_from(change.partition).unwrap() % topic.partitions.len();
            change.partition = u32::try_from(index).unwrap();
            change.leader_epoch = topic.partitions[index].leader_epoch;
            change.partition_epoch = topic.partitions[index].partition_epoch;
        }
    }
    command
}
