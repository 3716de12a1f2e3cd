//! What is asked of the leader for an operator, and what it answers, as plain data.

use serde::{Deserialize, Serialize};

use super::ClusterStanding;
use crate::{
    controller::{MoveRefusal, UncleanRefusal},
    metadata::NodeId,
};

/// What an operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operation {
    /// To be told how the cluster stands.
    Describe,
    /// To have the partitions evened out.
    Rebalance,
    /// To have a node own a partition.
    Move {
        /// The topic's id.
        topic: u64,
        /// The partition's number.
        partition: u32,
        /// The node.
        to: NodeId,
    },
    /// To have another node lead.
    Lead {
        /// Which one; `None` is whichever has most of the log.
        to: Option<NodeId>,
    },
    /// To have a node own a partition that may lack what was acknowledged.
    ElectUnclean {
        /// The topic's id.
        topic: u64,
        /// The partition's number.
        partition: u32,
        /// Which one; `None` is the first that is up of those that keep it.
        node: Option<NodeId>,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operated {
    /// So it stands.
    Described(ClusterStanding),
    /// It is done, or has begun.
    Done {
        /// The version of the metadata that shows it.
        version: u64,
    },
    /// It can't be done.
    Refused(OperateRefusal),
}

/// Why the leader does not do what an operator wants. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[expect(missing_docs, reason = "each message documents its variant")]
pub enum OperateRefusal {
    #[error("there is no such partition")]
    PartitionNotFound,
    #[error("there is no node {node}")]
    NodeNotFound { node: NodeId },
    #[error("node {node} is down")]
    NodeDown { node: NodeId },
    #[error("node {node} is to be emptied: undo that first")]
    NodeDraining { node: NodeId },
    #[error("nobody leads the partition now, so that no node can fetch its messages")]
    Offline,
    #[error("node {node} owns the partition already")]
    Unchanged { node: NodeId },
    #[error("it has changed meanwhile: {reason}")]
    Changed { reason: String },
    #[error("node {node} has no vote in the cluster's metadata, so it can't lead them")]
    NoVote { node: NodeId },
    #[error("there is no other node that could lead")]
    NobodyToTakeOver,
    #[error("the other node did not take over in time; the one that led still does")]
    NotTakenOver,
    #[error("every node reaches the messages: any node can take the partition over, and nothing has to be given up")]
    SharedStore,
    #[error("node {node} is up and holds all that was acknowledged: nothing has to be given up")]
    StillHeld { node: NodeId },
    #[error("node {node} does not keep the partition")]
    NotReplica { node: NodeId },
    #[error("no node that keeps the partition is up")]
    NoReplicaUp,
}

impl OperateRefusal {
    /// Why the controller does not move a partition; `None` if another node leads.
    pub(super) const fn of_move(refused: MoveRefusal) -> Option<Self> {
        Some(match refused {
            MoveRefusal::NotLeader => return None,
            MoveRefusal::PartitionNotFound => Self::PartitionNotFound,
            MoveRefusal::NodeNotFound { node } => Self::NodeNotFound { node },
            MoveRefusal::NodeDown { node } => Self::NodeDown { node },
            MoveRefusal::Offline => Self::Offline,
            MoveRefusal::Unchanged { node } => Self::Unchanged { node },
        })
    }

    /// Why the controller gives nothing up; `None` if another node leads.
    pub(super) const fn of_unclean(refused: UncleanRefusal) -> Option<Self> {
        Some(match refused {
            UncleanRefusal::NotLeader => return None,
            UncleanRefusal::SharedStore => Self::SharedStore,
            UncleanRefusal::PartitionNotFound => Self::PartitionNotFound,
            UncleanRefusal::StillHeld { node } => Self::StillHeld { node },
            UncleanRefusal::NotReplica { node } => Self::NotReplica { node },
            UncleanRefusal::NodeDown { node } => Self::NodeDown { node },
            UncleanRefusal::NoReplicaUp => Self::NoReplicaUp,
        })
    }
}
