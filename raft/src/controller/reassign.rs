//! Replicas that go from node to node, where messages lie with the nodes that keep them.
//!
//! How far a partition is on its way can be read from it, so that any leader goes on where another one stopped: its first
//! replicas, as many as its topic wants, are those that are to keep it, the first of all is to own it, and those behind them
//! go once all others are in sync. Nobody who holds all that was acknowledged goes before that, so no partition has ever
//! fewer copies than it had. And nobody goes at all while fewer are in sync than are to acknowledge: a leader that has not
//! heard yet who is in sync no more counts on those still.

mod spread;

use std::collections::{BTreeMap, BTreeSet};

use shard_core::model::TopicPartition;

use crate::{
    limits,
    metadata::{ClusterState, Node, NodeId, Partition, PartitionTarget, Topic},
};

pub(super) use spread::Spread;

/// A partition as it is, and what it is to become next.
pub(super) type Step = (TopicPartition, Partition, PartitionTarget);

/// Decides the next step of each partition.
#[derive(Debug)]
pub(super) struct Reassigner<'s> {
    state: &'s ClusterState,
    /// The nodes that may be given replicas.
    takers: Vec<&'s Node>,
    /// How many partitions each of them is to keep, and how many to own.
    kept: BTreeMap<NodeId, usize>,
    first: BTreeMap<NodeId, usize>,
    /// How many every node owns.
    owned: BTreeMap<NodeId, usize>,
    /// How many more partitions may have replicas that fetch everything.
    room: usize,
}

/// A partition with what its topic wants of it.
#[derive(Clone, Copy)]
pub(super) struct Placed<'s> {
    pub(super) named: TopicPartition,
    pub(super) partition: &'s Partition,
    /// How many replicas it is to have.
    wanted: usize,
    /// How many have a message before it is acknowledged.
    min_insync: usize,
}

impl<'s> Reassigner<'s> {
    /// Looks at what there is. Replicas are given to nodes of which `is_settled` says so.
    pub(super) fn new(state: &'s ClusterState, is_settled: impl Fn(NodeId) -> bool) -> Self {
        let takers: Vec<&Node> = state.nodes().filter(|node| node.takes_partitions() && is_settled(node.id)).collect();
        let none: BTreeMap<NodeId, usize> = takers.iter().map(|node| (node.id, 0)).collect();
        let (mut kept, mut first) = (none.clone(), none);
        let mut under_way = 0;
        for placed in placed(state) {
            let target = placed.target();
            for node in target {
                kept.entry(*node).and_modify(|count| *count += 1);
            }
            if let Some(count) = target.first().and_then(|node| first.get_mut(node)) {
                *count += 1;
            }
            under_way += usize::from(is_under_way(state, placed.partition));
        }
        let owned = state.nodes().map(|node| (node.id, state.load(node.id).owned)).collect();
        Self { state, takers, kept, first, owned, room: limits::REASSIGNMENTS_MAX.saturating_sub(under_way) }
    }

    /// The same without a limit on what is under way: to say what is left to do.
    pub(super) fn without_limit(mut self) -> Self {
        self.room = usize::MAX;
        self
    }

    /// What there is to do for a partition itself, whatever others are like; nothing while nobody leads it.
    pub(super) fn next(&mut self, placed: Placed<'_>) -> Option<PartitionTarget> {
        let owner = self.leader(placed.partition)?;
        self.hand_over(placed, owner).or_else(|| Self::leave(placed, owner)).or_else(|| self.replace(placed, owner))
    }

    /// The node that leads a partition and can say who is in sync.
    fn leader(&self, partition: &Partition) -> Option<NodeId> {
        partition.owner.filter(|owner| self.state.is_live(*owner) && partition.isr.contains(owner))
    }

    /// An owner that is to go hands over to one that stays.
    fn hand_over(&mut self, placed: Placed<'_>, owner: NodeId) -> Option<PartitionTarget> {
        let Placed { partition, .. } = placed;
        let may_own = |node: &NodeId| {
            *node != owner && partition.isr.contains(node) && self.state.node(*node).is_some_and(Node::takes_partitions)
        };
        let is_drained = self.state.node(owner).is_some_and(|node| node.draining);
        let stays = placed.target().contains(&owner);
        if stays && !is_drained {
            return None;
        }
        let heirs = |nodes: &[NodeId]| {
            let heirs = nodes.iter().copied().filter(may_own);
            heirs.min_by_key(|node| self.owned.get(node).copied())
        };
        let next = heirs(placed.target()).or_else(|| heirs(placed.surplus()))?;
        self.owned.entry(next).and_modify(|count| *count += 1);
        Some(PartitionTarget::Owner(next))
    }

    /// Those go that are too many: such as hold nothing that counts, and the others once all that stay are in sync.
    fn leave(placed: Placed<'_>, owner: NodeId) -> Option<PartitionTarget> {
        let Placed { partition, wanted, min_insync, .. } = placed;
        let Partition { replicas, isr, elr, .. } = partition;
        let is_well = placed.target().iter().filter(|node| isr.contains(node)).count() >= wanted;
        // Whoever leads in this epoch, and knows this or less, has all of these commit what it acknowledges.
        let are_enough = isr.len() >= min_insync;
        let counts = |node: &NodeId| isr.contains(node) || elr.contains(node) || !are_enough;
        let goes = |node: &NodeId| placed.surplus().contains(node) && *node != owner && (is_well || !counts(node));
        let stay = |set: &[NodeId]| set.iter().copied().filter(|node| !goes(node)).collect::<Vec<_>>();
        let to = PartitionTarget::Replicas { replicas: stay(replicas), isr: stay(isr), elr: stay(elr), owner };
        replicas.iter().any(goes).then_some(to)
    }

    /// Another node comes for one that is to be emptied, or that was to come and is out, or because there are too few.
    fn replace(&mut self, placed: Placed<'_>, owner: NodeId) -> Option<PartitionTarget> {
        let Placed { partition, wanted, .. } = placed;
        let is_coming = !placed.surplus().is_empty();
        let goes = |node: &&NodeId| {
            let is_drained = self.state.node(**node).is_some_and(|known| known.draining);
            is_drained || (is_coming && !self.state.is_live(**node) && !partition.isr.contains(node))
        };
        let leaving = placed.target().iter().find(goes).copied();
        if leaving.is_none() && placed.target().len() >= wanted {
            return None;
        }
        let comes = self.best(placed, leaving)?;
        self.admit(partition)?;
        Some(self.exchange(placed, (leaving, comes), owner))
    }

    /// Who is to keep a partition in the place of another: one that keeps it anyway, or else the one that has least, in
    /// a rack of its own if there is one.
    fn best(&self, placed: Placed<'_>, leaving: Option<NodeId>) -> Option<NodeId> {
        let stay: Vec<NodeId> = placed.target().iter().copied().filter(|node| Some(*node) != leaving).collect();
        let racks = self.racks(&stay);
        let free = self.takers.iter().filter(|node| !placed.target().contains(&node.id));
        let best = free.min_by_key(|node| {
            let is_there = placed.partition.isr.contains(&node.id);
            (!is_there, racks.contains(&rack(node)), self.kept.get(&node.id).copied(), node.id)
        });
        best.map(|node| node.id)
    }

    /// Counts a partition among those that are under way; not if there are too many.
    fn admit(&mut self, partition: &Partition) -> Option<()> {
        if !is_under_way(self.state, partition) {
            self.room = self.room.checked_sub(1)?;
        }
        Some(())
    }

    /// One comes in the place of another, which goes once all is well.
    fn exchange(
        &mut self,
        placed: Placed<'_>,
        (leaving, comes): (Option<NodeId>, NodeId),
        owner: NodeId,
    ) -> PartitionTarget {
        let Partition { isr, elr, .. } = placed.partition;
        let exchanged = |node: &NodeId| if Some(*node) == leaving { comes } else { *node };
        let mut replicas: Vec<NodeId> = placed.target().iter().map(exchanged).collect();
        if leaving.is_none() {
            replicas.push(comes);
        }
        replicas.extend(placed.surplus().iter().copied().filter(|node| *node != comes));
        replicas.extend(leaving);
        if let Some(count) = leaving.and_then(|node| self.kept.get_mut(&node)) {
            *count = count.saturating_sub(1);
        }
        self.kept.entry(comes).and_modify(|count| *count += 1);
        PartitionTarget::Replicas { replicas, isr: isr.clone(), elr: elr.clone(), owner }
    }

    fn racks(&self, nodes: &[NodeId]) -> BTreeSet<Rack<'s>> {
        nodes.iter().filter_map(|node| self.state.node(*node)).map(rack).collect()
    }
}

impl<'s> Placed<'s> {
    /// Those that are to keep it.
    fn target(&self) -> &'s [NodeId] {
        self.partition.replicas.get(..self.wanted).unwrap_or(&self.partition.replicas)
    }

    /// Those that keep it still, and are to go.
    pub(super) fn surplus(&self) -> &'s [NodeId] {
        self.partition.replicas.get(self.wanted..).unwrap_or_default()
    }
}

/// A rack; a node without one is a rack of its own.
type Rack<'s> = Result<&'s str, NodeId>;

fn rack(node: &Node) -> Rack<'_> {
    node.rack.as_deref().ok_or(node.id)
}

/// Every partition, in order.
pub(super) fn placed(state: &ClusterState) -> impl Iterator<Item = Placed<'_>> {
    state.topics().flat_map(|topic| of_topic(state, topic))
}

fn of_topic<'s>(state: &ClusterState, topic: &'s Topic) -> impl Iterator<Item = Placed<'s>> {
    let wanted = usize::from(state.replicas_wanted(&topic.config));
    let min_insync = usize::from(topic.config.min_insync);
    topic.placed_partitions().map(move |(named, partition)| Placed { named, partition, wanted, min_insync })
}

/// Whether a node that is to stay fetches what it lacks.
fn is_under_way(state: &ClusterState, partition: &Partition) -> bool {
    let lacks = |node: &&NodeId| !partition.isr.contains(node);
    partition.replicas.iter().filter(lacks).any(|node| state.node(*node).is_some_and(Node::takes_partitions))
}

/// What is to be done so that a node owns a partition; `None` if it owns it and is to.
///
/// One in sync takes over at once. Another one comes to keep it first, for the one in the same rack or else for the owner,
/// and takes over when it is in sync.
pub(super) fn move_to(state: &ClusterState, placed: Placed<'_>, node: NodeId) -> Option<PartitionTarget> {
    let Placed { partition, wanted, .. } = placed;
    let Partition { replicas, isr, elr, owner, .. } = partition;
    let mut moved: Vec<NodeId> = replicas.iter().copied().filter(|other| *other != node).collect();
    if !placed.target().contains(&node) && placed.target().len() >= wanted {
        let of = |id: NodeId| state.node(id).map(rack);
        let in_rack = placed.target().iter().copied().find(|other| of(*other) == of(node));
        let goes = in_rack.or(*owner).filter(|goes| moved.contains(goes));
        moved.retain(|other| Some(*other) != goes);
        moved.extend(goes);
    }
    moved.insert(0, node);
    let next = if isr.contains(&node) { node } else { (*owner)? };
    let is_so = moved == *replicas && *owner == Some(next);
    (!is_so).then(|| PartitionTarget::Replicas { replicas: moved, isr: isr.clone(), elr: elr.clone(), owner: next })
}

/// A partition with what its topic wants of it; `None` if there is none.
pub(super) fn find(state: &ClusterState, named: TopicPartition) -> Option<Placed<'_>> {
    let topic = state.topic_by_id(named.topic)?;
    of_topic(state, topic).find(|placed| placed.named == named)
}
