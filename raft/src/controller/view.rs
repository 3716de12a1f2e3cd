//! How the cluster stands, for those who look after it: read from the metadata, so any node can say it.

use super::balance::even_out;
use crate::metadata::{ClusterState, Node, NodeId, Partition};

/// A node and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// The node.
    pub node: Node,
    /// How it stands.
    pub state: NodeState,
    /// How many partitions it owns.
    pub owned: usize,
    /// How many partitions it keeps, owned or not.
    pub replicas: usize,
}

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It is there.
    Up,
    /// It is there, and is to be emptied or is empty.
    Draining,
    /// It is not heard of.
    Down,
}

/// How far a node is emptied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainProgress {
    /// How many partitions it owns still.
    pub left: usize,
    /// How many of them nobody else can take as things are.
    pub stuck: usize,
    /// How many partitions it keeps still, owned or not.
    pub kept: usize,
}

/// Every node, by number.
#[must_use]
pub fn cluster_view(state: &ClusterState) -> Vec<NodeView> {
    let view = |node: &Node| {
        let load = state.load(node.id);
        NodeView { node: node.clone(), state: NodeState::of(node), owned: load.owned, replicas: load.replicas }
    };
    state.nodes().map(view).collect()
}

/// How far a node is emptied; all is zero if there is no such node, or nothing is left on it.
#[must_use]
pub fn drain_progress(state: &ClusterState, node: NodeId) -> DrainProgress {
    let load = state.load(node);
    let left = load.owned;
    let is_taker = |other: NodeId| other != node && state.node(other).is_some_and(Node::takes_partitions);
    let stuck = if left == 0 {
        0
    } else if state.shared_store() == Some(true) {
        if state.nodes().any(|other| is_taker(other.id)) { 0 } else { left }
    } else {
        let owned = state.topics().flat_map(|topic| &topic.partitions);
        let is_stuck = |partition: &&Partition| {
            partition.owner == Some(node) && !partition.isr.iter().any(|other| is_taker(*other))
        };
        owned.filter(is_stuck).count()
    };
    DrainProgress { left, stuck, kept: load.replicas }
}

/// How many partitions have to move until all is even: what a rebalance has left to do, if nobody comes or goes.
#[must_use]
pub fn moves_to_even(state: &ClusterState) -> usize {
    if state.shared_store() == Some(true) {
        let takers = state.nodes().filter(|node| node.takes_partitions());
        let owned: Vec<_> = takers.map(|node| (node.id, state.load(node.id).owned)).collect();
        return even_out(&owned).iter().map(|shift| shift.count).sum();
    }
    let is_elsewhere = |partition: &&Partition| {
        let first = partition.replicas.first().copied().filter(|first| partition.owner != Some(*first));
        let is_there = |first: NodeId| state.node(first).is_some_and(Node::takes_partitions);
        first.is_some_and(|first| partition.isr.contains(&first) && is_there(first))
    };
    state.topics().flat_map(|topic| &topic.partitions).filter(is_elsewhere).count()
}

impl NodeState {
    const fn of(node: &Node) -> Self {
        match (node.fenced, node.draining) {
            (true, _) => Self::Down,
            (false, true) => Self::Draining,
            (false, false) => Self::Up,
        }
    }
}
