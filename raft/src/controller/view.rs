//! How the cluster stands, for those who look after it: read from the metadata, so any node can say it.

use super::{
    balance::even_out,
    reassign::{Placed, Reassigner, Spread, placed},
};
use crate::metadata::{ClusterState, Load, Node, NodeId, Partition};

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
    /// How many of these no other node can keep in its place as things are.
    pub kept_stuck: usize,
}

/// How many partitions are not as they should be, of those that the metadata know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// How many have fewer replicas in sync than their topics want.
    pub under_replicated: usize,
    /// How many nobody leads, and nobody who holds all that was acknowledged could.
    pub offline: usize,
}

/// How many nodes stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCounts {
    /// Those that are there, and not to be emptied.
    pub up: usize,
    /// Those that are there, and are to be emptied or are empty.
    pub draining: usize,
    /// Those that are not heard of.
    pub down: usize,
}

/// How many copies of partitions there are, of those that the metadata know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicaCounts {
    /// On nodes that are there, and with all that was acknowledged.
    pub in_sync: usize,
    /// The others: they are behind, or their node is not there.
    pub out_of_sync: usize,
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
    let is_taker = |other: &Node| other.id != node && other.takes_partitions();
    if state.shared_store() == Some(true) {
        let stuck = if state.nodes().any(is_taker) { 0 } else { left };
        return DrainProgress { left, stuck, kept: load.replicas, kept_stuck: stuck };
    }
    let (mut stuck, mut kept_stuck) = (0, 0);
    let takers: Vec<NodeId> = state.nodes().filter(|other| is_taker(other)).map(|other| other.id).collect();
    let kept = placed(state).filter(|placed| placed.partition.replicas.contains(&node));
    for Placed { partition, .. } in kept.take_while(|_| load != Load::default()) {
        // Who is not in sync can come to be only while somebody leads.
        let is_led = partition.owner.is_some_and(|owner| state.is_live(owner) && partition.isr.contains(&owner));
        let can_own = takers.iter().any(|taker| is_led || partition.isr.contains(taker));
        stuck += usize::from(partition.owner == Some(node) && !can_own);
        let can_come = is_led && takers.iter().any(|taker| !partition.replicas.contains(taker));
        kept_stuck += usize::from(!can_come);
    }
    DrainProgress { left, stuck, kept: load.replicas, kept_stuck }
}

/// How many partitions lack replicas in sync, or can't be used at all.
#[must_use]
pub fn health(state: &ClusterState) -> Health {
    let mut health = Health::default();
    for topic in state.topics() {
        let wanted = usize::from(state.replicas_wanted(&topic.config));
        for partition in &topic.partitions {
            let live = partition.isr.iter().filter(|node| state.is_live(**node)).count();
            health.under_replicated += usize::from(live < wanted);
            health.offline += usize::from(!can_be_led(state, partition));
        }
    }
    health
}

/// How many nodes stand how.
#[must_use]
pub fn node_counts(state: &ClusterState) -> NodeCounts {
    let mut counts = NodeCounts::default();
    for node in state.nodes() {
        let count = match NodeState::of(node) {
            NodeState::Up => &mut counts.up,
            NodeState::Draining => &mut counts.draining,
            NodeState::Down => &mut counts.down,
        };
        *count += 1;
    }
    counts
}

/// How many copies of partitions there are.
#[must_use]
pub fn replica_counts(state: &ClusterState) -> ReplicaCounts {
    let mut counts = ReplicaCounts::default();
    for partition in state.topics().flat_map(|topic| &topic.partitions) {
        let is_in_sync = |node: &&NodeId| partition.isr.contains(node) && state.is_live(**node);
        let in_sync = partition.replicas.iter().filter(is_in_sync).count();
        counts.in_sync += in_sync;
        counts.out_of_sync += partition.replicas.len() - in_sync;
    }
    counts
}

/// Whether a node lives that leads a partition, or could because it holds all that was acknowledged.
#[must_use]
pub fn can_be_led(state: &ClusterState, partition: &Partition) -> bool {
    let is_live = |node: NodeId| state.is_live(node);
    if state.shared_store() == Some(true) {
        return state.nodes().any(|node| !node.fenced);
    }
    !partition.eligible(is_live).is_empty()
}

/// How many partitions have to move until all is even: what a rebalance has left to do, if nobody comes or goes.
#[must_use]
pub fn moves_to_even(state: &ClusterState) -> usize {
    if state.shared_store() == Some(true) {
        let takers = state.nodes().filter(|node| node.takes_partitions());
        let owned: Vec<_> = takers.map(|node| (node.id, state.load(node.id).owned)).collect();
        return even_out(&owned).iter().map(|shift| shift.count).sum();
    }
    let mut reassigner = Reassigner::new(state, |_| true).without_limit();
    let under_way = placed(state).filter(|placed| {
        let first = placed.partition.replicas.first().copied().filter(|first| placed.partition.owner != Some(*first));
        let is_there = |first: NodeId| state.node(first).is_some_and(Node::takes_partitions);
        let is_elsewhere = first.is_some_and(|first| placed.partition.isr.contains(&first) && is_there(first));
        is_elsewhere || !placed.surplus().is_empty()
    });
    let under_way = under_way.count();
    under_way + Spread::left(&mut reassigner)
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
