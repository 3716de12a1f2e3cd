//! What operators ask of the controller.

use shard_core::model::{Monotonic, TopicPartition};

use super::{Controller, Evening, draft};
use crate::{
    limits,
    metadata::{ClusterState, Command, NodeId, Partition},
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
    #[error("node {node} does not hold all of the partition's messages")]
    NotInSync { node: NodeId },
    #[error("node {node} owns the partition already")]
    Unchanged { node: NodeId },
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
        check_move(state, partition, to)?;
        leading.evening = Evening::No;
        leading.rests_until = now.plus(limits::BALANCE_REST);
        Ok(Command::ChangePartitions { changes: vec![draft::transition(named, partition, to)] })
    }
}

fn check_move(state: &ClusterState, partition: &Partition, node: NodeId) -> Result<(), MoveRefusal> {
    let known = state.node(node).ok_or(MoveRefusal::NodeNotFound { node })?;
    if partition.owner == Some(node) {
        return Err(MoveRefusal::Unchanged { node });
    }
    if known.fenced {
        return Err(MoveRefusal::NodeDown { node });
    }
    let is_eligible = || partition.eligible(|node| state.is_live(node)).contains(&node);
    if state.shared_store() == Some(true) || is_eligible() { Ok(()) } else { Err(MoveRefusal::NotInSync { node }) }
}
