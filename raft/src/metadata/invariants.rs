//! What must hold of every state, and of every step from one to the next; for tests.

use std::collections::{BTreeMap, BTreeSet};

use shard_core::model::TopicPartition;

use super::{ClusterState, NodeId, Partition, loads::Loads};

/// Remembers what was, and checks each new state against it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Who owned a partition in an epoch.
    owners: BTreeMap<(TopicPartition, u32), Option<NodeId>>,
    partitions: BTreeMap<TopicPartition, Partition>,
    epochs: BTreeMap<NodeId, u64>,
    removed: BTreeSet<NodeId>,
    level: u32,
    pub(crate) owner_changes: u64,
}

impl Watch {
    pub(crate) fn see(&mut self, state: &ClusterState) {
        self.see_nodes(state);
        let mut loads = Loads::default();
        let mut partitions = BTreeMap::new();
        for topic in state.topics() {
            loads.add(topic);
            for (named, partition) in topic.placed_partitions() {
                check_sets(state, partition, topic.config.min_insync);
                self.see_partition(named, partition);
                partitions.insert(named, partition.clone());
            }
        }
        assert_eq!(state.loads, loads, "loads are counted as topics change");
        self.partitions = partitions;
    }

    fn see_nodes(&mut self, state: &ClusterState) {
        assert!(self.removed.is_subset(&state.removed), "a number stays used up");
        assert!(state.level() >= self.level, "the level never falls");
        for node in state.nodes() {
            assert!(!state.is_removed(node.id), "{node:?}");
            assert!(node.software >= state.level(), "{node:?} below level {}", state.level());
            let former = self.epochs.insert(node.id, node.epoch).unwrap_or(0);
            assert!(node.epoch >= former, "{node:?} was of epoch {former}");
        }
        self.removed.clone_from(&state.removed);
        self.level = state.level();
    }

    /// R1, R2.
    fn see_partition(&mut self, named: TopicPartition, partition: &Partition) {
        let epoch = partition.leader_epoch.get();
        let known = *self.owners.entry((named, epoch)).or_insert(partition.owner);
        assert_eq!(known, partition.owner, "{named:?} has one owner in epoch {epoch}");
        let Some(former) = self.partitions.get(&named) else { return };
        let steps = epoch - former.leader_epoch.get();
        if former.owner != partition.owner {
            self.owner_changes += 1;
            assert!(steps > 0, "{named:?}: another owner has another epoch");
        }
        assert!(partition.partition_epoch >= former.partition_epoch);
        assert!(partition.incarnation >= former.incarnation, "{named:?}");
        let same =
            (&former.replicas, &former.isr, &former.elr) == (&partition.replicas, &partition.isr, &partition.elr);
        assert!(same || partition.partition_epoch > former.partition_epoch, "{named:?}: other sets, same epoch");
    }
}

fn check_sets(state: &ClusterState, partition: &Partition, min_insync: u16) {
    let Partition { owner, replicas, isr, elr, .. } = partition;
    let distinct = |nodes: &[NodeId]| nodes.iter().collect::<BTreeSet<_>>().len() == nodes.len();
    assert!(distinct(replicas) && distinct(isr) && distinct(elr), "{partition:?}");
    assert!(!isr.is_empty() || (owner.is_none() && elr.is_empty()), "{partition:?}");
    assert!(isr.iter().chain(elr).chain(owner).all(|node| replicas.contains(node)), "{partition:?}");
    assert!(replicas.iter().all(|node| state.node(*node).is_some()), "{partition:?}");
    assert!(!isr.iter().any(|node| elr.contains(node)), "{partition:?}");
    assert!(isr.len() < usize::from(min_insync) || elr.is_empty(), "{partition:?}");
    if state.shared_store() == Some(true) && replicas.len() == 1 {
        assert_eq!((owner.as_slice(), &replicas[..]), (&isr[..], &isr[..]), "{partition:?}");
    }
}
