//! What operators ask of the controller.

use shard_core::model::{Monotonic, TopicPartition};

use super::{Controller, Evening, draft, reassign};
use crate::{
    limits,
    metadata::{ClusterState, Command, NodeId, Partition, PartitionTarget, PartitionTransition},
};

/// Why a partition is not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum MoveRefusal {
    #[error("this node does not lead the cluster's metadata")]
    NotLeader,
    #[error("there is no such partition")]
    PartitionNotFound,
    #[error("there is no node {node}")]
    NodeNotFound { node: NodeId },
    #[error("node {node} is down")]
    NodeDown { node: NodeId },
    #[error("nobody leads the partition now, so that no node can fetch its messages")]
    Offline,
    #[error("node {node} owns the partition already")]
    Unchanged { node: NodeId },
}

/// Why what was acknowledged is not given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum UncleanRefusal {
    #[error("this node does not lead the cluster's metadata")]
    NotLeader,
    #[error("every node reaches the messages: any node can take the partition over, and nothing has to be given up")]
    SharedStore,
    #[error("there is no such partition")]
    PartitionNotFound,
    #[error("node {node} is up and holds all that was acknowledged: nothing has to be given up")]
    StillHeld { node: NodeId },
    #[error("node {node} does not keep the partition")]
    NotReplica { node: NodeId },
    #[error("node {node} is down")]
    NodeDown { node: NodeId },
    #[error("no node that keeps the partition is up")]
    NoReplicaUp,
}

impl Controller {
    /// Evens out the partitions from now on, however small the differences are. Whether this node leads and so does it; a
    /// leader that comes after it must be asked again.
    pub fn rebalance(&mut self) -> bool {
        if let Some(leading) = &mut self.leading {
            leading.evening = Evening::Asked;
            leading.calm = None;
        }
        self.leading.is_some()
    }

    /// What is to be proposed so that a node owns a partition. For [`limits::BALANCE_REST`] the controller then leaves
    /// partitions where they are, unless a node is to be emptied.
    ///
    /// # Errors
    /// Says what prevents it.
    pub fn move_partition(
        &mut self,
        now: Monotonic,
        state: &ClusterState,
        named: TopicPartition,
        to: NodeId,
    ) -> Result<Command, MoveRefusal> {
        let now = self.clock.advance(now);
        let leading = self.leading.as_mut().ok_or(MoveRefusal::NotLeader)?;
        let topic = state.topic_by_id(named.topic);
        let partition = topic.and_then(|topic| topic.partition(named.partition));
        let partition = partition.ok_or(MoveRefusal::PartitionNotFound)?;
        let target = target_of_move(state, (named, partition), to)?;
        leading.evening = Evening::No;
        leading.rests_until = now.plus(limits::BALANCE_REST);
        leading.calm = None;
        let change = PartitionTransition { to: target, ..draft::transition(named, partition, to) };
        Ok(Command::ChangePartitions { changes: vec![change] })
    }

    /// What is to be proposed so that a partition is owned by a node that may lack what was acknowledged: by the given one,
    /// or by the first of its replicas that lives. Only if nobody lives who holds everything.
    ///
    /// # Errors
    /// Says what prevents it.
    pub fn elect_unclean(
        &self,
        state: &ClusterState,
        named: TopicPartition,
        node: Option<NodeId>,
    ) -> Result<Command, UncleanRefusal> {
        if self.leading.is_none() {
            return Err(UncleanRefusal::NotLeader);
        }
        if state.shared_store() == Some(true) {
            return Err(UncleanRefusal::SharedStore);
        }
        let topic = state.topic_by_id(named.topic);
        let partition = topic.and_then(|topic| topic.partition(named.partition));
        let partition = partition.ok_or(UncleanRefusal::PartitionNotFound)?;
        let is_live = |node: &NodeId| state.is_live(*node);
        if let Some(node) = partition.isr.iter().chain(&partition.elr).copied().find(is_live) {
            return Err(UncleanRefusal::StillHeld { node });
        }
        let node = match node {
            Some(node) if !partition.replicas.contains(&node) => return Err(UncleanRefusal::NotReplica { node }),
            Some(node) if !is_live(&node) => return Err(UncleanRefusal::NodeDown { node }),
            Some(node) => node,
            None => partition.replicas.iter().copied().find(is_live).ok_or(UncleanRefusal::NoReplicaUp)?,
        };
        let to = PartitionTarget::Unclean(node);
        Ok(Command::ChangePartitions {
            changes: vec![PartitionTransition { to, ..draft::transition(named, partition, node) }],
        })
    }
}

/// What a partition becomes so that a node owns it, or is to own it as soon as it has everything.
fn target_of_move(
    state: &ClusterState,
    (named, partition): (TopicPartition, &Partition),
    node: NodeId,
) -> Result<PartitionTarget, MoveRefusal> {
    let known = state.node(node).ok_or(MoveRefusal::NodeNotFound { node })?;
    let is_shared = state.shared_store() == Some(true);
    let unchanged = MoveRefusal::Unchanged { node };
    if is_shared && partition.owner == Some(node) {
        return Err(unchanged);
    }
    if known.fenced {
        return Err(MoveRefusal::NodeDown { node });
    }
    if is_shared {
        return Ok(PartitionTarget::Owner(node));
    }
    let is_led = partition.owner.is_some_and(|owner| state.is_live(owner) && partition.isr.contains(&owner));
    if !is_led && partition.eligible(|node| state.is_live(node)).contains(&node) {
        return Ok(PartitionTarget::Owner(node));
    }
    if !is_led {
        return Err(MoveRefusal::Offline);
    }
    let placed = reassign::find(state, named).ok_or(MoveRefusal::PartitionNotFound)?;
    reassign::move_to(state, placed, node).ok_or(unchanged)
}
