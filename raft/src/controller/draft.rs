//! What a round is about to propose, and how things would be then.

use std::{borrow::Cow, collections::BTreeMap};

use shard_core::model::TopicPartition;

use crate::{
    limits,
    metadata::{ClusterState, Command, Node, NodeId, Partition, PartitionTarget, PartitionTransition},
};

/// Changes of nodes first, and then new owners, bounded in number.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// The metadata as they would be after the changes of nodes.
    state: Cow<'a, ClusterState>,
    commands: Vec<Command>,
    transitions: Vec<PartitionTransition>,
    /// How many partitions each live node would own.
    owned: BTreeMap<NodeId, usize>,
}

impl<'a> Draft<'a> {
    /// Begins with changes of nodes.
    pub(super) fn new(state: &'a ClusterState, mut changes: Vec<Command>) -> Self {
        changes.truncate(limits::CONTROLLER_COMMANDS_MAX / 2);
        let mut state = Cow::Borrowed(state);
        for change in &changes {
            // A refusal is found out by those who apply it as well.
            drop(state.to_mut().apply(change.clone()));
        }
        let live = state.nodes().filter(|node| !node.fenced);
        let owned = live.map(|node| (node.id, state.load(node.id).owned)).collect();
        Self { state, commands: changes, transitions: Vec::new(), owned }
    }

    pub(super) fn state(&self) -> &ClusterState {
        &self.state
    }

    /// Whether nodes go out or come in.
    pub(super) const fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    /// How many more partitions may change.
    pub(super) const fn room(&self) -> usize {
        let commands = limits::CONTROLLER_COMMANDS_MAX - self.commands.len();
        (commands * limits::TRANSITIONS_PER_COMMAND_MAX).saturating_sub(self.transitions.len())
    }

    /// How many partitions a live node would own.
    pub(super) fn owned(&self, node: NodeId) -> usize {
        self.owned.get(&node).copied().unwrap_or_default()
    }

    /// The live nodes that may be given partitions: those that are not to be emptied, or all if there are no others.
    pub(super) fn takers(&self) -> Vec<NodeId> {
        let live = || self.state.nodes().filter(|node| !node.fenced);
        let takers: Vec<NodeId> = live().filter(|node| node.takes_partitions()).map(|node| node.id).collect();
        if takers.is_empty() { live().map(|node| node.id).collect() } else { takers }
    }

    /// The one of some nodes that owns least.
    pub(super) fn least(&self, nodes: &[NodeId]) -> Option<NodeId> {
        nodes.iter().copied().min_by_key(|node| (self.owned(*node), *node))
    }

    /// Whether a node is there, lives and may be given partitions.
    pub(super) fn takes_partitions(&self, node: NodeId) -> bool {
        self.state.node(node).is_some_and(Node::takes_partitions)
    }

    /// A partition gets another owner.
    pub(super) fn give(&mut self, named: TopicPartition, partition: &Partition, owner: NodeId) {
        if let Some(count) = partition.owner.and_then(|former| self.owned.get_mut(&former)) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.owned.get_mut(&owner) {
            *count += 1;
        }
        self.transitions.push(transition(named, partition, owner));
    }

    /// A partition becomes something else.
    pub(super) fn change(&mut self, named: TopicPartition, partition: &Partition, to: PartitionTarget) {
        self.transitions.push(PartitionTransition { to, ..transition(named, partition, NodeId::new(0)) });
    }

    pub(super) fn into_commands(self) -> Vec<Command> {
        let Self { mut commands, transitions, .. } = self;
        let mut transitions = transitions.into_iter().peekable();
        while transitions.peek().is_some() {
            let mut changes: Vec<PartitionTransition> = Vec::new();
            let mut nodes = 0;
            while let Some(next) = transitions.next_if(|next| {
                nodes += named_nodes(&next.to);
                let fits = nodes <= limits::TRANSITION_NODES_MAX && changes.len() < limits::TRANSITIONS_PER_COMMAND_MAX;
                fits || changes.is_empty()
            }) {
                changes.push(next);
            }
            commands.push(Command::ChangePartitions { changes });
        }
        commands
    }
}

/// How many nodes a change names, which is what makes some longer than others.
fn named_nodes(to: &PartitionTarget) -> usize {
    match to {
        PartitionTarget::Owner(_) | PartitionTarget::Unclean(_) | PartitionTarget::Without(_) => 1,
        PartitionTarget::Replicas { replicas, isr, elr, .. } => replicas.len() + isr.len() + elr.len() + 1,
        PartitionTarget::InSync { isr, joining } => isr.len() + 2 * joining.len(),
    }
}

/// Gives a partition as it is to another owner.
pub(super) fn transition(named: TopicPartition, partition: &Partition, owner: NodeId) -> PartitionTransition {
    PartitionTransition {
        topic: named.topic,
        partition: named.partition.get(),
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        to: PartitionTarget::Owner(owner),
    }
}
