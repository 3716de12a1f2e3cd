//! Which nodes keep a new partition.

use shard_core::model::{LeaderEpoch, TopicId};

use super::{NodeId, Partition};

/// Places partition `index` of a new topic: `replicas_wanted` nodes in turn, so that neighbours lie on different nodes.
///
/// `nodes` are in the order of their numbers; there are at least `replicas_wanted`.
pub(super) fn place(nodes: &[NodeId], topic: TopicId, index: u32, replicas_wanted: u16) -> Partition {
    let turn = topic.get().wrapping_add(u64::from(index));
    let node_count = u64::try_from(nodes.len().max(1)).unwrap_or(u64::MAX);
    let first = usize::try_from(turn % node_count).unwrap_or(0);
    let replicas: Vec<NodeId> =
        nodes.iter().copied().cycle().skip(first).take(usize::from(replicas_wanted).min(nodes.len())).collect();
    Partition {
        owner: replicas.first().copied(),
        leader_epoch: LeaderEpoch::new(1),
        partition_epoch: 0,
        isr: replicas.clone(),
        elr: Vec::new(),
        replicas,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_partitions_have_different_owners() {
        let nodes = [1, 2, 3].map(NodeId::new);
        let placed: Vec<_> = (0..4).map(|index| place(&nodes, TopicId::new(1), index, 2).replicas).collect();
        let expected = [[2, 3], [3, 1], [1, 2], [2, 3]].map(|pair| pair.map(NodeId::new).to_vec());
        assert_eq!(placed, expected);
    }

    #[test]
    fn a_new_partition_is_owned_by_its_first_replica_in_epoch_one() {
        let partition = place(&[NodeId::new(7)], TopicId::new(3), 9, 1);
        assert_eq!(partition.owner, Some(NodeId::new(7)));
        assert_eq!(partition.leader_epoch, LeaderEpoch::new(1));
        assert_eq!(partition.isr, partition.replicas);
    }
}
