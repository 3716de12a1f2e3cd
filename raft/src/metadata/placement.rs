//! Which nodes keep a new partition.

use shard_core::model::LeaderEpoch;

use super::{ClusterState, Load, Node, NodeId, Partition};

/// Gives partitions to nodes: to those that are well before those that are to be emptied, and to fenced ones only if there
/// are too few others; evenly, and over as many racks as there are.
#[derive(Debug)]
pub(super) struct Placer {
    nodes: Vec<Candidate>,
}

#[derive(Debug)]
struct Candidate {
    id: NodeId,
    fitness: Fitness,
    /// The number of its rack; a node without one is a rack of its own.
    rack: usize,
    load: Load,
}

/// The best comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fitness {
    Well,
    Draining,
    Fenced,
}

impl Placer {
    /// Starts from what the nodes have.
    pub(super) fn new(state: &ClusterState) -> Self {
        let racks: Vec<Option<&str>> = state.nodes().map(|node| node.rack.as_deref()).collect();
        let rack_of = |at: usize, rack: Option<&str>| {
            let first = rack.and_then(|rack| racks.iter().position(|other| *other == Some(rack)));
            first.unwrap_or(at)
        };
        let candidate = |(at, node): (usize, &Node)| Candidate {
            id: node.id,
            fitness: match (node.fenced, node.draining) {
                (true, _) => Fitness::Fenced,
                (false, true) => Fitness::Draining,
                (false, false) => Fitness::Well,
            },
            rack: rack_of(at, node.rack.as_deref()),
            load: state.load(node.id),
        };
        Self { nodes: state.nodes().enumerate().map(candidate).collect() }
    }

    /// The same without a node.
    pub(super) fn without(mut self, node: NodeId) -> Self {
        self.nodes.retain(|candidate| candidate.id != node);
        self
    }

    /// A new partition on as many nodes as are wanted, or on all. Those that are fenced are not in sync, if others are.
    pub(super) fn place(&mut self, replicas_wanted: u16) -> Partition {
        let replicas = self.replicas(Vec::new(), replicas_wanted);
        let live: Vec<NodeId> = replicas.iter().copied().filter(|node| self.is_live(*node)).collect();
        Partition {
            owner: replicas.first().copied(),
            leader_epoch: LeaderEpoch::new(1),
            partition_epoch: 0,
            isr: if live.is_empty() { replicas.clone() } else { live },
            elr: Vec::new(),
            replicas,
            incarnation: 0,
        }
    }

    /// Adds nodes until there are as many as are wanted; the first of all is to own the partition.
    pub(super) fn replicas(&mut self, kept: Vec<NodeId>, wanted: u16) -> Vec<NodeId> {
        let mut replicas = kept;
        while replicas.len() < usize::from(wanted) {
            let Some(next) = self.best(&replicas) else { break };
            replicas.push(next);
        }
        for (index, replica) in replicas.iter().enumerate() {
            if let Some(candidate) = self.nodes.iter_mut().find(|candidate| candidate.id == *replica) {
                candidate.load.replicas += 1;
                candidate.load.owned += usize::from(index == 0);
            }
        }
        replicas
    }

    fn best(&self, replicas: &[NodeId]) -> Option<NodeId> {
        let taken: Vec<&Candidate> = self.nodes.iter().filter(|candidate| replicas.contains(&candidate.id)).collect();
        let free = self.nodes.iter().filter(|candidate| !replicas.contains(&candidate.id));
        let best = free.min_by_key(|candidate| {
            let Load { owned, replicas } = candidate.load;
            let loads = if taken.is_empty() { (owned, replicas) } else { (replicas, owned) };
            let is_rack_taken = taken.iter().any(|other| other.rack == candidate.rack);
            (candidate.fitness, is_rack_taken, loads, candidate.id)
        });
        best.map(|candidate| candidate.id)
    }

    fn is_live(&self, node: NodeId) -> bool {
        self.nodes.iter().any(|candidate| candidate.id == node && candidate.fitness != Fitness::Fenced)
    }
}

#[cfg(test)]
mod tests;
